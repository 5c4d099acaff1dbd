/* What is wrong with registers and indicators is said with its place. */
#include "base/test.h"
#include "measure/measure.h"

static ErrorCode parse(Arena *arena, Str text, DiagList *diags, MeasureSpec *ret_spec)
{
    YamlNode *root;
    ErrorCode code = yaml_parse(arena, text, S("p.yaml"), diags, &root);
    if (code != ERR_OK)
        return code;
    YamlReader reader = {.arena = arena, .diags = diags, .file = S("p.yaml")};
    return measure_spec_parse(&reader, root, ret_spec);
}

#define REGISTER                                                                                   \
    "registers:\n"                                                                                 \
    "  - {id: d, title: D, library: L, definition: In D}\n"

TEST(a_spec_is_read)
{
    DiagList diags;
    diag_init(&diags, arena);
    MeasureSpec spec = {0};
    CHECK_INT(parse(arena,
                    S(REGISTER "indicators:\n"
                               "  - id: a\n"
                               "    title: A\n"
                               "    register: d\n"
                               "    library: L\n"
                               "    numerator: Got A\n"
                               "    exclusion: Left Out\n"
                               "    closes: give A\n"
                               "    evidence: [One, Two]\n"),
                    &diags, &spec),
              ERR_OK);
    CHECK_INT(spec.register_count, 1);
    CHECK_INT(spec.indicator_count, 1);
    CHECK_STR(spec.registers[0].definition, S("In D"));
    CHECK_STR(spec.indicators[0].numerator, S("Got A"));
    CHECK_STR(spec.indicators[0].denominator, S(""));
    CHECK_INT(spec.indicators[0].evidence_count, 2);
    CHECK_STR(spec.indicators[0].evidence[1], S("Two"));
    CHECK_INT(measure_find_indicator(&spec, S("a")), 0);
    CHECK(measure_find_indicator(&spec, S("b")) == SIZE_MAX);
    CHECK_INT(measure_find_register(&spec, S("d")), 0);
}

TEST(what_is_wrong_is_said_with_its_line)
{
    static const struct {
        const char *row;
        Str text;
        uint32_t line;
        Str says;
    } rows[] = {
        /* clang-format off */
        {"no registers", STR_INIT("indicators: []\n"), 1, STR_INIT("registers")},
        {"no title", STR_INIT("registers:\n  - {id: d, library: L, definition: X}\n"), 2, STR_INIT("title")},
        {"unknown key", STR_INIT("registers:\n  - {id: d, titel: D, title: D, library: L, definition: X}\n"), 2,
         STR_INIT("did you mean \"title\"")},
        {"no id form", STR_INIT("registers:\n  - {id: D x, title: D, library: L, definition: X}\n"), 2, STR_INIT("is no id")},
        {"id twice", STR_INIT(REGISTER "  - {id: d, title: D, library: L, definition: X}\n"), 3, STR_INIT("used twice")},
        {"unknown register", STR_INIT(REGISTER "indicators:\n  - {id: a, title: A, register: e, library: L, numerator: N}\n"), 4,
         STR_INIT("no register \"e\"")},
        {"no mapping", STR_INIT("registers:\n  - d\n"), 2, STR_INIT("expected a register")},
        {"evidence is no list", STR_INIT("registers:\n  - {id: d, title: D, library: L, definition: X, evidence: Y}\n"), 2,
         STR_INIT("evidence")},
        /* clang-format on */
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        DiagList diags;
        diag_init(&diags, arena);
        MeasureSpec spec = {0};
        CHECK_ROW(rows[i].row, parse(arena, rows[i].text, &diags, &spec), ERR_DOCUMENT);
        CHECK_ROW(rows[i].row, diags.kept.count > 0, true);
        if (diags.kept.count == 0)
            continue;
        CHECK_ROW(rows[i].row, diags.kept.items[0].line, rows[i].line);
        CHECK_ROW(rows[i].row, str_find(diags.kept.items[0].text, rows[i].says) != SIZE_MAX, true);
    }
}

TEST(the_period_is_whole_days)
{
    MeasureSpec spec = {.period_first = day_from_date(2020, 1, 1),
                        .period_last = day_from_date(2020, 12, 31)};
    CHECK_STR(measure_period_text(&spec, arena),
              S("Interval[@2020-01-01T00:00:00.000, @2020-12-31T23:59:59.999]"));
}
