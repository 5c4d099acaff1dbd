/*
 * The graph of a contract as SVG. A node stands in the column of its depth, so that every arrow
 * goes to the right; within a column nodes keep the order of work. Clauses are boxes in a column of
 * their own.
 */
#include "contract/contract.h"

enum { BOX_WIDTH = 190, BOX_HEIGHT = 40, GAP_X = 60, GAP_Y = 14, MARGIN = 20 };

typedef struct {
    uint32_t column;
    uint32_t row;
} Place;

typedef struct {
    const Contract *contract;
    StrBuf *out;
    Place *places; /* of nodes, then of clauses */
    size_t columns;
    size_t rows;
    Arena *arena;
} Drawing;

static void add_escaped(StrBuf *out, Str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '<')
            strbuf_add(out, S("&lt;"));
        else if (c == '>')
            strbuf_add(out, S("&gt;"));
        else if (c == '&')
            strbuf_add(out, S("&amp;"));
        else if (c == '"')
            strbuf_add(out, S("&quot;"));
        else if ((unsigned char)c >= 0x20)
            strbuf_add_char(out, c);
    }
}

/* At most `limit` characters, the rest as an ellipsis. */
static void add_short(StrBuf *out, Str text, size_t limit)
{
    size_t at = 0;
    size_t characters = 0;
    while (at < text.len && characters < limit) {
        at++;
        while (at < text.len && ((unsigned char)text.ptr[at] & 0xC0) == 0x80)
            at++;
        characters++;
    }
    add_escaped(out, str_slice(text, 0, at));
    if (at < text.len)
        strbuf_add(out, S("…"));
}

static size_t left_of(Place place)
{
    return MARGIN + (size_t)place.column * (BOX_WIDTH + GAP_X);
}

static size_t top_of(Place place)
{
    return MARGIN + (size_t)place.row * (BOX_HEIGHT + GAP_Y);
}

static void place_all(Drawing *drawing)
{
    const Contract *contract = drawing->contract;
    uint32_t *columns = ARENA_ZARRAY(drawing->arena, uint32_t, contract->node_count + 1);
    for (NodeId id = 0; id < contract->node_count; id++) {
        const GraphNode *node = &contract->nodes[id];
        for (size_t i = 0; i < node->operand_count; i++)
            if (columns[node->operands[i]] >= columns[id])
                columns[id] = columns[node->operands[i]] + 1;
        if (columns[id] + 2 > drawing->columns)
            drawing->columns = columns[id] + 2;
    }
    uint32_t *filled = ARENA_ZARRAY(drawing->arena, uint32_t, drawing->columns + 1);
    for (NodeId id = 0; id < contract->node_count; id++)
        drawing->places[id] = (Place){columns[id], filled[columns[id]]++};
    for (size_t i = 0; i < contract->clause_count; i++)
        drawing->places[contract->node_count + i] =
            (Place){(uint32_t)drawing->columns - 1, filled[drawing->columns - 1]++};
    for (size_t i = 0; i < drawing->columns; i++)
        if (filled[i] > drawing->rows)
            drawing->rows = filled[i];
}

static void draw_arrow(const Drawing *drawing, Place from, Place to)
{
    size_t x1 = left_of(from) + BOX_WIDTH;
    size_t y1 = top_of(from) + BOX_HEIGHT / 2;
    size_t x2 = left_of(to);
    size_t y2 = top_of(to) + BOX_HEIGHT / 2;
    strbuf_printf(drawing->out,
                  "<path d=\"M%zu %zu C%zu %zu %zu %zu %zu %zu\" fill=\"none\" stroke=\"#667\" "
                  "marker-end=\"url(#a)\"/>\n",
                  x1, y1, x1 + GAP_X / 2, y1, x2 - GAP_X / 2, y2, x2, y2);
}

static void draw_box(const Drawing *drawing, Place place, const char *fill, Str first, Str second)
{
    StrBuf *out = drawing->out;
    size_t x = left_of(place);
    size_t y = top_of(place);
    strbuf_printf(out,
                  "<rect x=\"%zu\" y=\"%zu\" width=\"%d\" height=\"%d\" rx=\"6\" fill=\"%s\" "
                  "stroke=\"#445\"/>\n<text x=\"%zu\" y=\"%zu\" font-weight=\"bold\">",
                  x, y, BOX_WIDTH, BOX_HEIGHT, fill, x + 8, y + 16);
    add_short(out, first, 26);
    strbuf_printf(out, "</text>\n<text x=\"%zu\" y=\"%zu\">", x + 8, y + 32);
    add_short(out, second, 30);
    strbuf_add(out, S("</text>\n"));
}

static void draw_node(const Drawing *drawing, NodeId id)
{
    const GraphNode *node = &drawing->contract->nodes[id];
    const char *fill = node->op < GRAPH_BASIS ? "#eef4ff" : "#fff8e6";
    Str unit = unit_format(drawing->arena, node->unit);
    Str second =
        str_format(drawing->arena, "%s, %.*s", graph_op_text(node->op),
                   node->is_any_unit ? 6 : (int)unit.len, node->is_any_unit ? "number" : unit.ptr);
    Str first = node->name;
    if (first.len == 0 && node->op == GRAPH_NUMBER)
        first = ratio_format(drawing->arena, node->as.number, 0, 8);
    draw_box(drawing, drawing->places[id], fill, first, second);
}

static void draw_arrows(const Drawing *drawing)
{
    const Contract *contract = drawing->contract;
    const Place *clauses = &drawing->places[contract->node_count];
    for (NodeId id = 0; id < contract->node_count; id++) {
        const GraphNode *node = &contract->nodes[id];
        for (size_t i = 0; i < node->operand_count; i++)
            draw_arrow(drawing, drawing->places[node->operands[i]], drawing->places[id]);
    }
    for (size_t i = 0; i < contract->clause_count; i++)
        if (contract->clauses[i].is_graph)
            draw_arrow(drawing, drawing->places[contract->clauses[i].pays], clauses[i]);
}

void contract_draw(const Contract *contract, StrBuf *out)
{
    Arena *arena = arena_create(0);
    Drawing drawing = {.contract = contract, .out = out, .columns = 2, .arena = arena};
    drawing.places = ARENA_ZARRAY(arena, Place, contract->node_count + contract->clause_count + 1);
    place_all(&drawing);
    size_t width = (size_t)2 * MARGIN + drawing.columns * (BOX_WIDTH + GAP_X) - GAP_X;
    size_t height = (size_t)2 * MARGIN + drawing.rows * (BOX_HEIGHT + GAP_Y);
    strbuf_printf(out,
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%zu\" height=\"%zu\" "
                  "viewBox=\"0 0 %zu %zu\" font-family=\"sans-serif\" font-size=\"12\">\n<title>",
                  width, height, width, height);
    add_escaped(out, contract->title);
    strbuf_add(out, S("</title>\n<defs><marker id=\"a\" markerWidth=\"8\" markerHeight=\"8\" "
                      "refX=\"7\" refY=\"4\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" "
                      "fill=\"#667\"/></marker></defs>\n<rect width=\"100%\" height=\"100%\" "
                      "fill=\"white\"/>\n"));
    draw_arrows(&drawing);
    for (NodeId id = 0; id < contract->node_count; id++)
        draw_node(&drawing, id);
    for (size_t i = 0; i < contract->clause_count; i++)
        draw_box(&drawing, drawing.places[contract->node_count + i], "#e8f7ea",
                 contract->clauses[i].id, contract->clauses[i].kind);
    strbuf_add(out, S("</svg>\n"));
    arena_destroy(arena);
}
