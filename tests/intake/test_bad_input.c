#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"
#include "base/json.h"
#include "base/test.h"
#include "population.h"

#define PATIENT_A "{\"resourceType\":\"Patient\",\"id\":\"a\"}"
#define PATIENT_B "{\"resourceType\":\"Patient\",\"id\":\"b\"}"
#define Q64       "QUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJD"

typedef struct {
    const char *row;
    const char *text;
    const char *rule; /* of the first finding; NULL: whatever the reader calls it */
    uint32_t line;
    const char *path;
    uint64_t refused;
    uint64_t persons;
} BadInput;

/* Loads and gives the findings; the refused file is <folder>/refused.ndjson. */
static ErrorCode load_text(Arena *arena, Str folder, Str text, DiagList *diags,
                           IntakeReport *ret_report, Error *err)
{
    diag_init(diags, arena);
    IntakeOptions options = {.threads = 2,
                             .refused_path = io_join(arena, folder, S("refused.ndjson"))};
    return population_load(folder, text, options, diags, ret_report, err);
}

/* Each case stands alone: what is good is loaded, what is not has a finding with line and path, and
   its text is in the refused file. */
TEST(what_is_wrong_is_refused_alone)
{
    static const BadInput rows[] = {
        /* clang-format off */
        {"an item of an array",
         "[\n" PATIENT_A ",\n{\"resourceType\":\"Patient\",\"id\":\"c\",\"active\":\"yes\"},\n" PATIENT_B "\n]\n",
         "fhir-wants-boolean", 3, "Patient.active", 1, 2},
        {"an item of an array in one line",
         "[" PATIENT_A ",{\"resourceType\":\"Patient\",\"id\":\"c\",\"active\":\"yes\"}," PATIENT_B "]",
         "fhir-wants-boolean", 1, "Patient.active", 1, 2},
        {"a quote lost in an array",
         "[" PATIENT_A ",{\"resourceType\":\"Patient\",\"id\":\"c}," PATIENT_B "]",
         "json-string", 1, NULL, 1, 2},
        {"a bracket lost in an array",
         "[" PATIENT_A ",{\"resourceType\":\"Patient\",\"name\":[{\"family\":\"c\"}]," PATIENT_B "]",
         "json-syntax", 1, NULL, 1, 2},
        {"a bracket too many in an array", "[" PATIENT_A "}," PATIENT_B "]",
         "fhir-not-a-resource", 1, NULL, 1, 2},
        {"an array that is cut", "[" PATIENT_A ",\n{\"resourceType\":\"Pat",
         "json-string", 2, NULL, 1, 1},
        {"an array without an end", "[" PATIENT_A "," PATIENT_B "\n", "intake-array", 1, NULL, 0, 2},
        {"invalid JSON", PATIENT_A "\n{\"resourceType\":\"Patient\" \"id\":\"b\"}\n" PATIENT_B "\n",
         "json-syntax", 2, NULL, 1, 2},
        {"wrong type", PATIENT_A "\n{\"resourceType\":\"Patient\",\"id\":\"c\",\"active\":\"yes\"}\n",
         "fhir-wants-boolean", 2, "Patient.active", 1, 1},
        {"unknown element", "{\"resourceType\":\"Patient\",\"id\":\"c\",\"colour\":\"red\"}\n" PATIENT_A,
         "fhir-unknown-element", 1, "Patient.colour", 1, 1},
        {"unknown resource type", PATIENT_A "\n{\"resourceType\":\"Patients\",\"id\":\"c\"}\n",
         "fhir-resource-type", 2, NULL, 1, 1},
        {"date that does not exist",
         PATIENT_A "\n{\"resourceType\":\"Patient\",\"id\":\"c\",\"birthDate\":\"2021-02-29\"}\n",
         "fhir-date", 2, "Patient.birthDate", 1, 1},
        {"no patient", PATIENT_A "\n{\"resourceType\":\"Condition\",\"id\":\"c\"}\n",
         "intake-no-patient", 2, "Condition.subject", 1, 1},
        {"a patient without id", PATIENT_A "\n{\"resourceType\":\"Patient\"}\n",
         "intake-no-id", 2, "Patient.id", 1, 1},
        {"a patient twice", PATIENT_A "\n" PATIENT_B "\n" PATIENT_A "\n",
         "intake-twice", 3, "Patient.id", 1, 2},
        {"a patient that is not there", PATIENT_A "\n{\"resourceType\":\"Condition\",\"id\":\"c\","
         "\"subject\":{\"reference\":\"Patient/nobody\"}}\n",
         "intake-unknown-patient", 2, "Condition", 1, 1},
        {"last line cut short", PATIENT_A "\n{\"resourceType\":\"Pati",
         NULL, 2, NULL, 1, 1},
        {"wrong kind of bundle", PATIENT_A "\n{\"resourceType\":\"Bundle\",\"type\":\"searchset\","
         "\"entry\":[{\"fullUrl\":\"urn:x\"}]}\n",
         "fhir-bundle-kind", 2, NULL, 1, 1},
        {"a key twice", PATIENT_A "\n{\"resourceType\":\"Patient\",\"id\":\"c\",\"gender\":\"male\","
         "\"gender\":\"male\"}\n",
         "fhir-duplicate-element", 2, "Patient.gender", 1, 1},
        {"bad UTF-8", PATIENT_A "\n{\"resourceType\":\"Patient\",\"id\":\"c\",\"language\":\"\xff\xfe\"}\n"
         PATIENT_B "\n",
         "json-utf8", 2, NULL, 1, 2},
        {"blank lines and white space", "\n\n  " PATIENT_A "\n\n \r\n" PATIENT_B "\n\n\n",
         NULL, 0, NULL, 0, 2},
        {"a byte order mark", "\xef\xbb\xbf" PATIENT_A "\n", NULL, 0, NULL, 0, 1},
        {"an empty array first", "[]\n" PATIENT_A "\n" PATIENT_B "\n", NULL, 1, "", 1, 2},
        {"garbage first", "garbage\n" PATIENT_A "\n" PATIENT_B "\n", NULL, 1, "", 1, 2},
        {"the end of a line first", "ce\",\"id\":\"x\"}\n" PATIENT_A "\n" PATIENT_B "\n",
         NULL, 1, "", 1, 2},
        {"nothing of FHIR", "name,born\nx,2000\n", "intake-not-fhir", 1, "", 1, 0},
        {"junk between lines", PATIENT_A "\n\x01\x02\x03junk\n" PATIENT_B "\n",
         NULL, 2, NULL, 1, 2},
        /* clang-format on */
    };
    Str folder = test_temp_dir(arena);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        DiagList diags;
        IntakeReport report = {0};
        Error err = {0};
        CHECK_OK(load_text(arena, folder, str_from_c(rows[i].text), &diags, &report, &err), &err);
        CHECK_ROW(rows[i].row, report.refused, rows[i].refused);
        CHECK_ROW(rows[i].row, report.persons, rows[i].persons);
        bool has_file = io_exists(io_join(arena, folder, S("refused.ndjson")));
        CHECK_ROW(rows[i].row, has_file, rows[i].refused > 0);
        if (rows[i].refused == 0 || !CHECK_ROW(rows[i].row, diags.kept.count > 0, true))
            continue;
        const Diag *first = &diags.kept.items[0];
        if (first->severity == SEVERITY_WARNING && diags.kept.count > 1)
            first++;
        CHECK_ROW(rows[i].row, first->line, rows[i].line);
        CHECK_ROW(rows[i].row, str_ends_with(first->file, S("input.ndjson")), true);
        if (rows[i].rule != NULL)
            CHECK_ROW_STR(rows[i].row, first->rule, str_from_c(rows[i].rule));
        if (rows[i].path != NULL)
            CHECK_ROW_STR(rows[i].row, first->path, str_from_c(rows[i].path));
        CHECK_ROW(rows[i].row, report.refused_by_rule.count, 1);
    }
}

