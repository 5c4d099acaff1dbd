/* Writing XML. */
#include "base/xml.h"

/* Bytes of the character at the front when it is one that XML 1.0 allows, else 0. */
static size_t character_len(Str text)
{
    const unsigned char *at = (const unsigned char *)text.ptr;
    if (at[0] < 0x80)
        return at[0] >= 0x20 || at[0] == '\t' || at[0] == '\n' || at[0] == '\r';
    size_t len = at[0] >= 0xF0 ? 4 : at[0] >= 0xE0 ? 3 : 2;
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (at[0] < 0xC2 || at[0] > 0xF4 || text.len < len)
        return 0;
    uint32_t point = at[0] & (0xFFu >> (len + 1));
    for (size_t i = 1; i < len; i++) {
        if ((at[i] & 0xC0) != 0x80)
            return 0;
        point = point << 6 | (at[i] & 0x3Fu);
    }
    bool is_wrong = point < least[len] || point > 0x10FFFF || (point >= 0xD800 && point < 0xE000) ||
                    point == 0xFFFE || point == 0xFFFF;
    return is_wrong ? 0 : len;
}

void xml_escape(StrBuf *out, Str text)
{
    while (text.len > 0) {
        size_t len = character_len(text);
        char c = text.ptr[0];
        if (len == 0)
            strbuf_add_c(out, "\xEF\xBF\xBD");
        else if (c == '<')
            strbuf_add_c(out, "&lt;");
        else if (c == '>')
            strbuf_add_c(out, "&gt;");
        else if (c == '&')
            strbuf_add_c(out, "&amp;");
        else if (c == '"')
            strbuf_add_c(out, "&quot;");
        else if (c == '\'')
            strbuf_add_c(out, "&#39;");
        else
            strbuf_add(out, str_slice(text, 0, len));
        text = str_slice(text, len == 0 ? 1 : len, SIZE_MAX);
    }
}

void xml_writer_init(XmlWriter *xml, StrBuf *out)
{
    *xml = (XmlWriter){.out = out};
    strbuf_add_c(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
}

static void close_tag(XmlWriter *xml)
{
    if (xml->is_tag_open)
        strbuf_add_c(xml->out, ">\n");
    xml->is_tag_open = false;
}

static void indent(XmlWriter *xml)
{
    for (size_t i = 0; i < xml->depth; i++)
        strbuf_add_c(xml->out, "  ");
}

void xml_begin(XmlWriter *xml, const char *name)
{
    ASSERT(xml->depth < XML_WRITER_DEPTH_MAX);
    close_tag(xml);
    indent(xml);
    strbuf_printf(xml->out, "<%s", name);
    xml->open[xml->depth++] = name;
    xml->is_tag_open = true;
}

void xml_put_attribute(XmlWriter *xml, const char *name, Str value)
{
    ASSERT(xml->is_tag_open);
    strbuf_printf(xml->out, " %s=\"", name);
    xml_escape(xml->out, value);
    strbuf_add_char(xml->out, '"');
}

void xml_end(XmlWriter *xml)
{
    ASSERT(xml->depth > 0);
    const char *name = xml->open[--xml->depth];
    if (xml->is_tag_open) {
        strbuf_add_c(xml->out, "/>\n");
        xml->is_tag_open = false;
        return;
    }
    indent(xml);
    strbuf_printf(xml->out, "</%s>\n", name);
}

void xml_end_text(XmlWriter *xml, Str text)
{
    ASSERT(xml->is_tag_open);
    strbuf_add_char(xml->out, '>');
    xml_escape(xml->out, text);
    strbuf_printf(xml->out, "</%s>\n", xml->open[--xml->depth]);
    xml->is_tag_open = false;
}

void xml_put(XmlWriter *xml, const char *name, Str text)
{
    xml_begin(xml, name);
    xml_end_text(xml, text);
}
