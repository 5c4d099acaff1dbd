/* What a contract comes to, for machines and for people. */
#include "base/json.h"
#include "settle/settle.h"

typedef struct {
    Arena *arena;
    const Outcome *outcome;
    const OutcomeClause *clause;
    const OutcomeLine *line;
    JsonWriter *json;
} LineWriter;

static Str amount_text(const LineWriter *writer)
{
    return money_format(writer->arena, writer->line->minor, writer->outcome->contract->currency,
                        true);
}

/* A number in so many digits that nobody misses any. */
static void write_value(const LineWriter *writer, const OutcomeValue *value)
{
    if (value->has_value)
        json_raw(writer->json, ratio_format(writer->arena, value->value, 0, 12));
    else
        json_null(writer->json);
}

static void write_dimension(const LineWriter *writer, size_t number)
{
    const Dimension *dimension = &writer->outcome->contract->dimensions[number];
    Str text =
        outcome_key_text(writer->arena, writer->outcome, writer->clause, writer->line, number);
    if (text.len == 0)
        json_null(writer->json);
    else if (dimension->kind == DIMENSION_RANGE)
        json_raw(writer->json, text);
    else
        json_str(writer->json, text);
}

static void write_year(const LineWriter *writer)
{
    Str period = outcome_key_text(writer->arena, writer->outcome, writer->clause, writer->line,
                                  DIMENSION_PERIOD);
    int64_t year;
    if (str_to_int64(str_slice(period, 0, 4), &year))
        json_int(writer->json, year);
    else
        json_null(writer->json);
}

static void write_shown(const LineWriter *writer, Str name)
{
    for (size_t i = 0; i < writer->clause->clause->show_count; i++) {
        if (str_eq(writer->line->shows[i].name, name)) {
            write_value(writer, &writer->line->shows[i]);
            return;
        }
    }
    json_null(writer->json);
}

static void write_column(const LineWriter *writer, Str is)
{
    const Contract *contract = writer->outcome->contract;
    if (str_eq(is, S("clause"))) {
        json_str(writer->json, writer->clause->clause->id);
    } else if (str_eq(is, S("from"))) {
        json_str(writer->json, writer->clause->clause->from->id);
    } else if (str_eq(is, S("amount"))) {
        json_str(writer->json, amount_text(writer));
    } else if (str_eq(is, S("amount-minor"))) {
        json_int(writer->json, writer->line->minor);
    } else if (str_eq(is, S("reason"))) {
        json_str(writer->json, writer->line->reason);
    } else if (str_eq(is, S("year"))) {
        write_year(writer);
    } else {
        for (size_t i = 0; i < contract->dimension_count; i++) {
            if (str_eq(contract->dimensions[i].name, is)) {
                write_dimension(writer, i);
                return;
            }
        }
        write_shown(writer, is);
    }
}

static void write_all(const LineWriter *writer)
{
    const Clause *clause = writer->clause->clause;
    const Contract *contract = writer->outcome->contract;
    json_member_str(writer->json, S("clause"), clause->id);
    json_member_str(writer->json, S("from"), clause->from->id);
    if ((writer->clause->dims & dimension_bit(DIMENSION_PARTY)) == 0)
        json_member_str(writer->json, S("party"), clause->to->id);
    for (size_t i = 0; i < contract->dimension_count; i++) {
        if ((writer->clause->dims & dimension_bit(i)) == 0)
            continue;
        json_key(writer->json, contract->dimensions[i].name);
        write_dimension(writer, i);
    }
    json_member_str(writer->json, S("amount"), amount_text(writer));
    json_member_int(writer->json, S("amount_minor"), writer->line->minor);
    for (size_t i = 0; i < clause->show_count; i++) {
        json_key(writer->json, clause->shows[i].name);
        write_value(writer, &writer->line->shows[i]);
    }
    json_member_str(writer->json, S("reason"), writer->line->reason);
}

