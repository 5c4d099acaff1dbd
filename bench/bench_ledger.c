/*
 * bench_ledger -- posting entries of two lines in one batch to a file with synchronous=FULL,
 * opening it again, verifying all of it, and the entries of one source among them. 100,000 entries;
 * a million in `make bench-full`.
 */
#include "bench_support.h"

#include "ledger/ledger.h"

enum { ENTRIES = 100000, ENTRIES_FULL = 1000000, PRACTICES = 200, MONTHS = 12, SOURCES = 50 };

typedef struct {
    Arena *arena;
    Str path;
    size_t entries;
    Error err;
} Bench;

static Ledger *open_ledger(Bench *bench)
{
    Ledger *ledger = NULL;
    LedgerOptions options = {.path = bench->path, .mode = LEDGER_CREATE, .currency = S("USD")};
    bench_must(ledger_open(&options, &ledger, &bench->err), &bench->err);
    return ledger;
}

static void remove_ledger(Bench *bench)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};
    for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
        Str name = str_format(bench->arena, "%.*s%s", STR_ARG(bench->path), suffixes[i]);
        bench_must(io_remove(name, &bench->err), &bench->err);
    }
}

/* The account of all costs is 1, those of the practices follow. */
static void prepare(Bench *bench, Ledger *ledger)
{
    AccountId account;
    bench_must(ledger_add_account(ledger, S("expense:fees"), ACCOUNT_EXPENSE, S("Fees"), &account,
                                  &bench->err),
               &bench->err);
    for (int i = 0; i < PRACTICES; i++) {
        Str code = str_format(bench->arena, "payable:practice:%d", i);
        bench_must(ledger_add_account(ledger, code, ACCOUNT_LIABILITY, code, &account, &bench->err),
                   &bench->err);
    }
    for (int month = 1; month <= MONTHS; month++)
        bench_must(ledger_open_period(ledger, 202000 + month, &bench->err), &bench->err);
}

static void post_all(Bench *bench, Ledger *ledger)
{
    bench_must(ledger_begin(ledger, &bench->err), &bench->err);
    for (size_t i = 0; i < bench->entries; i++) {
        char key[64];
        char clause[16];
        int month = 1 + (int)(i % MONTHS);
        int64_t minor = 250 + (int64_t)(i % 1000);
        (void)snprintf(key, sizeof(key), "starter:fee:person-%zu:2020-%02d", i, month);
        (void)snprintf(clause, sizeof(clause), "fee-%zu", i % SOURCES);
        LedgerLine lines[] = {{1, minor}, {(AccountId)(2 + i % PRACTICES), -minor}};
        LedgerEntry entry = {.key = str_from_c(key),
                             .day = day_from_date(2020, month, 1),
                             .month = 202000 + month,
                             .memo = S("fee per member per month"),
                             .source = {.contract = S("starter"),
                                        .version = S("1"),
                                        .clause = str_from_c(clause),
                                        .run = S("2020")},
                             .lines = lines,
                             .line_count = COUNT_OF(lines)};
        bench_must(ledger_post(ledger, &entry, NULL, &bench->err), &bench->err);
    }
    bench_must(ledger_commit(ledger, &bench->err), &bench->err);
}

/* Reads the entries of one clause of the SOURCES. */
static void read_source(Bench *bench, Ledger *ledger)
{
    LedgerCursor *cursor = NULL;
    LedgerSource source = {.contract = S("starter"), .clause = S("fee-7")};
    bench_must(ledger_entries(ledger, source, &cursor, &bench->err), &bench->err);
    size_t count = 0;
    LedgerEntry entry;
    while (ledger_next_entry(cursor, &entry))
        count++;
    bench_must(ledger_cursor_finish(cursor, &bench->err), &bench->err);
    ASSERT(count == bench->entries / SOURCES);
}

static void run(Bench *bench)
{
    remove_ledger(bench);
    Ledger *ledger = open_ledger(bench);
    prepare(bench, ledger);
    double begun = bench_seconds();
    post_all(bench, ledger);
    double posted = bench_seconds();
    ledger_close(ledger);

    ledger = open_ledger(bench);
    double opened = bench_seconds();
    LedgerVerdict verdict;
    bench_must(ledger_verify(ledger, &verdict, &bench->err), &bench->err);
    double verified = bench_seconds();
    ASSERT(verdict.entries == bench->entries);
    read_source(bench, ledger);
    double read = bench_seconds();
    ledger_close(ledger);

    double entries = (double)bench->entries;
    bench_figure("ledger/post", entries / (posted - begun), "entries/s");
    bench_figure("ledger/verify", entries / (verified - opened), "entries/s");
    bench_figure("ledger/entries-of-a-source", entries / SOURCES / (read - verified), "entries/s");
}

int main(void)
{
    Arena *arena = arena_create(0);
    const char *full = getenv("BENCH_FULL");
    bool is_full = full != NULL && strcmp(full, "1") == 0;
    Bench bench = {.arena = arena,
                   .path = io_join(arena, bench_scratch(arena), S("bench.ledger")),
                   .entries = is_full ? ENTRIES_FULL : ENTRIES};
    size_t runs = is_full ? 1 : bench_runs();
    for (size_t i = 0; i < runs; i++)
        run(&bench);
    remove_ledger(&bench);
    arena_destroy(arena);
    return 0;
}
