/*
 * regex -- the regular expressions of Matches, ReplaceMatches and SplitOnMatches.
 *
 * A backtracking matcher for the dialect that CQL's examples use (PCRE's core): literals, `.`,
 * classes with ranges and \d \w \s \D \W \S, groups (capturing and (?:…)), alternation, greedy and
 * lazy quantifiers, ^ $ \b. Works on code points. Every step counts against a budget, so that no
 * pattern runs away.
 */
#pragma once

#include "base/base.h"

typedef struct {
    size_t start;
    size_t end;
    /* Group n is text[group_starts[n] .. group_ends[n]); SIZE_MAX when it took no part. */
    size_t group_starts[10];
    size_t group_ends[10];
} RegexMatch;

typedef enum { REGEX_NO, REGEX_YES, REGEX_BAD_PATTERN, REGEX_TOO_LONG } RegexResult;

/* A fair budget of one operator: some milliseconds. */
enum { REGEX_STEPS = 200000 };

/* The first match at or after `from`. Steps are taken from *budget. */
RegexResult regex_find(Str pattern, Str text, size_t from, size_t *budget, RegexMatch *ret_match);
