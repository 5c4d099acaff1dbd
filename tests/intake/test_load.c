#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"
#include "base/test.h"
#include "population.h"

/* ---- what is loaded ---- */

TEST(persons_and_shared_resources_arrive_and_are_counted)
{
    Str folder = test_temp_dir(arena);
    DiagList diags;
    diag_init(&diags, arena);
    IntakeReport report;
    Error err = {0};
    ErrorCode code = population_load(folder, population_ndjson(arena, 0, 200),
                                     (IntakeOptions){.threads = 2}, &diags, &report, &err);
    if (!CHECK_OK(code, &err))
        return;
    CHECK_INT(report.persons, 200);
    CHECK_INT(report.accepted_by_type[FHIR_TYPE_Condition], 300);
    CHECK_INT(report.accepted_by_type[FHIR_TYPE_Observation], 600);
    CHECK_INT(report.shared, 5);
    CHECK_INT(report.repeated, 15);
    CHECK_INT(report.refused, 0);
    CHECK_INT(report.files, 1);
    CHECK_INT(diags.kept.count, 0);

    Store *store CLEANUP(store_cleanup) = NULL;
    CHECK_OK(store_open(arena, io_join(arena, folder, S("store")), &store, &err), &err);
    CHECK_INT(store_info(store)->persons, 200);
    CHECK_INT(store_info(store)->resources, report.accepted);
    Record record;
    CHECK_OK(store_find_person(store, S("p7"), &record, &err), &err);
    CHECK_STR(record_person_id(record), S("p7"));
    CHECK_INT(record_slice(record, FHIR_TYPE_Condition).count, 3);
    CHECK_INT(store_find_person(store, S("p200"), &record, NULL), ERR_NOT_FOUND);
    DiagList damage;
    diag_init(&damage, arena);
    CHECK_OK(store_check(io_join(arena, folder, S("store")), 2, &damage, &err), &err);
    CHECK_INT(damage.kept.count, 0);
}

/* All bytes of all files of a store, to compare two. */
static Str store_bytes(Arena *arena, Str path)
{
    StrBuf buf;
    strbuf_init(&buf, arena, 0);
    Error err = {0};
    IoNames names = {0};
    Str folder = io_join(arena, path, S("gen-000001"));
    CHECK_OK(io_list_dir(arena, folder, &names, &err), &err);
    VEC_FOREACH (Str, name, &names) {
        Str text;
        CHECK_OK(io_read_file(arena, io_join(arena, folder, *name), 0, &text, &err), &err);
        strbuf_add(&buf, *name);
        strbuf_add(&buf, text);
    }
    Str manifest;
    CHECK_OK(io_read_file(arena, io_join(arena, path, S("manifest")), 0, &manifest, &err), &err);
    strbuf_add(&buf, manifest);
    return strbuf_str(&buf);
}

TEST(threads_and_memory_do_not_change_a_byte)
{
    static const struct {
        const char *row;
        size_t threads;
        size_t memory;
    } rows[] = {
        {"two threads", 2, 0},
        {"seven threads", 7, 0},
        {"spilled to disk", 2, 4 << 20},
        {"spilled, one thread", 1, 4 << 20},
    };
    Str folder = test_temp_dir(arena);
    Str text = population_ndjson(arena, 0, 12000);
    DiagList diags;
    diag_init(&diags, arena);
    IntakeReport report;
    Error err = {0};
    Str first = io_join(arena, folder, S("store"));
    ErrorCode code =
        population_load(folder, text, (IntakeOptions){.threads = 1}, &diags, &report, &err);
    if (!CHECK_OK(code, &err))
        return;
    CHECK(report.partitions > 1);
    CHECK_INT(report.spilled_bytes, 0);
    Str want = store_bytes(arena, first);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        Str path = io_join(arena, folder, str_format(arena, "store-%zu", i));
        IntakeOptions options = {
            .store_path = path, .threads = rows[i].threads, .memory_max = rows[i].memory};
        code = population_load(folder, text, options, &diags, &report, &err);
        CHECK_OK(code, &err);
        CHECK_ROW(rows[i].row, report.spilled_bytes > 0, rows[i].memory > 0);
        CHECK_ROW(rows[i].row, str_eq(store_bytes(arena, path), want), true);
    }
}

