/*
 * cql -- HL7's Clinical Quality Language: libraries in, values over a person's record out.
 *
 * Libraries are parsed as they are added, and resolved together into one CqlPlan against the
 * value sets and the concept dictionary of the records: immutable, shared by any number of
 * threads. Each thread evaluates with a CqlEval of its own: cql_eval_begin() turns to the next
 * person and gives up all values of the one before; each definition is worked out at most once
 * a person and only when asked for. The engine sees Records and nothing of stores.
 *
 * What is wrong with a library is a finding (file, line, column, what was expected), several in a
 * run. What goes wrong while one person is evaluated is an ERR_EVALUATION of that person (or
 * ERR_LIMIT when the step limit was reached); the next cql_eval_begin() starts afresh.
 *
 *     CqlLibraries *libraries = cql_libraries_create(arena);
 *     cql_libraries_add(libraries, text, S("Starter.cql"), &diags);
 *     CqlPlanOptions options = {.value_sets = sets, .dict = dict, .now = now};
 *     CqlPlan *plan;
 *     code = cql_plan_create(arena, libraries, &options, &diags, &plan, err);
 *     size_t definition;
 *     if (cql_plan_find(plan, S("Starter"), S("HbA1c Measured"), &definition)) ...
 *     CqlEval *eval = cql_eval_create(plan);
 *     cql_eval_begin(eval, record);
 *     code = cql_eval_definition(eval, definition, &value, err);
 *     bool is_measured = cql_value_is_true(value);
 *     cql_eval_destroy(eval);
 */
#pragma once

#include "fhir/fhir.h"

/* --- libraries --- */
typedef struct CqlLibraries CqlLibraries;

/* Lives in the arena. Known to it without being added: the library FHIRHelpers, and the models
   System, FHIR 4.0.1, USCore 3.1.1 and 6.1.0, QICore 4.1.1, 5.0.0 and 6.0.0. */
CqlLibraries *cql_libraries_create(Arena *arena);
/* Parses one library and keeps it under its own name and version. The source is CQL text, ELM JSON,
   or a FHIR Library resource that holds one of them (its CQL is taken when it holds both; its
   version is that of the library). The text and the file's name are copied. False when it has
   syntax errors (all findings go to diags) or is there already. */
bool cql_libraries_add(CqlLibraries *libraries, Str source, Str file, DiagList *diags);
/* The same under a version other than the one that the text declares: that of the Library resource
   which it came in. */
bool cql_libraries_add_as(CqlLibraries *libraries, Str source, Str file, Str version,
                          DiagList *diags);
/* A further model that libraries may use: a table as `braid model import` writes it. It comes
   before one of that name and version which the engine has. False when it is not well formed. */
bool cql_libraries_add_model(CqlLibraries *libraries, Str table, Str file, DiagList *diags);
/* The CQL text or the ELM JSON of a FHIR Library resource (JSON), the one preferred where it holds
   both. ERR_DOCUMENT when it is none or holds neither. */
MUST_USE ErrorCode cql_library_content(Arena *arena, Str resource, bool prefers_elm, Str *ret_text,
                                       Error *err);
size_t cql_libraries_count(const CqlLibraries *libraries);
/* Name and version as declared ("" for a library without). */
Str cql_libraries_name(const CqlLibraries *libraries, size_t index);
Str cql_libraries_version(const CqlLibraries *libraries, size_t index);
/* The next include that no library here answers: for whoever looks for it elsewhere. *at begins at
   0; libraries may be added between calls. False when there is none left. */
bool cql_libraries_missing(const CqlLibraries *libraries, size_t *at, Str *ret_name,
                           Str *ret_version);
/* Whether any library declares a parameter of that name. */
bool cql_libraries_has_parameter(const CqlLibraries *libraries, Str name);
/* The names of the parameters that a library declares (empty: any library); how many. */
size_t cql_libraries_parameters(const CqlLibraries *libraries, Arena *arena, Str library,
                                const Str **ret_names);

/* HL7 model info (XML) as a table for cql_libraries_add_model(). Everything that a library could
   stumble over later (an unknown class, a target that cannot be read) is a finding now; false when
   there was one. */
bool cql_model_import(Arena *arena, Str xml, Str file, DiagList *diags, StrBuf *out);

/* --- ELM --- */
typedef struct {
    bool result_types; /* the type of every expression */
    bool locators;     /* where in the source each stands */
} CqlElmOptions;

/* Resolves all libraries and writes each as ELM JSON, for other engines; as many texts as there are
   libraries, in their order, empty for one that holds something that cannot be written (a finding
   in diags). ERR_DOCUMENT when any library has errors. */
