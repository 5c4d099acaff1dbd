/* fuzz_xml -- any bytes through the XML reader: a tree, or a finding. */
#include "base/xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t count_nodes(const XmlNode *node)
{
    size_t count = 1;
    for (const XmlNode *child = xml_first(node, S("")); child != NULL;
         child = xml_next(child, S("")))
        count += count_nodes(child);
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *arena = arena_create(0);
    DiagList diags;
    diag_init(&diags, arena);
    XmlNode *root;
    bool is_read = xml_parse(arena, (Str){(const char *)data, size}, S("fuzz"), &diags, &root);
    ASSERT(is_read == !diag_has_errors(&diags));
    if (is_read)
        ASSERT(count_nodes(root) >= 1 && root->name.len > 0);
    arena_destroy(arena);
    return 0;
}
