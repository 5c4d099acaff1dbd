#include "store/store_int.h"

#include "base/io.h"
#include "base/threads.h"

/*
 * The check of a whole store: what opening and verifying see, and beyond it what would take too
 * long on the way to an answer: every tape, every posting against the columns, orders within
 * persons, and the manifest's counts.
 */
static const char rule[] = "store-damaged";

static void complain(DiagList *diags, Str file, const char *what)
{
    diag_add(diags, &(Diag){.severity = SEVERITY_ERROR,
                            .rule = str_from_c(rule),
                            .file = file,
                            .text = str_from_c(what)});
}

static void complain_error(DiagList *diags, Str file, const Error *err)
{
    complain(diags, file, err->message);
}

/* ---- one partition ---- */

/* Whether two postings stand for the same rows, in whatever form each is kept. */
static bool same_rows(const Postings *a, const Posting *left, const Postings *b,
                      const Posting *right, uint64_t *scratch)
{
    size_t words = store_row_words(a->person_count);
    memset(scratch, 0, 2 * words * sizeof(*scratch));
    return left->type == right->type && left->concept == right->concept &&
           left->count == right->count && posting_set_bits(a, left, scratch) &&
           posting_set_bits(b, right, scratch + words) &&
           memcmp(scratch, scratch + words, words * sizeof(*scratch)) == 0;
}

/* Builds the postings anew from the columns and compares. */
static void check_postings(const Partition *partition, DiagList *diags)
{
    Arena *arena CLEANUP(arena_cleanup) = arena_create(0);
    StrBuf index;
    StrBuf data;
    strbuf_init(&index, arena, 0);
    strbuf_init(&data, arena, 0);
    postings_build(arena, &partition->batch, &index, &data);
    const Postings *kept = &partition->postings;
    const Postings built = {
        .index = (const Posting *)(const void *)index.ptr,
        .count = (uint32_t)(index.len / sizeof(Posting)),
        .data = (const uint8_t *)data.ptr,
        .data_size = data.len,
        .person_count = partition->batch.person_count,
    };
    uint64_t *scratch =
        ARENA_ARRAY(arena, uint64_t, 2 * store_row_words(partition->batch.person_count));
    bool ok = kept->count == built.count;
    for (uint32_t i = 0; ok && i < kept->count; i++)
        ok = same_rows(kept, &kept->index[i], &built, &built.index[i], scratch);
    if (!ok)
        complain(diags, partition->name, "section postings: they do not agree with the entries");
}

static void check_order(const Partition *partition, uint16_t number, DiagList *diags)
{
    const RecordType *type = &partition->batch.types[number];
    if (type->starts == NULL || type->entries.days == NULL)
        return;
    for (uint32_t row = 0; row < partition->batch.person_count; row++) {
        for (uint32_t i = type->starts[row] + 1; i < type->starts[row + 1]; i++) {
            if (type->entries.days[i] < type->entries.days[i - 1]) {
                complain(diags, partition->name, "section days: entries are out of order");
                return;
            }
        }
    }
}

static void check_tapes(const Partition *partition, uint16_t number, DiagList *diags)
{
    const RecordType *type = &partition->batch.types[number];
    const TapeArea *area = &partition->batch.area;
    for (uint32_t i = 0; type->starts != NULL && i < type->entries.count; i++) {
        Error err = {0};
        uint32_t at = type->entries.tapes[i];
        if (fhir_tape_check(area, at, &err) != ERR_OK) {
            complain_error(diags, partition->name, &err);
            return;
        }
        if (fhir_root(area, at).type != number) {
            complain(diags, partition->name, "section tape starts: a tape of another type");
            return;
        }
    }
}

static void check_ids(const Partition *partition, DiagList *diags)
{
    const RecordBatch *batch = &partition->batch;
    Str last = {0};
    for (uint32_t row = 0; row < batch->person_count; row++) {
        Str id = {.ptr = batch->id_bytes + batch->id_starts[row],
                  .len = batch->id_starts[row + 1] - batch->id_starts[row]};
        bool is_tie = row > 0 && batch->id_hashes[row] == batch->id_hashes[row - 1];
        if (str_hash(id) != batch->id_hashes[row] || (is_tie && str_cmp(last, id) >= 0)) {
            complain(diags, partition->name, "section ids: an id that its hash does not belong to");
            return;
        }
        last = id;
    }
}

