#include "store/store_int.h"

#include <roaring/roaring.h>
#include <stdlib.h>

/*
 * Rows of a type by concept. CRoaring writes the larger lists; reading them is done here, by a
 * walk over Roaring's portable form (https://github.com/RoaringBitmap/RoaringFormatSpec) that
 * checks every count and order, sets bits in place and allocates nothing: the library's own
 * reader of Debian 12 believes the cardinalities that it reads.
 */
enum {
    ROARING_COOKIE_NO_RUNS = 12346,
    ROARING_COOKIE = 12347,
    ROARING_NO_OFFSETS_BELOW = 4, /* containers, in the form with runs */
    ROARING_ARRAY_MAX = 4096,
    ROARING_BITSET_BYTES = 8192,
    ROARING_CONTAINERS_MAX = 65536,
    LIST16_ROWS = 65536,
};

/* ---- reading ---- */

/* Bytes of a posting still unread. */
typedef struct {
    const uint8_t *at;
    size_t left;
} Cursor;

static bool take(Cursor *cursor, size_t size, const uint8_t **ret_bytes)
{
    if (cursor->left < size)
        return false;
    *ret_bytes = cursor->at;
    cursor->at += size;
    cursor->left -= size;
    return true;
}

static uint16_t load16(const uint8_t *bytes)
{
    uint16_t value;
    memcpy(&value, bytes, sizeof(value));
    return value;
}

static uint32_t load32(const uint8_t *bytes)
{
    uint32_t value;
    memcpy(&value, bytes, sizeof(value));
    return value;
}

static void set_bit(uint64_t *bits, uint32_t row)
{
    bits[row >> 6] |= UINT64_C(1) << (row & 63);
}

static bool read_list16(Cursor *cursor, uint32_t base, uint32_t count, uint32_t limit,
                        uint64_t *bits)
{
    const uint8_t *bytes;
    if (!take(cursor, (size_t)count * 2, &bytes))
        return false;
    int64_t last = -1;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t low = load16(bytes + 2 * (size_t)i);
        if ((int64_t)low <= last || base + low >= limit)
            return false;
        set_bit(bits, base + low);
        last = low;
    }
    return true;
}

static bool read_list32(Cursor *cursor, uint32_t count, uint32_t limit, uint64_t *bits)
{
    const uint8_t *bytes;
    if (!take(cursor, (size_t)count * 4, &bytes))
        return false;
    int64_t last = -1;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t row = load32(bytes + 4 * (size_t)i);
        if ((int64_t)row <= last || row >= limit)
            return false;
        set_bit(bits, row);
        last = row;
    }
    return true;
}

/* A container of 65,536 bits; those beyond the limit must be zero. */
static bool read_bitset(Cursor *cursor, uint32_t base, uint32_t count, uint32_t limit,
                        uint64_t *bits)
{
    const uint8_t *bytes;
    if (!take(cursor, ROARING_BITSET_BYTES, &bytes))
        return false;
    uint32_t found = 0;
    for (uint32_t i = 0; i < ROARING_BITSET_BYTES / 8; i++) {
        uint64_t word;
        memcpy(&word, bytes + 8 * (size_t)i, sizeof(word));
        if (word == 0)
            continue;
        uint32_t top = base + 64 * i + 63 - (uint32_t)__builtin_clzll(word);
        if (top >= limit)
            return false;
        bits[base / 64 + i] |= word;
        found += (uint32_t)__builtin_popcountll(word);
    }
    return found == count;
}

static bool read_runs(Cursor *cursor, uint32_t base, uint32_t count, uint32_t limit, uint64_t *bits)
{
    const uint8_t *bytes;
    if (!take(cursor, 2, &bytes))
        return false;
    uint32_t runs = load16(bytes);
    if (!take(cursor, (size_t)runs * 4, &bytes))
        return false;
    int64_t last = -1;
    uint32_t found = 0;
    for (uint32_t i = 0; i < runs; i++) {
        uint32_t first = load16(bytes + 4 * (size_t)i);
        uint32_t end = first + load16(bytes + 4 * (size_t)i + 2); /* inclusive */
        if ((int64_t)first <= last || end > UINT16_MAX || base + end >= limit)
            return false;
        for (uint32_t low = first; low <= end; low++)
            set_bit(bits, base + low);
        found += end - first + 1;
        last = end;
    }
    return found == count;
}

