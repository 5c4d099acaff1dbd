/*
 * algebra -- sets of persons by words: 'Diabetes and CKD and not "End of life"'.
 *
 * An expression names registers by id or title (the case of letters does not count; in quotation
 * marks where there are spaces) and populations of indicators as `id:gap`, `id:achieved`,
 * `id:excluded`, `id:excepted` or `id:denominator`; joins them by `and`, `or` and `not` (not before
 * and before or) and brackets. It is worked out on bits: no record is opened. `not` is everybody
 * else of whom an answer is known: a person whose evaluation failed is in no set, and in no
 * complement.
 */
#pragma once

#include "measure/populations.h"

enum { ALGEBRA_DEPTH_MAX = 100, ALGEBRA_STEPS_MAX = 1000 };

typedef struct MeasureExpression MeasureExpression;

/* ERR_DOCUMENT with findings that name the column and what was expected there. */
MUST_USE ErrorCode measure_expression_parse(Arena *arena, Str text, const MeasureSpec *spec,
                                            DiagList *diags, MeasureExpression **ret_expression);
/* The bits of one partition, in the arena; none behind its last person. */
const uint64_t *measure_expression_bits(const MeasureExpression *expression,
                                        const MeasureResults *results, size_t partition,
                                        Arena *arena);