TEST(nul_bytes_and_binary_junk_are_findings)
{
    Str folder = test_temp_dir(arena);
    DiagList diags;
    IntakeReport report = {0};
    Error err = {0};
    Str nul = S(PATIENT_A "\n{\"resourceType\":\"Patient\",\"id\":\"\0\"}\n" PATIENT_B "\n");
    CHECK_OK(load_text(arena, folder, nul, &diags, &report, &err), &err);
    CHECK_INT(report.persons, 2);
    CHECK_INT(report.refused, 1);
    CHECK(diags.kept.count > 0 && diags.kept.items[0].line == 2);

    uint64_t state = 7;
    char *junk = arena_alloc(arena, 100000);
    for (size_t i = 0; i < 100000; i++)
        junk[i] = (char)test_random(&state);
    junk[0] = '{';
    CHECK_OK(load_text(arena, folder, (Str){.ptr = junk, .len = 100000}, &diags, &report, &err),
             &err);
    CHECK_INT(report.persons, 0);
    CHECK(report.refused > 0);
    CHECK_INT(load_text(arena, folder, S(""), &diags, &report, &err), ERR_INPUT);
    CHECK_INT(diags.kept.count, 1);
    CHECK_STR(diags.kept.items[0].rule, S("intake-empty"));
}

