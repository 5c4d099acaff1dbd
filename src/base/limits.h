/*
 * limits -- the ceilings on everything that input can make large, in one place.
 *
 * Going past one is an operating failure (ERR_LIMIT) or a finding that names the
 * limit; it never stops the process. Those that a user may raise have an option.
 */
#pragma once

#include <stddef.h>

#define LIMIT_STRBUF_BYTES         ((size_t)1 << 32)
#define LIMIT_RESOURCE_BYTES       ((size_t)64 << 20) /* one resource; option --max-resource */
#define LIMIT_LINE_BYTES           ((size_t)1 << 30)
#define LIMIT_DOCUMENT_BYTES       ((size_t)64 << 20) /* one YAML, CQL or value-set document */
#define LIMIT_JSON_DEPTH           64
#define LIMIT_YAML_DEPTH           64
#define LIMIT_CQL_DEPTH            256
#define LIMIT_ELM_DEPTH            1024                        /* JSON levels of one ELM library */
#define LIMIT_CQL_STEPS            ((size_t)100 * 1000 * 1000) /* evaluation steps a person */
#define LIMIT_DIAG_KEPT            10000
#define LIMIT_CONCEPT_TEXT_BYTES   4096
#define LIMIT_VALUE_SET_INCLUSION  32 /* value sets that include one another, deep */
#define LIMIT_MEMORY_DEFAULT_BYTES ((size_t)1 << 30)
/* Less cannot be kept to; and so much each thread of a load has to have. */
#define LIMIT_MEMORY_MIN_BYTES    ((size_t)64 << 20)
#define LIMIT_MEMORY_THREAD_BYTES ((size_t)32 << 20)
#define LIMIT_THREADS_MAX         256
