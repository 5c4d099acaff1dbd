/*
 * diag -- findings: what is wrong with somebody's data or document, as data.
 *
 * A finding never stops the work on other things. It says where (file, line, column or
 * element path), which rule, and in words what was found and what was expected. Lists keep
 * the first LIMIT_DIAG_KEPT findings whole and count all of them, so that a bad file of a
 * billion lines costs bounded memory.
 *
 * A DiagList belongs to one thread; lists of threads are joined in order of work items with
 * diag_append(), so that the result does not depend on which thread was faster.
 */
#pragma once

#include "base/err.h"
#include "base/vec.h"

typedef enum { SEVERITY_INFO, SEVERITY_WARNING, SEVERITY_ERROR } Severity;

typedef struct {
    Severity severity;
    uint32_t line;   /* from 1; 0 is unknown */
    uint32_t column; /* from 1, in bytes; 0 is unknown */
    Str rule;        /* short and stable, e.g. "fhir-unknown-element" */
    Str file;
    Str path; /* element path, e.g. "Observation.valueQuantity.value", or empty */
    Str text;
} Diag;

typedef struct {
    Arena *arena;
    Vec(Diag) kept;
    size_t counts[3]; /* by Severity, of all that were added */
} DiagList;

void diag_init(DiagList *list, Arena *arena);
/* Adds a copy: the texts may be gone afterwards. */
void diag_add(DiagList *list, const Diag *diag);
/* Adds the finding with a text made by printf. */
void diag_addf(DiagList *list, Diag diag, const char *format, ...) PRINTF_LIKE(3, 4);
/* Adds all findings of another list, with its counts. */
void diag_append(DiagList *list, const DiagList *other);
bool diag_has_errors(const DiagList *list);
const char *severity_name(Severity severity);
/* "file:line:column: error: path: text [rule]", leaving out what is unknown. */
void diag_format(const Diag *diag, StrBuf *out);
/* If the list has errors: ERR_DOCUMENT with the first error's text and how many there are. */
MUST_USE ErrorCode diag_to_error(const DiagList *list, Error *err);