TEST(deep_nesting_is_refused)
{
    StrBuf buf;
    strbuf_init(&buf, arena, 0);
    strbuf_add(&buf, S(PATIENT_A "\n{\"resourceType\":\"Patient\",\"id\":\"c\",\"extension\":"));
    for (int i = 0; i < 100; i++)
        strbuf_add(&buf, S("[{\"url\":\"u\",\"extension\":"));
    strbuf_add(&buf, S("[]"));
    for (int i = 0; i < 100; i++)
        strbuf_add(&buf, S("}]"));
    strbuf_add(&buf, S("}\n" PATIENT_B "\n"));
    DiagList diags;
    IntakeReport report = {0};
    Error err = {0};
    CHECK_OK(load_text(arena, test_temp_dir(arena), strbuf_str(&buf), &diags, &report, &err), &err);
    CHECK_INT(report.persons, 2);
    CHECK_INT(report.refused, 1);
    CHECK_STR(diags.kept.items[0].rule, S("json-depth"));
    CHECK_INT(diags.kept.items[0].line, 2);
}

/* Packs 3,000 persons with the tool; empty when it is not there. */
static Str packed(Arena *arena, Str folder, const char *tool)
{
    Error err = {0};
    Str plain = io_join(arena, folder, str_format(arena, "%s.ndjson", tool));
    Str path = io_join(arena, folder, str_format(arena, "%s.packed", tool));
    CHECK_OK(io_write_file(plain, population_ndjson(arena, 0, 3000), &err), &err);
    Str command = str_format(arena, "%s -c '%.*s' > '%.*s' 2> /dev/null", tool, STR_ARG(plain),
                             STR_ARG(path));
    Str whole = {0};
    /* NOLINTNEXTLINE(cert-env33-c): tools that the test set installs */
    if (system(str_to_c(arena, command)) == 0)
        CHECK_OK(io_read_file(arena, path, 0, &whole, &err), &err);
    return whole;
}

static const Diag *find_rule(const DiagList *diags, Str rule)
{
    VEC_FOREACH (Diag, diag, &diags->kept) {
        if (str_eq(diag->rule, rule))
            return diag;
    }
    return NULL;
}

TEST(a_damaged_archive_gives_what_came_before)
{
    static const char *const tools[] = {"gzip", "xz", "zstd", "bzip2"};
    Str folder = test_temp_dir(arena);
    for (size_t i = 0; i < COUNT_OF(tools); i++) {
        Str whole = packed(arena, folder, tools[i]);
        if (whole.len == 0)
            continue;
        DiagList diags;
        IntakeReport report = {0};
        Error err = {0};
        Str cut = str_slice(whole, 0, whole.len - 20);
        CHECK_OK(load_text(arena, folder, cut, &diags, &report, &err), &err);
        /* bzip2 gives whole blocks, and there is but one. */
        CHECK_ROW(tools[i], (report.persons > 100 || i == 3) && report.persons < 3000, true);
        const Diag *found = find_rule(&diags, S("intake-damaged-archive"));
        if (CHECK_ROW(tools[i], found != NULL, true))
            CHECK_ROW(tools[i], str_starts_with(found->text, S("the file ends too early")), true);
        CHECK_ROW(tools[i], (int64_t)report.refused, 1);
        StrBuf junk;
        strbuf_init(&junk, arena, 0);
        strbuf_add(&junk, whole);
        strbuf_add(&junk, S("junk behind it"));
        CHECK_OK(load_text(arena, folder, strbuf_str(&junk), &diags, &report, &err), &err);
        CHECK_ROW(tools[i], report.persons > 100, true);
        CHECK_ROW(tools[i], find_rule(&diags, S("intake-damaged-archive")) != NULL, true);
    }
}

