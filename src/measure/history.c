/* The history of registers: read, brought to a day, written. */
#include "measure/history.h"

#include <stdlib.h>

#include "base/io.h"
#include "base/json.h"
#include "measure/measure_int.h"

/* --- the file --- */

typedef struct {
    Arena *arena;
    Str path;
    uint32_t line;
    Error *err;
    RegisterHistory *history;
} HistoryReader;

static ErrorCode damaged(const HistoryReader *reader, const char *what)
{
    return error_set(reader->err, ERR_DAMAGED, "%.*s:%u: %s", STR_ARG(reader->path), reader->line,
                     what);
}

static bool read_day(const JsonValue *line, Str key, int32_t *ret_day)
{
    return day_parse(json_find_text(line, key), ret_day);
}

static ErrorCode read_spell(const HistoryReader *reader, const JsonValue *line, Str id)
{
    RegisterSpell spell = {.register_id = id,
                           .person = json_find_text(line, S("person")),
                           .left = DAY_NONE,
                           .reason = json_find_text(line, S("reason")),
                           .left_reason = json_find_text(line, S("left_reason"))};
    const JsonValue *first = json_find(line, S("first"));
    spell.is_first = first != NULL && first->kind == JSON_BOOL && first->boolean;
    if (!read_day(line, S("entered"), &spell.entered))
        return damaged(reader, "a spell without the day on which it began");
    if (json_find(line, S("left")) != NULL &&
        (!read_day(line, S("left"), &spell.left) || spell.left < spell.entered))
        return damaged(reader, "a spell that ends on no day, or before it began");
    VEC_PUSH(reader->arena, &reader->history->spells, spell);
    return ERR_OK;
}

static ErrorCode read_line(const HistoryReader *reader, const JsonValue *line)
{
    if (reader->line == 1) {
        if (line->kind != JSON_OBJECT || json_find(line, S("history")) == NULL ||
            !read_day(line, S("through"), &reader->history->through))
            return damaged(reader, "this is no history of registers");
        return ERR_OK;
    }
    Str id = json_find_text(line, S("register"));
    int32_t since;
    if (str_is_empty(id))
        return damaged(reader, "expected a register");
    if (json_find(line, S("person")) != NULL)
        return read_spell(reader, line, id);
    if (!read_day(line, S("since"), &since))
        return damaged(reader, "a register without the day of its first run");
    map_put(&reader->history->since, id, (uint32_t)since);
    return ERR_OK;
}

ErrorCode register_history_parse(Arena *arena, Str text, Str path, RegisterHistory *ret_history,
                                 Error *err)
{
    RegisterHistory history = {.through = DAY_NONE};
    map_init(&history.since, arena);
    HistoryReader reader = {.arena = arena, .path = path, .err = err, .history = &history};
    Str line;
    while (str_split_next(&text, '\n', &line)) {
        reader.line++;
        if (str_is_empty(line))
            continue;
        JsonValue *value;
        if (json_parse(arena, line, &value, err) != ERR_OK)
            return damaged(&reader, "this is no JSON");
        if (read_line(&reader, value) != ERR_OK)
            return ERR_DAMAGED;
    }
    if (history.through == DAY_NONE)
        return damaged(&reader, "this is no history of registers");
    *ret_history = history;
    return ERR_OK;
}

ErrorCode register_history_read(Arena *arena, Str path, RegisterHistory *ret_history, Error *err)
{
    if (!io_exists(path)) {
        *ret_history = (RegisterHistory){.through = DAY_NONE};
        map_init(&ret_history->since, arena);
        return ERR_OK;
    }
    Str text;
    ErrorCode code = io_read_file(arena, path, SIZE_MAX, &text, err);
    if (code == ERR_OK)
        code = register_history_parse(arena, text, path, ret_history, err);
    return code;
}

static void write_spell(JsonWriter *json, const RegisterSpell *spell)
{
    Arena *arena = json->out->arena;
    json_object_begin(json);
    json_member_str(json, S("register"), spell->register_id);
    json_member_str(json, S("person"), spell->person);
    json_member_str(json, S("entered"), day_format(arena, spell->entered));
    json_member_str(json, S("reason"), spell->reason);
    if (spell->is_first)
        json_member_bool(json, S("first"), true);
    if (spell->left != DAY_NONE) {
        json_member_str(json, S("left"), day_format(arena, spell->left));
        json_member_str(json, S("left_reason"), spell->left_reason);
    }
    json_object_end(json);
    json_line_end(json);
}

