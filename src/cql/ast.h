/*
 * ast -- the syntax tree of a CQL library, as the parser leaves it for the resolver.
 *
 * Operators and timing phrases are already calls of the operator that they stand for (`a + b` is
 * AST_OPERATOR "Add"), so that the resolver deals with few kinds of node. Lives in the arena of
 * the libraries; immutable once parsed.
 */
#pragma once

#include "base/base.h"
#include "base/date.h"

typedef struct Ast Ast;
typedef struct AstType AstType;

/* Precision of timing phrases: that of Moment, and weeks. */
enum { AST_PRECISION_NONE = PRECISION_NONE, AST_PRECISION_WEEK = PRECISION_MILLISECOND + 1 };

typedef enum {
    AST_ERROR, /* stands where something could not be parsed; a finding was made */
    AST_NULL,
    AST_BOOLEAN,
    AST_INTEGER,
    AST_LONG,
    AST_DECIMAL,
    AST_STRING,
    AST_DATE,
    AST_DATETIME,
    AST_TIME,
    AST_QUANTITY,   /* text: number, unit: unit or calendar word (flag: calendar) */
    AST_RATIO,      /* two quantities */
    AST_INTERVAL,   /* low, high; flags AST_LOW_CLOSED, AST_HIGH_CLOSED; perhaps two items more: the
                       expressions that say so instead, or NULL */
    AST_LIST,       /* type: of the items, or NULL */
    AST_TUPLE,      /* names with items */
    AST_INSTANCE,   /* type, names with items */
    AST_CODE,       /* text: code, unit: display; item: code system */
    AST_CONCEPT,    /* items: codes, unit: display */
    AST_IDENTIFIER, /* text */
    AST_MEMBER,     /* item . text */
    AST_FUNCTION,   /* text(items); flag AST_FLUENT: items[0] is the receiver (perhaps a library) */
    AST_OPERATOR,   /* system operator text over items, with precision */
    AST_PHRASE,     /* timing phrase: items left, right; phrase */
    AST_IS,         /* item, type */
    AST_AS,         /* item, type; flag AST_STRICT: cast */
    AST_CONVERT,    /* item to type or to unit */
    AST_EXTREME,    /* minimum/maximum of type; flag AST_MAXIMUM */
    AST_IF,         /* condition, then, else */
    AST_CASE,       /* [comparand or NULL, when, then, …, else] */
    AST_RETRIEVE,   /* retrieve */
    AST_QUERY,      /* query */
    AST_SPECIAL     /* $this $index $total %external by text */
} AstKind;

enum {
    AST_LOW_CLOSED = 1,
    AST_HIGH_CLOSED = 2,
    AST_FLUENT = 1,
    AST_STRICT = 1,
    AST_MAXIMUM = 1,
    AST_CALENDAR = 1,
    AST_QUOTED = 1, /* an identifier in quotes */
    AST_GLOBAL = 2, /* an identifier that means a definition or library, never a variable */
    AST_PARENTHESES = 16
};

typedef enum {
    AST_TYPE_NAMED,
    AST_TYPE_LIST,
    AST_TYPE_INTERVAL,
    AST_TYPE_TUPLE,
    AST_TYPE_CHOICE
} AstTypeKind;

struct AstType {
    AstTypeKind kind;
    uint32_t line;
    uint32_t column;
    Str model; /* of a named type: what stands before the name, or empty */
    Str name;
    AstType **parts; /* element types */
    Str *names;      /* of a tuple's parts */
    size_t count;
};

/* `starts 3 days or less before end`: the parts of a timing phrase with an offset, and of `same`,
   `before`, `during`… with a boundary on one side. */
typedef enum {
    PHRASE_SAME,         /* same [precision] as / or before / or after */
    PHRASE_INCLUDES,     /* [properly] includes */
    PHRASE_INCLUDED_IN,  /* [properly] during / included in */
    PHRASE_BEFORE_AFTER, /* before, after, on or before …, with an offset perhaps */
    PHRASE_WITHIN        /* within quantity of */
} AstPhraseKind;

