/*
 * plan_int -- the plan as the resolver builds it and the evaluator walks it.
 *
 * A CqlNode is one operation with its function bound: to evaluate a plan is to call node->run.
 * Names are gone: aliases and operands are slots of a frame, definitions and retrieves are numbers.
 * Everything here is immutable once cql_plan_create() has returned.
 */
#pragma once

#include "cql/ast.h"
#include "cql/value.h"

typedef struct CqlNode CqlNode;
typedef CqlValue (*CqlRunFn)(CqlEval *eval, const CqlNode *node);
/* The work of an operator whose arguments are evaluated. */
typedef CqlValue (*CqlOperatorFn)(CqlEval *eval, const CqlNode *node, const CqlValue *args);

enum {
    NODE_STRICT = 1,    /* null when any argument is */
    NODE_UNCERTAIN = 2, /* understands uncertain arguments itself */
    NODE_IMPURE = 4,    /* not to be folded into a constant */
    NODE_LIST = 8,      /* a property that repeats */
    NODE_IMPLICIT = 16  /* a conversion that the text does not show */
};

/* What a node is worth for a person who has nothing that any of these retrieves looks for. */
typedef struct {
    CqlValue value;
    uint32_t word_count; /* of retrieves, as bits: only words that are not zero */
    const uint32_t *words;
    const uint64_t *bits;
} PlanGuard;

/* What a node was in the source, kept only to write it out as ELM: nodes are folded into constants
   and lose their names. */
typedef struct {
    const CqlNode *whole;   /* before it was folded; of a retrieve its codes; of exists the list */
    const void *definition; /* that it refers to */
    const Ast *ast;         /* of a query or retrieve */
} NodeForm;

struct CqlNode {
    CqlRunFn run;
    CqlOperatorFn op;
    const PlanGuard *guard; /* or NULL */
    const CqlType *type;
    CqlNode **args;
    uint32_t count;
    uint32_t index; /* slot, definition, retrieve, function or element */
    uint8_t flags;
    uint8_t precision;
    uint32_t line;
    uint32_t column;
    uint32_t number; /* from 1, over the whole plan */
    CqlRange range;  /* of the expression in the text; line 0: of none */
    CqlValue constant;
    const CqlType *operand; /* the type that an operation is about: as, is, convert, interval */
    const void *detail;
    const NodeForm *form; /* NULL unless the resolver keeps forms */
};

typedef struct {
    CqlNode *node;
    Str name; /* the alias */
    uint32_t slot;
    bool is_list; /* else one row (or none when null) */
    bool is_used; /* while resolving: a let that is referred to */
} PlanSource;

typedef struct {
    PlanSource source;
    CqlNode *such_that;
    bool is_without;
} PlanRelation;

typedef struct {
    CqlNode *key; /* over `slot`; NULL: the item itself */
    bool is_descending;
} PlanSortKey;

typedef struct {
    PlanSource *sources;
    size_t source_count;
    PlanSource *lets;
    size_t let_count;
    PlanRelation *relations;
    size_t relation_count;
    CqlNode *where;
    CqlNode *returns; /* never NULL unless aggregate is set */
    bool distinct;
    bool is_list; /* the result */
    CqlNode *aggregate;
    CqlNode *aggregate_start; /* or NULL */
    uint32_t aggregate_slot;
    bool has_index; /* the row's number in the one source goes into index_slot */
    uint32_t index_slot;
    bool aggregate_distinct;
    PlanSortKey *sort_keys;
    size_t sort_count;
    uint32_t sort_slot;
} PlanQuery;

/* A step of a mapped path: a list is walked item by item. */
typedef struct {
    Str name;
    uint8_t element; /* where it is known beforehand; 0: by name */
    const Str *filter_path;
    size_t filter_path_count;
    const Str *filter_names;
    const Str *filter_values;
    size_t filter_count;
} PlanStep;

/* Where an element of a model's class is found, when that is more than one element of FHIR. */
typedef struct {
    const PlanStep *steps;
    size_t step_count;
    bool is_list;
    bool is_value_set; /* the text found is a value set's */
} PlanPath;

typedef enum {
    DEMAND_IS,
    DEMAND_NOT,
    DEMAND_HAS,
    DEMAND_IF_ANY, /* as HAS, unless the element is absent */
    DEMAND_NO_PATIENT
} PlanDemandKind;

/* One thing that a profile demands of a resource's content. */
typedef struct {
    PlanDemandKind kind;
    PlanPath path;
    Str value;
    ConceptSet concepts;
} PlanDemand;

/* What a resource must be for a profile: it claims it or one made from it, or it claims none that
   the model's guide knows (in whichever version) and has the content that the profile demands. */
