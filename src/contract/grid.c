/*
 * Tables of cells: each cell names values of some attributes and has a value of its own. Together
 * the cells hold every combination exactly once.
 *
 * Every attribute that some cell names is an axis. A range is cut at each bound that a cell names,
 * so an axis has few places whatever the numbers are. The table is laid out over the product of its
 * axes: a place that two cells want is an overlap, one that none wants is a gap. What remains is
 * the look-up that settlement uses, so what was checked is what is used.
 */
#include "contract/graph_int.h"

#include <stdlib.h>

/* What a cell names of one axis: places of it, as bits. */
typedef struct {
    bool is_whole;
    int32_t from;
    int32_t under;
    const YamlNode *words; /* a scalar or a list */
} CellSpan;

typedef struct {
    Scope *scope;
    const YamlNode *node;
    GridAxis *axes;
    GridCell *cells;
    CellSpan *spans; /* by cell, axis */
    size_t axis_count;
    size_t cell_count;
    size_t place_count;
    uint16_t *index;
    bool *is_in; /* by axis place of the cell at work: begins at starts[axis] */
    size_t *starts;
    bool is_bad;
} GridReader;

static Arena *arena_of(const GridReader *grid)
{
    return grid->scope->graph->reader->arena;
}

static const Contract *contract_of(const GridReader *grid)
{
    return grid->scope->graph->reader->contract;
}

static const Dimension *dimension_of(const GridReader *grid, size_t axis)
{
    return &contract_of(grid)->dimensions[grid->axes[axis].dimension];
}

/* --- cells --- */

static bool is_value_key(Str key)
{
    return str_eq(key, S("amount")) || str_eq(key, S("value"));
}

static void check_amount(GridReader *grid, const YamlNode *node, Ratio value, Unit unit)
{
    const Contract *contract = contract_of(grid);
    int64_t steps;
    if (unit.powers[UNIT_BASE_MONEY] != 1)
        return;
    if (ratio_sign(value) < 0) {
        graph_refuse(grid->scope, CONTRACT_REFUSAL_AMOUNT, node,
                     "amount %.*s is negative; what is paid back is a clause the other way round",
                     STR_ARG(node->text));
        grid->is_bad = true;
    } else if (!ratio_round_to_steps(value, contract->rate_digits, ROUNDING_DOWN, &steps) ||
               ratio_cmp(
                   ratio_multiply(arena_of(grid), value, ratio_from_int(contract->rate_scale)),
                   ratio_from_int(steps)) != 0) {
        graph_refuse(grid->scope, CONTRACT_REFUSAL_AMOUNT, node,
                     "amount %.*s has more than %d digits behind the point; shorten it, or write "
                     "rounding: {rate-digits: N} for rates finer than %s has coins",
                     STR_ARG(node->text), contract->rate_digits, contract->currency.code);
        grid->is_bad = true;
    }
}

static void read_value(GridReader *grid, const YamlNode *node, GridCell *cell, Unit unit)
{
    const YamlNode *value = NULL;
    size_t count = 0;
    for (size_t i = 0; i < node->count; i++) {
        if (!is_value_key(node->items[i].key))
            continue;
        value = &node->items[i];
        count++;
    }
    if (count != 1) {
        graph_refuse(grid->scope, CONTRACT_REFUSAL_GRAPH, node,
                     "a cell has one \"value\" (or \"amount\")");
        grid->is_bad = true;
    } else if (!graph_number(arena_of(grid), value, &cell->value)) {
        graph_refuse(grid->scope, CONTRACT_REFUSAL_AMOUNT, value,
                     "expected a number such as 2.50, without a currency or exponent");
        grid->is_bad = true;
    } else {
        check_amount(grid, value, cell->value, unit);
    }
}

static void read_bound(GridReader *grid, const YamlNode *node, Str key, int32_t *bound)
{
    const YamlNode *member = yaml_find(node, key);
    int64_t value;
    if (member == NULL)
        return;
    if (member->kind != YAML_SCALAR || !str_to_int64(member->text, &value) || value < 0 ||
        value > 1000000000) {
        graph_refuse(grid->scope, CONTRACT_REFUSAL_RATE_BAND, member,
                     "expected a whole number from 0 to 1,000,000,000");
        grid->is_bad = true;
        return;
    }
    *bound = (int32_t)value;
}