ErrorCode register_history_write(Arena *arena, Str path, const RegisterHistory *history, Error *err)
{
    ASSERT(history->through != DAY_NONE);
    StrBuf text;
    strbuf_init(&text, arena, 0);
    JsonWriter json;
    json_writer_init(&json, &text, false);
    json_object_begin(&json);
    json_member_int(&json, S("history"), 1);
    json_member_str(&json, S("through"), day_format(arena, history->through));
    json_object_end(&json);
    json_line_end(&json);
    for (size_t i = 0; i < history->since.count; i++) {
        json_object_begin(&json);
        json_member_str(&json, S("register"), history->since.entries[i].key);
        json_member_str(&json, S("since"),
                        day_format(arena, (int32_t)(uint32_t)history->since.entries[i].value));
        json_object_end(&json);
        json_line_end(&json);
    }
    VEC_FOREACH (const RegisterSpell, spell, &history->spells)
        write_spell(&json, spell);
    if (text.overflowed)
        return error_set(err, ERR_LIMIT, "%.*s: the history is too large", STR_ARG(path));
    return io_replace_file(path, strbuf_str(&text), err);
}

/* --- one more day --- */

typedef struct {
    Arena *arena;
    RegisterHistory *history;
    const MeasureResults *results;
    const Store *store;
    CqlEval *eval;
    int32_t day;
    Map open;     /* "register person" -> number of the spell that has not ended */
    bool *seen;   /* by number of the spell */
    size_t kept;  /* spells that were there before this day */
    bool *is_new; /* by register: this is its first run */
    Arena *scratch;
} Update;

/* What the last run of the same day wrote. */
static void undo_day(RegisterHistory *history, Arena *arena, int32_t day)
{
    size_t kept = 0;
    for (size_t i = 0; i < history->spells.count; i++) {
        RegisterSpell spell = history->spells.items[i];
        if (spell.entered == day)
            continue;
        if (spell.left == day) {
            spell.left = DAY_NONE;
            spell.left_reason = (Str){0};
        }
        history->spells.items[kept++] = spell;
    }
    history->spells.count = kept;
    Map since;
    map_init(&since, arena);
    for (size_t i = 0; i < history->since.count; i++)
        if ((int32_t)(uint32_t)history->since.entries[i].value != day)
            map_put(&since, history->since.entries[i].key, history->since.entries[i].value);
    history->since = since;
}

static Str spell_key(Arena *arena, Str register_id, Str person)
{
    return str_format(arena, "%.*s %.*s", STR_ARG(register_id), STR_ARG(person));
}

/* "Diabetes Present: Diabetes mellitus type 2, Condition/c6 of 2015-02-03; …" */
static ErrorCode evidence_text(const Update *update, size_t index, Record record, Str *ret_text,
                               Error *err)
{
    MeasureAsk ask = {.arena = update->scratch,
                      .plan = measure_results_plan(update->results),
                      .eval = update->eval};
    EvidenceVec evidence = {0};
    Error wrong = {0};
    ErrorCode code = measure_register_evidence(&ask, index, record, &evidence, &wrong);
    if (code == ERR_EVALUATION || code == ERR_LIMIT) { /* the movement stands without its reason */
        *ret_text = str_format(update->arena, "not worked out: %s", wrong.message);
        return ERR_OK;
    }
    if (code != ERR_OK)
        return error_set(err, code, "%s", wrong.message);
    StrBuf text;
    strbuf_init(&text, update->scratch, 0);
    VEC_FOREACH (const Evidence, each, &evidence) {
        if (text.len > 0)
            strbuf_add(&text, S("; "));
        strbuf_printf(&text, "%.*s: ", STR_ARG(each->definition));
        strbuf_add(&text, each->value);
        if (!str_is_empty(each->resource))
            strbuf_printf(&text, ", %.*s", STR_ARG(each->resource));
        if (each->day != DAY_NONE)
            strbuf_printf(&text, " of %.*s", STR_ARG(day_format(update->scratch, each->day)));
    }
    *ret_text = str_copy(update->arena, strbuf_str(&text));
    return ERR_OK;
}

static ErrorCode enter(Update *update, size_t index, Record record, Error *err)
{
    const RegisterSpec *spec = &measure_results_spec(update->results)->registers[index];
    Str person = record_person_id(record);
    uint64_t number;
    if (map_find(&update->open, spell_key(update->scratch, spec->id, person), &number)) {
        update->seen[number] = true;
        return ERR_OK;
    }
    RegisterSpell spell = {.register_id = spec->id,
                           .person = str_copy(update->arena, person),
                           .entered = update->day,
                           .left = DAY_NONE,
                           .is_first = update->is_new[index]};
    ErrorCode code = evidence_text(update, index, record, &spell.reason, err);
    if (code == ERR_OK)
        VEC_PUSH(update->arena, &update->history->spells, spell);
    return code;
}

