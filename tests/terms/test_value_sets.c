#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/test.h"
#include "terms/terms.h"

/* "system|code system|code" in order, or "unusable". */
static Str codes_of(Arena *arena, const ValueSet *set)
{
    if (set == NULL)
        return S("unusable");
    StrBuf buf;
    strbuf_init(&buf, arena, 0);
    for (size_t i = 0; i < set->count; i++)
        strbuf_printf(&buf, "%s%.*s|%.*s", i == 0 ? "" : " ", STR_ARG(set->codes[i].system),
                      STR_ARG(set->codes[i].code));
    return strbuf_str(&buf);
}

/* The rules of the findings, in order, with spaces between. */
static Str rules_of(Arena *arena, const DiagList *diags)
{
    StrBuf buf;
    strbuf_init(&buf, arena, 0);
    VEC_FOREACH (const Diag, diag, &diags->kept)
        strbuf_printf(&buf, "%s%.*s", diag == diags->kept.items ? "" : " ", STR_ARG(diag->rule));
    return strbuf_str(&buf);
}

#define VS(url, rest)    "{\"resource\":{\"resourceType\":\"ValueSet\",\"url\":\"" url "\"," rest "}}"
#define ALSO             ","
#define CODES(sys, ...)  "{\"system\":\"" sys "\",\"concept\":[" __VA_ARGS__ "]}"
#define CODE(c)          "{\"code\":\"" c "\"}"
#define INCLUDE(...)     "\"compose\":{\"include\":[" __VA_ARGS__ "]}"
#define COMPOSE(in, out) "\"compose\":{\"include\":[" in "],\"exclude\":[" out "]}"
#define SETS(...)        "{\"valueSet\":[" __VA_ARGS__ "]}"
#define AB               VS("ab", INCLUDE(CODES("s", CODE("a") "," CODE("b"))))
#define BC               VS("bc", INCLUDE(CODES("s", CODE("c") "," CODE("b")) "," CODES("t", CODE("b"))))
#define ENTRY(sys, c)    "{\"system\":\"" sys "\",\"code\":\"" c "\"}"
#define FILTER                                                                                     \
    "{\"system\":\"s\",\"filter\":[{\"property\":\"p\",\"op\":\"is-a\",\"value\":\"v\"}]}"