/* age: {from: 65, under: 75}, or one number. */
static void read_range(GridReader *grid, const YamlNode *node, CellSpan *span)
{
    static const Str keys[] = {STR_INIT("from"), STR_INIT("under")};
    int64_t value;
    if (node->kind == YAML_SCALAR && str_to_int64(node->text, &value) && value >= 0 &&
        value < 1000000000) {
        span->from = (int32_t)value;
        span->under = (int32_t)value + 1;
        return;
    }
    if (!graph_check_keys(grid->scope, node, keys, COUNT_OF(keys))) {
        grid->is_bad = true;
        return;
    }
    read_bound(grid, node, S("from"), &span->from);
    read_bound(grid, node, S("under"), &span->under);
    if (span->from >= span->under) {
        graph_refuse(grid->scope, CONTRACT_REFUSAL_RATE_BAND, node,
                     "nothing is from %d and under %d; \"from\" belongs to the band, \"under\" no "
                     "longer does",
                     span->from, span->under);
        grid->is_bad = true;
    }
}

/* The attributes that cells name, each once, in the order of dimensions: axes. */
static void find_axes(GridReader *grid)
{
    const Contract *contract = contract_of(grid);
    Str *names = ARENA_ARRAY(arena_of(grid), Str, contract->dimension_count + 2);
    bool is_named[DIMENSIONS_MAX] = {false};
    for (size_t i = 0; i < contract->dimension_count; i++)
        names[i] = contract->dimensions[i].name;
    names[contract->dimension_count] = S("value");
    names[contract->dimension_count + 1] = S("amount");
    for (size_t i = 0; i < grid->cell_count; i++) {
        const YamlNode *cell = &grid->node->items[i];
        if (!graph_check_keys(grid->scope, cell, names, contract->dimension_count + 2)) {
            grid->is_bad = true;
            continue;
        }
        for (size_t k = 0; k < contract->dimension_count; k++)
            is_named[k] = is_named[k] || yaml_find(cell, names[k]) != NULL;
    }
    grid->axes = ARENA_ZARRAY(arena_of(grid), GridAxis, DIMENSIONS_MAX);
    for (size_t k = 0; k < contract->dimension_count; k++)
        if (is_named[k])
            grid->axes[grid->axis_count++].dimension = (uint32_t)k;
}

static void read_word(GridReader *grid, const YamlNode *node, GridAxis *axis)
{
    const Dimension *dimension = &contract_of(grid)->dimensions[axis->dimension];
    if (node->kind != YAML_SCALAR || node->text.len == 0) {
        graph_refuse(grid->scope, CONTRACT_REFUSAL_RATE_BAND, node,
                     "expected a word of \"%.*s\", or a list of them", STR_ARG(dimension->name));
        grid->is_bad = true;
        return;
    }
    bool is_new;
    if (dimension->kind == DIMENSION_CHOICE) {
        Words words = {dimension->words, dimension->word_count};
        const char *what = str_to_c(arena_of(grid), dimension->name);
        if (graph_word(grid->scope, node, what, words) == SIZE_MAX)
            grid->is_bad = true;
    } else {
        (void)map_intern(&axis->words, node->text, axis->words.count, &is_new);
    }
}