/* So many organisations that one batch does not hold them; some come again. */
static Str many_organisations(Arena *arena, size_t count)
{
    StrBuf buf;
    strbuf_init(&buf, arena, count << 9);
    strbuf_add(&buf, S("{\"resourceType\":\"Patient\",\"id\":\"a\"}\n"));
    for (size_t i = 0; i < count; i++) {
        size_t from = buf.len;
        strbuf_printf(&buf,
                      "{\"resourceType\":\"Organization\",\"id\":\"o%zu\",\"name\":\"number %zu\","
                      "\"alias\":[\"one of the many that a country has, and a long name\","
                      "\"%zu, which makes its record as long as they usually are, with what is "
                      "known of where it is, who is to be asked and when it was founded\"]}\n",
                      i, i, i);
        if (i % 3 == 0)
            strbuf_add(&buf, str_copy(arena, str_slice(strbuf_str(&buf), from, SIZE_MAX)));
    }
    strbuf_add(&buf, S("{\"resourceType\":\"Organization\",\"id\":\"o7\",\"name\":\"x\"}\n"));
    return strbuf_str(&buf);
}

TEST(what_belongs_to_no_person_may_take_any_amount)
{
    enum { COUNT = 60000 };
    static const struct {
        const char *row;
        size_t threads;
        size_t memory;
    } rows[] = {{"one thread", 1, 0}, {"three threads", 3, 0}, {"little memory", 2, 4 << 20}};
    Str folder = test_temp_dir(arena);
    Str text = many_organisations(arena, COUNT);
    Str want = {0};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        Str path = io_join(arena, folder, str_format(arena, "store-%zu", i));
        IntakeOptions options = {
            .store_path = path, .threads = rows[i].threads, .memory_max = rows[i].memory};
        DiagList diags;
        diag_init(&diags, arena);
        IntakeReport report = {0};
        Error err = {0};
        CHECK_OK(population_load(folder, text, options, &diags, &report, &err), &err);
        CHECK_ROW(rows[i].row, report.shared, COUNT);
        CHECK_ROW(rows[i].row, report.repeated, COUNT / 3);
        CHECK_ROW(rows[i].row, report.refused, 1);
        Str bytes = store_bytes(arena, path);
        want = i == 0 ? bytes : want;
        CHECK_ROW(rows[i].row, str_eq(bytes, want), true);
        Store *store CLEANUP(store_cleanup) = NULL;
        CHECK_OK(store_open(arena, path, &store, &err), &err);
        CHECK(store_shared_count(store) > 1);
        uint64_t found = 0;
        for (size_t k = 0; k < store_shared_count(store); k++) {
            const RecordBatch *shared;
            CHECK_OK(store_shared(store, k, &shared, &err), &err);
            found += shared->types[FHIR_TYPE_Organization].entries.count;
        }
        CHECK_ROW(rows[i].row, found, COUNT);
        CHECK_OK(store_check(path, 2, &diags, &err), &err);
        CHECK_ROW(rows[i].row, diags.counts[SEVERITY_ERROR], 1);
    }
}