static const struct {
    const char *row;
    const char *entries; /* of a Bundle; the set asked for is "x" */
    const char *want;
    const char *rules;
} rows[] = {
    /* clang-format off */
    {"enumeration", VS("x", INCLUDE(CODES("s", CODE("b") "," CODE("a") "," CODE("b")))), "s|a s|b", ""},
    {"two systems", VS("x", INCLUDE(CODES("t", CODE("a")) "," CODES("s", CODE("b")))), "s|b t|a", ""},
    {"expansion wins over the definition",
     VS("x", "\"expansion\":{\"contains\":[" ENTRY("s", "e") "]}," INCLUDE(CODES("s", CODE("a")))), "s|e", ""},
    {"expansion nests, abstract entries are left out",
     VS("x", "\"expansion\":{\"total\":4,\"contains\":[{\"system\":\"s\",\"code\":\"top\",\"abstract\":true,"
        "\"contains\":[" ENTRY("s", "in") ",{\"display\":\"group\",\"contains\":[" ENTRY("s", "deep") "]}]}]}"),
     "s|deep s|in", ""},
    {"truncated expansion, definition worked out",
     VS("x", "\"expansion\":{\"total\":5,\"contains\":[" ENTRY("s", "e") "]}," INCLUDE(CODES("s", CODE("a")))), "s|a", ""},
    {"truncated expansion alone",
     VS("x", "\"expansion\":{\"total\":5,\"contains\":[" ENTRY("s", "e") "]}"), "s|e", "value-set-truncated"},
    {"truncated expansion, definition is a filter",
     VS("x", "\"expansion\":{\"total\":5,\"contains\":[" ENTRY("s", "e") "]}," INCLUDE(FILTER)), "s|e", "value-set-truncated"},
    {"expansion marked as unclosed",
     VS("x", "\"expansion\":{\"extension\":[{\"url\":\"http://hl7.org/fhir/StructureDefinition/valueset-unclosed\","
        "\"valueBoolean\":true}],\"contains\":[" ENTRY("s", "e") "]}"), "s|e", "value-set-truncated"},
    {"empty expansion", VS("x", "\"expansion\":{\"total\":0}"), "", ""},
    {"expansion that says nothing", VS("x", "\"expansion\":{\"identifier\":\"i\"}," INCLUDE(CODES("s", CODE("a")))), "s|a", ""},
    {"value set included", AB ALSO VS("x", INCLUDE(SETS("\"ab\"") "," CODES("s", CODE("z")))), "s|a s|b s|z", ""},
    {"two value sets in one include are intersected", AB ALSO BC ALSO VS("x", INCLUDE(SETS("\"ab\",\"bc\""))), "s|b", ""},
    {"two includes are joined", AB ALSO BC ALSO VS("x", INCLUDE(SETS("\"ab\"") "," SETS("\"bc\""))), "s|a s|b s|c t|b", ""},
    {"concepts and a value set are intersected",
     AB ALSO VS("x", INCLUDE("{\"system\":\"s\",\"concept\":[" CODE("b") "," CODE("q") "],\"valueSet\":[\"ab\"]}")), "s|b", ""},
    {"a system alone restricts a value set", BC ALSO VS("x", INCLUDE("{\"system\":\"t\",\"valueSet\":[\"bc\"]}")), "t|b", ""},
    {"exclude codes", AB ALSO VS("x", COMPOSE(SETS("\"ab\""), CODES("s", CODE("a")))), "s|b", ""},
    {"exclude a value set", AB ALSO BC ALSO VS("x", COMPOSE(SETS("\"bc\""), SETS("\"ab\""))), "s|c t|b", ""},
    {"exclude a whole system", BC ALSO VS("x", COMPOSE(SETS("\"bc\""), "{\"system\":\"s\"}")), "t|b", ""},
    {"exclude by a filter", BC ALSO VS("x", COMPOSE(SETS("\"bc\""), FILTER)), "unusable", "value-set-filter"},
    {"filter", VS("x", INCLUDE(FILTER)), "unusable", "value-set-filter"},
    {"whole system", VS("x", INCLUDE("{\"system\":\"s\"}")), "unusable", "value-set-filter"},
    {"unknown value set", VS("x", INCLUDE(SETS("\"nowhere\""))), "unusable", "value-set-unknown"},
    {"unusable value set", VS("y", INCLUDE(FILTER)) ALSO VS("x", INCLUDE(SETS("\"y\""))), "unusable",
     "value-set-filter value-set-unusable"},
    {"itself", VS("x", INCLUDE(SETS("\"x\""))), "unusable", "value-set-cycle"},
    {"cycle of two", VS("y", INCLUDE(SETS("\"x\""))) ALSO VS("x", INCLUDE(SETS("\"y\""))), "unusable",
     "value-set-cycle value-set-unusable"},
    {"version asked for",
     VS("v", "\"version\":\"1\"," INCLUDE(CODES("s", CODE("one")))) ALSO
     VS("v", "\"version\":\"2\"," INCLUDE(CODES("s", CODE("two")))) ALSO VS("x", INCLUDE(SETS("\"v|1\""))), "s|one", ""},
    {"highest version",
     VS("v", "\"version\":\"4.0.10\"," INCLUDE(CODES("s", CODE("ten")))) ALSO
     VS("v", "\"version\":\"4.0.9\"," INCLUDE(CODES("s", CODE("nine")))) ALSO
     VS("v", INCLUDE(CODES("s", CODE("none")))) ALSO VS("x", INCLUDE(SETS("\"v\""))), "s|ten", ""},
    {"version not given",
     VS("v", "\"version\":\"1\"," INCLUDE(CODES("s", CODE("one")))) ALSO VS("x", INCLUDE(SETS("\"v|3\""))), "unusable",
     "value-set-unknown"},
    {"twice, the same", VS("x", INCLUDE(CODES("s", CODE("a")))) ALSO VS("x", INCLUDE(CODES("s", CODE("a")))), "s|a",
     "value-set-twice"},
    {"code without a system", VS("x", INCLUDE("{\"concept\":[" CODE("a") "]}")), "unusable", "value-set-code value-set-shape"},
    {"expansion code without a system", VS("x", "\"expansion\":{\"contains\":[{\"code\":\"a\"}]}"), "unusable", "value-set-code"},
    {"concept without a code", VS("x", INCLUDE(CODES("s", "{\"display\":\"a\"}"))), "unusable", "value-set-code"},
    {"nothing in it", VS("x", "\"status\":\"draft\""), "unusable", "value-set-empty"},
    {"include is no array", VS("x", "\"compose\":{\"include\":{}}"), "unusable", "value-set-shape"},
    {"empty include", VS("x", INCLUDE("{}")), "unusable", "value-set-shape"},
    {"total is no number", VS("x", "\"expansion\":{\"total\":-1,\"contains\":[]}"), "unusable", "value-set-shape"},
    {"compose is no object", VS("x", "\"compose\":[]"), "unusable", "value-set-shape value-set-empty"},
    {"include of a text", VS("x", INCLUDE("\"y\"")), "unusable", "value-set-shape"},
    {"concept of a text", VS("x", INCLUDE(CODES("s", "\"a\""))), "unusable", "value-set-shape"},
    {"value set of a number", VS("x", INCLUDE(SETS("1"))), "unusable", "value-set-shape value-set-shape"},
    {"contains of a text", VS("x", "\"expansion\":{\"contains\":[\"a\"]}"), "unusable", "value-set-shape"},
    {"versions that are no numbers",
     VS("v", "\"version\":\"r5-b\"," INCLUDE(CODES("s", CODE("b")))) ALSO
     VS("v", "\"version\":\"r5-c\"," INCLUDE(CODES("s", CODE("c")))) ALSO VS("x", INCLUDE(SETS("\"v\""))), "s|c", ""},
    {"leading zeros tell versions apart",
     VS("v", "\"version\":\"1.01\"," INCLUDE(CODES("s", CODE("a")))) ALSO
     VS("v", "\"version\":\"1.1\"," INCLUDE(CODES("s", CODE("b")))) ALSO VS("x", INCLUDE(SETS("\"v|1.01\""))), "s|a", ""},
    {"no url", VS("", INCLUDE(CODES("s", CODE("a")))), "unusable", "value-set-url"},
    /* clang-format on */
};

