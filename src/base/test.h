/*
 * test -- unit tests: TEST(name) { CHECK...; } in any test_*.c, main in test_main.c.
 *
 * A test registers itself by its own definition (a linker section), gets a fresh arena, and
 * goes on to the end after a failed CHECK. The run closes with "N passed, N failed" (and
 * ", N skipped" when any was); a name given on the command line picks tests by substring.
 */
#pragma once

#include "base/base.h"

typedef struct {
    const char *name;
    void (*run)(Arena *arena);
} Test;

#define TEST(test_name)                                                                            \
    static void test_name(Arena *arena);                                                           \
    static const Test test_entry_##test_name                                                       \
        __attribute__((used, section("test_table"), aligned(_Alignof(Test)))) = {                  \
            .name = #test_name, .run = test_name};                                                 \
    static void test_name(UNUSED Arena *arena)

#define CHECK(cond)          check_true((cond), #cond, __FILE__, __LINE__)
#define CHECK_INT(got, want) check_int((int64_t)(got), (int64_t)(want), #got, __FILE__, __LINE__)
#define CHECK_STR(got, want) check_str((got), (want), #got, __FILE__, __LINE__)
/* As CHECK_INT and CHECK_STR, and name the row of a table-driven test. */
#define CHECK_ROW(row, got, want)                                                                  \
    check_int((int64_t)(got), (int64_t)(want), (row), __FILE__, __LINE__)
#define CHECK_ROW_STR(row, got, want) check_str((got), (want), (row), __FILE__, __LINE__)
/* An ErrorCode that must be ERR_OK; prints the Error else. */
#define CHECK_OK(code, err) check_ok((code), (err), #code, __FILE__, __LINE__)

bool check_true(bool ok, const char *expr, const char *file, int line);
bool check_int(int64_t got, int64_t want, const char *expr, const char *file, int line);
bool check_str(Str got, Str want, const char *expr, const char *file, int line);
bool check_ok(ErrorCode code, const Error *err, const char *expr, const char *file, int line);
/* Counts the test as skipped (with the reason printed) instead of passed; return after it. */
void test_skip(const char *reason);
/* ../shared/data as seen from the repository, or an empty Str where it is absent. The tests run
   with BRAID_SOURCE_DIR defined by the build. */
Str test_shared_data(Arena *arena);
/* A fresh folder for the test, removed when the test run ends. */
Str test_temp_dir(Arena *arena);
/* xorshift64*: the same numbers from the same seed everywhere. */
uint64_t test_random(uint64_t *state);
