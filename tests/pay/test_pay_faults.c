/* A full disk, a loss of power and a kill during invoicing and paying: everything or nothing, and
   nothing twice afterwards. */
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/power_loss.h"
#include "base/io.h"
#include "pay_helper.h"

enum { PARTIES = 12, KILLS = 100 };

/* A ledger on which each party is owed 100.00 in twelve months and owes 30.00 back. */
static void prepare(Arena *arena, Str path)
{
    Ledger *ledger = helper_open(path);
    Error err = {0};
    REQUIRE_OK(ledger_begin(ledger, &err), &err);
    for (int i = 0; i < PARTIES; i++) {
        char party[8];
        (void)snprintf(party, sizeof(party), "p%02d", i);
        for (int month = 1; month <= 12; month++)
            helper_owe(ledger, arena, party, month, month == 7 ? -3000 : 10000);
    }
    REQUIRE_OK(ledger_commit(ledger, &err), &err);
    ledger_close(ledger);
}

enum { TOTAL = PARTIES * (11 * 10000 - 3000) };

/* Invoices, approves and pays, as far as it gets. */
static ErrorCode work(Arena *arena, Str path, Error *err)
{
    CLEANUP(ledger_close_cleanup) Ledger *ledger = NULL;
    LedgerOptions options = {.path = path, .mode = LEDGER_WRITE};
    PayBooks books;
    PayIssued issued;
    PayRun run;
    PayActor anna = helper_actor("anna");
    PayActor ben = helper_actor("ben");
    ErrorCode code = ledger_open(&options, &ledger, err);
    if (code == ERR_OK)
        code = pay_read(arena, ledger, &books, err);
    if (code == ERR_OK)
        code = pay_issue(&books, &anna, 0, &issued, err);
    if (code == ERR_OK)
        code = pay_read(arena, ledger, &books, err);
    if (code == ERR_OK)
        code = ledger_begin(ledger, err);
    for (size_t i = 0; code == ERR_OK && i < books.documents.count; i++) {
        const PayDocument *document = &books.documents.items[i];
        if (document->settled == document->minor || pay_is_approved(&books, document))
            continue;
        code = pay_approve(&books, &anna, document->number, S("contract"), err);
        if (code == ERR_OK)
            code = pay_approve(&books, &ben, document->number, S("finance"), err);
    }
    if (code == ERR_OK)
        code = ledger_commit(ledger, err);
    if (code == ERR_OK)
        code = pay_read(arena, ledger, &books, err);
    return code == ERR_OK ? pay_run(&books, &anna, S("run"), &run, err) : code;
}

/* Nothing half; and after one more time everything, once. */
static void check(Arena *arena, Str path)
{
    Error err = {0};
    for (int round = 0; round < 2; round++) {
        CLEANUP(ledger_close_cleanup) Ledger *ledger = helper_open(path);
        CHECK_OK(ledger_verify(ledger, NULL, &err), &err);
        PayBooks books = helper_books(arena, ledger);
        size_t documents = books.documents.count;
        CHECK(documents == 0 || documents == PARTIES * 12);
        CHECK(books.payments.count == 0 || books.payments.count == PARTIES);
        int64_t paid = -helper_balance(ledger, "clearing:payments");
        CHECK(paid == 0 || paid == TOTAL);
        CHECK(round == 0 || paid == TOTAL);
        ledger_close_cleanup(&ledger);
        if (round == 0)
            CHECK_OK(work(arena, path, &err), &err);
    }
}

static void copy_ledger(Arena *arena, Str from, Str to)
{
    Str text;
    Error err = {0};
    static const char *const suffixes[] = {"-wal", "-shm"};
    for (size_t i = 0; i < COUNT_OF(suffixes); i++)
        CHECK_OK(io_remove(str_format(arena, "%.*s%s", STR_ARG(to), suffixes[i]), &err), &err);
    CHECK_OK(io_read_file(arena, from, 0, &text, &err), &err);
    CHECK_OK(io_write_file(to, text, &err), &err);
}

TEST(full_disk_while_paying_leaves_nothing_half)
{
    Str folder = test_temp_dir(arena);
    Str ready = io_join(arena, folder, S("ready"));
    prepare(arena, ready);
    bool has_ended = false;
    for (size_t n = 0; !has_ended && n < 4000; n += 1 + n / 20) {
        Error err = {0};
        Str path = io_join(arena, folder, S("ledger"));
        FullDisk disk = {.writes_left = n};
        copy_ledger(arena, ready, path);
        io_set_hook(full_disk_hook, &disk);
        ErrorCode code = work(arena, path, &err);
        io_set_hook(NULL, NULL);
        has_ended = code == ERR_OK;
        if (!has_ended)
            CHECK_INT(code, ERR_DISK_FULL);
        check(arena, path);
    }
    CHECK(has_ended);
}

TEST(killed_while_paying_pays_once)
{
    Str folder = test_temp_dir(arena);
    Str ready = io_join(arena, folder, S("ready"));
    Str path = io_join(arena, folder, S("ledger"));
    uint64_t seed = 3;
    prepare(arena, ready);
    for (size_t i = 0; i < KILLS; i++) {
        ArenaMark mark = arena_mark(arena);
        copy_ledger(arena, ready, path);
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            Error err = {0};
            _exit(work(arena, path, &err) == ERR_OK ? 0 : 1);
        }
        (void)usleep((useconds_t)(test_random(&seed) % 12000));
        (void)kill(child, SIGKILL);
        int status;
        CHECK(waitpid(child, &status, 0) == child);
        CHECK(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
        check(arena, path);
        arena_rewind(arena, mark);
    }
}

TEST(the_second_of_two_runs_is_told_to_wait)
{
    Str path = io_join(arena, test_temp_dir(arena), S("ledger"));
    Error err = {0};
    prepare(arena, path);
    CLEANUP(ledger_close_cleanup) Ledger *first = helper_open(path);
    CHECK(first != NULL);
    CHECK_INT(work(arena, path, &err), ERR_BUSY);
}

/* A clock that jumps back: what was paid stays paid, whatever day the next run has. */
TEST(a_clock_that_jumps_pays_nothing_twice)
{
    Str path = io_join(arena, test_temp_dir(arena), S("ledger"));
    Error err = {0};
    prepare(arena, path);
    CHECK_OK(work(arena, path, &err), &err);
    CLEANUP(ledger_close_cleanup) Ledger *ledger = helper_open(path);
    static const char *const days[] = {"1999-12-31", "2038-01-19", "2021-01-08", "0001-01-01"};
    for (size_t i = 0; i < COUNT_OF(days); i++) {
        PayRun run;
        PayIssued issued;
        PayActor actor = helper_actor("anna");
        PayBooks books = helper_books(arena, ledger);
        CHECK(day_parse(str_from_c(days[i]), &actor.day));
        CHECK_OK(pay_issue(&books, &actor, 0, &issued, &err), &err);
        CHECK_INT(issued.invoices + issued.credit_notes, 0);
        CHECK_OK(pay_run(&books, &actor, str_format(arena, "again-%zu", i), &run, &err), &err);
        CHECK_INT(run.paid_minor, 0);
        CHECK_INT(-helper_balance(ledger, "clearing:payments"), TOTAL);
    }
    CHECK_OK(ledger_verify(ledger, NULL, &err), &err);
}
