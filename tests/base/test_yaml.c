#include "base/test.h"
#include "base/yaml.h"

static Str findings(Arena *arena, const DiagList *diags)
{
    StrBuf buf;
    strbuf_init(&buf, arena, 0);
    VEC_FOREACH (Diag, diag, &diags->kept) {
        if (buf.len > 0)
            strbuf_add_char(&buf, '\n');
        diag_format(diag, &buf);
    }
    return strbuf_str(&buf);
}

TEST(yaml_refuses_what_is_outside_of_the_subset)
{
    static const struct {
        Str text;
        const char *want; /* first finding, NULL: fine */
    } rows[] = {
        /* clang-format off */
        {STR_INIT("a: 1"),                    NULL},
        {STR_INIT("# only\n--- # this\na: 1\n...\n"), NULL},
        {STR_INIT("[a, {b: c}]"),             NULL},
        {STR_INIT("text"),                    NULL},
        {STR_INIT("\"\""),                    NULL},
        {STR_INIT("\"<<\": 1"),               NULL},
        {STR_INIT(""),                        "f:1:1: error: the document is empty [yaml-syntax]"},
        {STR_INIT("# nothing\n"),             "f:1:1: error: the document is empty [yaml-syntax]"},
        {STR_INIT("---\n"),                   "f:1:1: error: the document is empty [yaml-syntax]"},
        {STR_INIT("a: &x 1"),                 "f:1:4: error: anchors (&name) are not allowed [yaml-syntax]"},
        {STR_INIT("a: *x"),                   "f:1:4: error: aliases (*name) are not allowed [yaml-syntax]"},
        {STR_INIT("a: !!str 1"),              "f:1:4: error: tags (!name) are not allowed [yaml-syntax]"},
        {STR_INIT("a: ! 1"),                  "f:1:4: error: tags (!name) are not allowed [yaml-syntax]"},
        {STR_INIT("&m {a: 1}"),               "f:1:1: error: anchors (&name) are not allowed [yaml-syntax]"},
        {STR_INIT("- &s [a]"),                "f:1:3: error: anchors (&name) are not allowed [yaml-syntax]"},
        {STR_INIT("%TAG !e! tag:e,2000:\n--- a\n"), "f:1:1: error: tag directives are not allowed [yaml-syntax]"},
        {STR_INIT("a:\n  <<: 1"),             "f:2:3: error: merge keys (<<) are not allowed [yaml-syntax]"},
        {STR_INIT("a: 1\nb: 2\na: 3"),        "f:3:1: error: key \"a\" is already given in line 1 [yaml-duplicate-key]"},
        {STR_INIT("a: 1\n\"a\": 3"),          "f:2:1: error: key \"a\" is already given in line 1 [yaml-duplicate-key]"},
        {STR_INIT("? [a]\n: 1"),              "f:1:3: error: a key must be plain text [yaml-syntax]"},
        {STR_INIT("a: 1\n---\nb: 2"),         "f:2:1: error: only one document is allowed [yaml-syntax]"},
        {STR_INIT("a: [1"),                   "f:2:1: error: while parsing a flow sequence: did not find expected ',' or ']' [yaml-syntax]"},
        {STR_INIT("a:\n\tb: 1"),              "f:2:1: error: while scanning for the next token: found character that cannot start any token [yaml-syntax]"},
        {STR_INIT("a: b: c"),                 "f:1:5: error: mapping values are not allowed in this context [yaml-syntax]"},
        {STR_INIT("a: \xFF"),                 "f:1: error: invalid leading UTF-8 octet (at byte 3) [yaml-syntax]"},
        {STR_INIT("a: \x01"),                 "f:1: error: control characters are not allowed (at byte 3) [yaml-syntax]"},
        /* clang-format on */
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        DiagList diags;
        diag_init(&diags, arena);
        YamlNode *root = NULL;
        ErrorCode code = yaml_parse(arena, rows[i].text, S("f"), &diags, &root);
        CHECK_ROW(rows[i].text.ptr, code, rows[i].want == NULL ? ERR_OK : ERR_DOCUMENT);
        CHECK_ROW(rows[i].text.ptr, diag_has_errors(&diags), rows[i].want != NULL);
        CHECK_ROW_STR(rows[i].text.ptr, findings(arena, &diags),
                      rows[i].want == NULL ? S("") : str_from_c(rows[i].want));
    }
}

TEST(yaml_reports_all_of_a_kind_and_stops_at_depth)
{
    DiagList diags;
    diag_init(&diags, arena);
    YamlNode *root;
    CHECK_INT(yaml_parse(arena, S("a: &x 1\nb: *x\nb: !t 2\n"), S("f"), &diags, &root),
              ERR_DOCUMENT);
    CHECK_INT((int64_t)diags.counts[SEVERITY_ERROR], 4);
    for (size_t depth = LIMIT_YAML_DEPTH; depth <= 100000; depth = depth * 40 + 1) {
        char *text = arena_alloc(arena, depth * 2);
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        DiagList list;
        diag_init(&list, arena);
        ErrorCode code = yaml_parse(arena, (Str){text, depth * 2}, S("f"), &list, &root);
        CHECK_INT(code, depth <= LIMIT_YAML_DEPTH ? ERR_OK : ERR_DOCUMENT);
    }
}