static void read_spans(GridReader *grid)
{
    for (size_t i = 0; i < grid->cell_count; i++) {
        const YamlNode *cell = &grid->node->items[i];
        for (size_t k = 0; k < grid->axis_count; k++) {
            const Dimension *dimension = dimension_of(grid, k);
            CellSpan *span = &grid->spans[i * grid->axis_count + k];
            const YamlNode *member = yaml_find(cell, dimension->name);
            *span = (CellSpan){
                .is_whole = member == NULL, .from = dimension->from, .under = dimension->under};
            if (member == NULL)
                continue;
            if (dimension->kind == DIMENSION_RANGE) {
                read_range(grid, member, span);
                continue;
            }
            span->words = member;
            if (member->kind != YAML_SEQUENCE) {
                read_word(grid, member, &grid->axes[k]);
                continue;
            }
            for (size_t w = 0; w < member->count; w++)
                read_word(grid, &member->items[w], &grid->axes[k]);
            if (member->count == 0) {
                graph_refuse(grid->scope, CONTRACT_REFUSAL_RATE_BAND, member,
                             "the list is empty; name a value or leave \"%.*s\" out",
                             STR_ARG(dimension->name));
                grid->is_bad = true;
            }
        }
    }
}

/* --- axes --- */

static int compare_starts(const void *a, const void *b)
{
    int32_t left = *(const int32_t *)a;
    int32_t right = *(const int32_t *)b;
    return (left > right) - (left < right);
}

static void cut_range(GridReader *grid, size_t number)
{
    GridAxis *axis = &grid->axes[number];
    const Dimension *dimension = dimension_of(grid, number);
    int32_t *starts = ARENA_ARRAY(arena_of(grid), int32_t, grid->cell_count * 2 + 1);
    size_t count = 0;
    starts[count++] = dimension->from;
    for (size_t i = 0; i < grid->cell_count; i++) {
        const CellSpan *span = &grid->spans[i * grid->axis_count + number];
        if (span->from > dimension->from && span->from < dimension->under)
            starts[count++] = span->from;
        if (span->under > dimension->from && span->under < dimension->under)
            starts[count++] = span->under;
    }
    qsort(starts, count, sizeof(int32_t), compare_starts);
    for (size_t i = 0; i < count; i++)
        if (axis->place_count == 0 || starts[axis->place_count - 1] != starts[i])
            starts[axis->place_count++] = starts[i];
    axis->starts = starts;
}

static bool make_axes(GridReader *grid)
{
    size_t places = 1;
    for (size_t i = 0; i < grid->axis_count; i++) {
        GridAxis *axis = &grid->axes[i];
        if (dimension_of(grid, i)->kind == DIMENSION_RANGE)
            cut_range(grid, i);
        else
            axis->place_count = (uint32_t)axis->words.count;
        axis->stride = (uint32_t)places;
        places *= axis->place_count;
        if (places == 0 || places > GRID_PLACES_MAX) {
            graph_refuse(grid->scope, CONTRACT_REFUSAL_LIMIT, grid->node,
                         "the attributes of the cells have more than %d combinations",
                         GRID_PLACES_MAX);
            return false;
        }
    }
    grid->place_count = places;
    return true;
}

/* --- labels --- */

static void add_range(StrBuf *out, Str name, int32_t from, int32_t under, const Dimension *all)
{
    bool is_open = under >= all->under;
    if (is_open && from <= all->from)
        strbuf_printf(out, "any %.*s", STR_ARG(name));
    else if (is_open)
        strbuf_printf(out, "%.*s from %d", STR_ARG(name), from);
    else if (under == from + 1)
        strbuf_printf(out, "%.*s %d", STR_ARG(name), from);
    else if (from <= all->from)
        strbuf_printf(out, "%.*s under %d", STR_ARG(name), under);
    else
        strbuf_printf(out, "%.*s %d to %d", STR_ARG(name), from, under - 1);
}

static void add_words(StrBuf *out, const Dimension *dimension, const YamlNode *node)
{
    bool is_bare = str_eq(dimension->name, S("sex")) || str_eq(dimension->name, S("indicator"));
    if (!is_bare)
        strbuf_printf(out, "%.*s ", STR_ARG(dimension->name));
    if (node->kind == YAML_SCALAR) {
        strbuf_add(out, node->text);
        return;
    }
    for (size_t i = 0; i < node->count; i++)
        strbuf_printf(out, "%s%.*s", i == 0 ? "" : " or ", STR_ARG(node->items[i].text));
}

