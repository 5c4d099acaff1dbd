/*
 * xml -- XML documents as trees in an arena.
 *
 * For documents of at most LIMIT_DOCUMENT_BYTES: published test suites, model information. Names
 * are without their prefix; nothing is fetched, and a document that declares entities of its own is
 * refused, so that a small text cannot stand for a large one.
 *
 *     XmlNode *root;
 *     if (xml_parse(arena, text, file, diags, &root))
 *         for (const XmlNode *test = xml_first(root, S("test")); test != NULL;
 *              test = xml_next(test, S("test")))
 *             use(xml_attribute(test, S("name")), test->text);
 */
#pragma once

#include "base/base.h"

typedef struct {
    Str name; /* of xsi:type "type" */
    Str value;
} XmlAttribute;

typedef struct XmlNode XmlNode;
struct XmlNode {
    Str name;
    Str text; /* all character data directly in it, joined */
    const XmlAttribute *attributes;
    size_t attribute_count;
    XmlNode *first; /* element within it, or NULL */
    XmlNode *next;  /* element behind it, or NULL */
    uint32_t line;
};

/* --- writing --- */

enum { XML_WRITER_DEPTH_MAX = 32 };

/* Elements with two spaces an indentation; those with text stand on one line. Names must be valid;
   texts are escaped, and what XML cannot hold (control characters, bytes that are not UTF-8)
   becomes U+FFFD. */
typedef struct {
    StrBuf *out;
    const char *open[XML_WRITER_DEPTH_MAX];
    size_t depth;
    bool is_tag_open; /* its > is not written yet */
} XmlWriter;

/* With the XML declaration. */
void xml_writer_init(XmlWriter *xml, StrBuf *out);
void xml_begin(XmlWriter *xml, const char *name);
/* Of the element that was begun last, before anything else of it. */
void xml_put_attribute(XmlWriter *xml, const char *name, Str value);
void xml_end(XmlWriter *xml);
/* Ends the element that was begun last with nothing in it but text. */
void xml_end_text(XmlWriter *xml, Str text);
/* An element with nothing but text. */
void xml_put(XmlWriter *xml, const char *name, Str text);
/* The text as it may stand in XML or HTML, in content and in attributes. */
void xml_escape(StrBuf *out, Str text);

/* --- reading --- */

/* False, with a finding that names the line, when the text is no well-formed XML. */
bool xml_parse(Arena *arena, Str text, Str file, DiagList *diags, XmlNode **ret_root);
/* The first element of that name within it (an empty name: of any name), and the next one behind
   it; NULL when there is none. */
const XmlNode *xml_first(const XmlNode *node, Str name);
const XmlNode *xml_next(const XmlNode *node, Str name);
/* NULL when it has no such attribute; else its value. */
const Str *xml_find_attribute(const XmlNode *node, Str name);
/* The value, or the empty Str. */
Str xml_attribute(const XmlNode *node, Str name);