TEST(a_second_load_replaces_the_first)
{
    Str folder = test_temp_dir(arena);
    DiagList diags;
    diag_init(&diags, arena);
    IntakeReport report;
    Error err = {0};
    CHECK_OK(population_load(folder, population_ndjson(arena, 0, 10), (IntakeOptions){0}, &diags,
                             &report, &err),
             &err);
    Str path = io_join(arena, folder, S("store"));
    Store *before CLEANUP(store_cleanup) = NULL;
    CHECK_OK(store_open(arena, path, &before, &err), &err);
    CHECK_OK(population_load(folder, population_ndjson(arena, 5, 30), (IntakeOptions){0}, &diags,
                             &report, &err),
             &err);
    Store *after CLEANUP(store_cleanup) = NULL;
    CHECK_OK(store_open(arena, path, &after, &err), &err);
    CHECK_INT(store_info(after)->persons, 30);
    CHECK_INT(store_info(after)->generation, 2);
    /* Whoever opened the earlier version still reads it. */
    Record record;
    CHECK_OK(store_find_person(before, S("p3"), &record, &err), &err);
    CHECK(!io_exists(io_join(arena, path, S("gen-000001"))));
}

TEST(one_writer_at_a_time)
{
    Str folder = test_temp_dir(arena);
    Error err = {0};
    Str path = io_join(arena, folder, S("store"));
    StoreWriter *writer;
    if (!CHECK_OK(store_writer_begin(arena, path, &writer, &err), &err))
        return;
    DiagList diags;
    diag_init(&diags, arena);
    IntakeReport report;
    ErrorCode code = population_load(folder, population_ndjson(arena, 0, 10), (IntakeOptions){0},
                                     &diags, &report, &err);
    CHECK_INT(code, ERR_BUSY);
    store_writer_end(writer);
}

/* ---- forms of input ---- */

static ErrorCode load_file(Arena *arena, Str folder, Str file, IntakeReport *ret_report, Error *err)
{
    DiagList diags;
    diag_init(&diags, arena);
    IntakeOptions options = {
        .sources = &file, .source_count = 1, .store_path = io_join(arena, folder, S("store"))};
    ErrorCode code = intake_load(arena, &options, &diags, ret_report, err);
    if (code == ERR_OK)
        CHECK_INT(diags.counts[SEVERITY_ERROR], 0);
    return code;
}

TEST(compressed_and_packed_files_are_read)
{
    static const struct {
        const char *row;
        const char *command;
        const char *file;
        uint64_t files;
    } rows[] = {
        {"gzip", "gzip -k a.ndjson", "a.ndjson.gz", 1},
        {"zstd", "zstd -q a.ndjson -o a.ndjson.zst", "a.ndjson.zst", 1},
        {"xz", "xz -k a.ndjson", "a.ndjson.xz", 1},
        {"tar", "tar cf a.tar a.ndjson b.ndjson", "a.tar", 2},
        {"tar.gz", "tar czf a.tgz a.ndjson b.ndjson", "a.tgz", 2},
        {"tar.xz", "tar cJf a.txz a.ndjson b.ndjson", "a.txz", 2},
        {"two gzips in one", "gzip -c a.ndjson > two && gzip -c b.ndjson >> two", "two", 1},
    };
    Str folder = test_temp_dir(arena);
    Error err = {0};
    CHECK_OK(io_write_file(io_join(arena, folder, S("a.ndjson")), population_ndjson(arena, 0, 100),
                           &err),
             &err);
    CHECK_OK(io_write_file(io_join(arena, folder, S("b.ndjson")),
                           population_ndjson(arena, 100, 100), &err),
             &err);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        Str command = str_format(arena, "cd '%.*s' && %s", STR_ARG(folder), rows[i].command);
        /* NOLINTNEXTLINE(cert-env33-c): tools that the test set installs */
        if (system(str_to_c(arena, command)) != 0) {
            test_skip("gzip, zstd, xz or tar is missing");
            return;
        }
        IntakeReport report;
        Str file = io_join(arena, folder, str_from_c(rows[i].file));
        CHECK_OK(load_file(arena, folder, file, &report, &err), &err);
        bool has_both = rows[i].files == 2 || i == COUNT_OF(rows) - 1;
        CHECK_ROW(rows[i].row, report.persons, has_both ? 200 : 100);
        CHECK_ROW(rows[i].row, report.files, rows[i].files);
    }
}