static Str cell_label(const GridReader *grid, size_t number)
{
    StrBuf out;
    strbuf_init(&out, arena_of(grid), 0);
    for (size_t k = 0; k < grid->axis_count; k++) {
        const CellSpan *span = &grid->spans[number * grid->axis_count + k];
        const Dimension *dimension = dimension_of(grid, k);
        if (span->is_whole)
            continue;
        if (out.len > 0)
            strbuf_add(&out, S(", "));
        if (dimension->kind == DIMENSION_RANGE)
            add_range(&out, dimension->name, span->from, span->under, dimension);
        else
            add_words(&out, dimension, span->words);
    }
    return out.len == 0 ? S("everyone") : strbuf_str(&out);
}

/* --- laying out --- */

static void mark_word(const GridAxis *axis, const YamlNode *node, bool *is_in)
{
    uint64_t place;
    if (map_find(&axis->words, node->text, &place))
        is_in[place] = true;
}

/* Which places of each axis the cell holds. */
static void mark_cell(GridReader *grid, size_t number)
{
    for (size_t k = 0; k < grid->axis_count; k++) {
        const GridAxis *axis = &grid->axes[k];
        const CellSpan *span = &grid->spans[number * grid->axis_count + k];
        bool *is_in = &grid->is_in[grid->starts[k]];
        for (uint32_t place = 0; place < axis->place_count; place++)
            is_in[place] =
                span->is_whole || (axis->starts != NULL && axis->starts[place] >= span->from &&
                                   axis->starts[place] < span->under);
        if (span->is_whole || axis->starts != NULL)
            continue;
        if (span->words->kind != YAML_SEQUENCE)
            mark_word(axis, span->words, is_in);
        else
            for (size_t w = 0; w < span->words->count; w++)
                mark_word(axis, &span->words->items[w], is_in);
    }
}

static bool holds(const GridReader *grid, size_t place)
{
    for (size_t k = 0; k < grid->axis_count; k++) {
        const GridAxis *axis = &grid->axes[k];
        if (!grid->is_in[grid->starts[k] + place / axis->stride % axis->place_count])
            return false;
    }
    return true;
}

/* Takes the cell's places; the first one that is taken already is an overlap. */
static void lay_cell(GridReader *grid, size_t number)
{
    bool is_told = false;
    mark_cell(grid, number);
    for (size_t place = 0; place < grid->place_count; place++) {
        if (!holds(grid, place))
            continue;
        if (grid->index[place] == GRID_CELL_NONE) {
            grid->index[place] = (uint16_t)number;
        } else if (!is_told) {
            const GridCell *other = &grid->cells[grid->index[place]];
            graph_refuse(grid->scope, CONTRACT_REFUSAL_RATE_OVERLAP, &grid->node->items[number],
                         "\"%.*s\" overlaps \"%.*s\" in line %u; each may be in one cell only",
                         STR_ARG(grid->cells[number].label), STR_ARG(other->label), other->line);
            is_told = true;
            grid->is_bad = true;
        }
    }
}

/* "age 60 to 64, sex female" */
static Str place_label(const GridReader *grid, size_t place)
{
    StrBuf out;
    strbuf_init(&out, arena_of(grid), 0);
    for (size_t k = 0; k < grid->axis_count; k++) {
        const GridAxis *axis = &grid->axes[k];
        const Dimension *dimension = dimension_of(grid, k);
        size_t at = place / axis->stride % axis->place_count;
        if (out.len > 0)
            strbuf_add(&out, S(", "));
        if (axis->starts == NULL)
            strbuf_printf(&out, "%.*s %.*s", STR_ARG(dimension->name),
                          STR_ARG(axis->words.entries[at].key));
        else
            add_range(&out, dimension->name, axis->starts[at],
                      at + 1 < axis->place_count ? axis->starts[at + 1] : dimension->under,
                      dimension);
    }
    return strbuf_str(&out);
}

