#include "attribution/attribution_int.h"

static const MethodInfo *const methods[] = {
    [ATTRIBUTION_BY_PLURALITY_OF_ENCOUNTERS] = &method_plurality,
};

static const Str method_texts[] = {
#define ATTRIBUTION_METHOD(name, text, says) STR_INIT(text),
#include "attribution/words.def"
#undef ATTRIBUTION_METHOD
};

static const Str method_sentences[] = {
#define ATTRIBUTION_METHOD(name, text, says) STR_INIT(says),
#include "attribution/words.def"
#undef ATTRIBUTION_METHOD
};

static const Str tie_texts[] = {
#define ATTRIBUTION_TIE(name, text, says) STR_INIT(text),
#include "attribution/words.def"
#undef ATTRIBUTION_TIE
};

static const Str tie_sentences[] = {
#define ATTRIBUTION_TIE(name, text, says) STR_INIT(says),
#include "attribution/words.def"
#undef ATTRIBUTION_TIE
};

_Static_assert(COUNT_OF(methods) == COUNT_OF(method_texts), "a row for each method");

Str attribution_method_text(AttributionMethodKind method)
{
    ASSERT((size_t)method < COUNT_OF(method_texts));
    return method_texts[method];
}

Str attribution_method_says(AttributionMethodKind method)
{
    ASSERT((size_t)method < COUNT_OF(method_sentences));
    return method_sentences[method];
}

Str attribution_tie_text(AttributionTieKind tie)
{
    ASSERT((size_t)tie < COUNT_OF(tie_texts));
    return tie_texts[tie];
}

Str attribution_tie_says(AttributionTieKind tie)
{
    ASSERT((size_t)tie < COUNT_OF(tie_sentences));
    return tie_sentences[tie];
}

/* --- reading --- */

/* Which of the words a scalar is; a finding that lists them when it is none. */
static bool read_word(const YamlReader *reader, const YamlNode *node, const Str *words,
                      size_t count, size_t *ret_index)
{
    if (node->kind == YAML_SCALAR) {
        for (size_t i = 0; i < count; i++)
            if (str_eq(node->text, words[i])) {
                *ret_index = i;
                return true;
            }
    }
    StrBuf known;
    strbuf_init(&known, reader->arena, 0);
    for (size_t i = 0; i < count; i++)
        strbuf_printf(&known, "%s%.*s", i == 0 ? "" : ", ", STR_ARG(words[i]));
    Str text = node->kind == YAML_SCALAR ? node->text : S("");
    yaml_error(reader, node, "unknown word '%.*s', expected one of: %.*s", STR_ARG(text),
               STR_ARG(strbuf_str(&known)));
    return false;
}

/* Two organisations never have one id: the list must end there so that no tie remains. */
static bool read_ties(const YamlReader *reader, const YamlNode *node, AttributionRule *rule)
{
    const YamlNode *list = yaml_get_kind(reader, node, S("ties"), YAML_SEQUENCE);
    if (list == NULL)
        return false;
    for (size_t i = 0; i < list->count; i++) {
        size_t tie;
        if (!read_word(reader, &list->items[i], tie_texts, COUNT_OF(tie_texts), &tie))
            return false;
        for (size_t k = 0; k < rule->tie_count; k++)
            if (rule->ties[k] == (AttributionTieKind)tie) {
                yaml_error(reader, &list->items[i], "'%.*s' is there twice",
                           STR_ARG(tie_texts[tie]));
                return false;
            }
        rule->ties[rule->tie_count++] = (AttributionTieKind)tie;
    }
    if (rule->tie_count > 0 && rule->ties[rule->tie_count - 1] == ATTRIBUTION_TIE_ORGANISATION_ID)
        return true;
    yaml_error(reader, list, "ties may remain; end the list with organisation-id");
    return false;
}

static bool read_statuses(const YamlReader *reader, const YamlNode *node, AttributionRule *rule)
{
    /* FHIR R4 value set encounter-status. */
    static const Str known[] = {
        STR_INIT("planned"),     STR_INIT("arrived"),          STR_INIT("triaged"),
        STR_INIT("in-progress"), STR_INIT("onleave"),          STR_INIT("finished"),
        STR_INIT("cancelled"),   STR_INIT("entered-in-error"), STR_INIT("unknown"),
    };
    if (yaml_find(node, S("statuses")) == NULL)
        return true;
    const YamlNode *list = yaml_find_kind(reader, node, S("statuses"), YAML_SEQUENCE);
    if (list == NULL)
        return false;
    if (list->count == 0) {
        yaml_error(reader, list, "no status; leave `statuses` out to count all");
        return false;
    }
    Str *statuses = ARENA_ARRAY(reader->arena, Str, list->count);
    for (size_t i = 0; i < list->count; i++) {
        size_t status;
        if (!read_word(reader, &list->items[i], known, COUNT_OF(known), &status))
            return false;
        statuses[i] = known[status];
    }
    rule->statuses = statuses;
    rule->status_count = list->count;
    return true;
}