static void write_line(const LineWriter *writer)
{
    const Contract *contract = writer->outcome->contract;
    json_object_begin(writer->json);
    if (contract->column_count == 0)
        write_all(writer);
    for (size_t i = 0; i < contract->column_count; i++) {
        json_key(writer->json, contract->columns[i].name);
        write_column(writer, contract->columns[i].is);
    }
    json_object_end(writer->json);
}

static void write_clauses(Arena *arena, const Outcome *outcome, JsonWriter *json)
{
    json_key(json, S("clauses"));
    json_array_begin(json);
    for (size_t i = 0; i < outcome->clause_count; i++) {
        const OutcomeClause *clause = &outcome->clauses[i];
        json_object_begin(json);
        json_member_str(json, S("id"), clause->clause->id);
        json_member_str(json, S("kind"), clause->clause->kind);
        json_member_str(json, S("title"), clause->clause->title);
        json_member_int(json, S("lines"), (int64_t)clause->line_count);
        json_member_str(
            json, S("total"),
            money_format(arena, clause->total_minor, outcome->contract->currency, true));
        json_member_int(json, S("total_minor"), clause->total_minor);
        json_object_end(json);
    }
    json_array_end(json);
}

void settle_outcome_json(Arena *arena, const Outcome *outcome, StrBuf *out)
{
    JsonWriter json;
    json_writer_init(&json, out, true);
    json_object_begin(&json);
    json_member_str(&json, S("contract"), outcome->contract->id);
    json_member_int(&json, S("version"), outcome->contract->version);
    json_member_str(&json, S("currency"), str_from_c(outcome->contract->currency.code));
    json_key(&json, S("lines"));
    json_array_begin(&json);
    for (size_t i = 0; i < outcome->clause_count; i++) {
        const OutcomeClause *clause = &outcome->clauses[i];
        for (size_t k = 0; k < clause->line_count; k++) {
            LineWriter writer = {arena, outcome, clause, &clause->lines[k], &json};
            write_line(&writer);
        }
    }
    json_array_end(&json);
    write_clauses(arena, outcome, &json);
    json_object_end(&json);
    strbuf_add_char(out, '\n');
}

static void text_line(Arena *arena, const Outcome *outcome, const OutcomeClause *clause,
                      const OutcomeLine *line, StrBuf *out)
{
    StrBuf key;
    strbuf_init(&key, arena, 0);
    for (size_t i = 0; i < outcome->contract->dimension_count; i++) {
        if ((clause->dims & dimension_bit(i)) == 0)
            continue;
        if (key.len > 0)
            strbuf_add(&key, S(", "));
        if (i != DIMENSION_PARTY && i != DIMENSION_PERIOD)
            strbuf_printf(&key, "%.*s ", STR_ARG(outcome->contract->dimensions[i].name));
        strbuf_add(&key, outcome_key_text(arena, outcome, clause, line, i));
    }
    Str amount = money_format_grouped(arena, line->minor, outcome->contract->currency);
    strbuf_printf(out, "  %-36.*s %18.*s  %.*s\n", STR_ARG(strbuf_str(&key)), STR_ARG(amount),
                  STR_ARG(line->reason));
}

void settle_outcome_text(Arena *arena, const Outcome *outcome, StrBuf *out)
{
    const Contract *contract = outcome->contract;
    strbuf_printf(out, "%.*s, version %d; amounts in %s\n", STR_ARG(contract->title),
                  contract->version, contract->currency.code);
    for (size_t i = 0; i < outcome->clause_count; i++) {
        const OutcomeClause *clause = &outcome->clauses[i];
        strbuf_printf(out, "\n%.*s: %.*s pays %.*s\n", STR_ARG(clause->clause->title),
                      STR_ARG(clause->clause->from->name), STR_ARG(clause->clause->to->name));
        for (size_t k = 0; k < clause->line_count; k++)
            text_line(arena, outcome, clause, &clause->lines[k], out);
        Str total = money_format_grouped(arena, clause->total_minor, contract->currency);
        strbuf_printf(out, "  %-36s %18.*s\n", "together", STR_ARG(total));
    }
}