/* ---- files that are none ---- */

TEST(what_cannot_be_opened_in_a_folder_costs_itself_only)
{
    Str folder = io_join(arena, test_temp_dir(arena), S("data"));
    Error err = {0};
    CHECK_OK(io_make_dirs(io_join(arena, folder, S("within")), &err), &err);
    CHECK_OK(io_write_file(io_join(arena, folder, S("a.ndjson")), S(PATIENT_A "\n"), &err), &err);
    CHECK_OK(io_write_file(io_join(arena, folder, S("within/b.ndjson")), S(PATIENT_B "\n"), &err),
             &err);
    Str dangling = io_join(arena, folder, S("dangling"));
    CHECK(symlink("nowhere", str_to_c(arena, dangling)) == 0);
    CHECK(symlink("itself", str_to_c(arena, io_join(arena, folder, S("itself")))) == 0);
    CHECK(symlink("..", str_to_c(arena, io_join(arena, folder, S("within/up")))) == 0);
    CHECK(mkfifo(str_to_c(arena, io_join(arena, folder, S("pipe"))), 0600) == 0);
    DiagList diags;
    diag_init(&diags, arena);
    IntakeReport report = {0};
    IntakeOptions options = {
        .sources = &folder, .source_count = 1, .store_path = io_join(arena, folder, S("../store"))};
    CHECK_OK(intake_load(arena, &options, &diags, &report, &err), &err);
    CHECK_INT(report.persons, 2);
    CHECK_INT(report.refused, 3);
    CHECK_INT(diags.kept.count, 4);
    VEC_FOREACH (Diag, diag, &diags.kept)
        CHECK_STR(diag->rule, S("intake-unreadable"));
    options.sources = &dangling;
    CHECK_INT(intake_load(arena, &options, &diags, &report, &err), ERR_NOT_FOUND);
}

TEST(nothing_at_all_takes_no_store_away)
{
    Str folder = test_temp_dir(arena);
    Str empty = io_join(arena, folder, S("empty"));
    DiagList diags;
    IntakeReport report = {0};
    Error err = {0};
    CHECK_OK(load_text(arena, folder, S(PATIENT_A "\n"), &diags, &report, &err), &err);
    CHECK_OK(io_make_dirs(empty, &err), &err);
    IntakeOptions options = {
        .sources = &empty, .source_count = 1, .store_path = io_join(arena, folder, S("store"))};
    CHECK_INT(intake_load(arena, &options, &diags, &report, &err), ERR_INPUT);
    Store *store;
    CHECK_OK(store_open(arena, options.store_path, &store, &err), &err);
    CHECK_INT(store_info(store)->persons, 1);
    store_close(store);
    options.memory_max = 1 << 10;
    CHECK_INT(intake_load(arena, &options, &diags, &report, &err), ERR_USAGE);
}

/* ---- what is too long ---- */

/* Writes a line of `size` bytes between two good ones, piece by piece. */
static void write_long_line(Str path, size_t size)
{
    static char piece[1 << 20];
    memset(piece, 'x', sizeof(piece));
    Error err = {0};
    IoFile file = IO_FILE_CLOSED;
    CHECK_OK(io_create(path, &file, &err), &err);
    Str head = S(PATIENT_A "\n{\"resourceType\":\"Patient\",\"id\":\"c\",\"language\":\"");
    CHECK_OK(io_write(&file, head.ptr, head.len, &err), &err);
    for (size_t i = 0; i < size / sizeof(piece); i++)
        CHECK_OK(io_write(&file, piece, sizeof(piece), &err), &err);
    Str tail = S("\"}\n" PATIENT_B "\n");
    CHECK_OK(io_write(&file, tail.ptr, tail.len, &err), &err);
    CHECK_OK(io_close(&file, &err), &err);
}

