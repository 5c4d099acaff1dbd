/* SHA-256 over OpenSSL's EVP interface. */
#include <openssl/evp.h>

#include "settle/settle_int.h"

struct Digest {
    EVP_MD *method;
    EVP_MD_CTX *context;
};

Digest *digest_create(void)
{
    Digest *digest = OPENSSL_zalloc(sizeof(*digest));
    ASSERT(digest != NULL);
    digest->method = EVP_MD_fetch(NULL, "SHA256", NULL);
    digest->context = EVP_MD_CTX_new();
    ASSERT(digest->method != NULL && digest->context != NULL);
    return digest;
}

void digest_destroy(Digest *digest)
{
    if (digest == NULL)
        return;
    EVP_MD_CTX_free(digest->context);
    EVP_MD_free(digest->method);
    OPENSSL_free(digest);
}

void digest_begin(Digest *digest)
{
    int ok = EVP_DigestInit_ex(digest->context, digest->method, NULL);
    ASSERT(ok == 1);
}

void digest_add(Digest *digest, const void *bytes, size_t size)
{
    int ok = EVP_DigestUpdate(digest->context, bytes, size);
    ASSERT(ok == 1);
}

void digest_end(Digest *digest, char ret_hex[DIGEST_HEX])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char bytes[DIGEST_BYTES];
    unsigned size = 0;
    int ok = EVP_DigestFinal_ex(digest->context, bytes, &size);
    ASSERT(ok == 1 && size == DIGEST_BYTES);
    for (size_t i = 0; i < DIGEST_BYTES; i++) {
        ret_hex[2 * i] = digits[bytes[i] >> 4];
        ret_hex[2 * i + 1] = digits[bytes[i] & 15];
    }
}

Str digest_of(Arena *arena, Str text)
{
    Digest *digest = digest_create();
    char hex[DIGEST_HEX];
    digest_begin(digest);
    digest_add(digest, text.ptr, text.len);
    digest_end(digest, hex);
    digest_destroy(digest);
    return str_copy(arena, (Str){.ptr = hex, .len = DIGEST_HEX});
}