typedef enum { BOUNDARY_NONE, BOUNDARY_START, BOUNDARY_END, BOUNDARY_OCCURS } AstBoundary;
typedef enum {
    OFFSET_ABSENT,
    OFFSET_EXACT,
    OFFSET_OR_MORE,
    OFFSET_OR_LESS,
    OFFSET_LESS_THAN,
    OFFSET_MORE_THAN
} AstOffset;

typedef struct {
    AstPhraseKind kind;
    AstBoundary left;
    AstBoundary right;
    bool is_properly;
    int8_t direction;  /* -1 before, 1 after, 0 as */
    bool is_inclusive; /* on or … */
    AstOffset offset;
    Ast *quantity;
    uint8_t precision;
} AstPhrase;

typedef struct {
    Str alias;
    Ast *expression;
    uint32_t line;
    uint32_t column;
} AstSource;

typedef struct {
    AstSource source;
    bool is_without;
    Ast *such_that;
} AstRelation;

typedef struct {
    Ast *expression; /* NULL: the item itself */
    bool is_descending;
} AstSortKey;

typedef struct {
    AstSource *sources;
    size_t source_count;
    AstSource *lets;
    size_t let_count;
    AstRelation *relations;
    size_t relation_count;
    Ast *where;
    Ast *returns;
    bool return_all;
    Ast *aggregate;
    Str aggregate_name;
    Ast *aggregate_start;
    bool aggregate_distinct;
    AstSortKey *sort_keys;
    size_t sort_count;
} AstQuery;

typedef struct {
    AstType *type;
    Str profile;      /* URL of a profile that ELM names, or empty */
    Str context;      /* a definition before ->, or empty */
    Ast *related;     /* likewise, where it is more than a name; or NULL */
    Str path;         /* code path, or empty: the primary one */
    Str comparator;   /* "in", "=", "~" or empty */
    Ast *terminology; /* or NULL */
} AstRetrieve;

/* From the first to the last byte, both counted in. */
typedef struct {
    uint32_t line; /* 0: not known */
    uint32_t column;
    uint32_t end_line;
    uint32_t end_column;
} AstRange;

struct Ast {
    uint8_t kind; /* AstKind */
    uint8_t flags;
    uint8_t precision;
    uint32_t line; /* the place for findings: of an operator its word */
    uint32_t column;
    AstRange range; /* the whole expression */
    Str text;
    Str unit;
    Ast **items;
    size_t count;
    Str *names;
    AstType *type;
    AstType **signature; /* of a function from ELM: the operand types of the overload meant */
    union {
        AstQuery *query;
        AstRetrieve *retrieve;
        AstPhrase *phrase;
    };
};

typedef enum {
    DEF_EXPRESSION,
    DEF_FUNCTION,
    DEF_PARAMETER,
    DEF_CODE_SYSTEM,
    DEF_VALUE_SET,
    DEF_CODE,
    DEF_CONCEPT
} AstDefKind;

typedef struct {
    AstDefKind kind;
    Str name;
    uint32_t line;
    uint32_t column;
    bool is_private;
    bool is_fluent;
    bool is_external;
    Str context;   /* "Patient", "Unfiltered", … in force */
    Ast *body;     /* expression, function body, parameter default */
    AstType *type; /* of a parameter; what a function returns */
    Str *operand_names;
    AstType **operand_types;
    size_t operand_count;
    Str id;      /* of a code system, value set, code */
    Str version; /* of a code system, value set */
    Str display;
    Ast *system; /* of a code: reference to the code system */
    Ast **codes; /* of a concept; of a value set its code systems */
    size_t code_count;
} AstDef;

typedef struct {
    Str name;
    Str version;
    Str alias;
    uint32_t line;
    uint32_t column;
} AstImport;

typedef struct {
    Str name;
    Str version;
    Str file;
    AstImport *usings;
    size_t using_count;
    AstImport *includes;
    size_t include_count;
    AstDef *defs;
    size_t def_count;
    bool has_errors; /* of syntax: what could be read is here all the same */
} AstLibrary;
