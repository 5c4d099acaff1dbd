/*
 * contract -- contract documents: from YAML to a checked contract, and to plain English.
 *
 * A contract says who pays whom for what. Each clause is a small graph of primitives: a basis
 * (what is counted), perhaps a gate (which of it is paid for), a rate (a table by attributes) and
 * a timing. People write a *kind* of clause, which is a macro over primitives in a table
 * (models/clauses.tsv): a kind that only combines primitives anew needs a row and no code.
 *
 * contract_check() reads a document and finds everything that is wrong with it in one run, each
 * finding with line and column and what to do. A Contract exists only without errors: whoever
 * holds one may rely on every party, table and date in it. It is immutable, lives in the arena it
 * was made in, and may be read by any number of threads.
 *
 *     ContractKnown known = {.indicators = ids, .indicator_count = n, .has_indicators = true};
 *     if (contract_check(arena, text, S("contract.yaml"), &known, &diags, &contract) == ERR_OK)
 *         contract_explain(contract, &out);
 */
#pragma once

#include "attribution/attribution.h"
#include "base/base.h"
#include "base/date.h"
#include "base/decimal.h"
#include "base/money.h"
#include "base/yaml.h"
#include "contract/graph.h"

/* --- the words of the language: enums and their texts come from choice.def and others --- */

typedef enum {
#define CHOICE_UNIT(name, text, says) UNIT_##name,
#include "contract/choice.def"
#undef CHOICE_UNIT
} BasisUnit;

/* Which day of a month or year membership, age and practice are taken on. As attribution looks at
   what was before its day, a practice that is to be told by all encounters of a period is asked
   for on the day after it (period-end). */
typedef enum {
#define CHOICE_DAY(name, text, says) BASIS_DAY_##name,
#include "contract/choice.def"
#undef CHOICE_DAY
} BasisDay;

typedef enum {
#define CHOICE_EVERY(name, text, says) EVERY_##name,
#include "contract/choice.def"
#undef CHOICE_EVERY
} TimingEvery;

typedef enum {
#define CHOICE_ROLE(name, text, says) PARTY_##name,
#include "contract/choice.def"
#undef CHOICE_ROLE
} PartyRole;

typedef enum {
#define CHOICE_EACH(name, text, says) EACH_##name,
#include "contract/choice.def"
#undef CHOICE_EACH
} PartyEach;

typedef enum {
#define CHOICE_ROUND_AT(name, text, says) ROUND_AT_##name,
#include "contract/choice.def"
#undef CHOICE_ROUND_AT
} RoundAt;

/* The value of the attribute sex: the numbers of PersonSex. */
typedef enum {
#define CHOICE_SEX(name, text, says) RATE_SEX_##name,
#include "contract/choice.def"
#undef CHOICE_SEX
} RateSex;

typedef enum {
#define PRIMITIVE(name, text, says) PRIMITIVE_##name,
#include "contract/primitive.def"
#undef PRIMITIVE
    PRIMITIVE_COUNT
} Primitive;

typedef enum {
#define ATTRIBUTE(name, text, kind) ATTRIBUTE_##name,
#include "contract/attribute.def"
#undef ATTRIBUTE
    ATTRIBUTE_COUNT
} Attribute;

/* The text that a document writes for a value, and what it means in a sentence. */
const char *contract_unit_says(BasisUnit unit);
const char *contract_day_says(BasisDay day);
const char *contract_every_text(TimingEvery every);
const char *contract_round_at_says(RoundAt at);

/* --- the primitives --- */

enum {
    CONTRACT_AGE_MAX = 150, /* stands for itself and all ages above */
    CONTRACT_GATE_INDICATORS_MAX = 64,
    CONTRACT_PARTIES_MAX = 1000,
    CONTRACT_CLAUSES_MAX = 1000,
    CONTRACT_RATE_CELLS_MAX = 1000,
    CONTRACT_PERIOD_MONTHS_MAX = 1200
};

/* What is counted: for each month or for the period, a person who on the day belongs to a practice
   and, if must_be_alive, on alive_day was born (on it or before) and had not died before it (the
   day of death is a day lived). Age is that on `day`. */
typedef struct {
    BasisUnit unit;
    BasisDay day;
    BasisDay alive_day;
    bool must_be_alive;
} Basis;

/* Lets a person through once for each of the indicators that was achieved. */
typedef struct {
    const Str *indicators;
    size_t indicator_count;
} Gate;

/* What a cell of a rate table holds of one attribute. An attribute that a cell does not name is
   whole: every value belongs to it. */
typedef struct {
    bool is_whole;
    int32_t from;     /* of a range */
    int32_t under;    /* CONTRACT_AGE_MAX + 1: no upper bound */
    uint64_t choices; /* of a choice: bit i is value i: a RateSex, or a number in the gate's
                         indicators */
} AttributeSpan;

