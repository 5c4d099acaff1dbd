#include <stdlib.h>

#include "base/test.h"
#include "base/threads.h"
#include "terms/terms_int.h"

#define SCT S("http://snomed.info/sct")
#define ICD S("http://hl7.org/fhir/sid/icd-10-cm")

TEST(equal_names_have_one_id_and_different_ones_two)
{
    ConceptBuilder *builder = concept_builder_create();
    ConceptInterner *a = concept_interner_create(builder);
    ConceptInterner *b = concept_interner_create(builder);
    ConceptId first = concept_intern(a, SCT, S("44054006"));
    CHECK(first != CONCEPT_NONE);
    CHECK_INT(concept_intern(a, SCT, S("44054006")), first);
    CHECK_INT(concept_intern(b, SCT, S("44054006")), first);
    CHECK(concept_intern(b, ICD, S("44054006")) != first);
    CHECK(concept_intern(b, SCT, S("44054007")) != first);
    CHECK(concept_intern(b, SCT, S("")) != first);
    CHECK(concept_intern(b, S(""), S("44054006")) != first);
    /* What is cut differently is not the same. */
    CHECK(concept_intern(a, S("ab"), S("c")) != concept_intern(a, S("a"), S("bc")));
    CHECK_STR(concept_builder_name(builder, first).system, SCT);
    CHECK_STR(concept_builder_name(builder, first).code, S("44054006"));
    concept_interner_destroy(a);
    concept_interner_destroy(b);
    concept_builder_destroy(builder);
}

TEST(group_is_a_set_of_codes)
{
    ConceptBuilder *builder = concept_builder_create();
    ConceptInterner *in = concept_interner_create(builder);
    ConceptId a = concept_intern(in, SCT, S("1"));
    ConceptId b = concept_intern(in, SCT, S("2"));
    ConceptId c = concept_intern(in, SCT, S("3"));
    ConceptId group = concept_intern_group(in, (ConceptId[]){b, a}, 2);
    CHECK(group != a && group != b && group != CONCEPT_NONE);
    CHECK_INT(concept_intern_group(in, (ConceptId[]){a, b, a, 0}, 4), group);
    CHECK(concept_intern_group(in, (ConceptId[]){a, b, c}, 3) != group);
    CHECK_INT(concept_intern_group(in, (ConceptId[]){c, c}, 2), c);
    CHECK_INT(concept_intern_group(in, (ConceptId[]){0, 0}, 2), CONCEPT_NONE);
    CHECK_INT(concept_intern_group(in, NULL, 0), CONCEPT_NONE);
    size_t count;
    const ConceptId *members = concept_builder_members(builder, group, &count);
    CHECK_INT((int64_t)count, 2);
    CHECK(members[0] == a && members[1] == b);
    members = concept_builder_members(builder, c, &count);
    CHECK_INT((int64_t)count, 1);
    CHECK_INT(members[0], c);

    /* Longer than what is kept on the stack, and than a block of text. */
    enum { MANY = 20000 };
    ConceptId *many = ARENA_ARRAY(arena, ConceptId, MANY);
    for (size_t i = 0; i < MANY; i++)
        many[i] = concept_intern(in, ICD, str_format(arena, "%zu", MANY - i));
    ConceptId large = concept_intern_group(in, many, MANY);
    CHECK_INT(concept_intern_group(in, many, MANY), large);
    (void)concept_builder_members(builder, large, &count);
    CHECK_INT((int64_t)count, MANY);
    concept_interner_destroy(in);
    concept_builder_destroy(builder);
}

typedef struct {
    ConceptBuilder *builder;
    ConceptInterner *interners[8];
    Arena *arenas[8];
    size_t codes;
    uint64_t seed;
} Load;

static ConceptId load_code(Load *load, size_t worker, uint64_t number)
{
    static const char *const systems[] = {"http://loinc.org", "http://snomed.info/sct", "",
                                          "Organization", "http://loinc.org/a"};
    Str code = str_format(load->arenas[worker], "%llu-%llu", (unsigned long long)number % 977,
                          (unsigned long long)number);
    return concept_intern(load->interners[worker], str_from_c(systems[number % COUNT_OF(systems)]),
                          code);
}

static bool load_item(void *context, size_t worker, size_t item)
{
    Load *load = context;
    uint64_t state = load->seed + item * 1000003;
    for (size_t i = 0; i < 500; i++) {
        ConceptId ids[3];
        size_t count = 1 + test_random(&state) % 3;
        for (size_t k = 0; k < count; k++)
            ids[k] = load_code(load, worker, test_random(&state) % load->codes);
        (void)concept_intern_group(load->interners[worker], ids, count);
    }
    return true;
}

