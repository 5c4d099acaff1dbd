/*
 * analyzer -- included by tools/clang_tidy.py in front of every file, and by nothing else.
 *
 * The analyzer sees one file at a time, so it takes it for possible that error_set() answers
 * ERR_OK, and then finds out-parameters unset that a failed function rightly left alone. Here it
 * learns that a failure never is ERR_OK.
 */
#pragma once

#include "base/err.h"

static inline ErrorCode analyzer_failure(ErrorCode code)
{
    if (code == ERR_OK)
        __builtin_unreachable();
    return code;
}

#define error_set(...)       analyzer_failure(error_set(__VA_ARGS__))
#define error_set_errno(...) analyzer_failure(error_set_errno(__VA_ARGS__))
#define error_wrap(...)      analyzer_failure(error_wrap(__VA_ARGS__))
