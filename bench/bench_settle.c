/*
 * bench_settle -- a fee per member per month for twelve months, from a store to detail, lines and
 * journal: persons with eight encounters each at one of 1,200 practices and now and then another.
 * 250,000 persons; a million with --full.
 */
#include "bench_support.h"

#include "base/io.h"
#include "base/threads.h"
#include "intake/intake.h"
#include "settle/settle.h"

enum { PRACTICES = 1200, ENCOUNTERS = 8 };

static const char contract_text[] =
    "contract: bench\ntitle: Bench\nversion: 1\ncurrency: USD\n"
    "period: {from: 2020-01-01, to: 2020-12-31}\n"
    "parties:\n"
    "  - {id: payer, role: payer, name: Payer}\n"
    "  - {id: practices, role: provider, name: Practices, each: attributed-practice}\n"
    "attribution: {method: plurality-of-encounters, organisation: serviceProvider, months: 24,\n"
    "  ties: [latest-encounter, organisation-id]}\n"
    "clauses:\n"
    "  - id: fee\n    kind: member-month-fee\n    title: Fee\n    from: payer\n"
    "    to: practices\n    members: {alive-on: first-day}\n    rate:\n"
    "      - {age: {under: 65}, amount: 2.50}\n"
    "      - {age: {from: 65}, amount: 5.00}\n"
    "approval: {author: A, approvers: [B], reason: bench}\n";

static uint64_t random_next(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1dull;
}

static void add_person(StrBuf *out, size_t number, uint64_t *state)
{
    unsigned birth = 1925 + (unsigned)(random_next(state) % 95);
    unsigned own = (unsigned)(random_next(state) % PRACTICES);
    strbuf_printf(out,
                  "{\"resourceType\":\"Patient\",\"id\":\"%08zx\",\"birthDate\":\"%u-%02u-15\"}\n",
                  number, birth, 1 + (unsigned)(random_next(state) % 12));
    for (int i = 0; i < ENCOUNTERS; i++) {
        unsigned at =
            random_next(state) % 4 != 0 ? own : (unsigned)(random_next(state) % PRACTICES);
        strbuf_printf(out,
                      "{\"resourceType\":\"Encounter\",\"id\":\"%08zx-%d\",\"status\":\"finished\","
                      "\"class\":{\"code\":\"AMB\"},\"subject\":{\"reference\":\"Patient/%08zx\"},"
                      "\"serviceProvider\":{\"reference\":\"Organization/practice-%04u\"},"
                      "\"period\":{\"start\":\"%u-%02u-%02uT09:00:00Z\"}}\n",
                      number, i, number, at, 2018 + (unsigned)(random_next(state) % 3),
                      1 + (unsigned)(random_next(state) % 12),
                      1 + (unsigned)(random_next(state) % 28));
    }
}

/* Persons as NDJSON, a piece at a time. */
static ErrorCode write_persons(Str path, size_t persons, Error *err)
{
    CLEANUP(arena_cleanup) Arena *arena = arena_create(0);
    CLEANUP(io_close_cleanup) IoFile file = IO_FILE_CLOSED;
    uint64_t state = 7;
    StrBuf buf;
    strbuf_init(&buf, arena, 0);
    ErrorCode code = io_create(path, &file, err);
    for (size_t i = 0; code == ERR_OK && i < persons; i++) {
        add_person(&buf, i, &state);
        if (buf.len < 1 << 20 && i + 1 < persons)
            continue;
        code = io_write(&file, buf.ptr, buf.len, err);
        strbuf_clear(&buf);
    }
    return code;
}

static ErrorCode make_store(Arena *arena, Str folder, size_t persons, Store **ret_store, Error *err)
{
    DiagList diags;
    IntakeReport report;
    diag_init(&diags, arena);
    Str source = io_join(arena, folder, S("persons.ndjson"));
    IntakeOptions options = {
        .sources = &source, .source_count = 1, .store_path = io_join(arena, folder, S("store"))};
    ErrorCode code = write_persons(source, persons, err);
    if (code == ERR_OK)
        code = intake_load(arena, &options, &diags, &report, err);
    if (code == ERR_OK)
        code = io_remove(source, err);
    return code == ERR_OK ? store_open(arena, options.store_path, ret_store, err) : code;
}

static ErrorCode run_once(Arena *arena, const Contract *contract, const Store *store, Str folder,
                          Error *err)
{
    CLEANUP(ledger_close_cleanup) Ledger *ledger = NULL;
    DiagList diags;
    const SettleResult *result;
    diag_init(&diags, arena);
    Str path = io_join(arena, folder, S("ledger.sqlite"));
    Str out = io_join(arena, folder, S("out"));
    ErrorCode code = io_remove(path, err);
    if (code == ERR_OK)
        code = io_remove_tree(out, err);
    LedgerOptions ledger_options = {.path = path, .mode = LEDGER_CREATE, .currency = S("USD")};
    if (code == ERR_OK)
        code = ledger_open(&ledger_options, &ledger, err);
    if (code != ERR_OK)
        return code;
    SettleInput input = {.contract = contract, .store = store, .ledger = ledger};
    SettleOptions options = {.freeze_day = DAY_NONE,
                             .out = out,
                             .posting_day = DAY_NONE,
                             .through_day = DAY_NONE,
                             .threads = threads_available()};
    double start = bench_seconds();
    code = settle_run(arena, &input, &options, &diags, &result, err);
    double settled = bench_seconds();
    if (code == ERR_OK)
        code = settle_check(result, out, ledger, &diags, err);
    if (code != ERR_OK)
        return code;
    double million = 1e6 / (double)result->persons;
    bench_figure("settle: 1M persons, 12 months, detail, journal", (settled - start) * million,
                 "s");
    bench_figure("settle: reading it all back and adding up", (bench_seconds() - settled) * million,
                 "s");
    printf("settle: %zu lines, %llu entries\n", result->line_count,
           (unsigned long long)result->posting.entries);
    return diags.counts[SEVERITY_ERROR] == 0 ? ERR_OK : ERR_DAMAGED;
}

int main(void)
{
    const char *scratch = getenv("BENCH_SCRATCH");
    const char *full = getenv("BENCH_FULL");
    size_t persons = full != NULL && full[0] == '1' ? 1000000 : 250000;
    CLEANUP(arena_cleanup) Arena *arena = arena_create(0);
    Str folder = str_from_c(scratch == NULL ? "/tmp/bench_settle" : scratch);
    Error err = {0};
    DiagList diags;
    const Contract *contract = NULL;
    Store *store CLEANUP(store_cleanup) = NULL;
    diag_init(&diags, arena);
    ErrorCode code =
        contract_check(arena, str_from_c(contract_text), S("bench.yaml"), NULL, &diags, &contract);
    if (code == ERR_OK)
        code = io_make_dirs(folder, &err);
    if (code == ERR_OK)
        code = make_store(arena, folder, persons, &store, &err);
    for (int run = 0; code == ERR_OK && run < 3; run++)
        code = run_once(arena, contract, store, folder, &err);
    if (code != ERR_OK)
        fprintf(stderr, "%s\n", err.message);
    return code == ERR_OK ? 0 : 1;
}