/* Loads items 0 .. items - 1 of one seed on so many threads. */
static Str load_image(Arena *arena, size_t threads, size_t items, size_t codes)
{
    Load load = {.builder = concept_builder_create(), .codes = codes, .seed = 77};
    for (size_t i = 0; i < threads; i++) {
        load.interners[i] = concept_interner_create(load.builder);
        load.arenas[i] = arena_create(0);
    }
    CHECK(work_run(threads, items, load_item, &load));
    const ConceptId *renumber;
    ConceptDict *dict = concept_builder_finish(load.builder, arena, &renumber);
    CHECK_INT(renumber[0], 0);
    /* Each provisional id has its own final one with the same name. */
    uint32_t count = concept_dict_count(dict);
    bool *seen = ARENA_ZARRAY(arena, bool, (size_t)count + 1);
    for (ConceptId id = 1; id <= count; id++) {
        CHECK(!seen[renumber[id]]);
        seen[renumber[id]] = true;
        if (concept_dict_is_group(dict, renumber[id]))
            continue;
        ConceptName was = concept_builder_name(load.builder, id);
        ConceptName is = concept_dict_name(dict, renumber[id]);
        CHECK_STR(is.system, was.system);
        CHECK_STR(is.code, was.code);
        CHECK_INT(concept_dict_find(dict, was.system, was.code), renumber[id]);
    }
    for (size_t i = 0; i < threads; i++) {
        concept_interner_destroy(load.interners[i]);
        arena_destroy(load.arenas[i]);
    }
    concept_builder_destroy(load.builder);
    return concept_dict_serialise(dict, arena);
}

TEST(dictionary_does_not_depend_on_threads)
{
    Str one = load_image(arena, 1, 64, 20000);
    Str four = load_image(arena, 4, 64, 20000);
    CHECK(str_eq(one, four));
    ConceptDict *dict;
    Error err;
    CHECK_OK(concept_dict_open(arena, four.ptr, four.len, &dict, &err), &err);
    CHECK(concept_dict_code_count(dict) > 10000);
    CHECK(concept_dict_count(dict) > concept_dict_code_count(dict));
    CHECK_INT(concept_dict_find(dict, S("http://loinc.org"), S("nothing")), CONCEPT_NONE);
    CHECK_INT(concept_dict_find(dict, S("nothing"), S("0-0")), CONCEPT_NONE);
    /* From an address that is not a multiple of eight too. */
    char *shifted = arena_alloc(arena, four.len + 1);
    memcpy(shifted + 1, four.ptr, four.len);
    CHECK_OK(concept_dict_open(arena, shifted + 1, four.len, &dict, &err), &err);
    CHECK(str_eq(concept_dict_serialise(dict, arena), four));
}

TEST(order_is_by_bytes_and_groups_follow)
{
    ConceptBuilder *builder = concept_builder_create();
    ConceptInterner *in = concept_interner_create(builder);
    /* A zero byte sorts behind the end of the text, and bytes are unsigned. */
    static const Str codes[] = {STR_INIT("b"),         STR_INIT("a"),  STR_INIT("a\0"),
                                STR_INIT("abcdefghj"), STR_INIT(""),   STR_INIT("abcdefghi"),
                                STR_INIT("\xc3\xa9"),  STR_INIT("ab"), STR_INIT("abcdefgh")};
    static const Str sorted[] = {STR_INIT(""),          STR_INIT("a"),        STR_INIT("a\0"),
                                 STR_INIT("ab"),        STR_INIT("abcdefgh"), STR_INIT("abcdefghi"),
                                 STR_INIT("abcdefghj"), STR_INIT("b"),        STR_INIT("\xc3\xa9")};
    ConceptId last = CONCEPT_NONE;
    for (size_t i = 0; i < COUNT_OF(codes); i++)
        last = concept_intern(in, S("s"), codes[i]);
    ConceptId other = concept_intern(in, S("r"), S("zz"));
    ConceptId group = concept_intern_group(in, (ConceptId[]){last, other}, 2);
    const ConceptId *renumber;
    ConceptDict *dict = concept_builder_finish(builder, arena, &renumber);
    CHECK_INT(concept_dict_code_count(dict), COUNT_OF(codes) + 1);
    CHECK_INT(renumber[other], 1);
    for (size_t i = 0; i < COUNT_OF(sorted); i++)
        CHECK_STR(concept_dict_name(dict, (ConceptId)i + 2).code, sorted[i]);
    CHECK_INT(renumber[group], COUNT_OF(codes) + 2);
    CHECK(concept_dict_is_group(dict, renumber[group]));
    CHECK_STR(concept_dict_name(dict, renumber[group]).code, S("zz"));
    size_t count;
    const ConceptId *members = concept_dict_members(dict, renumber[group], &count);
    CHECK_INT((int64_t)count, 2);
    CHECK(members[0] == 1 && members[1] == renumber[last]);
    ConceptNames names = {.dict = dict};
    CHECK(concept_is_known(names, renumber[group]));
    CHECK(!concept_is_known(names, renumber[group] + 1));
    CHECK(!concept_is_known(names, 0));
    names = (ConceptNames){.builder = builder};
    CHECK(concept_is_known(names, group));
    CHECK(!concept_is_known(names, group + 1));
    CHECK(!concept_is_known(names, UINT32_MAX));
    CHECK_STR(concept_name(names, other).code, S("zz"));
    /* A damaged tape may ask for the name of a group. */
    CHECK_STR(concept_name(names, group).system, S("s"));
    names = (ConceptNames){.dict = dict};
    CHECK_STR(concept_name(names, renumber[other]).code, S("zz"));
    concept_interner_destroy(in);
    concept_builder_destroy(builder);
}

