/*
 * err -- operating failures: what went wrong outside of the program's control.
 *
 * A function that can fail returns a MUST_USE ErrorCode, ERR_OK (0) when all went well,
 * and fills the Error at the place where the failure arose. Callers on the way up may add
 * context in front with error_wrap(). Only cli and service print errors or exit.
 *
 *     if (fd < 0)
 *         return error_set(err, ERR_IO, "%.*s: cannot open: %s", STR_ARG(path), reason);
 *
 * Messages are lower case without a full stop and name the thing and the value. They never
 * hold names or values of a patient: only ids of records.
 */
#pragma once

#include "base/str.h"

typedef enum {
#define ERROR_CODE(name, text) ERR_##name,
#include "base/error_code.def"
#undef ERROR_CODE
} ErrorCode;

/* Holds its own text so that an Error can be filled without an arena. A zeroed one is "no error".
 */
typedef struct {
    ErrorCode code;
    char message[1024];
} Error;

/* Fills *err (which may be NULL) and returns the code. */
ErrorCode error_set(Error *err, ErrorCode code, const char *format, ...) PRINTF_LIKE(3, 4);
/* As error_set with ": " and strerror(errno_value) behind; ENOSPC and EDQUOT become ERR_DISK_FULL.
 */
ErrorCode error_set_errno(Error *err, int errno_value, const char *format, ...) PRINTF_LIKE(3, 4);
/* Puts "context: " in front of the message; returns the code that is already there. */
ErrorCode error_wrap(Error *err, const char *format, ...) PRINTF_LIKE(2, 3);
const char *error_code_name(ErrorCode code);
const char *error_code_text(ErrorCode code);