static bool read_roaring(Cursor *cursor, uint32_t count, uint32_t limit, uint64_t *bits)
{
    const uint8_t *bytes;
    const uint8_t *run_flags = NULL;
    if (!take(cursor, 4, &bytes))
        return false;
    uint32_t cookie = load32(bytes);
    uint32_t containers = (cookie >> 16) + 1;
    bool has_runs = (cookie & 0xffff) == ROARING_COOKIE;
    if (has_runs) {
        if (!take(cursor, (containers + 7) / 8, &run_flags))
            return false;
    } else {
        if (cookie != ROARING_COOKIE_NO_RUNS || !take(cursor, 4, &bytes))
            return false;
        containers = load32(bytes);
    }
    const uint8_t *heads;
    if (containers > ROARING_CONTAINERS_MAX || !take(cursor, (size_t)containers * 4, &heads))
        return false;
    /* The offsets say again what the sizes say: they are passed over. */
    bool has_offsets = !has_runs || containers >= ROARING_NO_OFFSETS_BELOW;
    if (has_offsets && !take(cursor, (size_t)containers * 4, &bytes))
        return false;
    int64_t last_key = -1;
    uint32_t total = 0;
    for (uint32_t i = 0; i < containers; i++) {
        uint32_t key = load16(heads + 4 * (size_t)i);
        uint32_t held = (uint32_t)load16(heads + 4 * (size_t)i + 2) + 1;
        uint32_t base = key << 16;
        if ((int64_t)key <= last_key || base >= limit)
            return false;
        last_key = key;
        total += held;
        bool ok;
        if (has_runs && ((run_flags[i / 8] >> (i % 8)) & 1) != 0)
            ok = read_runs(cursor, base, held, limit, bits);
        else if (held > ROARING_ARRAY_MAX)
            ok = read_bitset(cursor, base, held, limit, bits);
        else
            ok = read_list16(cursor, base, held, limit, bits);
        if (!ok)
            return false;
    }
    return total == count;
}

bool posting_set_bits(const Postings *postings, const Posting *posting, uint64_t *bits)
{
    uint32_t limit = postings->person_count;
    if (posting->count > limit)
        return false;
    if (posting->form == POSTING_ONE) {
        if (posting->count != 1 || posting->at >= limit)
            return false;
        set_bit(bits, posting->at);
        return true;
    }
    if (posting->at > postings->data_size)
        return false;
    Cursor cursor = {.at = postings->data + posting->at, .left = postings->data_size - posting->at};
    switch ((PostingForm)posting->form) {
    case POSTING_LIST16:
        return read_list16(&cursor, 0, posting->count, limit, bits);
    case POSTING_LIST32:
        return read_list32(&cursor, posting->count, limit, bits);
    case POSTING_ROARING:
        return read_roaring(&cursor, posting->count, limit, bits);
    default:
        return false;
    }
}

uint32_t postings_lower_bound(const Postings *postings, uint16_t type, ConceptId concept)
{
    uint64_t wanted = (uint64_t)type << 32 | concept;
    uint32_t from = 0;
    uint32_t left = postings->count;
    while (left > 0) {
        uint32_t half = left / 2;
        const Posting *middle = &postings->index[from + half];
        if (((uint64_t)middle->type << 32 | middle->concept) < wanted) {
            from += half + 1;
            left -= half + 1;
        } else {
            left = half;
        }
    }
    return from;
}

