/*
 * graph -- the algebra of contracts: typed nodes, and how they are worked out. Part of contract.h.
 *
 * A contract is one graph without cycles. Its sources are numbers, tables by attributes, inputs
 * (facts that are counted or given) and what other clauses pay; its inner nodes are the primitives
 * basis, rate, gate, curve, cap, floor, allocate, fund and timing. Every node has a unit (money,
 * count, months, days, points, score, their quotients; without any it is a ratio) and dimensions
 * (what its values are told apart by: party, period, severity, ...), both known when the document
 * is checked. A node's operands come before it in the array, so the array is an order of work.
 *
 * Values are exact fractions. A node either has rows, one for each key that its inputs have, or is
 * a function of a key (numbers, tables and what is made of them alone). What has no value where one
 * is needed is a finding, never zero.
 */
#pragma once

#include "base/base.h"
#include "base/decimal.h"
#include "base/ratio.h"

/* --- units and dimensions --- */

typedef enum {
#define UNIT(name, text) UNIT_BASE_##name,
#include "contract/unit.def"
#undef UNIT
    UNIT_BASES
} UnitBase;

typedef struct {
    int8_t powers[UNIT_BASES];
} Unit;

static inline Unit unit_of(UnitBase base)
{
    Unit unit = {{0}};
    unit.powers[base] = 1;
    return unit;
}

bool unit_parse(Str text, Unit *ret_unit);
/* "money/months", "ratio" */
Str unit_format(Arena *arena, Unit unit);
bool unit_eq(Unit a, Unit b);
/* The unit of a product (sign 1) or a quotient (sign -1). */
Unit unit_combine(Unit a, Unit b, int sign);

typedef enum { DIMENSION_NAMES, DIMENSION_CHOICE, DIMENSION_RANGE } DimensionKind;

enum {
#define DIMENSION(name, text, kind, from, says) DIMENSION_##name,
#include "contract/dimension.def"
#undef DIMENSION
    DIMENSION_BUILT_IN_COUNT,
    DIMENSIONS_MAX = 32,
    DIMENSION_UNBOUNDED = INT32_MAX
};

typedef uint32_t DimensionMask;

static inline DimensionMask dimension_bit(size_t dimension)
{
    return (DimensionMask)1 << dimension;
}

/* `of` is 0 for a dimension that keys have; else it is an attribute of those keys, such as the
   track of a party in a period, and a table may use it wherever these are known. */
typedef struct {
    Str name;
    DimensionKind kind;
    const Str *words; /* of a choice */
    size_t word_count;
    const Str *aliases; /* other ways that tables write a word, and the word of each */
    const Str *alias_words;
    size_t alias_count;
    int32_t from; /* of a range: from .. under */
    int32_t under;
    DimensionMask of;
    Str column;
    uint32_t line;
    uint32_t column_number;
} Dimension;

/* --- nodes --- */

typedef enum {
#define GRAPH_OP(name, text, says) GRAPH_##name,
#include "contract/graph.def"
#undef GRAPH_OP
    GRAPH_OP_COUNT
} GraphOp;

typedef enum {
#define GRAPH_TAKE(name, text) GRAPH_TAKE_##name,
#include "contract/graph.def"
#undef GRAPH_TAKE
} GraphTake;

typedef enum {
#define GRAPH_SHAPE(name, text) GRAPH_SHAPE_##name,
#include "contract/graph.def"
#undef GRAPH_SHAPE
} GraphShape;

typedef enum {
#define GRAPH_TEST(name, text) GRAPH_TEST_##name,
#include "contract/graph.def"
#undef GRAPH_TEST
} GraphTest;

typedef enum {
#define GRAPH_GIVE(name, text) GRAPH_GIVE_##name,
#include "contract/graph.def"
#undef GRAPH_GIVE
} GraphGive;

typedef enum {
#define GRAPH_CARRY(name, text) GRAPH_CARRY_##name,
#include "contract/graph.def"
#undef GRAPH_CARRY
} GraphCarry;

const char *graph_op_text(GraphOp op);

typedef uint32_t NodeId;
#define NODE_NONE UINT32_MAX