TEST(a_folder_is_read_in_order_of_names_with_all_below)
{
    Str folder = test_temp_dir(arena);
    Error err = {0};
    Str data = io_join(arena, folder, S("data"));
    CHECK_OK(io_make_dirs(io_join(arena, data, S("sub")), &err), &err);
    CHECK_OK(io_write_file(io_join(arena, data, S("a.json")), population_ndjson(arena, 0, 3), &err),
             &err);
    CHECK_OK(
        io_write_file(io_join(arena, data, S("sub/b.json")), population_ndjson(arena, 3, 4), &err),
        &err);
    IntakeReport report;
    CHECK_OK(load_file(arena, folder, data, &report, &err), &err);
    CHECK_INT(report.persons, 7);
    CHECK_INT(report.files, 2);
    CHECK_INT(load_file(arena, folder, S("no/such/file"), &report, &err), ERR_NOT_FOUND);
}

/* Writes the text into a pipe from a child, a little at a time. */
static int pipe_with(Str text, pid_t *ret_child)
{
    int ends[2];
    ASSERT(pipe(ends) == 0);
    *ret_child = fork();
    ASSERT(*ret_child >= 0);
    if (*ret_child == 0) {
        (void)close(ends[0]);
        while (text.len > 0) {
            ssize_t done = write(ends[1], text.ptr, text.len < 1000 ? text.len : 1000);
            if (done <= 0)
                break;
            text = str_slice(text, (size_t)done, text.len);
        }
        _exit(0);
    }
    (void)close(ends[1]);
    return ends[0];
}

TEST(standard_input_is_read_as_it_comes)
{
    Str folder = test_temp_dir(arena);
    Error err = {0};
    pid_t child;
    int input = pipe_with(population_ndjson(arena, 0, 500), &child);
    Str dash = S("-");
    DiagList diags;
    diag_init(&diags, arena);
    IntakeOptions options = {.sources = &dash,
                             .source_count = 1,
                             .store_path = io_join(arena, folder, S("store")),
                             .stdin_fd = input};
    IntakeReport report = {0};
    CHECK_OK(intake_load(arena, &options, &diags, &report, &err), &err);
    CHECK_INT(report.persons, 500);
    (void)close(input);
    CHECK(waitpid(child, NULL, 0) == child);
}

TEST(documents_over_several_lines_follow_one_another)
{
    StrBuf buf;
    strbuf_init(&buf, arena, 0);
    for (size_t i = 0; i < 40000; i++)
        strbuf_printf(&buf,
                      "{\n  \"resourceType\": \"Patient\",\n  \"id\": \"p%zu\",\n  \"name\": [\n"
                      "    {\n      \"family\": \"Person\"\n    }\n  ]\n}\n",
                      i);
    Str folder = test_temp_dir(arena);
    DiagList diags;
    diag_init(&diags, arena);
    IntakeReport report = {0};
    Error err = {0};
    IntakeOptions options = {.threads = 2, .memory_max = 64 << 20};
    CHECK_OK(population_load(folder, strbuf_str(&buf), options, &diags, &report, &err), &err);
    CHECK_INT(report.persons, 40000);
    CHECK_INT(report.refused, 0);
}

/* ---- the real thing ---- */

TEST(synthea_bundles_load_whole)
{
    Str data = test_shared_data(arena);
    Str path = io_join(arena, data, S("synthea-r4/bundles.tar.xz"));
    if (data.len == 0 || !io_exists(path)) {
        test_skip("no ../shared/data/synthea-r4");
        return;
    }
    Str folder = test_temp_dir(arena);
    IntakeReport report = {0};
    Error err = {0};
    if (!CHECK_OK(load_file(arena, folder, path, &report, &err), &err))
        return;
    CHECK_INT(report.persons, 199);
    CHECK_INT(report.files, 199);
    CHECK_INT(report.refused, 0);
    DiagList damage;
    diag_init(&damage, arena);
    CHECK_OK(store_check(io_join(arena, folder, S("store")), 2, &damage, &err), &err);
    CHECK_INT(damage.counts[SEVERITY_ERROR], 0);
}
