#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/io.h"
#include "base/test.h"

/* The vectors of RFC 3720, appendix B.4. */
TEST(crc32c_gives_the_published_vectors)
{
    unsigned char zeros[32] = {0};
    unsigned char ones[32];
    unsigned char up[32];
    unsigned char down[32];
    memset(ones, 0xFF, sizeof(ones));
    for (size_t i = 0; i < 32; i++) {
        up[i] = (unsigned char)i;
        down[i] = (unsigned char)(31 - i);
    }
    static const unsigned char scsi_read[48] = {
        0x01, 0xc0, 0, 0, 0, 0, 0,    0, 0,    0, 0, 0,    0, 0, 0, 0,
        0x14, 0,    0, 0, 0, 0, 0x04, 0, 0,    0, 0, 0x14, 0, 0, 0, 0x18,
        0x28, 0,    0, 0, 0, 0, 0,    0, 0x02, 0, 0, 0,    0, 0, 0, 0};
    const struct {
        const char *row;
        const void *data;
        size_t size;
        uint32_t want;
    } rows[] = {
        /* clang-format off */
        {"nothing",          zeros,       0,  0x00000000},
        {"32 zeros",         zeros,       32, 0x8a9136aa},
        {"32 ones",          ones,        32, 0x62a8ab43},
        {"0 up to 31",       up,          32, 0x46dd794e},
        {"31 down to 0",     down,        32, 0x113fdb5c},
        {"iSCSI read",       scsi_read,   48, 0xd9963a56},
        {"digits",           "123456789", 9,  0xe3069283},
        /* clang-format on */
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CHECK_ROW(rows[i].row, io_crc32c(0, rows[i].data, rows[i].size), rows[i].want);
        CHECK_ROW(rows[i].row, io_crc32c_portable(0, rows[i].data, rows[i].size), rows[i].want);
    }
}

TEST(crc32c_is_the_same_by_table_and_in_parts_for_all_lengths)
{
    enum { SIZE = 10000 };
    unsigned char *bytes = arena_alloc(arena, SIZE);
    uint64_t seed = 7;
    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = (unsigned char)test_random(&seed);
    for (size_t size = 0; size < SIZE; size += 1 + size / 40) {
        size_t from = (size_t)test_random(&seed) % 8;
        size = size + from < SIZE ? size : SIZE - from;
        uint32_t want = io_crc32c_portable(0, bytes + from, size);
        CHECK_INT(io_crc32c(0, bytes + from, size), want);
        size_t cut = size == 0 ? 0 : (size_t)test_random(&seed) % size;
        uint32_t first = io_crc32c(0, bytes + from, cut);
        CHECK_INT(io_crc32c(first, bytes + from + cut, size - cut), want);
    }
}
