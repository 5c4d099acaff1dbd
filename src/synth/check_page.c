/* The page of a calibration: a table, and how far each figure is off in parts of its tolerance. */
#include "synth/check.h"

enum { ROW_HEIGHT = 18, PLOT_WIDTH = 420, PLOT_MIDDLE = 210, PLOT_UNIT = 70 };

static void add_plot(const SynthTargets *targets, StrBuf *out)
{
    int height = (int)targets->count * ROW_HEIGHT + 24;
    strbuf_printf(
        out,
        "<svg width=\"760\" height=\"%d\" font-size=\"12\" font-family=\"sans-serif\" role=\"img\" "
        "aria-label=\"How far each figure is from its target, in tolerances\">\n",
        height);
    strbuf_printf(out, "<rect x=\"%d\" y=\"0\" width=\"%d\" height=\"%d\" fill=\"#e6f2e6\"/>\n",
                  320 + PLOT_MIDDLE - PLOT_UNIT, 2 * PLOT_UNIT, height - 20);
    strbuf_printf(out, "<line x1=\"%d\" y1=\"0\" x2=\"%d\" y2=\"%d\" stroke=\"#555\"/>\n",
                  320 + PLOT_MIDDLE, 320 + PLOT_MIDDLE, height - 20);
    for (size_t i = 0; i < targets->count; i++) {
        const SynthTarget *target = &targets->items[i];
        double off =
            target->tolerance > 0 ? (target->found - target->wanted) / target->tolerance : 0;
        off = off < -2.9 ? -2.9 : off > 2.9 ? 2.9 : off;
        int y = (int)i * ROW_HEIGHT + ROW_HEIGHT / 2;
        strbuf_printf(out,
                      "<text x=\"310\" y=\"%d\" text-anchor=\"end\">%.*s</text><circle cx=\"%.1f\" "
                      "cy=\"%d\" r=\"5\" fill=\"%s\"/>\n",
                      y + 4, STR_ARG(target->name), 320 + PLOT_MIDDLE + off * PLOT_UNIT, y,
                      target->is_met ? "#1b7a3d" : "#b3261e");
    }
    strbuf_printf(out,
                  "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">&#8722;1</text><text x=\"%d\" "
                  "y=\"%d\" text-anchor=\"middle\">target</text><text x=\"%d\" y=\"%d\" "
                  "text-anchor=\"middle\">+1 tolerance</text>\n</svg>\n",
                  320 + PLOT_MIDDLE - PLOT_UNIT, height - 6, 320 + PLOT_MIDDLE, height - 6,
                  320 + PLOT_MIDDLE + PLOT_UNIT, height - 6);
}

static void add_escaped(StrBuf *out, Str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] == '<' || text.ptr[i] == '>' || text.ptr[i] == '&')
            strbuf_printf(out, "&#%d;", text.ptr[i]);
        else
            strbuf_add_char(out, text.ptr[i]);
}

void synth_check_page(const SynthTargets *targets, const SynthModel *model, StrBuf *out)
{
    size_t met = 0;
    VEC_FOREACH (SynthTarget, target, targets)
        met += target->is_met;
    strbuf_add_c(out,
                 "<!doctype html>\n<html lang=\"en\"><head><meta "
                 "charset=\"utf-8\"><title>Calibration</title>\n<style>body{font:15px "
                 "sans-serif;margin:2em;max-width:75em}table{border-collapse:collapse}td,th{"
                 "padding:.2em .7em;border-bottom:1px solid "
                 "#ddd;text-align:left}td.n{text-align:right;font-variant-numeric:tabular-nums}.no{"
                 "color:#b3261e;font-weight:bold}</style></head><body>\n<h1>Calibration: ");
    add_escaped(out, model->profile->title);
    strbuf_printf(out,
                  "</h1>\n<p>%llu persons, %u years, seed %llu. %zu of %zu figures are within "
                  "their tolerance.</p>\n",
                  (unsigned long long)model->options.persons, model->options.years,
                  (unsigned long long)model->options.seed, met, targets->count);
    add_plot(targets, out);
    strbuf_add_c(out, "<table><tr><th>figure</th><th></th><th>wanted</th><th>tolerance</"
                      "th><th>found</th><th></th><th>source</th></tr>\n");
    VEC_FOREACH (SynthTarget, target, targets) {
        strbuf_printf(out, "<tr><td>%.*s</td><td>", STR_ARG(target->name));
        add_escaped(out, target->title);
        strbuf_printf(out,
                      "</td><td class=\"n\">%.4g</td><td class=\"n\">%.3g</td><td "
                      "class=\"n\">%.4g</td><td class=\"%s\">%s</td><td>",
                      target->wanted, target->tolerance, target->found,
                      target->is_met ? "yes" : "no", target->is_met ? "met" : "missed");
        add_escaped(out, target->source);
        strbuf_add_c(out, "</td></tr>\n");
    }
    strbuf_add_c(out, "</table></body></html>\n");
}
