#include "base/diag.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/limits.h"

void diag_init(DiagList *list, Arena *arena)
{
    *list = (DiagList){.arena = arena};
}

void diag_add(DiagList *list, const Diag *diag)
{
    list->counts[diag->severity]++;
    if (list->kept.count >= LIMIT_DIAG_KEPT)
        return;
    Diag copy = *diag;
    copy.rule = str_copy(list->arena, diag->rule);
    copy.file = str_copy(list->arena, diag->file);
    copy.path = str_copy(list->arena, diag->path);
    copy.text = str_copy(list->arena, diag->text);
    VEC_PUSH(list->arena, &list->kept, copy);
}

void diag_addf(DiagList *list, Diag diag, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    str_mend_cut(text);
    diag.text = str_from_c(text);
    diag_add(list, &diag);
}

void diag_append(DiagList *list, const DiagList *other)
{
    size_t before[3];
    memcpy(before, list->counts, sizeof(before));
    VEC_FOREACH (Diag, diag, &other->kept)
        diag_add(list, diag);
    /* The other list may have counted more than it kept. */
    for (size_t i = 0; i < COUNT_OF(before); i++)
        list->counts[i] = before[i] + other->counts[i];
}

bool diag_has_errors(const DiagList *list)
{
    return list->counts[SEVERITY_ERROR] > 0;
}

const char *severity_name(Severity severity)
{
    static const char *const names[] = {"info", "warning", "error"};
    ASSERT((size_t)severity < COUNT_OF(names));
    return names[severity];
}

void diag_format(const Diag *diag, StrBuf *out)
{
    if (diag->file.len > 0) {
        strbuf_add(out, diag->file);
        if (diag->line > 0)
            strbuf_printf(out, ":%u", diag->line);
        if (diag->line > 0 && diag->column > 0)
            strbuf_printf(out, ":%u", diag->column);
        strbuf_add(out, S(": "));
    }
    strbuf_printf(out, "%s: ", severity_name(diag->severity));
    if (diag->path.len > 0)
        strbuf_printf(out, "%.*s: ", STR_ARG(diag->path));
    strbuf_add(out, diag->text);
    if (diag->rule.len > 0)
        strbuf_printf(out, " [%.*s]", STR_ARG(diag->rule));
}

ErrorCode diag_to_error(const DiagList *list, Error *err)
{
    size_t errors = list->counts[SEVERITY_ERROR];
    if (errors == 0)
        return ERR_OK;
    VEC_FOREACH (Diag, diag, &list->kept) {
        if (diag->severity != SEVERITY_ERROR)
            continue;
        char place[64] = "";
        if (diag->line > 0 && diag->column > 0)
            snprintf(place, sizeof(place), ":%u:%u", diag->line, diag->column);
        else if (diag->line > 0)
            snprintf(place, sizeof(place), ":%u", diag->line);
        const char *more = errors > 1 ? " (and more)" : "";
        if (diag->file.len == 0)
            return error_set(err, ERR_DOCUMENT, "%.*s%s", STR_ARG(diag->text), more);
        return error_set(err, ERR_DOCUMENT, "%.*s%s: %.*s%s", STR_ARG(diag->file), place,
                         STR_ARG(diag->text), more);
    }
    return error_set(err, ERR_DOCUMENT, "%zu errors", errors);
}
