/*
 * A statement as PDF 1.4: its plain text on pages of A4, in Courier, which every reader has, so
 * that nothing is embedded and the same text gives the same bytes.
 */
#include "settle/settle_int.h"

enum {
    PAGE_WIDTH = 595,
    PAGE_HEIGHT = 842,
    MARGIN = 42,
    FONT_SIZE = 9,
    LEADING = 12,
    COLUMNS = (PAGE_WIDTH - 2 * MARGIN) * 10 / (FONT_SIZE * 6), /* a letter is 0.6 of its size */
    ROWS = (PAGE_HEIGHT - 2 * MARGIN) / LEADING - 2
};

typedef struct {
    StrBuf *out;
    Arena *arena;
    Vec(size_t) offsets; /* of objects 1 .. */
    Vec(Str) pages;      /* their content */
    StrBuf page;
    size_t row;
} Pdf;

static uint32_t take_point(Str *text)
{
    const unsigned char *at = (const unsigned char *)text->ptr;
    size_t len = at[0] < 0x80 ? 1 : at[0] >= 0xF0 ? 4 : at[0] >= 0xE0 ? 3 : at[0] >= 0xC2 ? 2 : 1;
    uint32_t point = len == 1 ? at[0] : at[0] & (0xFFu >> (len + 1));
    if (len > text->len || (len == 1 && at[0] >= 0x80)) {
        *text = str_slice(*text, 1, SIZE_MAX);
        return 0xFFFD;
    }
    for (size_t i = 1; i < len; i++)
        point = point << 6 | (at[i] & 0x3Fu);
    *text = str_slice(*text, len, SIZE_MAX);
    return point;
}

/* One character into a literal string in WinAnsi; gives how many columns it takes. */
static size_t put_point(StrBuf *out, uint32_t point)
{
    if (point == '(' || point == ')' || point == '\\') {
        strbuf_printf(out, "\\%c", (int)point);
        return 1;
    }
    if (point >= 0x20 && point < 0x7F) {
        strbuf_add_char(out, (char)point);
        return 1;
    }
    if (point >= 0xA0 && point <= 0xFF) {
        strbuf_printf(out, "\\%03o", (unsigned)point);
        return 1;
    }
    size_t before = out->len;
    strbuf_printf(out, "[U+%04X]", (unsigned)point);
    return out->len - before;
}

static void end_page(Pdf *pdf)
{
    if (pdf->row == 0)
        return;
    strbuf_add_c(&pdf->page, "ET\n");
    VEC_PUSH(pdf->arena, &pdf->pages, str_copy(pdf->arena, strbuf_str(&pdf->page)));
    strbuf_clear(&pdf->page);
    pdf->row = 0;
}

static void begin_row(Pdf *pdf)
{
    if (pdf->row == ROWS)
        end_page(pdf);
    if (pdf->row == 0)
        strbuf_printf(&pdf->page, "BT /F1 %d Tf %d TL %d %d Td\n", FONT_SIZE, LEADING, MARGIN,
                      PAGE_HEIGHT - MARGIN - LEADING);
    pdf->row++;
    strbuf_add_char(&pdf->page, '(');
}

/* A line of text; what is longer goes on in further rows, set in by two columns. */
static void put_line(Pdf *pdf, Str line)
{
    enum { WIDEST = 10 }; /* "[U+10FFFF]" */
    size_t column = 0;
    begin_row(pdf);
    while (line.len > 0) {
        if (column + WIDEST > COLUMNS) {
            strbuf_add_c(&pdf->page, ") Tj T*\n");
            begin_row(pdf);
            strbuf_add_c(&pdf->page, "  ");
            column = 2;
        }
        column += put_point(&pdf->page, take_point(&line));
    }
    strbuf_add_c(&pdf->page, ") Tj T*\n");
}

static void begin_object(Pdf *pdf)
{
    VEC_PUSH(pdf->arena, &pdf->offsets, pdf->out->len);
    strbuf_printf(pdf->out, "%zu 0 obj\n", pdf->offsets.count);
}

/* Objects 1 catalogue, 2 pages, 3 font; then for each page itself and its content. */
static void put_objects(Pdf *pdf)
{
    StrBuf *out = pdf->out;
    begin_object(pdf);
    strbuf_add_c(out, "<< /Type /Catalog /Pages 2 0 R >>\nendobj\n");
    begin_object(pdf);
    strbuf_add_c(out, "<< /Type /Pages /Kids [");
    for (size_t i = 0; i < pdf->pages.count; i++)
        strbuf_printf(out, "%s%zu 0 R", i == 0 ? "" : " ", 4 + 2 * i);
    strbuf_printf(out, "] /Count %zu >>\nendobj\n", pdf->pages.count);
    begin_object(pdf);
    strbuf_add_c(out, "<< /Type /Font /Subtype /Type1 /BaseFont /Courier "
                      "/Encoding /WinAnsiEncoding >>\nendobj\n");
    for (size_t i = 0; i < pdf->pages.count; i++) {
        Str number = str_format(pdf->arena, "BT /F1 %d Tf %d %d Td (page %zu of %zu) Tj ET\n",
                                FONT_SIZE, MARGIN, MARGIN - LEADING, i + 1, pdf->pages.count);
        begin_object(pdf);
        strbuf_printf(out,
                      "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %d %d] /Resources << /Font << "
                      "/F1 3 0 R >> >> /Contents %zu 0 R >>\nendobj\n",
                      PAGE_WIDTH, PAGE_HEIGHT, 5 + 2 * i);
        begin_object(pdf);
        strbuf_printf(out, "<< /Length %zu >>\nstream\n", pdf->pages.items[i].len + number.len);
        strbuf_add(out, pdf->pages.items[i]);
        strbuf_add(out, number);
        strbuf_add_c(out, "endstream\nendobj\n");
    }
}

ErrorCode settle_statement_pdf(const SettleStatement *statement, StrBuf *out, UNUSED Error *err)
{
    CLEANUP(arena_cleanup) Arena *arena = arena_create(0);
    Pdf pdf = {.out = out, .arena = arena};
    StrBuf text;
    strbuf_init(&text, arena, 0);
    strbuf_init(&pdf.page, arena, 0);
    settle_statement_text(statement, &text);
    Str rest = str_trim(strbuf_str(&text));
    Str line;
    while (str_split_next(&rest, '\n', &line))
        put_line(&pdf, line);
    end_page(&pdf);
    strbuf_add_c(out, "%PDF-1.4\n");
    put_objects(&pdf);
    size_t table = out->len;
    strbuf_printf(out, "xref\n0 %zu\n0000000000 65535 f \n", pdf.offsets.count + 1);
    for (size_t i = 0; i < pdf.offsets.count; i++)
        strbuf_printf(out, "%010zu 00000 n \n", pdf.offsets.items[i]);
    strbuf_printf(out, "trailer\n<< /Size %zu /Root 1 0 R >>\nstartxref\n%zu\n%%%%EOF\n",
                  pdf.offsets.count + 1, table);
    return ERR_OK;
}