/* Sanitizers keep shadows of memory, and what is freed for a while. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MEMORY_IS_OURS false
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define MEMORY_IS_OURS false
#endif
#endif
#ifndef MEMORY_IS_OURS
#define MEMORY_IS_OURS true
#endif

/* The load in a child, so that its peak of memory is its own; gives the peak in bytes. */
static size_t peak_of_load(const IntakeOptions *options, uint64_t want_persons,
                           uint64_t want_refused)
{
    pid_t child = fork();
    ASSERT(child >= 0);
    if (child == 0) {
        Arena *arena = arena_create(0);
        DiagList diags;
        diag_init(&diags, arena);
        IntakeReport report = {0};
        Error err = {0};
        ErrorCode code = intake_load(arena, options, &diags, &report, &err);
        _exit(code == ERR_OK && report.persons == want_persons && report.refused == want_refused
                  ? 0
                  : 1);
    }
    struct rusage usage;
    int status = 0;
    CHECK(wait4(child, &status, 0, &usage) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return (size_t)usage.ru_maxrss << 10;
}

TEST(a_line_of_200_megabytes_is_refused_in_bounded_memory)
{
    Str folder = test_temp_dir(arena);
    Str path = io_join(arena, folder, S("long.ndjson"));
    write_long_line(path, 200 << 20);
    IntakeOptions options = {.sources = &path,
                             .source_count = 1,
                             .store_path = io_join(arena, folder, S("store")),
                             .threads = 2,
                             .memory_max = 256 << 20};
    size_t peak = peak_of_load(&options, 2, 1);
    CHECK(peak < 256 << 20 || !MEMORY_IS_OURS);
}

TEST(a_resource_above_the_limit_is_refused)
{
    Str folder = test_temp_dir(arena);
    Str path = io_join(arena, folder, S("long.ndjson"));
    write_long_line(path, 3 << 20);
    IntakeOptions options = {.sources = &path,
                             .source_count = 1,
                             .store_path = io_join(arena, folder, S("store")),
                             .resource_bytes_max = 2 << 20};
    (void)peak_of_load(&options, 2, 1);
    options.resource_bytes_max = 0;
    (void)peak_of_load(&options, 3, 0);
}

/* Of the memory, a document may take a fifth. */
TEST(a_long_bundle_loads_when_there_is_memory)
{
    Str folder = test_temp_dir(arena);
    StrBuf buf;
    strbuf_init(&buf, arena, 32 << 20);
    strbuf_add(&buf, S("{\"resourceType\":\"Bundle\",\"type\":\"collection\",\"entry\":["
                       "{\"resource\":" PATIENT_A "}"));
    for (size_t i = 0; i < 25; i++) {
        strbuf_printf(&buf,
                      ",{\"resource\":{\"resourceType\":\"Binary\",\"id\":\"b%zu\","
                      "\"contentType\":\"x\",\"data\":\"",
                      i);
        for (size_t k = 0; k < 1 << 10; k++)
            strbuf_add(&buf, S(Q64 Q64 Q64 Q64 Q64 Q64 Q64 Q64 Q64 Q64 Q64 Q64 Q64 Q64 Q64 Q64));
        strbuf_add(&buf, S("\"}}"));
    }
    strbuf_add(&buf, S("]}\n" PATIENT_B "\n"));
    DiagList diags;
    diag_init(&diags, arena);
    IntakeReport report = {0};
    Error err = {0};
    IntakeOptions options = {.threads = 2, .memory_max = 160 << 20};
    CHECK_OK(population_load(folder, strbuf_str(&buf), options, &diags, &report, &err), &err);
    CHECK_INT(report.accepted, 27);
    options.memory_max = 64 << 20;
    CHECK_OK(population_load(folder, strbuf_str(&buf), options, &diags, &report, &err), &err);
    CHECK_INT(report.accepted, 1);
    const Diag *found = find_rule(&diags, S("intake-too-long"));
    if (CHECK(found != NULL))
        CHECK(str_find(found->text, S("--memory")) != SIZE_MAX);
}

/* Items of an array are as lines, however they are laid out and cut into chunks. */
TEST(an_array_is_loaded_as_its_items)
{
    enum { COUNT = 20000 };
    static const struct {
        const char *row;
        const char *first;
        const char *between;
        const char *last;
    } rows[] = {{"one line", "[", ",", "]"},
                {"blanks", " [ ", " , ", " ] "},
                {"a line each", "[\n", ",\n", "\n]\n"},
                {"commas first", "[\n", "\n,", "\n]\n"},
                {"two arrays and lines", "[", "]\n[", "]"},
                {"arrays one behind the other", "[", "][", "]"}};
    Str folder = test_temp_dir(arena);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        StrBuf buf;
        strbuf_init(&buf, arena, 0);
        strbuf_add(&buf, str_from_c(rows[i].first));
        for (size_t k = 0; k < COUNT; k++)
            strbuf_printf(&buf,
                          "%s{\"resourceType\":\"Patient\",\"id\":\"p%zu\",\"name\":[{\"family\":"
                          "\"\\\"],[{}\",\"given\":[\"a\",\"b\"]}]}",
                          k == 0 ? "" : rows[i].between, k);
        strbuf_add(&buf, str_from_c(rows[i].last));
        DiagList diags;
        IntakeReport report = {0};
        Error err = {0};
        CHECK_OK(load_text(arena, folder, strbuf_str(&buf), &diags, &report, &err), &err);
        CHECK_ROW(rows[i].row, report.persons, COUNT);
        CHECK_ROW(rows[i].row, diags.kept.count, 0);
    }
}