TEST(yaml_nodes_know_their_place)
{
    DiagList diags;
    diag_init(&diags, arena);
    YamlNode *root;
    Str text = S("name: \"x\"\nlist:\n  - 1\n  - {a: b}\nblock: |\n  two\n  lines\n");
    CHECK_INT(yaml_parse(arena, text, S("f"), &diags, &root), ERR_OK);
    CHECK_INT(root->kind, YAML_MAPPING);
    CHECK_INT((int64_t)root->count, 3);
    CHECK(root->items[0].is_quoted);
    CHECK_INT(root->items[0].column, 7);
    const YamlNode *list = yaml_find(root, S("list"));
    CHECK_INT(list->kind, YAML_SEQUENCE);
    CHECK_INT(list->key_line, 2);
    CHECK_INT(list->items[1].line, 4);
    CHECK_INT(list->items[1].column, 5);
    CHECK_STR(list->items[1].items[0].key, S("a"));
    CHECK_STR(yaml_find(root, S("block"))->text, S("two\nlines\n"));
    CHECK(yaml_find(root, S("other")) == NULL);
    CHECK(yaml_find(list, S("a")) == NULL);
}

TEST(yaml_readers_say_what_they_expected)
{
    DiagList diags;
    diag_init(&diags, arena);
    YamlNode *root;
    Str text = S("t: abc\nq: \"12\"\ni: 12\nd: 2.50\nb: true\nday: 2020-02-29\nempty:\n"
                 "list: [1]\nmap: {}\nlong: 1.123456789\nyes: yes\n");
    CHECK_INT(yaml_parse(arena, text, S("f"), &diags, &root), ERR_OK);
    YamlReader reader = {.arena = arena, .diags = &diags, .file = S("f")};
    Str str;
    int64_t number;
    Decimal decimal;
    bool boolean;
    int32_t day;
    CHECK(yaml_get_text(&reader, root, S("t"), &str) && str_eq(str, S("abc")));
    CHECK(yaml_get_text(&reader, root, S("q"), &str) && str_eq(str, S("12")));
    CHECK(yaml_get_int(&reader, root, S("i"), &number) && number == 12);
    CHECK(yaml_get_decimal(&reader, root, S("d"), &decimal) && decimal.units == 250000000);
    CHECK(yaml_get_decimal(&reader, root, S("i"), &decimal));
    CHECK(yaml_get_bool(&reader, root, S("b"), &boolean) && boolean);
    CHECK(yaml_get_day(&reader, root, S("day"), &day) && day == 18321);
    CHECK(yaml_get_kind(&reader, root, S("list"), YAML_SEQUENCE) != NULL);
    CHECK(yaml_find_kind(&reader, root, S("map"), YAML_MAPPING) != NULL);
    CHECK(yaml_find_kind(&reader, root, S("none"), YAML_MAPPING) == NULL);
    CHECK(!diag_has_errors(&diags));
    CHECK(!yaml_get_text(&reader, root, S("none"), &str));
    CHECK(!yaml_get_text(&reader, root, S("list"), &str));
    CHECK(!yaml_get_text(&reader, root, S("empty"), &str));
    CHECK(!yaml_get_int(&reader, root, S("q"), &number));
    CHECK(!yaml_get_int(&reader, root, S("d"), &number));
    CHECK(!yaml_get_decimal(&reader, root, S("long"), &decimal));
    CHECK(!yaml_get_bool(&reader, root, S("yes"), &boolean));
    CHECK(!yaml_get_day(&reader, root, S("t"), &day));
    CHECK(yaml_find_kind(&reader, root, S("map"), YAML_SEQUENCE) == NULL);
    CHECK(yaml_get_kind(&reader, root, S("gone"), YAML_SEQUENCE) == NULL);
    yaml_error(&reader, root, "own %d", 1);
    CHECK_STR(findings(arena, &diags),
              S("f:1:1: error: missing \"none\" [yaml-missing]\n"
                "f:8:7: error: \"list\": expected text, found a list [yaml-type]\n"
                "f:7:7: error: \"empty\": expected text, found nothing [yaml-type]\n"
                "f:2:4: error: \"q\": expected a whole number, found the text \"12\" [yaml-type]\n"
                "f:4:4: error: \"d\": expected a whole number, found \"2.50\" [yaml-type]\n"
                "f:10:7: error: \"long\": expected a number (28 digits, 8 of them behind the "
                "point), found \"1.123456789\" [yaml-type]\n"
                "f:11:6: error: \"yes\": expected true or false, found \"yes\" [yaml-type]\n"
                "f:1:4: error: \"t\": expected a date (YYYY-MM-DD), found \"abc\" [yaml-type]\n"
                "f:9:6: error: \"map\": expected a list, found a mapping [yaml-type]\n"
                "f:1:1: error: missing \"gone\" [yaml-missing]\n"
                "f:1:1: error: own 1 [yaml-value]"));
}

TEST(yaml_unknown_keys_get_the_nearest_name)
{
    static const Str known[] = {STR_INIT("amount"), STR_INIT("clauses"), STR_INIT("id")};
    DiagList diags;
    diag_init(&diags, arena);
    YamlNode *root;
    Str text = S("amout: 1\nid: 2\nclause: 3\nsomething: 4\n");
    CHECK_INT(yaml_parse(arena, text, S("f"), &diags, &root), ERR_OK);
    YamlReader reader = {.arena = arena, .diags = &diags, .file = S("f")};
    yaml_check_keys(&reader, root, known, COUNT_OF(known));
    CHECK_STR(findings(arena, &diags),
              S("f:1:1: error: unknown key \"amout\"; did you mean \"amount\"? [yaml-unknown-key]\n"
                "f:3:1: error: unknown key \"clause\"; did you mean \"clauses\"? "
                "[yaml-unknown-key]\n"
                "f:4:1: error: unknown key \"something\" [yaml-unknown-key]"));
    yaml_check_keys(&reader, &root->items[0], known, COUNT_OF(known)); /* no mapping: nothing */
    CHECK_INT((int64_t)diags.counts[SEVERITY_ERROR], 3);
}