typedef struct {
    AttributeSpan spans[ATTRIBUTE_COUNT];
    Decimal amount; /* major units: 2.50 dollars */
    Str label;      /* "age under 65"; "everyone" for a table of one cell */
    uint32_t line;
    uint32_t column;
} RateCell;

/* Cells that together hold every combination of attribute values exactly once. */
typedef struct {
    const RateCell *cells;
    size_t cell_count;
    bool uses[ATTRIBUTE_COUNT]; /* some cell names the attribute */
    uint32_t strides[ATTRIBUTE_COUNT];
    const uint16_t *index; /* over the product of the attributes used */
} RateTable;

typedef struct {
    TimingEvery every;
} Timing;

enum { CLAUSE_NODE_NONE = 255 };

/* One primitive with its parameters; it works on what node `input` gives. */
typedef struct {
    Primitive primitive;
    uint8_t input; /* an earlier node, so that a clause has no cycle; CLAUSE_NODE_NONE */
    union {
        Basis basis;
        Gate gate;
        RateTable rate;
        Timing timing;
    } as;
} ClauseNode;

/* --- the document --- */

/* A kind of clause as it was read from its table. */
typedef struct {
    Str name;
    const YamlNode *root;
    const YamlNode *parameters;
    const YamlNode *graph;
    const YamlNode *pays;
    const YamlNode *shows;
    const YamlNode *reasons;
} Macro;

typedef struct {
    Str id;
    PartyRole role;
    PartyEach each;
    Str name;
    Str account; /* the general-ledger code that its side of an entry is booked under; may be empty
                  */
} ContractParty;

typedef struct {
    Str id;
    Str kind; /* the macro's name */
    Str title;
    const ContractParty *from;
    const ContractParty *to;
    const ClauseNode *nodes; /* the last one is what is paid */
    size_t node_count;
    uint32_t line;
    uint32_t column;
    /* Of a clause that is a graph: */
    const ContractParty *const *to_list; /* all that are paid, when several are named */
    size_t to_count;
    const YamlNode *yaml; /* as it was written */
    const Macro *macro;   /* its kind; NULL: the clause has a graph of its own */
    bool is_graph;
    NodeId pays;
    const GraphReason *reasons;
    size_t reason_count;
    const GraphShown *shows;
    size_t show_count;
} Clause;

typedef struct {
    Str name;
    Str is; /* a dimension, clause, amount, amount-minor, reason, or what the clause shows */
} ContractColumn;

typedef struct {
    Str id;
    Str title;
    int32_t version;
    Currency currency;
    int32_t first_day; /* both inclusive; whole months */
    int32_t last_day;
    int32_t month_count;
    const ContractParty *parties;
    size_t party_count;
    AttributionRule attribution;
    Rounding rounding;
    RoundAt round_at;
    int32_t rate_digits; /* most digits behind the point that an amount may have */
    int64_t rate_scale;  /* 10 to that power */
    const Dimension *dimensions;
    size_t dimension_count;
    const ContractInput *inputs;
    size_t input_count;
    const GraphNode *nodes; /* operands before what uses them */
    size_t node_count;
    bool has_attribution;
    /* How lines are written: the name of each member, and what it is. Empty: all there is. */
    const ContractColumn *columns;
    size_t column_count;
    const Clause *clauses;
    size_t clause_count;
    Str author;
    const Str *approvers;
    size_t approver_count;
    Str reason;
} Contract;

/* What names outside of the document may be used. */
typedef struct {
    const Str *indicators;
    size_t indicator_count;
    bool has_indicators; /* else every indicator is taken to exist */
} ContractKnown;

/* Reads and checks a document. Everything wrong becomes a finding in `diags` (file is the name for
   them) and gives ERR_DOCUMENT; `known` may be NULL. *ret_contract is set only without errors. */
MUST_USE ErrorCode contract_check(Arena *arena, Str text, Str file, const ContractKnown *known,
                                  DiagList *diags, const Contract **ret_contract);

/* The contract in plain English, with a worked example a clause. The same contract gives the
   same bytes. */
void contract_explain(const Contract *contract, StrBuf *out);
/* The part of it about one clause, by its number from 0. */
void contract_explain_clause(const Contract *contract, size_t clause, StrBuf *out);

/* Warns (rule "contract-paid-twice") of what clauses of these contracts would pay the same party
   twice for at the same time. `files` are their names. */
void contract_check_twice(const Contract *const *contracts, const Str *files, size_t count,
                          DiagList *diags);

/* The contract's graph as an SVG image: sources left, what is paid right. */
void contract_draw(const Contract *contract, StrBuf *out);

typedef struct {
    Str path;   /* clauses.fee.rate[2].amount */
    Str before; /* empty: it was not there */
    Str after;  /* empty: it is gone */
    uint32_t line_before;
    uint32_t line_after;
} ContractChange;
typedef Vec(ContractChange) ContractChanges;
/* What differs between two documents, which need not be right but must be YAML. Members of lists
   are compared by their `id` where they have one, else by their place. */