enum {
    GRAPH_NODES_MAX = 100000,
    GRAPH_OPERANDS_MAX = 200,
    GRAPH_REFERENCE_DEPTH_MAX = 64,
    GRAPH_DEPTH_MAX = 200,
    GRID_CELLS_MAX = 10000,
    GRID_PLACES_MAX = 4000000
};

/* One attribute of a table: its values cut into places by what the cells name. */
typedef struct {
    uint32_t dimension;
    uint32_t place_count;
    uint32_t stride;
    const int32_t *starts; /* of a range: ascending; place i is starts[i] .. starts[i + 1] - 1 */
    Map words;             /* else: place by word */
} GridAxis;

typedef struct {
    Ratio value;
    Str label; /* "age under 65, sex female"; "everyone" for the only one */
    uint32_t line;
    uint32_t column;
} GridCell;

/* Cells that hold each combination of attribute values exactly once (at most once when partial). */
typedef struct {
    const GridCell *cells;
    size_t cell_count;
    const GridAxis *axes;
    size_t axis_count;
    const uint16_t *index; /* over the product of the axes; UINT16_MAX: no cell */
    bool is_partial;
} Grid;

enum { GRID_CELL_NONE = UINT16_MAX };

typedef struct {
    GraphOp op;
    Str name;        /* within its clause; empty for what is written inside of another */
    uint32_t clause; /* number of the clause that it belongs to, UINT32_MAX: an input */
    uint32_t line;   /* in the contract's document */
    uint32_t column;
    Unit unit;
    bool is_any_unit;   /* a bare number: fits any unit */
    uint32_t depth;     /* nodes below it, one within another */
    bool has_rows;      /* else a function of its dimensions */
    DimensionMask dims; /* of the rows; of a function those that it looks at */
    const NodeId *operands;
    size_t operand_count;
    union {
        Ratio number;
        const Grid *grid;
        struct {
            uint32_t number; /* among the contract's inputs */
        } input;
        uint32_t clause; /* among the contract's clauses */
        struct {         /* operands: added, then taken away, then per, bound, low, high */
            uint32_t add_count;
            uint32_t less_count;
            bool has_per;
            bool has_bound;
            bool has_percentiles;
            int percentile_type;
            DimensionMask within;
            DimensionMask reduced; /* dimensions that are gone afterwards */
            GraphTake take;
        } basis;
        struct { /* operands: of, factors, divisors */
            uint32_t factor_count;
            bool rounds_each; /* the price of one is rounded to coins first */
        } rate;
        struct { /* operands: of, left and right of each test, otherwise */
            GraphTest tests[8];
            uint32_t test_count;
        } gate;
        struct { /* operands: of, at and gives of each point */
            GraphShape shape;
        } curve;
        struct { /* operands: total, weights */
            uint32_t to;
        } allocate;
        struct { /* operands: in, out, keep (a ratio) */
            uint32_t in_count;
            uint32_t out_count;
            GraphGive give;
            GraphCarry carry;
        } fund;
        struct { /* operands: of, account (optional) */
            int32_t instalments;
            bool has_account;
        } timing;
    } as;
} GraphNode;

/* What a line says of how it came about: the first whose tests hold. */
typedef struct {
    GraphTest tests[8]; /* operands: left and right of each */
    NodeId operands[16];
    size_t test_count;
    Str text; /* with {name} where a value is to stand */
    const Str *names;
    const NodeId *nodes;
    size_t node_count;
} GraphReason;

typedef struct {
    Str name;
    NodeId node;
} GraphShown;

typedef struct {
    Str name;
    Unit unit;
    DimensionMask dims;
    Str column; /* of a table with a column for each input; empty: its name */
    bool has_fallback;
    Ratio fallback; /* for a key that has no value */
    uint32_t line;
    uint32_t column_number;
} ContractInput;

/* --- facts --- */

/* Values by key. A key is one int32 for each dimension of the mask in their order: a symbol, or for
   a range its number. Rows are sorted by key. */
typedef struct {
    DimensionMask dims;
    uint32_t width;
    size_t count;
    const int32_t *keys;
    const Ratio *values;
} ValueTable;
