/*
 * resolve_int -- from syntax trees to plan nodes: names, types, overloads, conversions.
 *
 * Functions that give a CqlNode give NULL after having reported a finding; callers pass the NULL on
 * without another word. Definitions are resolved when first referred to, so that their order in the
 * text does not matter; one that is being resolved when it is asked for again is a cycle.
 */
#pragma once

#include "cql/mapping.h"
#include "cql/model.h"
#include "cql/operator.h"
#include "cql/parse.h"

typedef struct Library Library;

typedef enum { STATE_UNTOUCHED, STATE_RESOLVING, STATE_DONE, STATE_FAILED } ResolveState;

typedef struct Definition Definition;
struct Definition {
    const AstDef *ast;
    Library *library;
    const Definition *outer; /* while resolving: what asked for it */
    ResolveState state;
    const CqlType *type;
    CqlNode *constant; /* of a parameter, code, value set, or a folded definition */
    uint32_t index;    /* in the plan's definitions */
    PlanFunction *function;
    const CqlType **operands; /* of a function */
};

struct Library {
    const AstLibrary *ast;
    Str name;
    Str version;
    Definition *definitions;
    size_t definition_count;
    Map by_name;          /* everything but functions: index */
    Library **includes;   /* by ast include; NULL: FHIRHelpers or missing */
    const Model **models; /* by ast using; NULL: System, or FHIR itself */
    bool uses_fhir;
};

typedef struct Scope Scope;
struct Scope {
    const Scope *outer;
    Str name;
    const CqlType *type;
    uint32_t slot;
    bool is_item;  /* of a sort: the item's elements may be named without it */
    bool *is_used; /* set when it is referred to; or NULL */
};

typedef struct {
    Arena *arena;
    TypeTable *types;
    CqlPlan *plan;
    const CqlPlanOptions *options;
    DiagList *diags;    /* quiet while overloads are tried */
    DiagList *findings; /* of the caller */
    Library *libraries;
    size_t library_count;
    Library *library; /* that is being resolved */
    Str context;
    const Definition *resolving; /* the innermost one */
    const Scope *scope;
    uint32_t frame_size;
    uint32_t resolved; /* expressions so far */
    uint32_t depth;
    uint32_t deepest; /* that the definition in hand has reached */
    CqlEval folding;
    bool keeps_forms;                  /* to write ELM */
    Map operators;                     /* name: first row + 1 */
    Vec(const PlanProfile *) profiles; /* of classes that were retrieved */
    Vec(const Model *) models;         /* that libraries use, in order of first use */
} Resolver;

typedef struct {
    Str name;
    const Ast *place;
    CqlNode **args;
    uint32_t count;
    uint8_t precision;
    Library *library; /* in which a function is looked for, where one is named */
} Call;

enum { OPERANDS_MAX = 8 };

typedef CqlNode *ResolveCallFn(Resolver *r, const Call *call);

/* --- findings --- */
void resolve_error(Resolver *r, uint32_t line, uint32_t column, const char *rule,
                   const char *format, ...) PRINTF_LIKE(5, 6);
void resolve_warning(Resolver *r, uint32_t line, uint32_t column, const char *rule,
                     const char *format, ...) PRINTF_LIKE(5, 6);

/* --- nodes --- */
CqlNode *node_new(Resolver *r, const Ast *place, CqlRunFn run, const CqlType *type);
CqlNode *node_constant(Resolver *r, const Ast *place, CqlValue value, const CqlType *type);
CqlNode *node_operator(Resolver *r, const Ast *place, CqlOperatorFn op, const CqlType *type,
                       CqlNode *arg);
void node_set_args(Resolver *r, CqlNode *node, CqlNode *const *args, uint32_t count);
/* Keeps what the node was in the source, where the resolver does so. */
void node_keep(Resolver *r, CqlNode *node, NodeForm form);
bool node_is_constant(const CqlNode *node);
bool node_is_null(const CqlNode *node);
/* Whether some value may belong to both types. */
bool types_meet(const CqlType *a, const CqlType *b);
/* The node as a constant if it can be one: all its arguments are, and it is pure. */
CqlNode *node_fold(Resolver *r, CqlNode *node);

/* --- types (resolve_type.c) --- */
const CqlType *resolve_type(Resolver *r, const AstType *type);
/* How far a value of `from` is from being one of `to`; -1 when it cannot become one implicitly. */
int conversion_cost(Resolver *r, const CqlType *from, const CqlType *to);
/* The node with the conversion around it. The cost must not be -1. */
CqlNode *node_convert(Resolver *r, CqlNode *node, const CqlType *to);
/* A type that all can become; a choice if need be. */
const CqlType *common_type(Resolver *r, CqlNode *const *nodes, size_t count);
/* What takes part in operators: the System type behind a FHIR type, else the type itself. */
const CqlType *system_type_of(Resolver *r, const CqlType *type);

/* --- classes of models (resolve_model.c) --- */
/* The models that the library uses; a finding for each that is not known. */
void find_models(Resolver *r, Library *library);
/* The class of that name (or label) in the models that the library in hand uses, first used first;
   an empty model: of any. NULL when there is none. */