TEST(value_set_is_worked_out_by_its_definition)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        DiagList diags;
        diag_init(&diags, arena);
        ValueSets *sets = value_sets_create(arena);
        Str json =
            str_format(arena, "{\"resourceType\":\"Bundle\",\"entry\":[%s]}", rows[i].entries);
        value_sets_add(sets, json, S("x.json"), &diags);
        value_sets_resolve(sets, &diags);
        CHECK_ROW_STR(rows[i].row, codes_of(arena, value_sets_find(sets, S("x"))),
                      str_from_c(rows[i].want));
        CHECK_ROW_STR(rows[i].row, rules_of(arena, &diags), str_from_c(rows[i].rules));
    }
}

static ValueSets *sets_of(Arena *arena, const char *json, DiagList *diags)
{
    diag_init(diags, arena);
    ValueSets *sets = value_sets_create(arena);
    value_sets_add(sets, str_from_c(json), S("folder/x.json"), diags);
    value_sets_resolve(sets, diags);
    return sets;
}

TEST(finding_names_file_line_and_element)
{
    DiagList diags;
    ValueSets *sets = sets_of(arena,
                              "{\"resourceType\":\"ValueSet\",\n\"url\":\"u\",\"compose\":{\n"
                              "\"include\":[\n{\"system\":\"s\",\"concept\":[{}]}]}}",
                              &diags);
    CHECK_INT((int64_t)value_sets_count(sets), 0);
    CHECK_INT((int64_t)diags.kept.count, 1);
    const Diag *diag = &diags.kept.items[0];
    CHECK_STR(diag->file, S("folder/x.json"));
    CHECK_STR(diag->path, S("ValueSet.compose.include"));
    CHECK_INT(diag->line, 4);
    CHECK(diag->severity == SEVERITY_ERROR);

    (void)sets_of(arena, "{\"resourceType\":\"ValueSet\",", &diags);
    CHECK_STR(rules_of(arena, &diags), S("value-set-json"));
    (void)sets_of(arena, "{\"resourceType\":\"Patient\"}", &diags);
    CHECK_STR(rules_of(arena, &diags), S("value-set-type"));
    (void)sets_of(arena, "[]", &diags);
    CHECK_STR(rules_of(arena, &diags), S("value-set-type"));
}