MUST_USE ErrorCode cql_libraries_to_elm(Arena *arena, const CqlLibraries *libraries,
                                        const CqlElmOptions *options, DiagList *diags,
                                        Str *ret_texts, Error *err);

/* --- the plan --- */
typedef struct CqlPlan CqlPlan;

/* A parameter's value as CQL text: "Interval[@2026-01-01, @2026-12-31]", "5", "'abc'". */
typedef struct {
    Str library; /* empty: of every library that declares the name */
    Str name;
    Str value;
} CqlParameter;

/* A function that libraries declare as external, supplied by the embedder. `run` gives a value of
   the declared type; what it makes must live in the arena, or longer than the plan. It may be
   called by several threads at once. ERR_OK, or any error for the person in hand. */
typedef union CqlValue CqlValue;
typedef struct {
    Str library; /* that declares it; empty: any */
    Str name;
    size_t operand_count;
    ErrorCode (*run)(void *user, Arena *arena, const CqlValue *args, CqlValue *ret_value,
                     Error *err);
    void *user;
} CqlExternal;

typedef struct {
    const ValueSets *value_sets; /* resolved; NULL: none */
    const ConceptDict *dict;     /* of the records to come; NULL: no records */
    /* The evaluation moment: Today(), Now(), TimeOfDay() and AgeInYears() read it. Its offset is
       the time zone of values that carry none. Precision day at least; a moment of less than
       milliseconds is filled with zeros, and without an offset it is UTC. */
    Moment now;
    const CqlParameter *parameters;
    size_t parameter_count;
    size_t steps_max; /* a person; 0: LIMIT_CQL_STEPS */
    /* What the plan is for. With roots only what they need is resolved, and what cannot be resolved
       is left out with its findings (CqlDefinition.is_usable) instead of failing the plan. NULL:
       every definition of every library, without an error in any. */
    const struct CqlRoot *roots;
    size_t root_count;
    const CqlExternal *externals; /* good as long as the plan */
    size_t external_count;
    /* For tests: queries look at every entry that their retrieves take, also at those whose day
       tells that they are not wanted. */
    bool keeps_wide;
} CqlPlanOptions;

/* A definition, or all functions of that name; the case of letters does not count. */
typedef struct CqlRoot {
    Str library;
    Str version; /* empty: any */
    Str name;
} CqlRoot;

/* Resolves all libraries. ERR_DOCUMENT when any has errors (findings in diags); a plan is made only
   without errors. The plan lives in the arena and keeps views into value sets and dictionary. */
MUST_USE ErrorCode cql_plan_create(Arena *arena, const CqlLibraries *libraries,
                                   const CqlPlanOptions *options, DiagList *diags,
                                   CqlPlan **ret_plan, Error *err);

/* A definition (an expression `define`, not a function) of a library of the plan. */
typedef struct {
    Str library;
    Str version;
    Str name;
    Str type;        /* CQL type name: "System.Boolean", "List<FHIR.Observation>" */
    bool is_boolean; /* type is System.Boolean */
    bool is_list;
    uint16_t item_type; /* FhirType of a list's items, also behind a class of a model; else
                           FHIR_TYPE_NONE */
    bool is_unfiltered; /* context Unfiltered: needs no person */
    bool is_usable;     /* false: it was not asked for, or could not be resolved */
    Str file;
    uint32_t line;
} CqlDefinition;

size_t cql_plan_definition_count(const CqlPlan *plan);
const CqlDefinition *cql_plan_definition(const CqlPlan *plan, size_t definition);
/* By library name (empty: any library that has one) and definition name. Of several versions of a
   library the highest that has the definition. */
bool cql_plan_find(const CqlPlan *plan, Str library, Str definition, size_t *ret_definition);
/* Likewise of one version (empty: the highest). */
bool cql_plan_find_version(const CqlPlan *plan, Str library, Str version, Str definition,
                           size_t *ret_definition);

/* A function that may be called from outside (cql_eval_function): one of a root's name. */
typedef struct {
    Str library;
    Str version;
    Str name;
    size_t operand_count;
    Str operand;           /* type name of the first operand; empty without operands */
    uint16_t operand_type; /* its FhirType, also behind a class; else FHIR_TYPE_NONE */
    Str type;              /* of the result */
    Str file;
    uint32_t line;
} CqlFunction;

size_t cql_plan_function_count(const CqlPlan *plan);
const CqlFunction *cql_plan_function(const CqlPlan *plan, size_t function);

/* Resources that a definition could look at. */
typedef struct {
    uint16_t type;              /* FhirType of a resource */
    const ConceptSet *concepts; /* of its primary code; NULL: any */
} CqlNeed;