/* Of codes, and of systems, of every length: a difference in any one byte counts. */
TEST(every_byte_of_a_name_counts)
{
    enum { LENGTH_MAX = 90 };
    ConceptBuilder *builder = concept_builder_create();
    ConceptInterner *in = concept_interner_create(builder);
    char text[LENGTH_MAX];
    memset(text, 'x', sizeof(text));
    for (size_t len = 1; len <= LENGTH_MAX; len++) {
        Str whole = {.ptr = text, .len = len};
        ConceptId as_code = concept_intern(in, S("s"), whole);
        ConceptId as_system = concept_intern(in, whole, S("c"));
        for (size_t at = 0; at < len; at++) {
            text[at] = 'y';
            CHECK(concept_intern(in, S("s"), whole) != as_code);
            CHECK(concept_intern(in, whole, S("c")) != as_system);
            text[at] = 'x';
        }
        CHECK_INT(concept_intern(in, S("s"), whole), as_code);
        CHECK_INT(concept_intern(in, whole, S("c")), as_system);
    }
    concept_interner_destroy(in);
    concept_builder_destroy(builder);
}

TEST(shorter_group_comes_before_one_that_it_begins)
{
    ConceptBuilder *builder = concept_builder_create();
    ConceptInterner *in = concept_interner_create(builder);
    ConceptId ids[4];
    for (size_t i = 0; i < COUNT_OF(ids); i++)
        ids[i] = concept_intern(in, SCT, str_format(arena, "%zu", i));
    ConceptId four = concept_intern_group(in, ids, 4);
    ConceptId other = concept_intern_group(in, (ConceptId[]){ids[0], ids[2]}, 2);
    ConceptId two = concept_intern_group(in, ids, 2);
    ConceptId three = concept_intern_group(in, ids, 3);
    const ConceptId *renumber;
    (void)concept_builder_finish(builder, arena, &renumber);
    CHECK(renumber[two] < renumber[three] && renumber[three] < renumber[four]);
    CHECK(renumber[four] < renumber[other]);
    concept_interner_destroy(in);
    concept_builder_destroy(builder);
}

TEST(systems_may_be_many)
{
    enum { SYSTEMS = 3000 };
    ConceptBuilder *builder = concept_builder_create();
    ConceptInterner *in = concept_interner_create(builder);
    ConceptId ids[SYSTEMS];
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < SYSTEMS; i++) {
            ConceptId id = concept_intern(in, str_format(arena, "urn:oid:%zu", i), S("1"));
            if (round == 0)
                ids[i] = id;
            CHECK_INT(id, ids[i]);
        }
    const ConceptId *renumber;
    ConceptDict *dict = concept_builder_finish(builder, arena, &renumber);
    CHECK_INT(concept_dict_code_count(dict), SYSTEMS);
    for (size_t i = 0; i < SYSTEMS; i++) {
        Str system = str_format(arena, "urn:oid:%zu", i);
        CHECK_INT(concept_dict_find(dict, system, S("1")), renumber[ids[i]]);
        CHECK_STR(concept_dict_name(dict, renumber[ids[i]]).system, system);
    }
    concept_interner_destroy(in);
    concept_builder_destroy(builder);
}