/* ---- what is refused can be mended ---- */

TEST(the_refused_file_loads_once_mended)
{
    Str folder = test_temp_dir(arena);
    DiagList diags;
    IntakeReport report = {0};
    Error err = {0};
    Str text =
        S(PATIENT_A "\n"
                    "{\"resourceType\":\"Patient\",\"id\":\"c\",\"birthDate\":\"2021-02-29\"}"
                    "\n{\"resourceType\":\"Patient\",\"id\":\"d}\n");
    CHECK_OK(load_text(arena, folder, text, &diags, &report, &err), &err);
    CHECK_INT(report.refused, 2);
    Str refused;
    Str path = io_join(arena, folder, S("refused.ndjson"));
    CHECK_OK(io_read_file(arena, path, 0, &refused, &err), &err);
    StrBuf mended;
    strbuf_init(&mended, arena, 0);
    Str line;
    size_t lines = 0;
    while (str_split_next(&refused, '\n', &line)) {
        if (line.len == 0)
            continue;
        lines++;
        JsonValue *envelope;
        CHECK_OK(json_parse(arena, line, &envelope, &err), &err);
        CHECK(json_find(envelope, S("rule")) != NULL);
        CHECK(json_find(envelope, lines == 1 ? S("resource") : S("text")) != NULL);
        /* Mended as by hand, in place. */
        Str wrong = lines == 1 ? S("2021-02-29\"") : S("d}\"");
        Str right = lines == 1 ? S("2021-02-28\"") : S("d\\\"}\"");
        /* The finding's text may name the wrong value too: the resource's comes last. */
        size_t at = SIZE_MAX;
        for (size_t from = 0; from < line.len;) {
            size_t next = str_find(str_slice(line, from, line.len), wrong);
            if (next == SIZE_MAX)
                break;
            at = from + next;
            from = at + 1;
        }
        if (!CHECK(at != SIZE_MAX))
            return;
        strbuf_add(&mended, str_slice(line, 0, at));
        strbuf_add(&mended, right);
        strbuf_add(&mended, str_slice(line, at + wrong.len, line.len));
        strbuf_add_char(&mended, '\n');
    }
    CHECK_INT(lines, 2);
    CHECK_OK(load_text(arena, folder, strbuf_str(&mended), &diags, &report, &err), &err);
    CHECK_INT(report.refused, 0);
    CHECK_INT(report.persons, 2);
}

