#include "base/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/io.h"

extern const Test __start_test_table[];
extern const Test __stop_test_table[];

static size_t failed_checks;
static bool was_skipped;
static char temp_root[64];
static unsigned temp_count;

bool check_true(bool ok, const char *expr, const char *file, int line)
{
    if (!ok) {
        failed_checks++;
        printf("%s:%d: not true: %s\n", file, line, expr);
    }
    return ok;
}

bool check_int(int64_t got, int64_t want, const char *expr, const char *file, int line)
{
    if (got == want)
        return true;
    failed_checks++;
    printf("%s:%d: %s: got %lld, want %lld\n", file, line, expr, (long long)got, (long long)want);
    return false;
}

bool check_str(Str got, Str want, const char *expr, const char *file, int line)
{
    if (str_eq(got, want))
        return true;
    failed_checks++;
    printf("%s:%d: %s: got \"%.*s\", want \"%.*s\"\n", file, line, expr, STR_ARG(got),
           STR_ARG(want));
    return false;
}

bool check_ok(ErrorCode code, const Error *err, const char *expr, const char *file, int line)
{
    if (code == ERR_OK)
        return true;
    failed_checks++;
    printf("%s:%d: %s: %s: %s\n", file, line, expr, error_code_name(code), err->message);
    return false;
}

void test_skip(const char *reason)
{
    was_skipped = true;
    printf("skipped: %s\n", reason);
}

Str test_shared_data(Arena *arena)
{
    Str path = str_format(arena, "%s/../shared/data", BRAID_SOURCE_DIR);
    return io_is_dir(path) ? path : S("");
}

/* In memory where there is room: what tests sync is for hooks and replays to see, no disk has to.
 */
static const char *temp_parent(void)
{
    static const char memory[] = "/dev/shm";
    enum { ROOM_MIN = 1 << 30 };
    struct statvfs status;
    bool has_room = statvfs(memory, &status) == 0 && access(memory, W_OK) == 0 &&
                    (uint64_t)status.f_bavail * status.f_frsize >= ROOM_MIN;
    return has_room ? memory : "/tmp";
}

Str test_temp_dir(Arena *arena)
{
    if (temp_root[0] == '\0') {
        snprintf(temp_root, sizeof(temp_root), "%s/braid-test-XXXXXX", temp_parent());
        ASSERT(mkdtemp(temp_root) != NULL);
    }
    Str path = str_format(arena, "%s/%u", temp_root, temp_count++);
    ASSERT(mkdir(str_to_c(arena, path), 0700) == 0);
    return path;
}

uint64_t test_random(uint64_t *state)
{
    uint64_t x = *state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return x * 0x2545F4914F6CDD1Dull;
}

static void remove_temp(void)
{
    Error err = {0};
    io_set_hook(NULL, NULL);
    if (temp_root[0] != '\0' && io_remove_tree(str_from_c(temp_root), &err) != ERR_OK)
        printf("note: %s\n", err.message);
}

int main(int argc, char **argv)
{
    const char *wanted = argc > 1 ? argv[1] : "";
    size_t passed = 0;
    size_t failed = 0;
    size_t skipped = 0;
    for (const Test *test = __start_test_table; test < __stop_test_table; test++) {
        if (strstr(test->name, wanted) == NULL)
            continue;
        size_t before = failed_checks;
        was_skipped = false;
        Arena *arena = arena_create(0);
        test->run(arena);
        arena_destroy(arena);
        if (failed_checks > before) {
            printf("FAILED %s\n", test->name);
            failed++;
        } else if (was_skipped) {
            skipped++;
        } else {
            passed++;
        }
    }
    remove_temp();
    if (skipped > 0)
        printf("%zu passed, %zu failed, %zu skipped\n", passed, failed, skipped);
    else
        printf("%zu passed, %zu failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