void partition_check_deep(const Partition *partition, bool is_shared, DiagList *diags)
{
    if (!is_shared)
        check_ids(partition, diags);
    check_postings(partition, diags);
    for (uint32_t type = 1; type < FHIR_RESOURCE_TYPE_LIMIT; type++) {
        check_order(partition, (uint16_t)type, diags);
        check_tapes(partition, (uint16_t)type, diags);
    }
}

/* ---- the store ---- */

typedef struct {
    const Store *store;
    DiagList *diags; /* one a partition, and behind them one a shared batch */
} Check;

static size_t count_items(const Store *store)
{
    return store_partition_count(store) + store_shared_count(store);
}

/* Shared batches are numbered behind the partitions. */
static const Partition *partition_of_item(const Store *store, size_t item, bool *ret_is_shared)
{
    size_t partitions = store_partition_count(store);
    *ret_is_shared = item >= partitions;
    return *ret_is_shared ? store_shared_opened(store, item - partitions)
                          : store_partition_opened(store, item);
}

static bool check_item(void *context, UNUSED size_t worker, size_t item)
{
    Check *check = context;
    bool is_shared;
    const Partition *partition = partition_of_item(check->store, item, &is_shared);
    DiagList *diags = &check->diags[item];
    Error err = {0};
    ErrorCode code = partition_verify_directory(partition, &err);
    if (code == ERR_OK)
        code = partition_verify_area(partition, &err);
    if (code != ERR_OK)
        complain_error(diags, partition->name, &err);
    else
        partition_check_deep(partition, is_shared, diags);
    return true;
}

/* What the manifest counts, and that persons are in the partition that their hash says. */
static void check_manifest(const Store *store, Str path, DiagList *diags)
{
    const Manifest *manifest = store_manifest(store);
    uint64_t by_type[FHIR_RESOURCE_TYPE_LIMIT] = {0};
    for (size_t i = 0; i < count_items(store); i++) {
        bool is_shared;
        const Partition *partition = partition_of_item(store, i, &is_shared);
        const RecordBatch *batch = &partition->batch;
        for (size_t type = 0; type < FHIR_RESOURCE_TYPE_LIMIT; type++)
            by_type[type] += batch->types[type].entries.count;
        if (is_shared || batch->person_count == 0)
            continue;
        bool is_last = i + 1 == manifest->partition_count;
        if (batch->id_hashes[0] != manifest->partitions[i].first_hash ||
            (!is_last &&
             batch->id_hashes[batch->person_count - 1] >= manifest->partitions[i + 1].first_hash))
            complain(diags, partition->name, "persons of another partition");
    }
    if (memcmp(by_type, manifest->by_type, sizeof(by_type)) != 0)
        complain(diags, path, "manifest: its counts by type are not those of the files");
}

ErrorCode store_check(Str path, size_t threads, DiagList *diags, Error *err)
{
    Arena *arena CLEANUP(arena_cleanup) = arena_create(0);
    Store *store CLEANUP(store_cleanup) = NULL;
    ErrorCode code = store_open(arena, path, &store, err);
    if (code == ERR_DAMAGED && err != NULL) {
        complain_error(diags, path, err);
        return ERR_OK;
    }
    if (code != ERR_OK)
        return code;
    size_t items = count_items(store);
    Check check = {.store = store, .diags = ARENA_ZARRAY(arena, DiagList, items)};
    Arena **arenas = ARENA_ARRAY(arena, Arena *, items);
    for (size_t i = 0; i < items; i++) {
        arenas[i] = arena_create(0);
        diag_init(&check.diags[i], arenas[i]);
    }
    (void)work_run(threads, items, check_item, &check);
    size_t before = diags->counts[SEVERITY_ERROR];
    for (size_t i = 0; i < items; i++) {
        diag_append(diags, &check.diags[i]);
        arena_destroy(arenas[i]);
    }
    if (diags->counts[SEVERITY_ERROR] == before)
        check_manifest(store, path, diags);
    return ERR_OK;
}