/* A summary by which persons may be passed over: when a record has no directory entry of any of the
   needs, the definition's value for it is cql_plan_value_without() (so it needs no evaluation).
   False when there is no such summary: every person must be asked. */
bool cql_plan_needs(const CqlPlan *plan, size_t definition, const CqlNeed **ret_needs,
                    size_t *ret_count);

/* --- values --- */
typedef enum {
    CQL_NULL,
    CQL_BOOLEAN,
    CQL_INTEGER,
    CQL_LONG,
    CQL_DECIMAL,
    CQL_STRING,
    CQL_DATE,
    CQL_DATETIME,
    CQL_TIME,
    CQL_QUANTITY,
    CQL_RATIO,
    CQL_CODE,
    CQL_CONCEPT,
    CQL_CODE_SYSTEM,
    CQL_VALUE_SET,
    CQL_INTERVAL,
    CQL_LIST,
    CQL_TUPLE,
    CQL_FHIR,        /* a resource or element of the record */
    CQL_UNCERTAINTY, /* an Integer known only to lie in a range */
    CQL_INSTANCE     /* a value of a model's type made by an instance selector */
} CqlKind;

/* 16 bytes, copied freely. What it points to is good until the next cql_eval_begin(). Read it with
   the functions below; the fields are the engine's own. */
union CqlValue {
    struct {
        uint8_t kind; /* CqlKind */
        uint8_t flag;
        uint16_t aux;
        uint32_t count;
        union {
            int64_t integer;
            const void *ptr;
        };
    };
    struct {
        uint8_t moment_kind;
        uint8_t moment_flag;
        uint16_t moment_aux;
        Moment moment;
    };
};

static inline CqlKind cql_value_kind(CqlValue value)
{
    return (CqlKind)value.kind;
}

static inline bool cql_value_is_null(CqlValue value)
{
    return value.kind == CQL_NULL;
}

/* Boolean true; false for false, null and everything else. */
static inline bool cql_value_is_true(CqlValue value)
{
    return value.kind == CQL_BOOLEAN && value.integer != 0;
}

CqlValue cql_plan_value_without(const CqlPlan *plan, size_t definition);

/* Each false when the value is null or of another kind. A FHIR primitive of the record counts as
   the System value that it converts to, a FHIR.Quantity as a Quantity. */
bool cql_value_boolean(CqlValue value, bool *ret_value);
bool cql_value_integer(CqlValue value, int64_t *ret_value); /* Integer or Long */
/* Decimal, Integer or Long. */
bool cql_value_decimal(CqlValue value, Decimal *ret_value);
bool cql_value_string(CqlValue value, Arena *arena, Str *ret_value);
bool cql_value_moment(CqlValue value, Moment *ret_value); /* Date, DateTime or Time */
/* unit is "1" where none was given. */
bool cql_value_quantity(CqlValue value, Arena *arena, Decimal *ret_value, Str *ret_unit);
/* The items of a list. 0 for anything else. */
size_t cql_value_count(CqlValue value);
CqlValue cql_value_item(CqlValue list, size_t index);
/* Bounds as they stand (either may be null). */
bool cql_value_interval(CqlValue value, CqlValue *ret_low, CqlValue *ret_high,
                        bool *ret_is_low_closed, bool *ret_is_high_closed);
/* A named element of a tuple or instance; null when it has none. */
CqlValue cql_value_element(CqlValue tuple, Str name);
/* The place in the record. */
bool cql_value_node(CqlValue value, FhirNode *ret_node);
/* Values to give back from external functions. */
CqlValue cql_value_of_null(void);
CqlValue cql_value_of_boolean(bool value);
CqlValue cql_value_of_integer(int32_t value);
CqlValue cql_value_of_decimal(Arena *arena, Decimal value);
CqlValue cql_value_of_string(Arena *arena, Str value);
/* A Date, a DateTime or a Time, as kind says. */
CqlValue cql_value_of_moment(CqlKind kind, Moment value);
CqlValue cql_value_of_list(Arena *arena, const CqlValue *items, size_t count);
/* CQL text that reads back as the same value: "true", "'a'", "@2026-01-01", "5 'mg'",
   "Interval[1, 2]", "{ 1, 2 }", "null"; of what is in the record its JSON. Canonical: equal
   values give equal text. */
void cql_value_format(CqlValue value, StrBuf *out);
/* As JSON: numbers, strings (dates too), {"value", "unit"}, {"low", "high", "lowClosed",
   "highClosed"}, arrays, objects, FHIR JSON. */