typedef struct {
    const struct ModelClass *class;
    const Str *accepted;
    size_t accepted_count;
    const Str *others; /* of the model on the same type */
    size_t other_count;
    Str guide; /* what the URLs of the guide's profiles begin with */
    const PlanDemand *demands;
    size_t demand_count;
} PlanProfile;

/* A profile of something not done may name the value set of which nothing was done. */
typedef struct {
    const PlanPath *path;
    Str url; /* of the value set that is looked for */
} PlanNotDone;

/* Which entries of the directory a retrieve takes. */
typedef struct {
    uint16_t type;
    const PlanProfile *profile;  /* NULL: any */
    const PlanNotDone *not_done; /* takes an entry beside the codes; NULL: none */
    uint8_t medication;          /* element: the code may be that of a Medication referred to */
    bool is_shared;              /* in the context Unfiltered: of what belongs to no person */
    const CqlNode *codes;        /* while it is resolved */
    bool has_codes;
    bool by_directory; /* codes are those of the directory's column; else path is read */
    uint8_t path[4];   /* element numbers, or 0 */
    ConceptSet concepts;
} PlanRetrieve;

/* A retrieve of which something is known only for the person in hand. */
typedef struct {
    CqlNode *codes;   /* or NULL */
    CqlNode *related; /* the resource that it is about; or NULL */
    uint8_t path[4];  /* of the codes */
} PlanRetrieveBy;

/* Of a retrieve the entries of some days, and those of which no day is known. */
typedef struct {
    uint32_t retrieve;
    uint32_t number; /* among the plan's ranges */
    int32_t from;
    int32_t to;
} PlanRange;

/* Whether the codes of the directory decide which entries come into question. */
static inline bool retrieve_is_by_code(const PlanRetrieve *retrieve)
{
    return retrieve->has_codes && retrieve->by_directory && retrieve->not_done == NULL;
}

/* How deep evaluation and resolving may go in all, over definitions and functions: what fits into
   the stack of a thread with room to spare. */
enum { PLAN_DEPTH_MAX = 2500 };

/* The most items of a list that is made while evaluating. */
enum { PLAN_LIST_MAX = 1000000 };

typedef struct {
    CqlNode *body;
    uint32_t frame_size;
    uint32_t levels; /* of nodes within one another */
    uint32_t operand_count;
    Str name;
    const CqlType *const *operands;
    CqlFunction facts;
} PlanFunction;

typedef struct {
    CqlDefinition facts;
    CqlNode *body;
    uint32_t frame_size;
    uint32_t levels;
    bool has_needs;
    const CqlNeed *needs;
    size_t need_count;
    CqlValue value_without;
} PlanDefinition;

typedef Vec(PlanDefinition *) PlanDefinitionVec;
typedef Vec(PlanRetrieve) PlanRetrieveVec;
typedef Vec(const PlanRange *) PlanRangeVec;
typedef Vec(const PlanFunction *) PlanFunctionVec;
typedef Vec(CqlNode *) PlanNodeVec;

/* What a node is made of, and as what: "where", "such that", the alias of a source. */
typedef struct {
    const char *role; /* or NULL */
    Str name;
    CqlNode *node;
} PlanChild;

typedef Vec(PlanChild) PlanChildVec;

/* Which retrieves a person's directory could answer, for one walk along it. */
typedef struct {
    uint16_t type;
    uint64_t *any;     /* retrieves of this type that an entry of any code could answer */
    uint64_t *coded;   /* those that look for codes of the directory */
    uint64_t *uncoded; /* those that an entry without a code could answer as well */
} PresenceType;

typedef struct {
    size_t words; /* of 64 retrieves each */
    PresenceType *types;
    size_t type_count;
    const uint32_t *classes;   /* by ConceptId up to concept_count: 0 is wanted by none */
    const uint64_t *wanted_by; /* by class: words of retrieves */
    uint32_t concept_count;
} PlanPresence;

struct CqlPlan {
    Arena *arena;
    TypeTable *types;
    const ConceptDict *dict;
    const ValueSets *value_sets;
    PlanDefinitionVec definitions;
    PlanFunctionVec functions; /* that may be called from outside */
    PlanNodeVec bodies;        /* of all functions */
    PlanRetrieveVec retrieves;
    PlanRangeVec ranges;
    PlanPresence presence;
    uint32_t node_count;
    Moment now; /* whole, with an offset */
    size_t steps_max;
};

enum { SLOT_EMPTY, SLOT_BUSY, SLOT_DONE };

/* What one node gave while it was traced. */
typedef struct {
    uint64_t times;
    uint64_t times_true;
    CqlValue last;
} TraceEntry;

