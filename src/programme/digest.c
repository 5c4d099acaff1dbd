/* Digests of inputs, by which a stage knows that nothing has changed since it was last done. */
#include "programme/programme_int.h"

enum { CHUNK = 1 << 16 };

static void mix(InputDigest *digest, uint64_t value)
{
    /* splitmix64's finaliser (Vigna, public domain) over the running value and the new one. */
    uint64_t x = digest->value * UINT64_C(0x9E3779B97F4A7C15) + value + 1;
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    digest->value = x ^ (x >> 31);
}

void input_digest_text(InputDigest *digest, Str text)
{
    mix(digest, text.len);
    mix(digest, str_hash(text));
}

void input_digest_number(InputDigest *digest, int64_t number)
{
    mix(digest, (uint64_t)number);
}

/* A checksum a chunk: as fast as memory, also for hundreds of gigabytes. */
static ErrorCode digest_file(InputDigest *digest, Str path, Error *err)
{
    IoMap map;
    ErrorCode code = io_map(path, &map, err);
    if (code != ERR_OK)
        return code;
    mix(digest, map.size);
    for (size_t at = 0; at < map.size; at += CHUNK) {
        size_t size = map.size - at < CHUNK ? map.size - at : CHUNK;
        mix(digest, io_crc32c(0, map.ptr + at, size));
    }
    io_unmap(&map);
    return ERR_OK;
}

static ErrorCode digest_below(Arena *arena, InputDigest *digest, Str path, int depth, Error *err)
{
    if (!io_is_dir(path))
        return digest_file(digest, path, err);
    if (depth > 32)
        return error_set(err, ERR_LIMIT, "%.*s: folders are nested too deep", STR_ARG(path));
    IoNames names = {0};
    ErrorCode code = io_list_dir(arena, path, &names, err);
    for (size_t i = 0; code == ERR_OK && i < names.count; i++) {
        input_digest_text(digest, names.items[i]);
        code = digest_below(arena, digest, io_join(arena, path, names.items[i]), depth + 1, err);
    }
    return code;
}

ErrorCode input_digest_path(Arena *arena, InputDigest *digest, Str path, Error *err)
{
    return digest_below(arena, digest, path, 0, err);
}