void cql_value_json(CqlValue value, StrBuf *out);

/* A resource behind a value: for explanations. */
typedef struct {
    uint16_t type; /* FhirType */
    Str id;        /* in the arena given */
    int32_t day;   /* the directory's day of it, or DAY_NONE */
    FhirNode resource;
} CqlEvent;
typedef Vec(CqlEvent) CqlEventVec;

/* --- evaluation --- */
typedef struct CqlEval CqlEval;

/* One a thread. Takes its memory itself. */
CqlEval *cql_eval_create(const CqlPlan *plan);
void cql_eval_destroy(CqlEval *eval);
/* Bytes that it holds: the most that any person needed so far, and what is there for every person.
 */
size_t cql_eval_memory(const CqlEval *eval);
/* Turns to this person. */
void cql_eval_begin(CqlEval *eval, Record record);
/* Resources that belong to no person (Location, Medication, Organization …), for all persons to
   come: a batch of its own, whose concepts are of the plan's dictionary. Once for each of them
   where there are several. */
void cql_eval_share(CqlEval *eval, Record shared);
/* Evaluates without a record: context Unfiltered, and definitions that use no data. */
void cql_eval_begin_unfiltered(CqlEval *eval);
/* The value of a definition. An error while evaluating stays with the person: asking again gives
   the same error. */
MUST_USE ErrorCode cql_eval_definition(CqlEval *eval, size_t definition, CqlValue *ret_value,
                                       Error *err);
/* What a function gives for these arguments, as many as it has operands. */
MUST_USE ErrorCode cql_eval_function(CqlEval *eval, size_t function, const CqlValue *args,
                                     CqlValue *ret_value, Error *err);
/* Resources of the record inside a value (whole resources, and those that an element
   stands in is not searched for), in order of appearance, each once. */
void cql_eval_events(CqlEval *eval, CqlValue value, Arena *arena, CqlEventVec *ret_events);
/* The resources that the retrieves asked for this person since begin have found, in order of the
   library's retrieves, each once and without its day: what the answers rest on. */
void cql_eval_retrieved(CqlEval *eval, Arena *arena, CqlEventVec *ret_events);
/* Messages of `Message(…)` with severity Trace, Message or Warning for this person since begin. */
const DiagList *cql_eval_messages(const CqlEval *eval);

/* --- explanation --- */

/* A part of a library's text: from the first to the last byte, both counted in, from 1. */
typedef struct {
    uint32_t line; /* 0: not known */
    uint32_t column;
    uint32_t end_line;
    uint32_t end_column;
} CqlRange;

/* What one expression of the text gave. An expression within a query is evaluated for each row, one
   within a function at each call; `value` is the last. */
typedef struct {
    Str library;
    Str file;
    Str definition;   /* the definition or function that it stands in */
    bool is_function; /* it is a function */
    CqlRange range;
    Str kind;       /* "Query", "Retrieve", "And", "Definition" (a reference), "Constant" … */
    Str role;       /* within its parent: "where", "such that", "return", "source", or empty */
    Str type;       /* CQL type name */
    uint32_t depth; /* 0: the whole body; its parts follow it, one deeper */
    uint64_t times; /* evaluated so often; 0: passed by, and value says nothing */
    uint64_t times_true; /* with Boolean true */
    CqlValue value;
} CqlClause;
typedef Vec(CqlClause) CqlClauseVec;

/* Evaluates the definition for the person of cql_eval_begin() anew and says what every expression
   gave: first those of the definition, then those of the definitions and functions that it came to
   refer to, each once, in the order in which they are first named. Constants that were folded have
   one clause in all. Lists are in the arena, values as those of cql_eval_definition(); earlier
   values of this person are given up. After an error the clauses show how far it came. */
MUST_USE ErrorCode cql_eval_trace(CqlEval *eval, size_t definition, Arena *arena,
                                  CqlClauseVec *ret_clauses, Error *err);
/* The plan of a definition as indented text: its nodes, folded constants as values, references by
   name, retrieves by number. */
void cql_plan_describe(const CqlPlan *plan, size_t definition, StrBuf *out);
/* The retrieves of the plan by number, with how many places share each. */
void cql_plan_describe_retrieves(const CqlPlan *plan, StrBuf *out);

/* One expression by itself, for tools and tests: parses, resolves and evaluates it without a record
   and prints its value into out. Findings go to diags; ERR_DOCUMENT when there are errors. */
MUST_USE ErrorCode cql_eval_expression(Arena *arena, Str expression, const CqlPlanOptions *options,
                                       DiagList *diags, StrBuf *out, Error *err);