static void check_gaps(GridReader *grid)
{
    enum { TOLD_MAX = 10 };
    size_t count = 0;
    size_t first_not_told = SIZE_MAX;
    for (size_t place = 0; place < grid->place_count; place++) {
        if (grid->index[place] != GRID_CELL_NONE)
            continue;
        if (count < TOLD_MAX)
            graph_refuse(grid->scope, CONTRACT_REFUSAL_RATE_GAP, grid->node,
                         "no rate for %.*s; add a cell (0 where nothing is paid)",
                         STR_ARG(place_label(grid, place)));
        else if (first_not_told == SIZE_MAX)
            first_not_told = place;
        count++;
        grid->is_bad = true;
    }
    if (count > TOLD_MAX)
        graph_refuse(grid->scope, CONTRACT_REFUSAL_RATE_GAP, grid->node,
                     "no rate for %.*s and %zu more", STR_ARG(place_label(grid, first_not_told)),
                     count - TOLD_MAX - 1);
}

static void lay_table(GridReader *grid, bool is_partial)
{
    size_t places = 0;
    grid->starts = ARENA_ARRAY(arena_of(grid), size_t, grid->axis_count + 1);
    for (size_t k = 0; k < grid->axis_count; k++) {
        grid->starts[k] = places;
        places += grid->axes[k].place_count;
    }
    grid->is_in = ARENA_ZARRAY(arena_of(grid), bool, places + 1);
    grid->index = ARENA_ARRAY(arena_of(grid), uint16_t, grid->place_count);
    memset(grid->index, 0xFF, grid->place_count * sizeof(uint16_t));
    for (size_t i = 0; i < grid->cell_count; i++)
        grid->cells[i].label = cell_label(grid, i);
    for (size_t i = 0; i < grid->cell_count; i++)
        lay_cell(grid, i);
    if (!is_partial)
        check_gaps(grid);
}

static void start_words(GridReader *grid)
{
    for (size_t k = 0; k < grid->axis_count; k++) {
        const Dimension *dimension = dimension_of(grid, k);
        GridAxis *axis = &grid->axes[k];
        map_init(&axis->words, arena_of(grid));
        for (size_t i = 0; i < dimension->word_count; i++)
            map_put(&axis->words, dimension->words[i], i);
    }
}

NodeId grid_read(Scope *scope, const YamlNode *node, const Unit *unit, bool is_partial)
{
    GridReader grid = {.scope = scope, .node = node, .cell_count = node->count};
    Unit own = {{0}};
    if (unit != NULL)
        own = *unit;
    if (node->count == 0 || node->count > GRID_CELLS_MAX) {
        graph_refuse(scope, CONTRACT_REFUSAL_LIMIT, node, "expected a list of 1 to %d cells",
                     GRID_CELLS_MAX);
        return NODE_BAD;
    }
    Arena *arena = arena_of(&grid);
    grid.cells = ARENA_ZARRAY(arena, GridCell, grid.cell_count);
    find_axes(&grid);
    if (grid.is_bad)
        return NODE_BAD;
    grid.spans = ARENA_ZARRAY(arena, CellSpan, grid.cell_count * (grid.axis_count + 1));
    start_words(&grid);
    read_spans(&grid);
    for (size_t i = 0; i < grid.cell_count; i++) {
        grid.cells[i].line = node->items[i].line;
        grid.cells[i].column = node->items[i].column;
        read_value(&grid, &node->items[i], &grid.cells[i], own);
    }
    if (grid.is_bad || !make_axes(&grid))
        return NODE_BAD;
    lay_table(&grid, is_partial);
    if (grid.is_bad)
        return NODE_BAD;
    Grid *table = ARENA_NEW(arena, Grid);
    *table = (Grid){.cells = grid.cells,
                    .cell_count = grid.cell_count,
                    .axes = grid.axes,
                    .axis_count = grid.axis_count,
                    .index = grid.index,
                    .is_partial = is_partial};
    const YamlNode *at = scope->macro == NULL ? node : scope->place;
    GraphNode result = {.op = GRAPH_TABLE,
                        .clause = scope->clause,
                        .line = at->line,
                        .column = at->column,
                        .unit = own};
    for (size_t k = 0; k < grid.axis_count; k++)
        result.dims |= dimension_bit(grid.axes[k].dimension);
    result.as.grid = table;
    return graph_add(scope->graph, result, NULL, 0);
}