/* The next posting from *at on that is of the type and in the set (NULL: the one for "any"). */
static const Posting *next_match(const Postings *postings, uint16_t type, const ConceptSet *set,
                                 uint32_t *at)
{
    while (*at < postings->count && postings->index[*at].type == type) {
        const Posting *posting = &postings->index[(*at)++];
        bool is_any = posting->concept == CONCEPT_NONE;
        if (set == NULL)
            return is_any ? posting : NULL;
        if (posting->concept - set->first >= set->span && posting->concept >= set->first)
            return NULL; /* past the set's last member */
        if (!is_any && concept_set_has(set, posting->concept))
            return posting;
    }
    return NULL;
}

bool postings_rows_with(const Postings *postings, uint16_t type, const ConceptSet *set,
                        uint64_t *bits)
{
    uint32_t at = postings_lower_bound(postings, type, set == NULL ? CONCEPT_NONE : set->first);
    const Posting *posting;
    while ((posting = next_match(postings, type, set, &at)) != NULL) {
        if (!posting_set_bits(postings, posting, bits))
            return false;
    }
    return true;
}

bool postings_count_with(const Postings *postings, uint16_t type, const ConceptSet *set,
                         uint64_t *scratch, uint64_t *ret_count)
{
    uint32_t at = postings_lower_bound(postings, type, set == NULL ? CONCEPT_NONE : set->first);
    const Posting *first = next_match(postings, type, set, &at);
    const Posting *next = first == NULL ? NULL : next_match(postings, type, set, &at);
    if (next == NULL) {
        /* One list alone: its length is the answer. */
        *ret_count = first == NULL ? 0 : first->count;
        return true;
    }
    size_t words = store_row_words(postings->person_count);
    memset(scratch, 0, words * sizeof(*scratch));
    if (!posting_set_bits(postings, first, scratch))
        return false;
    for (; next != NULL; next = next_match(postings, type, set, &at)) {
        if (!posting_set_bits(postings, next, scratch))
            return false;
    }
    uint64_t count = 0;
    for (size_t i = 0; i < words; i++)
        count += (uint64_t)__builtin_popcountll(scratch[i]);
    *ret_count = count;
    return true;
}

/* ---- building ---- */

/* What is counted of one concept while a type is walked. */
typedef struct {
    uint32_t last_row; /* + 1 */
    uint32_t count;
    uint32_t filled;
} Tally;

static int compare_ids(const void *a, const void *b)
{
    ConceptId left = *(const ConceptId *)a;
    ConceptId right = *(const ConceptId *)b;
    return left < right ? -1 : left > right;
}

static void add_raw(StrBuf *buf, const void *bytes, size_t size)
{
    strbuf_add(buf, (Str){.ptr = bytes, .len = size});
}

/* Appends one posting in the smallest of its forms. */
static void add_posting(Posting posting, const uint32_t *rows, uint32_t person_count,
                        StrBuf *ret_index, StrBuf *ret_data)
{
    bool fits16 = person_count <= LIST16_ROWS;
    size_t list_size = (size_t)posting.count * (fits16 ? 2 : 4);
    posting.at = (uint32_t)ret_data->len;
    if (posting.count == 1) {
        posting.form = POSTING_ONE;
        posting.at = rows[0];
        add_raw(ret_index, &posting, sizeof(posting));
        return;
    }
    roaring_bitmap_t *bitmap = roaring_bitmap_of_ptr(posting.count, rows);
    ASSERT(bitmap != NULL);
    (void)roaring_bitmap_run_optimize(bitmap);
    size_t roaring_size = roaring_bitmap_portable_size_in_bytes(bitmap);
    if (roaring_size < list_size) {
        posting.form = POSTING_ROARING;
        char *room = strbuf_reserve(ret_data, roaring_size);
        ASSERT(room != NULL && roaring_bitmap_portable_serialize(bitmap, room) == roaring_size);
        ret_data->len += roaring_size;
    } else if (fits16) {
        posting.form = POSTING_LIST16;
        for (uint32_t i = 0; i < posting.count; i++)
            add_raw(ret_data, &(uint16_t){(uint16_t)rows[i]}, 2);
    } else {
        posting.form = POSTING_LIST32;
        add_raw(ret_data, rows, list_size);
    }
    roaring_bitmap_free(bitmap);
    add_raw(ret_index, &posting, sizeof(posting));
}

