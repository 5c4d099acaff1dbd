/*
 * attr -- the few compiler attributes and assertions that all of Braid uses.
 *
 * ASSERT is for programming errors only and stays on in release builds: a process
 * that has broken an invariant stops before it writes anything wrong. What input or
 * the operating system can cause is an Error or a Diag instead.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MUST_USE               __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args), nonnull(fmt)))
#define NORETURN               __attribute__((noreturn))
#define UNUSED                 __attribute__((unused))
#define LIKELY(x)              __builtin_expect(!!(x), 1)
#define UNLIKELY(x)            __builtin_expect(!!(x), 0)
#define COUNT_OF(array)        (sizeof(array) / sizeof((array)[0]))
/* Runs done(&variable) when the variable leaves its scope: for handles, never for memory. */
#define CLEANUP(done) __attribute__((cleanup(done)))

NORETURN void assert_failed(const char *expr, const char *file, int line);

#define ASSERT(cond)                                                                               \
    do {                                                                                           \
        if (UNLIKELY(!(cond)))                                                                     \
            assert_failed(#cond, __FILE__, __LINE__);                                              \
    } while (0)