static bool read_months(const YamlReader *reader, const YamlNode *node, AttributionRule *rule)
{
    int64_t months;
    if (!yaml_get_int(reader, node, S("months"), &months))
        return false;
    if (months < 1 || months > ATTRIBUTION_MONTHS_MAX) {
        yaml_error(reader, yaml_find(node, S("months")),
                   "looking back %lld months, expected 1 to %d", (long long)months,
                   ATTRIBUTION_MONTHS_MAX);
        return false;
    }
    rule->months = (int32_t)months;
    return true;
}

bool plurality_read(const YamlReader *reader, const YamlNode *node, AttributionRule *rule)
{
    static const Str elements[] = {STR_INIT("serviceProvider")};
    const YamlNode *organisation = yaml_get_kind(reader, node, S("organisation"), YAML_SCALAR);
    size_t element;
    /* Each is read, so that all that is wrong is said at once. */
    bool ok = organisation != NULL &&
              read_word(reader, organisation, elements, COUNT_OF(elements), &element);
    ok &= read_months(reader, node, rule);
    ok &= read_ties(reader, node, rule);
    ok &= read_statuses(reader, node, rule);
    return ok;
}

static bool has_unknown_key(const YamlReader *reader, const YamlNode *node,
                            const MethodInfo *method)
{
    Str known[METHOD_KEYS_MAX + 1] = {STR_INIT("method")};
    ASSERT(method->key_count <= METHOD_KEYS_MAX);
    memcpy(known + 1, method->keys, method->key_count * sizeof(*known));
    size_t before = reader->diags->counts[SEVERITY_ERROR];
    yaml_check_keys(reader, node, known, method->key_count + 1);
    return reader->diags->counts[SEVERITY_ERROR] > before;
}

bool attribution_rule_parse(const YamlReader *reader, const YamlNode *node,
                            AttributionRule *ret_rule)
{
    if (node->kind != YAML_MAPPING) {
        yaml_error(reader, node, "expected a mapping with a method of attribution");
        return false;
    }
    const YamlNode *word = yaml_get_kind(reader, node, S("method"), YAML_SCALAR);
    size_t kind;
    if (word == NULL || !read_word(reader, word, method_texts, COUNT_OF(method_texts), &kind))
        return false;
    AttributionRule rule = {.method = (AttributionMethodKind)kind};
    bool unknown = has_unknown_key(reader, node, methods[kind]);
    if (!methods[kind]->read(reader, node, &rule) || unknown)
        return false;
    *ret_rule = rule;
    return true;
}

/* --- deciding, whatever the method --- */

void attribution_decide_months(const AttributionRule *rule, Record record, const int32_t *days,
                               size_t count, AttributionDecision *decisions, Arena *arena)
{
    ArenaMark mark = arena_mark(arena);
    for (size_t i = 1; i < count; i++)
        ASSERT(days[i - 1] <= days[i]);
    if (count > 0)
        methods[rule->method]->decide(rule, record, days, count, decisions, arena);
    arena_rewind(arena, mark);
}

AttributionDecision attribution_decide(const AttributionRule *rule, Record record, int32_t day,
                                       Arena *arena)
{
    AttributionDecision decision;
    attribution_decide_months(rule, record, &day, 1, &decision, arena);
    return decision;
}

size_t attribution_entries(const AttributionRule *rule, Record record,
                           const AttributionDecision *decision, Arena *arena,
                           const uint32_t **ret_entries)
{
    return methods[rule->method]->entries(rule, record, decision, arena, ret_entries);
}

static void add_day(StrBuf *out, int32_t day)
{
    int32_t year;
    int32_t month;
    int32_t date;
    day_to_date(day, &year, &month, &date);
    strbuf_printf(out, "%04d-%02d-%02d", year, month, date);
}

void attribution_explain(const AttributionRule *rule, const AttributionDecision *decision,
                         StrBuf *out)
{
    if (decision->reason == ATTRIBUTION_NOBODY)
        strbuf_add_c(out, "no encounter with an organisation");
    else
        strbuf_printf(out, "%u of %u encounters", decision->count, decision->total);
    strbuf_add_c(out, " from ");
    add_day(out, decision->from_day);
    strbuf_add_c(out, " to ");
    add_day(out, decision->day - 1);
    if (rule->status_count > 0)
        strbuf_add_c(out, rule->status_count == 1 ? ", of one status" : ", of some statuses");
    if (decision->reason == ATTRIBUTION_NOBODY)
        return;
    strbuf_add_c(out, ", latest ");
    add_day(out, decision->latest_day);
    if (decision->runner_up != CONCEPT_NONE)
        strbuf_printf(out, "; next: %u", decision->runner_up_count);
    if (decision->reason == ATTRIBUTION_TIED)
        strbuf_printf(out, ", decided by %.*s",
                      STR_ARG(attribution_tie_says(decision->decided_by)));
}
