/* XML documents as trees, and what is refused. */
#include "base/xml.h"

#include "base/test.h"

static XmlNode *parse(Arena *arena, const char *text, DiagList *diags)
{
    XmlNode *root = NULL;
    diag_init(diags, arena);
    return xml_parse(arena, str_from_c(text), S("a.xml"), diags, &root) ? root : NULL;
}

TEST(elements_attributes_and_text_are_read)
{
    DiagList diags;
    XmlNode *root = parse(arena,
                          "<?xml version='1.0'?>\n<t:tests xmlns:t='urn:x' name='n &amp; m'>\n"
                          "<a/><b v='1'>x &lt; <i>no</i>y<![CDATA[<z>]]></b><!-- c --><b v=''/>"
                          "</t:tests>",
                          &diags);
    CHECK(root != NULL);
    CHECK_STR(root->name, S("tests"));
    CHECK_STR(xml_attribute(root, S("name")), S("n & m"));
    const XmlNode *first = xml_first(root, S("b"));
    CHECK_STR(first->text, S("x < y<z>"));
    CHECK_INT(first->line, 3);
    CHECK_STR(xml_first(first, S(""))->text, S("no"));
    const XmlNode *second = xml_next(first, S("b"));
    CHECK(xml_find_attribute(second, S("v")) != NULL && xml_attribute(second, S("v")).len == 0);
    CHECK(xml_find_attribute(second, S("w")) == NULL);
    CHECK(xml_next(second, S("")) == NULL);
}

TEST(what_is_no_xml_is_a_finding_with_its_line)
{
    static const struct {
        const char *text;
        unsigned line;
    } rows[] = {
        {"", 1},
        {"no xml", 1},
        {"<a>\n<b></a>", 2},
        {"<a>\n\n&nothing;</a>", 3},
        {"<!DOCTYPE a [<!ENTITY e 'xxxxxxxxxx'>]>\n<a>&e;</a>", 1},
        {"<!DOCTYPE a SYSTEM 'file:///etc/passwd'>\n<a/>", 1},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        DiagList diags;
        CHECK(parse(arena, rows[i].text, &diags) == NULL);
        CHECK_INT(diags.kept.count, 1);
        CHECK_STR(diags.kept.items[0].rule, S("xml-syntax"));
        CHECK_INT(diags.kept.items[0].line, rows[i].line);
    }
}
