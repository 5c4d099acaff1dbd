/* What is behind an answer, worked out anew for one person, in words and events. */
#include "measure/measure_int.h"

enum { EVENTS_SHOWN = 5, VALUE_BYTES_MAX = 400 };

/* --- a resource in words --- */

/* Text of a CodeableConcept: its text, else a display, else a code. */
static Str concept_text(Arena *arena, FhirNode concept)
{
    Str text = fhir_text(fhir_child_named(concept, S("text")), arena);
    if (!str_is_empty(text))
        return text;
    FhirNode coding = fhir_first(fhir_child_named(concept, S("coding")));
    text = fhir_text(fhir_child_named(coding, S("display")), arena);
    if (!str_is_empty(text))
        return text;
    return fhir_text(fhir_child_named(coding, S("code")), arena);
}

/* "7.1 %", to two places: this is for people to read. */
static Str quantity_text(Arena *arena, FhirNode quantity)
{
    Decimal value;
    if (!fhir_decimal(fhir_child_named(quantity, S("value")), &value))
        return (Str){0};
    Decimal rounded;
    if (decimal_round(value, 2, ROUNDING_HALF_EVEN, &rounded))
        value = rounded;
    Str number = decimal_format(arena, value);
    Str unit = fhir_text(fhir_child_named(quantity, S("unit")), arena);
    if (str_is_empty(unit))
        unit = fhir_text(fhir_child_named(quantity, S("code")), arena);
    if (str_is_empty(unit))
        return number;
    return str_format(arena, "%.*s %.*s", STR_ARG(number), STR_ARG(unit));
}

static Str value_text(Arena *arena, FhirNode holder)
{
    Str text = quantity_text(arena, fhir_child_named(holder, S("valueQuantity")));
    if (str_is_empty(text))
        text = concept_text(arena, fhir_child_named(holder, S("valueCodeableConcept")));
    if (str_is_empty(text))
        text = fhir_text(fhir_child_named(holder, S("valueString")), arena);
    return text;
}

static void add_part(StrBuf *out, Str separator, Str part)
{
    if (str_is_empty(part))
        return;
    if (out->len > 0)
        strbuf_add(out, separator);
    strbuf_add(out, part);
}

Str evidence_describe(Arena *arena, FhirNode resource)
{
    static const Str names[] = {STR_INIT("code"), STR_INIT("medicationCodeableConcept"),
                                STR_INIT("vaccineCode"), STR_INIT("type")};
    StrBuf out;
    strbuf_init(&out, arena, 0);
    for (size_t i = 0; i < COUNT_OF(names) && out.len == 0; i++)
        strbuf_add(&out, concept_text(arena, fhir_first(fhir_child_named(resource, names[i]))));
    add_part(&out, S(": "), value_text(arena, resource));
    FhirItems items = fhir_items(fhir_child_named(resource, S("component")));
    FhirNode component;
    Str separator = S(": ");
    while (fhir_items_next(&items, &component)) {
        Str value = value_text(arena, component);
        if (str_is_empty(value))
            continue;
        Str name = concept_text(arena, fhir_child_named(component, S("code")));
        add_part(&out, separator, str_format(arena, "%.*s %.*s", STR_ARG(name), STR_ARG(value)));
        separator = S(", ");
    }
    return strbuf_str(&out);
}

/* --- the evidence of one definition --- */

static Str shortened(Arena *arena, Str text)
{
    if (text.len <= VALUE_BYTES_MAX)
        return text;
    size_t len = VALUE_BYTES_MAX;
    while (len > 0 && ((unsigned char)text.ptr[len] & 0xC0) == 0x80)
        len--; /* not within a character */
    return str_format(arena, "%.*s...", (int)len, text.ptr);
}

static void add_events(const MeasureAsk *ask, Str name, const CqlEventVec *events, EvidenceVec *out)
{
    Arena *arena = ask->arena;
    for (size_t i = 0; i < events->count && i < EVENTS_SHOWN; i++) {
        const CqlEvent *event = &events->items[i];
        Evidence evidence = {.definition = name,
                             .value = shortened(arena, evidence_describe(arena, event->resource)),
                             .resource = str_format(arena, "%.*s/%.*s",
                                                    STR_ARG(fhir_type_name(event->type)),
                                                    STR_ARG(event->id)),
                             .day = event->day};
        VEC_PUSH(arena, out, evidence);
    }
    if (events->count > EVENTS_SHOWN)
        VEC_PUSH(
            arena, out,
            (Evidence){.definition = name,
                       .value = str_format(arena, "and %zu more", events->count - EVENTS_SHOWN),
                       .day = DAY_NONE});
}

static ErrorCode add_evidence(const MeasureAsk *ask, size_t definition, EvidenceVec *out,
                              Error *err)
{
    CqlValue value;
    ErrorCode code = cql_eval_definition(ask->eval, definition, &value, err);
    if (code != ERR_OK)
        return code;
    Str name = cql_plan_definition(ask->plan->cql, definition)->name;
    CqlEventVec events = {0};
    cql_eval_events(ask->eval, value, ask->arena, &events);
    if (events.count > 0) {
        add_events(ask, name, &events, out);
        return ERR_OK;
    }
    Evidence evidence = {.definition = name, .day = DAY_NONE};
    bool is_empty = cql_value_is_null(value) ||
                    (cql_value_kind(value) == CQL_LIST && cql_value_count(value) == 0);
    if (is_empty) {
        evidence.value = S("none");
    } else {
        StrBuf text;
        strbuf_init(&text, ask->arena, 0);
        cql_value_format(value, &text);
        evidence.value = shortened(ask->arena, strbuf_str(&text));
    }
    VEC_PUSH(ask->arena, out, evidence);
    return ERR_OK;
}

static ErrorCode add_all(const MeasureAsk *ask, const size_t *definitions, size_t count,
                         EvidenceVec *ret_evidence, Error *err)
{
    EvidenceVec out = {0};
    ErrorCode code = ERR_OK;
    for (size_t i = 0; i < count && code == ERR_OK; i++)
        code = add_evidence(ask, definitions[i], &out, err);
    if (code == ERR_OK)
        *ret_evidence = out;
    return code;
}

ErrorCode measure_evidence(const MeasureAsk *ask, size_t indicator, Record record,
                           EvidenceVec *ret_evidence, Error *err)
{
    const MeasureSpec *spec = ask->plan->spec;
    ASSERT(indicator < spec->indicator_count);
    if (!ask->is_begun)
        cql_eval_begin(ask->eval, record);
    return add_all(ask, ask->plan->indicators[indicator].evidence,
                   spec->indicators[indicator].evidence_count, ret_evidence, err);
}

ErrorCode measure_register_evidence(const MeasureAsk *ask, size_t register_index, Record record,
                                    EvidenceVec *ret_evidence, Error *err)
{
    const MeasureSpec *spec = ask->plan->spec;
    ASSERT(register_index < spec->register_count);
    if (!ask->is_begun)
        cql_eval_begin(ask->eval, record);
    return add_all(ask, ask->plan->registers[register_index].evidence,
                   spec->registers[register_index].evidence_count, ret_evidence, err);
}