TEST(code_that_is_too_long_is_a_finding)
{
    char *code = ARENA_ARRAY(arena, char, LIMIT_CONCEPT_TEXT_BYTES + 1);
    memset(code, 'c', LIMIT_CONCEPT_TEXT_BYTES);
    code[LIMIT_CONCEPT_TEXT_BYTES] = '\0';
    Str json = str_format(arena,
                          "{\"resourceType\":\"ValueSet\",\"url\":\"x\",\"compose\":{\"include\":["
                          "{\"system\":\"s\",\"concept\":[{\"code\":\"%s\"}]}]}}",
                          code);
    DiagList diags;
    (void)sets_of(arena, str_to_c(arena, json), &diags);
    CHECK_STR(rules_of(arena, &diags), S("value-set-code"));
}

TEST(second_of_one_version_with_other_codes_is_an_error)
{
    DiagList diags;
    ValueSets *sets = sets_of(
        arena,
        "{\"resourceType\":\"Bundle\",\"entry\":[" VS("x", INCLUDE(CODES("s", CODE("a")))) "," VS(
            "x", INCLUDE(CODES("s", CODE("b")))) "]}",
        &diags);
    CHECK_STR(rules_of(arena, &diags), S("value-set-twice"));
    CHECK(diag_has_errors(&diags));
    CHECK_STR(codes_of(arena, value_sets_find(sets, S("x"))), S("s|a"));
}

/* v0 includes v1 includes v2 ...: what is deeper than the limit is refused, what is not is not,
   whichever is worked out first. */
TEST(depth_of_inclusion_is_limited)
{
    enum { SETS_MADE = 3 * LIMIT_VALUE_SET_INCLUSION };
    DiagList diags;
    diag_init(&diags, arena);
    ValueSets *sets = value_sets_create(arena);
    for (int i = 0; i < SETS_MADE; i++) {
        Str include = i + 1 == SETS_MADE ? S("{\"system\":\"s\",\"concept\":[{\"code\":\"a\"}]}")
                                         : str_format(arena, "{\"valueSet\":[\"v%d\"]}", i + 1);
        Str json = str_format(arena,
                              "{\"resourceType\":\"ValueSet\",\"url\":\"v%d\","
                              "\"compose\":{\"include\":[%.*s]}}",
                              i, STR_ARG(include));
        value_sets_add(sets, json, S("x.json"), &diags);
    }
    value_sets_resolve(sets, &diags);
    CHECK_INT((int64_t)value_sets_count(sets), LIMIT_VALUE_SET_INCLUSION);
    for (int i = 0; i < SETS_MADE; i++) {
        bool usable = value_sets_find(sets, str_format(arena, "v%d", i)) != NULL;
        CHECK_INT(usable, SETS_MADE - i <= LIMIT_VALUE_SET_INCLUSION);
    }
}

TEST(bound_value_set_holds_known_codes_and_their_groups)
{
    DiagList diags;
    ValueSets *sets = sets_of(arena,
                              "{\"resourceType\":\"Bundle\",\"entry\":[" BC
                              "," VS("none", "\"expansion\":{\"total\":0}") "]}",
                              &diags);
    const ValueSet *set = value_sets_find(sets, S("bc"));
    CHECK(value_set_has(set, S("s"), S("b")) && value_set_has(set, S("t"), S("b")));
    CHECK(!value_set_has(set, S("s"), S("a")) && !value_set_has(set, S("r"), S("b")));

    ConceptBuilder *builder = concept_builder_create();
    ConceptInterner *in = concept_interner_create(builder);
    ConceptId a = concept_intern(in, S("s"), S("a"));
    ConceptId c = concept_intern(in, S("s"), S("c"));
    ConceptId tb = concept_intern(in, S("t"), S("b"));
    ConceptId group = concept_intern_group(in, (ConceptId[]){a, tb}, 2);
    const ConceptId *renumber;
    ConceptDict *dict = concept_builder_finish(builder, arena, &renumber);
    ConceptSet bound = value_set_bind(set, dict, arena);
    CHECK_INT(bound.count, 3);
    CHECK(concept_set_has(&bound, renumber[c]) && concept_set_has(&bound, renumber[tb]));
    CHECK(concept_set_has(&bound, renumber[group]) && !concept_set_has(&bound, renumber[a]));
    bound = value_set_bind(value_sets_find(sets, S("none")), dict, arena);
    CHECK_INT(bound.count, 0);
    concept_interner_destroy(in);
    concept_builder_destroy(builder);
}

