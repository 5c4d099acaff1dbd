/* The mapping language of model info: what it is read as, and where it is refused. */
#include "base/test.h"
#include "cql/mapping.h"

static void put_step(StrBuf *out, const MappingStep *step)
{
    strbuf_printf(out, "/%.*s", STR_ARG(step->name));
    for (size_t i = 0; i < step->condition_count; i++) {
        strbuf_add(out, i == 0 ? S("[") : S("&"));
        for (size_t j = 0; j < step->path_count; j++)
            strbuf_printf(out, "%.*s.", STR_ARG(step->path[j]));
        strbuf_printf(out, "%.*s=%.*s", STR_ARG(step->conditions[i].name),
                      STR_ARG(step->conditions[i].value));
    }
    if (step->condition_count > 0)
        strbuf_add_char(out, ']');
}

static Str read_as(Arena *arena, Str text)
{
    StrBuf out;
    const char *expected;
    size_t at;
    strbuf_init(&out, arena, 0);
    const Mapping *mapping = mapping_parse(arena, text, &expected, &at);
    if (mapping == NULL)
        strbuf_printf(&out, "%zu: %s", at, expected);
    for (; mapping != NULL; mapping = mapping->next) {
        strbuf_printf(&out, "%s%.*s|%.*s|%s", out.len > 0 ? "; " : "", STR_ARG(mapping->type),
                      STR_ARG(mapping->function), mapping->is_parent ? "parent" : "value");
        for (size_t i = 0; i < mapping->step_count; i++)
            put_step(&out, &mapping->steps[i]);
    }
    return strbuf_str(&out);
}

TEST(mappings_are_read_or_refused_at_a_place)
{
    /* clang-format off */
    static const struct { const char *text; const char *want; } rows[] = {
        {"%value", "||value"},
        {"%value.value", "||value/value"},
        {"FHIRHelpers.ToConcept(%value)", "|ToConcept|value"},
        {"%parent.extension[url='http://a/b'].value.value", "||parent/extension[url=http://a/b]/value/value"},
        {"%parent.medication[x].extension[url='u']", "||parent/medication/extension[url=u]"},
        {"FHIRHelpers.ToCode(%parent.code.coding[system='s',code='1-2'])", "|ToCode|parent/code/coding[system=s&code=1-2]"},
        {"%parent.component[code.coding.system='s',code.coding.code='c']", "||parent/component[code.coding.system=s&code.coding.code=c]"},
        {"System.Concept:FHIRHelpers.ToConcept(%value);System.ValueSet:FHIRHelpers.ToValueSet(%parent.code.extension[url='u'].value.value)",
         "System.Concept|ToConcept|value; System.ValueSet|ToValueSet|parent/code/extension[url=u]/value/value"},
        {"", "0: %value or %parent"},
        {"%valu", "0: %value or %parent"},
        {"%parent", "7: a path behind %parent"},
        {"%value.", "7: a name"},
        {"%value.value x", "12: the end"},
        {"%parent.a[b]", "11: '='"},
        {"%parent.a[b=c]", "12: a text in '…'"},
        {"%parent.a[b='c]", "15: the end of the text"},
        {"%parent.a[b='c'", "15: ']'"},
        {"%parent.a[b.c='d',e.c='f']", "21: conditions on one thing"},
        {"FHIRHelpers.ToConcept %value", "21: '('"},
        {"FHIRHelpers.ToConcept(%value", "28: ')'"},
        {"%value.a.b.c.d.e.f.g", "19: a shorter path"},
        {"System.Concept:%value;", "22: %value or %parent"},
    };
    /* clang-format on */
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        CHECK_ROW_STR(rows[i].text, read_as(arena, str_from_c(rows[i].text)),
                      str_from_c(rows[i].want));
}