struct CqlEval {
    const CqlPlan *plan;
    ValueContext context; /* arena of the person */
    Record record;
    bool has_record;
    Vec(Record) shared; /* resources of no person */
    bool is_folding;    /* at plan time: nothing of a person may be read */
    bool failed;
    uint32_t depth;
    size_t steps;
    size_t steps_max;
    size_t steps_free; /* up to here nobody looks: steps_max, or 0 while tracing */
    TraceEntry *trace; /* by node number, or NULL */
    CqlValue *frame;
    CqlValue *values; /* by definition */
    uint8_t *states;
    CqlValue *retrieved; /* by retrieve */
    uint8_t *retrieve_states;
    CqlValue *narrowed; /* by range */
    uint8_t *narrow_states;
    uint64_t *present; /* retrieves that the person has an entry for, once is_presence_known */
    bool is_presence_known;
    Arena *own_arena; /* holds this evaluator */
    Error error;
    DiagList messages;
};

/* A person's entries of one type, or those of nobody's. */
typedef struct {
    Record record;
    RecordSlice slice;
} Source;

/* Where a type's entries may be: with the person, and for what belongs to no person (Location,
   Medication …) with what all share. The place of this number, from 0 on; false behind the last. */
bool eval_source(const CqlEval *eval, const PlanRetrieve *retrieve, size_t number,
                 Source *ret_source);
/* Gives up the values of the person, but not the person. */
void eval_restart(CqlEval *eval);
/* Records the first failure of this person; gives null. */
CqlValue eval_fail(CqlEval *eval, ErrorCode code, const CqlNode *node, const char *format, ...)
    PRINTF_LIKE(4, 5);

/* The step limit was reached, or each step is being watched. */
CqlValue eval_node_slowly(CqlEval *eval, const CqlNode *node);

/* The value of a node whose guard holds. */
CqlValue run_guard(CqlEval *eval, const CqlNode *node);
/* Whether the person has an entry for any of the guard's retrieves. */
bool eval_has_any(CqlEval *eval, const PlanGuard *guard);
bool eval_has_retrieve(CqlEval *eval, uint32_t retrieve);

/* One call in any case: a value that comes from several places would go through memory. */
static inline CqlValue eval_node(CqlEval *eval, const CqlNode *node)
{
    CqlRunFn run = node->run;
    if (UNLIKELY(++eval->steps > eval->steps_free))
        run = eval_node_slowly;
    else if (node->guard != NULL && !eval_has_any(eval, node->guard))
        run = run_guard;
    return run(eval, node);
}

/* Counts the work of an operator that grows with its operands; false once the limit is reached. */
static inline bool eval_charge(CqlEval *eval, const CqlNode *node, size_t steps)
{
    eval->steps += steps;
    if (UNLIKELY(eval->steps > eval->steps_max))
        (void)eval_fail(eval, ERR_LIMIT, node, "the step limit of %zu was reached",
                        eval->steps_max);
    return !eval->failed;
}

/* --- how nodes run --- */
CqlValue run_constant(CqlEval *eval, const CqlNode *node);
CqlValue run_operator(CqlEval *eval, const CqlNode *node);
CqlValue run_slot(CqlEval *eval, const CqlNode *node);
CqlValue run_definition(CqlEval *eval, const CqlNode *node);
CqlValue run_function(CqlEval *eval, const CqlNode *node);
CqlValue run_external(CqlEval *eval, const CqlNode *node);
CqlValue run_and(CqlEval *eval, const CqlNode *node);
CqlValue run_or(CqlEval *eval, const CqlNode *node);
CqlValue run_implies(CqlEval *eval, const CqlNode *node);
CqlValue run_ladder(CqlEval *eval, const CqlNode *node);
CqlValue run_if(CqlEval *eval, const CqlNode *node);
CqlValue run_case(CqlEval *eval, const CqlNode *node);
CqlValue run_coalesce(CqlEval *eval, const CqlNode *node);
CqlValue run_list(CqlEval *eval, const CqlNode *node);
CqlValue run_tuple(CqlEval *eval, const CqlNode *node);
CqlValue run_interval(CqlEval *eval, const CqlNode *node);
CqlValue run_instance(CqlEval *eval, const CqlNode *node);
CqlValue run_query(CqlEval *eval, const CqlNode *node);
CqlValue run_retrieve(CqlEval *eval, const CqlNode *node);
/* A retrieve of which only the entries of some days matter. detail: PlanRange. */
CqlValue run_retrieve_narrow(CqlEval *eval, const CqlNode *node);
/* index: the retrieve without codes; detail: PlanRetrieveBy. */
CqlValue run_retrieve_by(CqlEval *eval, const CqlNode *node);
CqlValue run_exists_retrieve(CqlEval *eval, const CqlNode *node);
CqlValue run_patient(CqlEval *eval, const CqlNode *node);