TEST(empty_dictionary_opens)
{
    ConceptBuilder *builder = concept_builder_create();
    const ConceptId *renumber;
    ConceptDict *dict = concept_builder_finish(builder, arena, &renumber);
    concept_builder_destroy(builder);
    CHECK_INT(concept_dict_count(dict), 0);
    Str image = concept_dict_serialise(dict, arena);
    Error err;
    CHECK_OK(concept_dict_open(arena, image.ptr, image.len, &dict, &err), &err);
    CHECK_INT(concept_dict_find(dict, S(""), S("")), CONCEPT_NONE);
    ConceptSet set = concept_set_of(arena, dict, NULL, 0);
    ConceptId at = 0;
    CHECK(!concept_set_has(&set, 0) && !concept_set_next(&set, &at));
}

/* One changed byte is seen by the checksum; with the checksum put right, whatever is wrong is
   found or harmless: everything can still be read. */
TEST(damaged_image_is_refused_or_harmless)
{
    Str image = load_image(arena, 1, 1, 300);
    Error err;
    ConceptDict *dict;
    CHECK_INT(concept_dict_open(arena, image.ptr, 10, &dict, &err), ERR_DAMAGED);
    CHECK_INT(concept_dict_open(arena, image.ptr, image.len - 8, &dict, &err), ERR_DAMAGED);
    uint64_t state = 5;
    size_t refused = 0;
    for (size_t i = 0; i < 20000; i++) {
        ArenaMark mark = arena_mark(arena);
        char *copy = arena_copy(arena, image.ptr, image.len);
        size_t at = test_random(&state) % image.len;
        copy[at] ^= (char)(1 + test_random(&state) % 255);
        CHECK(concept_dict_open(arena, copy, image.len, &dict, &err) != ERR_OK);
        DictHeader *header = (void *)copy;
        if (header->image_bytes == image.len) {
            header->crc = dict_image_crc(header);
            if (concept_dict_open(arena, copy, image.len, &dict, &err) != ERR_OK)
                refused++;
            else
                for (ConceptId id = 1; id <= concept_dict_count(dict); id++)
                    CHECK(concept_dict_name(dict, id).code.len <= image.len);
        }
        arena_rewind(arena, mark);
    }
    CHECK(refused > 5000);
}

TEST(set_holds_groups_of_its_codes)
{
    ConceptBuilder *builder = concept_builder_create();
    ConceptInterner *in = concept_interner_create(builder);
    ConceptId ids[200];
    for (size_t i = 0; i < COUNT_OF(ids); i++)
        ids[i] = concept_intern(in, SCT, str_format(arena, "%03zu", i));
    ConceptId with = concept_intern_group(in, (ConceptId[]){ids[7], ids[150]}, 2);
    ConceptId without = concept_intern_group(in, (ConceptId[]){ids[8], ids[150]}, 2);
    const ConceptId *renumber;
    ConceptDict *dict = concept_builder_finish(builder, arena, &renumber);
    ConceptId wanted[] = {renumber[ids[199]], renumber[ids[7]], renumber[ids[7]], renumber[ids[64]],
                          0};
    ConceptSet set = concept_set_of(arena, dict, wanted, COUNT_OF(wanted));
    CHECK_INT(set.count, 4);
    CHECK(concept_set_has(&set, renumber[with]));
    CHECK(!concept_set_has(&set, renumber[without]));
    CHECK(!concept_set_has(&set, 0) && !concept_set_has(&set, UINT32_MAX));
    ConceptId at = 0;
    uint32_t walked = 0;
    ConceptId before = 0;
    while (concept_set_next(&set, &at)) {
        CHECK(at > before && concept_set_has(&set, at));
        before = at;
        walked++;
    }
    CHECK_INT(walked, 4);
    for (ConceptId id = 0; id <= concept_dict_count(dict); id++)
        walked -= concept_set_has(&set, id);
    CHECK_INT(walked, 0);
    concept_interner_destroy(in);
    concept_builder_destroy(builder);
}

/* More distinct codes than a window keeps: it forgets and asks again. */
TEST(window_that_overflows_still_answers_right)
{
    enum { CODES = 1200000 };
    ConceptBuilder *builder = concept_builder_create();
    ConceptInterner *in = concept_interner_create(builder);
    ConceptId *ids = ARENA_ARRAY(arena, ConceptId, CODES);
    size_t before = concept_builder_bytes(builder);
    for (int round = 0; round < 2; round++)
        for (uint64_t i = 0; i < CODES; i++) {
            Str code = {.ptr = (const char *)&i, .len = sizeof(i)};
            ConceptId id = concept_intern(in, ICD, code);
            if (round == 0)
                ids[i] = id;
            else if (ids[i] != id)
                CHECK_INT(id, ids[i]);
        }
    size_t each = (concept_builder_bytes(builder) - before) / CODES;
    CHECK(each >= 24 && each < 64);
    concept_interner_destroy(in);
    concept_builder_destroy(builder);
}