MUST_USE ErrorCode contract_diff(Arena *arena, const Str texts[2], const Str files[2],
                                 DiagList *diags, ContractChanges *ret_changes);

/* --- for whoever works a contract out --- */

/* The clause's node of that primitive (kinds use each at most once), or NULL. */
const ClauseNode *clause_find(const Clause *clause, Primitive primitive);
/* Number of the cell that holds these values; values of attributes that the table does not use are
   not looked at. Age may be any whole number from 0. Asserts that the others are in range. */
size_t rate_cell(const RateTable *table, const int32_t values[ATTRIBUTE_COUNT]);
/* quantity times a cell's amount by the contract's rule of rounding; false on overflow. */
MUST_USE bool contract_amount(const Contract *contract, const RateCell *cell, int64_t quantity,
                              int64_t *ret_minor);
/* "USD 2.50": a rate with all its digits, at least those of the currency. */
Str contract_rate_text(const Contract *contract, Decimal amount, Arena *arena);
/* First and last day of period `index` of the contract for this timing, and how many there are. */
size_t contract_period_count(const Contract *contract, TimingEvery every);
void contract_period(const Contract *contract, TimingEvery every, size_t index, int32_t *ret_first,
                     int32_t *ret_last);
/* The day that a basis looks at in a span of days. */
int32_t contract_basis_day(BasisDay day, int32_t first, int32_t last);
const Clause *contract_find_clause(const Contract *contract, Str id);
/* Every indicator that some clause pays for, each once, in order of first use. */
size_t contract_indicators(const Contract *contract, Arena *arena, const Str **ret_ids);

/* The dimensions of a clause's lines, when what it pays has these: rounding at the party or the
   period takes all others together. */
DimensionMask contract_line_dimensions(const Contract *contract, DimensionMask dims);

/* --- working it out --- */

/* Facts: what the inputs are. Filled by whoever reads or counts them, then frozen by
   contract_evaluate(). */
typedef struct ContractFacts ContractFacts;
ContractFacts *contract_facts_new(Arena *arena, const Contract *contract);
Arena *contract_facts_arena(ContractFacts *facts);
/* The number of a text, for a key. */
int32_t contract_facts_symbol(ContractFacts *facts, Str text);
typedef enum { FACT_ADDED, FACT_SAME, FACT_DIFFERENT } FactAdded;
/* One value of an input. `key` has one number for each dimension of the input, in order. Nothing is
   added where there is a value for the key already. */
FactAdded contract_facts_add(ContractFacts *facts, size_t input, const int32_t *key, Ratio value);
/* One value of a dimension that is an attribute of others. */
FactAdded contract_facts_add_attribute(ContractFacts *facts, size_t dimension, const int32_t *key,
                                       int32_t value);

typedef struct {
    Str name;
    Ratio value;
    bool has_value;
    Unit unit;
} OutcomeValue;

typedef struct {
    const int32_t *key; /* by the dimensions of the clause's lines */
    Ratio exact;
    int64_t minor;
    Str reason;
    const OutcomeValue *shows; /* as many as the clause has */
} OutcomeLine;

typedef struct {
    const Clause *clause;
    DimensionMask dims;
    uint32_t width;
    const OutcomeLine *lines; /* by key: party, then period, ... */
    size_t line_count;
    int64_t total_minor;
} OutcomeClause;

typedef struct {
    const Contract *contract;
    const Str *symbols; /* text of a symbol: in order of bytes */
    const OutcomeClause *clauses;
    size_t clause_count;
} Outcome;

/* Works all clauses out. Findings name the clause's place (`file`) and the key that lacks a value;
   with any, ERR_REFUSED. The same facts in any order give the same outcome. */
MUST_USE ErrorCode contract_evaluate(Arena *arena, const Contract *contract, ContractFacts *facts,
                                     Str file, DiagList *diags, const Outcome **ret_outcome);
/* The part of a line's key that is of the dimension, as text; empty when lines have no such
   dimension. */
Str outcome_key_text(Arena *arena, const Outcome *outcome, const OutcomeClause *clause,
                     const OutcomeLine *line, size_t dimension);
/* "USD 1,234.50", "2.34 %"-less plain text of a value by its unit. */
Str outcome_value_text(Arena *arena, const Contract *contract, Unit unit, Ratio value);

/* --- the table of kinds, for documentation --- */

typedef struct {
    Str name;
    Str text; /* YAML */
} ClauseMacroText;
const ClauseMacroText *contract_macros(size_t *ret_count);

typedef struct {
    Primitive primitive;
    Str parameter;
    Str value; /* a word fixed by the kind, or the path of the key that gives it */
    bool is_fixed;
    bool is_optional;
} ClauseKindPart;

typedef struct {
    Str name;
    Str title;
    Str formula;
    Str source;
    const ClauseKindPart *parts;
    size_t part_count;
} ClauseKind;

const ClauseKind *contract_kinds(size_t *ret_count);
const ClauseKind *contract_find_kind(Str name);
