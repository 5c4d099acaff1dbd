/* The chain: SHA-256 of the hash before and of the entry's canonical bytes. */
#include <openssl/evp.h>

#include "ledger/ledger_int.h"

/* The bytes go through a buffer, as EVP costs more a call than a byte. */
struct Hasher {
    EVP_MD *method;
    EVP_MD_CTX *context;
    size_t used;
    unsigned char buffer[4096];
};

Hasher *ledger_hasher_create(void)
{
    Hasher *hasher = OPENSSL_zalloc(sizeof(*hasher));
    ASSERT(hasher != NULL);
    hasher->method = EVP_MD_fetch(NULL, "SHA256", NULL);
    hasher->context = EVP_MD_CTX_new();
    ASSERT(hasher->method != NULL && hasher->context != NULL);
    return hasher;
}

void ledger_hasher_destroy(Hasher *hasher)
{
    if (hasher == NULL)
        return;
    EVP_MD_CTX_free(hasher->context);
    EVP_MD_free(hasher->method);
    OPENSSL_free(hasher);
}

static void drain(Hasher *hasher)
{
    int ok = EVP_DigestUpdate(hasher->context, hasher->buffer, hasher->used);
    ASSERT(ok == 1);
    hasher->used = 0;
}

static void add_bytes(Hasher *hasher, const void *bytes, size_t size)
{
    const unsigned char *at = bytes;
    while (size > 0) {
        if (hasher->used == sizeof(hasher->buffer))
            drain(hasher);
        size_t room = sizeof(hasher->buffer) - hasher->used;
        size_t part = size < room ? size : room;
        memcpy(hasher->buffer + hasher->used, at, part);
        hasher->used += part;
        at += part;
        size -= part;
    }
}

/* Least byte first, whatever the machine. */
static void add_number(Hasher *hasher, int64_t value)
{
    unsigned char bytes[8];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)((uint64_t)value >> (8 * i));
    add_bytes(hasher, bytes, sizeof(bytes));
}

/* With its length before it, so that no two entries have the same bytes. */
static void add_text(Hasher *hasher, Str text)
{
    add_number(hasher, (int64_t)text.len);
    add_bytes(hasher, text.ptr, text.len);
}

static void begin(Hasher *hasher, EntryHash previous)
{
    int ok = EVP_DigestInit_ex(hasher->context, hasher->method, NULL);
    ASSERT(ok == 1);
    hasher->used = 0;
    add_bytes(hasher, previous.bytes, sizeof(previous.bytes));
}

static EntryHash finish(Hasher *hasher)
{
    EntryHash hash;
    unsigned size = 0;
    drain(hasher);
    int ok = EVP_DigestFinal_ex(hasher->context, hash.bytes, &size);
    ASSERT(ok == 1 && size == sizeof(hash.bytes));
    return hash;
}

EntryHash ledger_hash_entry(const Ledger *ledger, const LedgerEntry *entry, EntryHash previous)
{
    Hasher *hasher = ledger->hasher;
    begin(hasher, previous);
    add_number(hasher, entry->id);
    add_number(hasher, entry->reverses);
    add_number(hasher, entry->corrects);
    add_number(hasher, entry->day);
    add_number(hasher, entry->month);
    add_text(hasher, entry->key);
    add_text(hasher, entry->memo);
    add_text(hasher, entry->source.contract);
    add_text(hasher, entry->source.version);
    add_text(hasher, entry->source.clause);
    add_text(hasher, entry->source.run);
    add_number(hasher, (int64_t)entry->line_count);
    for (size_t i = 0; i < entry->line_count; i++) {
        const LedgerLine *line = &entry->lines[i];
        ASSERT(line->account >= 1 && line->account <= ledger->accounts.count);
        add_text(hasher, ledger->accounts.items[line->account - 1].account.code);
        add_number(hasher, line->minor);
    }
    return finish(hasher);
}

EntryHash ledger_hash_act(const Ledger *ledger, const LedgerAct *act, EntryHash previous)
{
    Hasher *hasher = ledger->hasher;
    begin(hasher, previous);
    add_number(hasher, act->id);
    add_text(hasher, act->kind);
    add_text(hasher, act->subject);
    add_text(hasher, act->account);
    add_text(hasher, act->person);
    add_text(hasher, act->role);
    add_number(hasher, act->day);
    add_number(hasher, act->minor);
    add_number(hasher, act->entry);
    add_text(hasher, act->text);
    return finish(hasher);
}
