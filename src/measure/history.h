/*
 * history -- who came onto a register, who left it, when and why, kept from run to run.
 *
 * A register is worked out for a day. What the history keeps is what changed between two of those
 * days: a spell a person and register, with the day on which a run first found the person there and
 * the reason in words (the values and events of the register's evidence, with their own dates), and
 * the day on which a run first did not, with the reason. Who is there on the first run of a
 * register was there before anybody looked: that is no movement.
 *
 * The same day may be run again, with other records or definitions: what the last run of that day
 * wrote is undone first. An earlier day than the last is refused, as it would rewrite what
 * happened.
 *
 * One file, NDJSON, replaced whole and durably: first {"history": 1, "through": day}, then a line a
 * register {"register", "since"} and a spell {"register", "person", "entered", "reason", "first",
 * "left", "left_reason"}, in order of register, person and day.
 */
#pragma once

#include "base/date.h"
#include "measure/populations.h"

typedef struct {
    Str register_id;
    Str person;
    int32_t entered;
    int32_t left;  /* DAY_NONE: still there */
    bool is_first; /* was there on the first run of the register */
    Str reason;
    Str left_reason;
} RegisterSpell;
typedef Vec(RegisterSpell) RegisterSpellVec;

typedef struct {
    int32_t through; /* day of the last run; DAY_NONE: there was none */
    Map since;       /* register -> day of its first run, as (uint32_t)day */
    RegisterSpellVec spells;
} RegisterHistory;

/* An absent file is an empty history; ERR_DAMAGED names the line of one that cannot be read. */
MUST_USE ErrorCode register_history_read(Arena *arena, Str path, RegisterHistory *ret_history,
                                         Error *err);
MUST_USE ErrorCode register_history_parse(Arena *arena, Str text, Str path,
                                          RegisterHistory *ret_history, Error *err);
MUST_USE ErrorCode register_history_write(Arena *arena, Str path, const RegisterHistory *history,
                                          Error *err);

/* Brings the history to the day of the results (the last of their spec's period). Reasons of those
   who came or left are worked out by the plan of the results. ERR_REFUSED when it stands at a later
   day. */
MUST_USE ErrorCode register_history_update(Arena *arena, RegisterHistory *history,
                                           const MeasureResults *results, const Store *store,
                                           Error *err);

/* Movements are these of all spells, in days first .. last. */
static inline bool register_spell_enters(const RegisterSpell *spell, int32_t first, int32_t last)
{
    return !spell->is_first && spell->entered >= first && spell->entered <= last;
}
static inline bool register_spell_leaves(const RegisterSpell *spell, int32_t first, int32_t last)
{
    return spell->left != DAY_NONE && spell->left >= first && spell->left <= last;
}