static ErrorCode enter_partition(Update *update, size_t partition, Error *err)
{
    const RecordBatch *batch;
    size_t registers = measure_results_spec(update->results)->register_count;
    ErrorCode code = store_batch(update->store, partition, &batch, err);
    for (uint32_t row = 0; code == ERR_OK && row < batch->person_count; row++) {
        for (size_t i = 0; code == ERR_OK && i < registers; i++)
            if (measure_is_in(update->results, POPULATION_REGISTER, i, partition, row))
                code = enter(update, i, (Record){.batch = batch, .row = row}, err);
        arena_reset(update->scratch);
    }
    return code;
}

static ErrorCode leave(const Update *update, RegisterSpell *spell, Error *err)
{
    const MeasureSpec *spec = measure_results_spec(update->results);
    size_t index = measure_find_register(spec, spell->register_id);
    Record record;
    spell->left = update->day;
    if (index == SIZE_MAX) {
        spell->left_reason = S("the register is no longer kept");
        return ERR_OK;
    }
    if (store_find_person(update->store, spell->person, &record, NULL) != ERR_OK) {
        spell->left_reason = S("no longer in the records");
        return ERR_OK;
    }
    int32_t death = record.batch->death_days[record.row];
    if (death != DAY_NONE && death <= update->day) {
        spell->left_reason = death == DEATH_UNDATED
                                 ? S("died")
                                 : str_format(update->arena, "died on %.*s",
                                              STR_ARG(day_format(update->scratch, death)));
        return ERR_OK;
    }
    Str evidence = {0};
    ErrorCode code = evidence_text(update, index, record, &evidence, err);
    spell->left_reason = str_format(update->arena, "\"%.*s\" is no longer true%s%.*s",
                                    STR_ARG(spec->registers[index].definition),
                                    evidence.len > 0 ? "; " : "", STR_ARG(evidence));
    return code;
}

static int compare_spells(const void *a, const void *b)
{
    const RegisterSpell *x = a;
    const RegisterSpell *y = b;
    int order = str_cmp(x->register_id, y->register_id);
    if (order == 0)
        order = str_cmp(x->person, y->person);
    return order != 0 ? order : (x->entered > y->entered) - (x->entered < y->entered);
}

static ErrorCode apply(Update *update, Error *err)
{
    RegisterHistory *history = update->history;
    const MeasureSpec *spec = measure_results_spec(update->results);
    map_init(&update->open, update->arena);
    update->kept = history->spells.count;
    update->seen = ARENA_ZARRAY(update->arena, bool, update->kept);
    for (size_t i = 0; i < update->kept; i++)
        if (history->spells.items[i].left == DAY_NONE)
            map_put(&update->open,
                    spell_key(update->arena, history->spells.items[i].register_id,
                              history->spells.items[i].person),
                    i);
    update->is_new = ARENA_ZARRAY(update->arena, bool, spec->register_count);
    for (size_t i = 0; i < spec->register_count; i++) {
        update->is_new[i] = !map_has(&history->since, spec->registers[i].id);
        if (update->is_new[i])
            map_put(&history->since, spec->registers[i].id, (uint32_t)update->day);
    }
    ErrorCode code = ERR_OK;
    for (size_t i = 0; code == ERR_OK && i < store_partition_count(update->store); i++)
        code = enter_partition(update, i, err);
    for (size_t i = 0; code == ERR_OK && i < update->kept; i++)
        if (history->spells.items[i].left == DAY_NONE && !update->seen[i])
            code = leave(update, &history->spells.items[i], err);
    return code;
}

ErrorCode register_history_update(Arena *arena, RegisterHistory *history,
                                  const MeasureResults *results, const Store *store, Error *err)
{
    int32_t day = measure_results_spec(results)->period_last;
    if (history->through != DAY_NONE && day < history->through)
        return error_set(
            err, ERR_REFUSED, "the history of the registers stands at %.*s: %.*s is before it",
            STR_ARG(day_format(arena, history->through)), STR_ARG(day_format(arena, day)));
    if (history->through == day)
        undo_day(history, arena, day);
    history->through = day;
    Update update = {.arena = arena,
                     .history = history,
                     .results = results,
                     .store = store,
                     .day = day,
                     .scratch = arena_create(0),
                     .eval = cql_eval_create(measure_plan_cql(measure_results_plan(results)))};
    ErrorCode code = apply(&update, err);
    if (history->spells.count > 0)
        qsort(history->spells.items, history->spells.count, sizeof *history->spells.items,
              compare_spells);
    cql_eval_destroy(update.eval);
    arena_destroy(update.scratch);
    return code;
}