typedef Vec(ConceptId) ConceptVec;

/* The concepts of a type in this batch, each with the number of rows that have it. */
static ConceptVec tally_type(Arena *arena, const RecordBatch *batch, const RecordType *type,
                             Tally *tallies)
{
    ConceptVec seen = {0};
    for (uint32_t row = 0; row < batch->person_count; row++) {
        for (uint32_t i = type->starts[row]; i < type->starts[row + 1]; i++) {
            ConceptId concept = type->entries.concepts[i];
            Tally *tally = &tallies[concept];
            if (concept == CONCEPT_NONE || tally->last_row == row + 1)
                continue;
            tally->last_row = row + 1;
            if (tally->count++ == 0)
                VEC_PUSH(arena, &seen, concept);
        }
    }
    if (seen.count > 0)
        qsort(seen.items, seen.count, sizeof(*seen.items), compare_ids);
    return seen;
}

/* The rows of every concept of a type, one list behind the other; leaves the tallies zero. */
static void add_type(Arena *arena, const RecordBatch *batch, uint16_t number, Tally *tallies,
                     StrBuf *ret_index, StrBuf *ret_data)
{
    const RecordType *type = &batch->types[number];
    ConceptVec seen = tally_type(arena, batch, type, tallies);
    uint32_t total = 0;
    VEC_FOREACH (ConceptId, concept, &seen) {
        Tally *tally = &tallies[*concept];
        tally->filled = total;
        tally->last_row = 0;
        total += tally->count;
    }
    uint32_t *rows = ARENA_ARRAY(arena, uint32_t, total);
    for (uint32_t row = 0; row < batch->person_count; row++) {
        for (uint32_t i = type->starts[row]; i < type->starts[row + 1]; i++) {
            Tally *tally = &tallies[type->entries.concepts[i]];
            if (type->entries.concepts[i] == CONCEPT_NONE || tally->last_row == row + 1)
                continue;
            tally->last_row = row + 1;
            rows[tally->filled++] = row;
        }
    }
    VEC_FOREACH (ConceptId, concept, &seen) {
        Tally *tally = &tallies[*concept];
        Posting posting = {.type = number, .concept = *concept, .count = tally->count};
        add_posting(posting, rows + tally->filled - tally->count, batch->person_count, ret_index,
                    ret_data);
        *tally = (Tally){0};
    }
}

/* The posting of all rows that have anything of the type. */
static void add_any(Arena *arena, const RecordBatch *batch, uint16_t number, StrBuf *ret_index,
                    StrBuf *ret_data)
{
    const uint32_t *starts = batch->types[number].starts;
    uint32_t *rows = ARENA_ARRAY(arena, uint32_t, batch->person_count);
    Posting posting = {.type = number};
    for (uint32_t row = 0; row < batch->person_count; row++) {
        if (starts[row + 1] > starts[row])
            rows[posting.count++] = row;
    }
    if (posting.count > 0)
        add_posting(posting, rows, batch->person_count, ret_index, ret_data);
}

void postings_build(Arena *arena, const RecordBatch *batch, StrBuf *ret_index, StrBuf *ret_data)
{
    Tally *tallies = ARENA_ZARRAY(arena, Tally, (size_t)concept_dict_count(batch->dict) + 1);
    for (uint32_t i = 0; i < FHIR_RESOURCE_TYPE_LIMIT; i++) {
        uint16_t number = (uint16_t)i;
        if (batch->types[number].starts == NULL)
            continue;
        add_any(arena, batch, number, ret_index, ret_data);
        if (batch->types[number].entries.concepts != NULL)
            add_type(arena, batch, number, tallies, ret_index, ret_data);
    }
}