/* --- operators that the resolver binds itself --- */
CqlValue op_property(CqlEval *eval, const CqlNode *node, const CqlValue *args);
/* An element or choice of a model's class, as the System value that it has where it has one. */
CqlValue op_property_value(CqlEval *eval, const CqlNode *node, const CqlValue *args);
/* The System value of an element where it has one, else the element. */
CqlValue op_fhir_or_value(CqlEval *eval, const CqlNode *node, const CqlValue *args);
CqlValue op_property_choice_value(CqlEval *eval, const CqlNode *node, const CqlValue *args);
/* By a PlanPath (detail); a second one behind it is tried first. */
CqlValue op_property_path(CqlEval *eval, const CqlNode *node, const CqlValue *args);
CqlValue op_property_choice(CqlEval *eval, const CqlNode *node, const CqlValue *args);
CqlValue op_property_named(CqlEval *eval, const CqlNode *node, const CqlValue *args);
CqlValue op_property_system(CqlEval *eval, const CqlNode *node, const CqlValue *args);
CqlValue op_property_tuple(CqlEval *eval, const CqlNode *node, const CqlValue *args);
CqlValue op_property_list(CqlEval *eval, const CqlNode *node, const CqlValue *args);
CqlValue op_as(CqlEval *eval, const CqlNode *node, const CqlValue *args);
CqlValue op_is(CqlEval *eval, const CqlNode *node, const CqlValue *args);
CqlValue op_convert(CqlEval *eval, const CqlNode *node, const CqlValue *args);

/* Whether a value belongs to a type, without conversion. */
bool value_is_of(CqlValue value, const CqlType *type);
/* The value as one of the type: itself, or implicitly converted; null when that cannot be. */
CqlValue value_convert(CqlEval *eval, CqlValue value, const CqlType *type);
/* Whether a resource of the record is what the retrieve's profile demands. */
bool profile_fits(const PlanProfile *profile, FhirNode resource, Arena *arena);
/* Whether the resource names the value set as not done. */
bool not_done_fits(const PlanNotDone *not_done, FhirNode resource);
/* The element of an instance by its number or that of its choice, as in the node. */
CqlValue made_property(const CqlNode *node, CqlValue object, bool is_choice);
/* What FHIRHelpers would make of an element. */
CqlValue value_of_fhir(Arena *arena, FhirNode node);

/* The parts of a node in the order in which they are evaluated. Not into what it refers to. */
void plan_children(const CqlNode *node, Arena *arena, PlanChildVec *ret_children);
/* What a node does: "Query", "Exists", "Definition", the name of the operator. */
Str plan_node_kind(const CqlNode *node);
/* Which nodes of a plan were met: a node may be a part of several others, and walks that go into it
   each time would never end. */
typedef struct {
    uint64_t *bits;
} PlanSeen;
PlanSeen plan_seen(const CqlPlan *plan, Arena *arena);
/* Whether the node was met before; it has been now. */
bool plan_seen_before(PlanSeen *seen, const CqlNode *node);
/* Gives every node its number, once the plan is whole. */
void plan_number_nodes(CqlPlan *plan);
/* Works out cql_plan_needs() of every definition, and guards the nodes whose value is known without
   entries. */
void plan_find_needs(CqlPlan *plan);
/* Makes plan->presence, once all retrieves are there. */
void plan_find_presence(CqlPlan *plan);
/* Lets queries pass over entries of days for which their `where` cannot hold. After the others,
   which know nothing of it. */
void plan_narrow_retrieves(CqlPlan *plan);
/* An evaluator for folding constants while the plan is made. */
CqlEval eval_for_folding(const CqlPlan *plan);
/* A list that grows in the person's arena. */
typedef Vec(CqlValue) ValueVec;
CqlValue value_from_vec(const ValueVec *items);
/* Without items that equal one before (null once). */
CqlValue list_distinct(CqlEval *eval, CqlValue list);
bool list_has(CqlEval *eval, CqlValue list, CqlValue item);
/* Duration or difference in a precision; uncertain where the operands are. */
CqlValue moment_between(CqlEval *eval, CqlValue from, CqlValue to, uint8_t precision,
                        bool is_difference);
/* false when out of range or the unit is no time. */
bool moment_add(CqlValue value, const CqlQuantityBody *amount, int sign, CqlValue *ret_sum);
/* With the parts below its precision, down to the one given, at their greatest. */
Moment moment_last(Moment moment, uint8_t precision);
/* Text of ToString. */
Str value_to_string(Arena *arena, CqlValue value);
