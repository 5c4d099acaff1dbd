#include "attribution/attribution.h"
#include "base/test.h"

#define RULE "method: plurality-of-encounters\n"

TEST(rule_is_read_or_refused_with_its_place)
{
    static const struct {
        const char *row;
        const char *yaml;
        uint32_t line; /* of the first finding; 0: the rule is good */
        const char *text;
    } rows[] = {
        /* clang-format off */
        {"whole", RULE "organisation: serviceProvider\nmonths: 24\nties: [latest-encounter, organisation-id]\n", 0, ""},
        {"one tie rule", RULE "organisation: serviceProvider\nmonths: 1\nties: [organisation-id]\n", 0, ""},
        {"statuses", RULE "organisation: serviceProvider\nmonths: 12\nties: [organisation-id]\nstatuses: [finished, in-progress]\n", 0, ""},
        {"no mapping", "- 1\n", 1, "expected a mapping"},
        {"no method", "months: 24\n", 1, "method"},
        {"unknown method", "\nmethod: most-money\n", 2, "unknown word 'most-money', expected one of: plurality-of-encounters"},
        {"unknown key", RULE "organisation: serviceProvider\nmonths: 24\nties: [organisation-id]\nsince: 2\n", 5, "since"},
        {"no months", RULE "organisation: serviceProvider\nties: [organisation-id]\n", 1, "months"},
        {"no month", RULE "organisation: serviceProvider\nmonths: 0\nties: [organisation-id]\n", 3, "expected 1 to 120"},
        {"too many months", RULE "organisation: serviceProvider\nmonths: 121\nties: [organisation-id]\n", 3, "expected 1 to 120"},
        {"other organisation", RULE "organisation: location\nmonths: 24\nties: [organisation-id]\n", 2, "expected one of: serviceProvider"},
        {"no ties", RULE "organisation: serviceProvider\nmonths: 24\n", 1, "ties"},
        {"empty ties", RULE "organisation: serviceProvider\nmonths: 24\nties: []\n", 4, "end the list with organisation-id"},
        {"ties that leave ties", RULE "organisation: serviceProvider\nmonths: 24\nties: [latest-encounter]\n", 4, "end the list with organisation-id"},
        {"id before the end", RULE "organisation: serviceProvider\nmonths: 24\nties: [organisation-id, latest-encounter]\n", 4, "end the list with organisation-id"},
        {"tie twice", RULE "organisation: serviceProvider\nmonths: 24\nties:\n  - organisation-id\n  - organisation-id\n", 6, "there twice"},
        {"unknown tie", RULE "organisation: serviceProvider\nmonths: 24\nties: [coin]\n", 4, "unknown word 'coin'"},
        {"unknown status", RULE "organisation: serviceProvider\nmonths: 24\nties: [organisation-id]\nstatuses: [done]\n", 5, "unknown word 'done'"},
        {"no status", RULE "organisation: serviceProvider\nmonths: 24\nties: [organisation-id]\nstatuses: []\n", 5, "leave `statuses` out"},
        /* clang-format on */
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        DiagList diags;
        diag_init(&diags, arena);
        YamlNode *root = NULL;
        CHECK_ROW(rows[i].row,
                  yaml_parse(arena, str_from_c(rows[i].yaml), S("c.yaml"), &diags, &root), ERR_OK);
        if (root == NULL)
            continue;
        YamlReader reader = {.arena = arena, .diags = &diags, .file = S("c.yaml")};
        AttributionRule rule;
        bool ok = attribution_rule_parse(&reader, root, &rule);
        CHECK_ROW(rows[i].row, ok, rows[i].line == 0);
        CHECK_ROW(rows[i].row, diag_has_errors(&diags), rows[i].line != 0);
        if (diags.kept.count == 0)
            continue;
        CHECK_ROW(rows[i].row, diags.kept.items[0].line, rows[i].line);
        bool says = str_find(diags.kept.items[0].text, str_from_c(rows[i].text)) != SIZE_MAX;
        CHECK_ROW(rows[i].row, says, true);
    }
}

TEST(rule_holds_what_the_document_says)
{
    DiagList diags;
    diag_init(&diags, arena);
    YamlNode *root;
    Str yaml = S(RULE "organisation: serviceProvider\nmonths: 24\n"
                      "ties: [latest-encounter, organisation-id]\nstatuses: [finished]\n");
    CHECK_INT(yaml_parse(arena, yaml, S("c.yaml"), &diags, &root), ERR_OK);
    YamlReader reader = {.arena = arena, .diags = &diags, .file = S("c.yaml")};
    AttributionRule rule;
    CHECK(attribution_rule_parse(&reader, root, &rule));
    CHECK_INT(rule.method, ATTRIBUTION_BY_PLURALITY_OF_ENCOUNTERS);
    CHECK_INT(rule.months, 24);
    CHECK_INT((int64_t)rule.tie_count, 2);
    CHECK_INT(rule.ties[0], ATTRIBUTION_TIE_LATEST_ENCOUNTER);
    CHECK_INT(rule.ties[1], ATTRIBUTION_TIE_ORGANISATION_ID);
    CHECK_INT((int64_t)rule.status_count, 1);
    CHECK_STR(attribution_method_text(rule.method), S("plurality-of-encounters"));
    CHECK_STR(attribution_method_says(rule.method), S("the organisation with most encounters"));
    CHECK_STR(attribution_tie_text(rule.ties[0]), S("latest-encounter"));
}