/* Runs a program found on the path; true when it ended well. Its output goes to `output`. */
static bool run(char *const *arguments, const char *output)
{
    posix_spawn_file_actions_t actions;
    if (posix_spawn_file_actions_init(&actions) != 0)
        return false;
    pid_t child;
    int status = -1;
    bool ok = posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_TRUNC,
                                               0644) == 0 &&
              posix_spawnp(&child, arguments[0], &actions, NULL, arguments, environ) == 0 &&
              waitpid(child, &status, 0) == child && status == 0;
    (void)posix_spawn_file_actions_destroy(&actions);
    return ok;
}

static void add_folder(Arena *arena, ValueSets *sets, Str folder, DiagList *diags)
{
    IoNames names = {0};
    Error err;
    CHECK_OK(io_list_dir(arena, folder, &names, &err), &err);
    VEC_FOREACH (Str, name, &names) {
        Str json;
        CHECK_OK(io_read_file(arena, io_join(arena, folder, *name), 0, &json, &err), &err);
        value_sets_add(sets, json, *name, diags);
    }
}

TEST(real_value_sets_have_as_many_codes_as_counted_elsewhere)
{
    Str data = test_shared_data(arena);
    Str package = io_join(arena, data, S("ecqm/content-ig.tar.xz"));
    if (str_is_empty(data) || !io_exists(package)) {
        test_skip("no ../shared/data/ecqm");
        return;
    }
    Str folder = test_temp_dir(arena);
    char *unpack[] = {"tar",
                      "-xJf",
                      (char *)str_to_c(arena, package),
                      "-C",
                      (char *)str_to_c(arena, folder),
                      "input/vocabulary/valueset",
                      NULL};
    Str counts = io_join(arena, folder, S("counts.tsv"));
    CHECK(run(unpack, "/dev/null"));
    Str sets_folder = io_join(arena, folder, S("input/vocabulary/valueset"));
    char *count[] = {"python3", "tests/terms/count_value_sets.py",
                     (char *)str_to_c(arena, sets_folder), NULL};
    if (!run(count, str_to_c(arena, counts))) {
        test_skip("no python3");
        return;
    }
    DiagList diags;
    diag_init(&diags, arena);
    ValueSets *sets = value_sets_create(arena);
    add_folder(arena, sets, sets_folder, &diags);
    value_sets_resolve(sets, &diags);
    StrBuf got;
    strbuf_init(&got, arena, 0);
    for (size_t i = 0; i < value_sets_count(sets); i++) {
        const ValueSet *set = value_sets_at(sets, i);
        strbuf_printf(&got, "%.*s\t%.*s\t%zu\n", STR_ARG(set->url), STR_ARG(set->version),
                      set->count);
        CHECK(!set->is_truncated);
    }
    Str want;
    Error err;
    CHECK_OK(io_read_file(arena, counts, 0, &want, &err), &err);
    CHECK(want.len > 10000);
    CHECK(str_eq(strbuf_str(&got), want));
    CHECK_INT((int64_t)diags.counts[SEVERITY_ERROR], 0);
}

TEST(value_sets_of_the_starter_programme_can_all_be_used)
{
    Str folder = S("programmes/starter/valuesets");
    IoNames names = {0};
    Error err;
    CHECK_OK(io_list_dir(arena, folder, &names, &err), &err);
    DiagList diags;
    diag_init(&diags, arena);
    ValueSets *sets = value_sets_create(arena);
    add_folder(arena, sets, folder, &diags);
    value_sets_resolve(sets, &diags);
    CHECK_STR(rules_of(arena, &diags), S(""));
    CHECK_INT((int64_t)value_sets_count(sets), (int64_t)names.count);
    CHECK(names.count > 0);
    for (size_t i = 0; i < value_sets_count(sets); i++)
        CHECK(value_sets_at(sets, i)->count > 0);
}