/* An entry of a Bundle takes along what its references stood for. */
TEST(what_is_refused_of_a_bundle_keeps_its_references)
{
    Str folder = test_temp_dir(arena);
    DiagList diags;
    IntakeReport report = {0};
    Error err = {0};
    Str text =
        S("{\"resourceType\":\"Bundle\",\"type\":\"collection\",\"entry\":["
          "{\"fullUrl\":\"urn:uuid:00000000-0000-0000-0000-00000000000a\",\"resource\":" PATIENT_A
          "},"
          "{\"fullUrl\":\"urn:uuid:00000000-0000-0000-0000-00000000000c\",\"resource\":"
          "{\"resourceType\":\"Condition\",\"id\":\"c\",\"onsetDateTime\":\"2021-02-29\","
          "\"subject\":{\"reference\":\"urn:uuid:00000000-0000-0000-0000-00000000000a\"}}}]}\n");
    CHECK_OK(load_text(arena, folder, text, &diags, &report, &err), &err);
    CHECK_INT(report.refused, 1);
    CHECK_STR(report.refused_by_rule.items[0].rule, S("fhir-date"));
    Str refused;
    Str path = io_join(arena, folder, S("refused.ndjson"));
    CHECK_OK(io_read_file(arena, path, 0, &refused, &err), &err);
    CHECK(str_find(refused, S("\"Patient/a\"")) != SIZE_MAX);
    size_t at = str_find(refused, S("-29\",\"subject"));
    if (!CHECK(at != SIZE_MAX))
        return;
    StrBuf mended;
    strbuf_init(&mended, arena, 0);
    strbuf_add(&mended, str_slice(refused, 0, at));
    strbuf_add(&mended, S("-28"));
    strbuf_add(&mended, str_slice(refused, at + 3, refused.len));
    strbuf_add(&mended, S(PATIENT_A "\n"));
    CHECK_OK(load_text(arena, folder, strbuf_str(&mended), &diags, &report, &err), &err);
    CHECK_INT(report.refused, 0);
    CHECK_INT(report.accepted, 2);
}

TEST(findings_do_not_depend_on_threads)
{
    StrBuf buf;
    strbuf_init(&buf, arena, 0);
    for (size_t i = 0; i < 300; i++) {
        strbuf_add(&buf, population_ndjson(arena, i * 50, 50));
        strbuf_printf(&buf, "{\"resourceType\":\"Patient\",\"id\":\"x%zu\",\"wrong\":1}\n", i);
        strbuf_printf(&buf, "{\"resourceType\":\"Patient\",\"id\":\"p%zu\"}\n", i);
    }
    Str folder = test_temp_dir(arena);
    Str want = {0};
    for (size_t threads = 1; threads <= 5; threads += 2) {
        DiagList diags;
        diag_init(&diags, arena);
        IntakeReport report = {0};
        Error err = {0};
        Str refused_path = io_join(arena, folder, S("refused.ndjson"));
        /* Little memory makes for many small chunks. */
        IntakeOptions options = {
            .threads = threads, .refused_path = refused_path, .memory_max = 16 << 20};
        CHECK_OK(population_load(folder, strbuf_str(&buf), options, &diags, &report, &err), &err);
        CHECK_INT(report.refused, 600);
        CHECK_INT(report.refused_by_rule.count, 2);
        StrBuf found;
        strbuf_init(&found, arena, 0);
        VEC_FOREACH (Diag, diag, &diags.kept)
            diag_format(diag, &found);
        Str refused;
        CHECK_OK(io_read_file(arena, refused_path, 0, &refused, &err), &err);
        strbuf_add(&found, refused);
        if (threads == 1)
            want = strbuf_str(&found);
        CHECK(str_eq(strbuf_str(&found), want));
    }
}

/* ---- memory ---- */

TEST(memory_stays_under_its_limit)
{
    Str folder = test_temp_dir(arena);
    Str path = io_join(arena, folder, S("big.ndjson"));
    Error err = {0};
    IoFile file = IO_FILE_CLOSED;
    CHECK_OK(io_create(path, &file, &err), &err);
    for (size_t i = 0; i < 60; i++) {
        Arena *scratch = arena_create(0);
        Str text = population_ndjson(scratch, i * 2000, 2000);
        CHECK_OK(io_write(&file, text.ptr, text.len, &err), &err);
        arena_destroy(scratch);
    }
    CHECK_OK(io_close(&file, &err), &err);
    IntakeOptions options = {.sources = &path,
                             .source_count = 1,
                             .store_path = io_join(arena, folder, S("store")),
                             .threads = 2,
                             .memory_max = 96 << 20};
    size_t peak = peak_of_load(&options, 120000, 0);
    CHECK(peak < 96 << 20 || !MEMORY_IS_OURS);
}