const CqlType *find_class(Resolver *r, Str model, Str name);
/* The type that the class stands for: itself, or the System type that it is based on. */
const CqlType *class_type(Resolver *r, const ModelClass *class);
/* What Patient is in the library in hand. */
const CqlType *patient_type(Resolver *r);
/* An element of a class, or NULL. */
CqlNode *class_property(Resolver *r, const Ast *place, CqlNode *object, Str name);
/* The primary code path of a resource type that the directory has no codes of; empty: none. */
Str fhir_code_path(Resolver *r, uint16_t type);
/* An element of FHIR, or NULL. */
CqlNode *fhir_property(Resolver *r, const Ast *place, CqlNode *object, uint16_t type, Str name);
/* What a retrieve of the class demands of a resource; NULL: nothing. */
const PlanProfile *class_profile(Resolver *r, const ModelClass *class);
/* Where the class may name a value set in place of its code; NULL: nowhere. */
const PlanNotDone *class_not_done(Resolver *r, const ModelClass *class, Str path, Str url);

/* --- expressions --- */
CqlNode *resolve_expression(Resolver *r, const Ast *ast);
CqlNode *resolve_query(Resolver *r, const Ast *ast);
CqlNode *resolve_retrieve(Resolver *r, const Ast *ast);
CqlNode *resolve_phrase(Resolver *r, const Ast *ast);
CqlNode *resolve_function(Resolver *r, const Ast *ast);
CqlNode *resolve_identifier(Resolver *r, const Ast *ast);
/* %name */
CqlNode *resolve_constant(Resolver *r, const Ast *ast);
CqlNode *resolve_member(Resolver *r, const Ast *ast);
CqlNode *resolve_property(Resolver *r, const Ast *place, CqlNode *object, Str name, bool quiet);
CqlNode *resolve_literal(Resolver *r, const Ast *ast, bool is_negated);
CqlNode *resolve_instance(Resolver *r, const Ast *ast);
CqlNode *resolve_code_selector(Resolver *r, const Ast *ast);
CqlNode *resolve_operator(Resolver *r, const Call *call);
/* The same with those that are no rows of operators.def: Coalesce. */
CqlNode *resolve_system_function(Resolver *r, const Call *call);
/* By name with one or two arguments. */
CqlNode *resolve_call(Resolver *r, const Ast *place, const char *name, CqlNode *a, CqlNode *b,
                      uint8_t precision);
bool operator_exists(Resolver *r, Str name);
/* What the conversions of the arguments cost; -1 when one cannot be made. */
int call_cost(Resolver *r, CqlNode *const *args, const CqlType *const *operands, uint32_t count);
/* "System.Integer, System.String" */
Str call_types(Resolver *r, const Call *call);
size_t partial_choice(Resolver *r, const Call *call, const CqlType *const *operands);
/* The call with a branch for each alternative of the choice `at`; NULL when none can be called. */
CqlNode *resolve_ladder(Resolver *r, const Call *call, size_t at, ResolveCallFn *resolve);

/* --- libraries (resolve_include.c) --- */
/* What stands before the last dot of a library's name. */
Str library_namespace(Str name);
int version_compare(Str a, Str b);
bool import_is_helpers(const AstImport *import);
/* How well a library's name answers an include from a namespace: 0 not at all, more is better. */
int import_fit(const AstImport *import, Str own_namespace, Str name);
void resolve_includes(Resolver *r, Library *library);
void check_include_cycles(Resolver *r);

/* The name most like the one that is wanted, if any is like it at all. */
typedef struct {
    Arena *arena;
    Str wanted;
    Str name;
    uint32_t distance;
} Nearest;

Nearest nearest_to(Arena *arena, Str name);
void nearest_try(Nearest *nearest, Str name);
/* "; did you mean 'X'?", or empty. */
Str nearest_text(const Nearest *nearest);

/* Resolves all libraries into r->plan. ERR_DOCUMENT when any has errors. `r` holds arena, options
   and diags. */
MUST_USE ErrorCode resolve_libraries(Resolver *r, const CqlLibraries *libraries, Error *err);

/* --- definitions --- */
/* What an alias of the current library stands for. */
typedef struct {
    Library *library; /* NULL for the FHIRHelpers of the engine, and when it is missing */
    bool is_broken;   /* missing or with errors: a finding was made, say no more */
} Include;
/* False when no include has the alias. */
bool find_include(Resolver *r, Str alias, Include *ret_include);
Definition *find_definition(Library *library, Str name);
/* Whether an alias, operand or let of this name is in scope. */
bool is_variable(const Resolver *r, Str name);
/* A reference to it; resolves it first where needed. */
CqlNode *resolve_reference(Resolver *r, const Ast *place, Definition *definition);
bool resolve_definition(Resolver *r, Definition *definition);
/* Whether a context is that of no person: Unfiltered, which was once called Population. */
bool is_unfiltered(Str context);
