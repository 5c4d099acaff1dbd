#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

static const char *const error_names[] = {
#define ERROR_CODE(name, text) #name,
#include "base/error_code.def"
#undef ERROR_CODE
};

static const char *const error_texts[] = {
#define ERROR_CODE(name, text) text,
#include "base/error_code.def"
#undef ERROR_CODE
};

const char *error_code_name(ErrorCode code)
{
    ASSERT((size_t)code < COUNT_OF(error_names));
    return error_names[code];
}

const char *error_code_text(ErrorCode code)
{
    ASSERT((size_t)code < COUNT_OF(error_texts));
    return error_texts[code];
}

static __attribute__((format(printf, 3, 0))) void error_fill(Error *err, ErrorCode code,
                                                             const char *format, va_list args)
{
    ASSERT(code != ERR_OK);
    err->code = code;
    vsnprintf(err->message, sizeof(err->message), format, args);
    str_mend_cut(err->message);
}

ErrorCode error_set(Error *err, ErrorCode code, const char *format, ...)
{
    if (err != NULL) {
        va_list args;
        va_start(args, format);
        error_fill(err, code, format, args);
        va_end(args);
    }
    return code;
}

/* Cuts at the end of the buffer: a message is for people, and a cut one is still one. */
static void message_append(Error *err, const char *text)
{
    size_t used = strlen(err->message);
    snprintf(err->message + used, sizeof(err->message) - used, "%s", text);
    str_mend_cut(err->message);
}

ErrorCode error_set_errno(Error *err, int errno_value, const char *format, ...)
{
    bool is_full = errno_value == ENOSPC || errno_value == EDQUOT;
    ErrorCode code = is_full ? ERR_DISK_FULL : ERR_IO;
    if (err == NULL)
        return code;
    va_list args;
    va_start(args, format);
    error_fill(err, code, format, args);
    va_end(args);
    char reason[128];
    message_append(err, ": ");
    message_append(err, strerror_r(errno_value, reason, sizeof(reason)));
    return code;
}

ErrorCode error_wrap(Error *err, const char *format, ...)
{
    ASSERT(err != NULL && err->code != ERR_OK);
    char inner[sizeof(err->message)];
    memcpy(inner, err->message, sizeof(inner));
    va_list args;
    va_start(args, format);
    vsnprintf(err->message, sizeof(err->message), format, args);
    va_end(args);
    message_append(err, ": ");
    message_append(err, inner);
    return err->code;
}
