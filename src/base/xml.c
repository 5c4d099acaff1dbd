#include "base/xml.h"

#include <libxml/parser.h>
#include <libxml/xmlerror.h>

#include "base/limits.h"

static Str copy_text(Arena *arena, const xmlChar *text)
{
    return str_copy(arena, str_from_c((const char *)text));
}

static void copy_attributes(Arena *arena, const xmlNode *from, XmlNode *to)
{
    size_t count = 0;
    for (const xmlAttr *attr = from->properties; attr != NULL; attr = attr->next)
        count++;
    XmlAttribute *attributes = ARENA_ARRAY(arena, XmlAttribute, count);
    size_t at = 0;
    for (const xmlAttr *attr = from->properties; attr != NULL; attr = attr->next) {
        xmlChar *value = xmlNodeListGetString(from->doc, attr->children, 1);
        attributes[at++] =
            (XmlAttribute){.name = copy_text(arena, attr->name), .value = copy_text(arena, value)};
        if (value != NULL)
            xmlFree(value);
    }
    to->attributes = attributes;
    to->attribute_count = count;
}

/* The parser itself refuses nesting of over 256 elements. */
static XmlNode *copy_node(Arena *arena, const xmlNode *from)
{
    XmlNode *node = ARENA_NEW(arena, XmlNode);
    node->name = copy_text(arena, from->name);
    long line = xmlGetLineNo(from);
    node->line = line > 0 ? (uint32_t)line : 0;
    copy_attributes(arena, from, node);
    StrBuf text;
    strbuf_init(&text, arena, 0);
    XmlNode **end = &node->first;
    for (const xmlNode *child = from->children; child != NULL; child = child->next) {
        if (child->type == XML_ELEMENT_NODE) {
            *end = copy_node(arena, child);
            end = &(*end)->next;
        } else if (child->type == XML_TEXT_NODE || child->type == XML_CDATA_SECTION_NODE) {
            strbuf_add(&text, str_from_c((const char *)child->content));
        }
    }
    node->text = strbuf_str(&text);
    return node;
}

static bool refuse(Str file, DiagList *diags, uint32_t line, const char *text)
{
    Str trimmed = str_trim(str_from_c(text));
    diag_add(diags, &(Diag){.severity = SEVERITY_ERROR,
                            .rule = S("xml-syntax"),
                            .file = file,
                            .line = line,
                            .text = trimmed});
    return false;
}

bool xml_parse(Arena *arena, Str text, Str file, DiagList *diags, XmlNode **ret_root)
{
    if (text.len > LIMIT_DOCUMENT_BYTES)
        return refuse(file, diags, 0, "the document is too long");
    xmlParserCtxt *context = xmlNewParserCtxt();
    ASSERT(context != NULL);
    /* Bytes that were read already are no longer asked for by name; the network never is. */
    xmlDoc *doc = xmlCtxtReadMemory(context, text.ptr, (int)text.len, NULL, NULL,
                                    XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING |
                                        XML_PARSE_NOCDATA | XML_PARSE_BIG_LINES);
    const xmlNode *root = doc == NULL ? NULL : xmlDocGetRootElement(doc);
    bool is_read = root != NULL && doc->intSubset == NULL;
    if (is_read) {
        *ret_root = copy_node(arena, root);
    } else if (root != NULL) {
        (void)refuse(file, diags, 1, "a document type declaration: none is taken");
    } else {
        const xmlError *wrong = xmlCtxtGetLastError(context);
        bool has_line = wrong != NULL && wrong->line > 0;
        (void)refuse(file, diags, has_line ? (uint32_t)wrong->line : 0,
                     wrong != NULL && wrong->message != NULL ? wrong->message
                                                             : "this is no XML document");
    }
    xmlFreeDoc(doc);
    xmlFreeParserCtxt(context);
    return is_read;
}

static const XmlNode *of_name(const XmlNode *node, Str name)
{
    while (node != NULL && name.len > 0 && !str_eq(node->name, name))
        node = node->next;
    return node;
}

const XmlNode *xml_first(const XmlNode *node, Str name)
{
    return of_name(node->first, name);
}

const XmlNode *xml_next(const XmlNode *node, Str name)
{
    return of_name(node->next, name);
}

const Str *xml_find_attribute(const XmlNode *node, Str name)
{
    for (size_t i = 0; i < node->attribute_count; i++)
        if (str_eq(node->attributes[i].name, name))
            return &node->attributes[i].value;
    return NULL;
}

Str xml_attribute(const XmlNode *node, Str name)
{
    const Str *value = xml_find_attribute(node, name);
    return value == NULL ? (Str){0} : *value;
}
