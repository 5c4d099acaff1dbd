/* Queries and retrieves. */
#include "cql/resolve_int.h"

static void push_scope(Resolver *r, Str name, const CqlType *type, uint32_t slot, bool is_item)
{
    Scope *scope = ARENA_NEW(r->arena, Scope);
    *scope =
        (Scope){.outer = r->scope, .name = name, .type = type, .slot = slot, .is_item = is_item};
    r->scope = scope;
}

/* An alias that hides a definition or another alias is mostly a mistake. */
static void warn_hidden(Resolver *r, const AstSource *ast)
{
    const char *what = NULL;
    if (is_variable(r, ast->alias))
        what = "another alias";
    else if (find_definition(r->library, ast->alias) != NULL)
        what = "a definition";
    if (what != NULL)
        resolve_warning(r, ast->line, ast->column, "cql-hidden", "'%.*s' hides %s of that name",
                        STR_ARG(ast->alias), what);
}

/* $this and $index: of a query with one source. */
static void push_item_scopes(Resolver *r, PlanQuery *query)
{
    const PlanSource *source = &query->sources[0];
    const CqlType *type = source->node->type;
    push_scope(r, S("$this"), source->is_list ? type->element : type, source->slot, false);
    query->index_slot = r->frame_size++;
    push_scope(r, S("$index"), type_simple(r->types, TYPE_INTEGER), query->index_slot, false);
    /* NOLINTNEXTLINE(performance-no-int-to-ptr) */
    ((Scope *)(uintptr_t)r->scope)->is_used = &query->has_index;
}

/* Resolves a source and brings its alias into scope. */
static bool add_source(Resolver *r, const AstSource *ast, PlanSource *ret_source)
{
    CqlNode *node = resolve_expression(r, ast->expression);
    if (node == NULL) {
        /* What is said of the alias cannot be judged: it is passed over without a word. */
        push_scope(r, ast->alias, NULL, 0, false);
        return false;
    }
    warn_hidden(r, ast);
    const CqlType *type = node->type;
    *ret_source = (PlanSource){.node = node,
                               .name = ast->alias,
                               .slot = r->frame_size++,
                               .is_list = type->kind == TYPE_LIST};
    push_scope(r, ast->alias, type->kind == TYPE_LIST ? type->element : type, ret_source->slot,
               false);
    return true;
}

static bool add_lets(Resolver *r, const AstQuery *ast, PlanQuery *query)
{
    bool ok = true;
    query->lets = ARENA_ZARRAY(r->arena, PlanSource, ast->let_count);
    for (size_t i = 0; i < ast->let_count; i++) {
        CqlNode *node = resolve_expression(r, ast->lets[i].expression);
        if (node == NULL) {
            push_scope(r, ast->lets[i].alias, NULL, 0, false);
            ok = false;
            continue;
        }
        warn_hidden(r, &ast->lets[i]);
        query->lets[i] =
            (PlanSource){.node = node, .name = ast->lets[i].alias, .slot = r->frame_size++};
        push_scope(r, ast->lets[i].alias, node->type, query->lets[i].slot, false);
        /* NOLINTNEXTLINE(performance-no-int-to-ptr) */
        ((Scope *)(uintptr_t)r->scope)->is_used = &query->lets[i].is_used;
        query->let_count++;
    }
    return ok;
}

static CqlNode *condition(Resolver *r, const Ast *ast)
{
    CqlNode *node = resolve_expression(r, ast);
    const CqlType *boolean = type_simple(r->types, TYPE_BOOLEAN);
    if (node == NULL)
        return NULL;
    if (conversion_cost(r, node->type, boolean) < 0) {
        resolve_error(r, ast->line, ast->column, "cql-type", "a Boolean is expected, not %.*s",
                      STR_ARG(node->type->text));
        return NULL;
    }
    return node_convert(r, node, boolean);
}

static bool add_relations(Resolver *r, const AstQuery *ast, PlanQuery *query)
{
    bool all_ok = true;
    query->relations = ARENA_ZARRAY(r->arena, PlanRelation, ast->relation_count);
    for (size_t i = 0; i < ast->relation_count; i++) {
        PlanRelation *relation = &query->relations[i];
        const Scope *outer = r->scope;
        relation->is_without = ast->relations[i].is_without;
        bool ok = add_source(r, &ast->relations[i].source, &relation->source);
        relation->such_that = condition(r, ast->relations[i].such_that);
        r->scope = outer;
        all_ok &= ok && relation->such_that != NULL;
        query->relation_count++;
    }
    return all_ok;
}

/* Without `return`: the item of a single source, a tuple of all otherwise. */
static CqlNode *default_return(Resolver *r, const Ast *place, const AstQuery *ast,
                               const PlanQuery *query)
{
    CqlNode *args[32];
    const CqlType *types[32];
    Str names[32];
    size_t count = query->source_count < 32 ? query->source_count : 32;
    for (size_t i = 0; i < count; i++) {
        const CqlType *type = query->sources[i].node->type;
        types[i] = query->sources[i].is_list ? type->element : type;
        args[i] = node_new(r, place, run_slot, types[i]);
        args[i]->index = query->sources[i].slot;
        args[i]->flags = NODE_IMPURE;
        names[i] = ast->sources[i].alias;
    }
    if (count == 1)
        return args[0];
    const CqlType *tuple = type_tuple(r->types, names, types, count);
    CqlNode *sorted[32];
    for (size_t i = 0; i < tuple->count; i++) {
        for (size_t j = 0; j < count; j++) {
            if (str_eq(tuple->names[i], names[j]))
                sorted[i] = args[j];
        }
    }
    CqlNode *node = node_new(r, place, run_tuple, tuple);
    node_set_args(r, node, sorted, (uint32_t)tuple->count);
    return node;
}

static bool add_sort(Resolver *r, const AstQuery *ast, const CqlType *item, PlanQuery *query)
{
    query->sort_slot = r->frame_size++;
    query->sort_keys = ARENA_ZARRAY(r->arena, PlanSortKey, ast->sort_count);
    /* Only the item is in scope: by its elements, and as $this. */
    const Scope *outer = r->scope;
    push_scope(r, S("$this"), item, query->sort_slot, true);
    bool ok = true;
    for (size_t i = 0; i < ast->sort_count && ok; i++) {
        PlanSortKey *key = &query->sort_keys[i];
        key->is_descending = ast->sort_keys[i].is_descending;
        if (ast->sort_keys[i].expression != NULL) {
            key->key = resolve_expression(r, ast->sort_keys[i].expression);
            ok = key->key != NULL;
        }
        query->sort_count++;
    }
    r->scope = outer;
    return ok;
}

/* What has been gathered so far goes by its name and as $total. */
static void push_total(Resolver *r, const AstQuery *ast, const CqlType *type,
                       const PlanQuery *query)
{
    push_scope(r, S("$total"), type, query->aggregate_slot, false);
    push_scope(r, ast->aggregate_name, type, query->aggregate_slot, false);
}

static bool add_aggregate(Resolver *r, const AstQuery *ast, PlanQuery *query,
                          const CqlType **ret_type)
{
    const CqlType *type = type_simple(r->types, TYPE_ANY);
    query->aggregate_distinct = ast->aggregate_distinct;
    query->aggregate_slot = r->frame_size++;
    if (ast->aggregate_start != NULL) {
        query->aggregate_start = resolve_expression(r, ast->aggregate_start);
        if (query->aggregate_start == NULL)
            return false;
        type = query->aggregate_start->type;
    }
    const Scope *outer = r->scope;
    /* Without a start the type of the result is that of the expression, taking it as any first. */
    push_total(r, ast, type, query);
    query->aggregate = resolve_expression(r, ast->aggregate);
    r->scope = outer;
    if (query->aggregate == NULL)
        return false;
    if (type->kind == TYPE_ANY && query->aggregate->type->kind != TYPE_ANY) {
        push_total(r, ast, query->aggregate->type, query);
        query->aggregate = resolve_expression(r, ast->aggregate);
        r->scope = outer;
    } else if (type->kind != TYPE_ANY && conversion_cost(r, query->aggregate->type, type) >= 0) {
        query->aggregate = node_convert(r, query->aggregate, type);
    }
    if (query->aggregate == NULL)
        return false;
    *ret_type = query->aggregate->type;
    return true;
}

static CqlNode *finish_query(Resolver *r, const Ast *place, PlanQuery *query)
{
    const AstQuery *ast = place->query;
    const CqlType *type = NULL;
    if (ast->aggregate != NULL) {
        if (!add_aggregate(r, ast, query, &type))
            return NULL;
    } else {
        query->returns = ast->returns != NULL ? resolve_expression(r, ast->returns)
                                              : default_return(r, place, ast, query);
        if (query->returns == NULL)
            return NULL;
        type = query->returns->type;
        query->distinct = !ast->return_all && (ast->returns != NULL || query->source_count > 1);
    }
    if (ast->sort_count > 0 && !add_sort(r, ast, type, query))
        return NULL;
    bool is_list = query->is_list && ast->aggregate == NULL;
    query->is_list = is_list;
    CqlNode *node = node_new(r, place, run_query, is_list ? type_list(r->types, type) : type);
    node->detail = query;
    node->flags = NODE_IMPURE;
    node_keep(r, node, (NodeForm){.ast = place});
    return node;
}

static void warn_unused(Resolver *r, const AstQuery *ast, const PlanQuery *query)
{
    for (size_t i = 0; i < query->let_count; i++) {
        if (!query->lets[i].is_used)
            resolve_warning(r, ast->lets[i].line, ast->lets[i].column, "cql-unused",
                            "'%.*s' is not used", STR_ARG(ast->lets[i].alias));
    }
}

CqlNode *resolve_query(Resolver *r, const Ast *ast)
{
    const AstQuery *parts = ast->query;
    const Scope *outer = r->scope;
    PlanQuery *query = ARENA_NEW(r->arena, PlanQuery);
    query->sources = ARENA_ZARRAY(r->arena, PlanSource, parts->source_count);
    bool ok = true;
    for (size_t i = 0; i < parts->source_count; i++) {
        ok &= add_source(r, &parts->sources[i], &query->sources[i]);
        query->source_count++;
        query->is_list |= query->sources[i].is_list;
    }
    if (ok && parts->source_count == 1)
        push_item_scopes(r, query);
    ok &= add_lets(r, parts, query);
    ok &= add_relations(r, parts, query);
    if (parts->where != NULL) {
        query->where = condition(r, parts->where);
        ok &= query->where != NULL;
    }
    CqlNode *node = NULL;
    if (ok) {
        node = finish_query(r, ast, query);
        warn_unused(r, parts, query);
    }
    if (!ok && parts->returns != NULL)
        (void)resolve_expression(r, parts->returns);
    r->scope = outer;
    return node;
}

/* --- retrieves --- */

enum { CODES_MAX = 65536 };

static void add_code(Resolver *r, const CqlCodeBody *code, ConceptId *ids, size_t *count)
{
    ConceptId id = concept_dict_find(r->plan->dict, code->system, code->code);
    if (id != CONCEPT_NONE && *count < CODES_MAX)
        ids[(*count)++] = id;
}

/* How the codes of a retrieve are written. */
typedef struct {
    const ModelClass *class;
    Str path;
    bool is_text; /* the element is a plain code, without a system */
} RetrieveForm;

static bool gather_codes(Resolver *r, CqlValue value, ConceptId *ids, size_t *count)
{
    const CqlConceptBody *concept = value.ptr;
    switch (value.kind) {
    case CQL_CODE:
        add_code(r, value.ptr, ids, count);
        return true;
    case CQL_CONCEPT:
        for (size_t i = 0; i < concept->count; i++)
            add_code(r, &concept->codes[i], ids, count);
        return true;
    case CQL_LIST:
        for (uint32_t i = 0; i < value.count; i++) {
            if (!gather_codes(r, value_items(value)[i], ids, count))
                return false;
        }
        return true;
    default:
        return false;
    }
}

/* Whether values of the type can be looked for as codes. */
static bool can_be_codes(const CqlType *type) /* NOLINT(misc-no-recursion) */
{
    switch (type->kind) {
    case TYPE_ANY:
    case TYPE_STRING:
    case TYPE_CODE:
    case TYPE_CONCEPT:
    case TYPE_VALUE_SET:
    case TYPE_VOCABULARY:
        return true;
    case TYPE_FHIR:
    case TYPE_CLASS:
        return type->fhir == FHIR_TYPE_CodeableConcept || type->fhir == FHIR_TYPE_Coding ||
               fhir_type_is_primitive(type->fhir);
    case TYPE_LIST:
        return can_be_codes(type->element);
    case TYPE_CHOICE:
        for (size_t i = 0; i < type->count; i++) {
            if (can_be_codes(type->parts[i]))
                return true;
        }
        return false;
    default:
        return false;
    }
}

/* Codes that are known now go into the retrieve; those of the person, and texts, into *by. */
static bool set_codes(Resolver *r, const Ast *ast, const RetrieveForm *form, PlanRetrieve *retrieve,
                      PlanRetrieveBy *by)
{
    CqlNode *node = resolve_expression(r, ast);
    if (node == NULL)
        return false;
    retrieve->codes = node;
    if (!can_be_codes(node->type)) {
        resolve_error(r, ast->line, ast->column, "cql-type",
                      "a value set, code, concept or list of codes is expected, not %.*s",
                      STR_ARG(node->type->text));
        return false;
    }
    if (node_is_constant(node) && node->constant.kind == CQL_VALUE_SET && !form->is_text) {
        const CqlVocabularyBody *set = node->constant.ptr;
        retrieve->has_codes = true;
        retrieve->concepts = set->bound;
        if (form->class != NULL)
            retrieve->not_done = class_not_done(r, form->class, form->path, set->id);
        return true;
    }
    ConceptId *ids = ARENA_ARRAY(r->arena, ConceptId, CODES_MAX);
    size_t count = 0;
    bool is_known = node_is_constant(node) && !form->is_text &&
                    (r->plan->dict == NULL || gather_codes(r, node->constant, ids, &count));
    if (!is_known) {
        by->codes = node;
        return true;
    }
    retrieve->has_codes = true;
    if (r->plan->dict != NULL)
        retrieve->concepts = concept_set_of(r->arena, r->plan->dict, ids, count);
    return true;
}

/* The element that a path's name means: of a choice its CodeableConcept. */
static uint8_t path_element(uint16_t type, Str name, uint16_t *ret_type)
{
    uint8_t found = fhir_element_by_name(type, name);
    for (uint8_t i = 1; found == 0 && i <= fhir_type_table[type].element_count; i++) {
        const FhirElementInfo *info = fhir_element_info((FhirType)type, i);
        bool is_stem = (info->flags & FHIR_FLAG_CHOICE) != 0 && info->choice_stem == name.len &&
                       memcmp(info->name, name.ptr, name.len) == 0;
        if (is_stem && info->type == FHIR_TYPE_CodeableConcept)
            found = i;
    }
    if (found != 0)
        *ret_type = fhir_element_info((FhirType)type, found)->type;
    return found;
}

/* Whether the directory's concept column is made of exactly this path. */
static bool is_directory_path(uint16_t type, const uint8_t *path)
{
    const FhirDirectoryInfo *info = &fhir_directory_table[type];
    for (uint16_t i = 0; i < info->code.count && i < 1; i++) {
        const FhirElementPath *way = &fhir_directory_path_table[info->code.first + i];
        bool same = true;
        for (uint8_t j = 0; j < 4; j++)
            same &= path[j] == (j < way->count ? way->number[j] : 0);
        if (same)
            return true;
    }
    return false;
}

static bool set_path(Resolver *r, const Ast *ast, RetrieveForm *form, PlanRetrieve *retrieve)
{
    Str path = form->path;
    const FhirDirectoryInfo *info = &fhir_directory_table[retrieve->type];
    if (path.len == 0) {
        retrieve->by_directory = info->code.count > 0;
        if (info->code.count == 0)
            resolve_error(r, ast->line, ast->column, "cql-retrieve",
                          "FHIR.%.*s has no primary code path; name one: [%.*s: path in …]",
                          STR_ARG(fhir_type_name(retrieve->type)),
                          STR_ARG(fhir_type_name(retrieve->type)));
        return retrieve->by_directory;
    }
    Str rest = path;
    Str part;
    uint16_t type = retrieve->type;
    for (size_t i = 0; str_split_next(&rest, '.', &part); i++) {
        uint8_t element = i < COUNT_OF(retrieve->path) ? path_element(type, part, &type) : 0;
        if (element == 0) {
            resolve_error(r, ast->line, ast->column, "cql-element",
                          "FHIR.%.*s has no code path '%.*s'",
                          STR_ARG(fhir_type_name(retrieve->type)), STR_ARG(path));
            return false;
        }
        retrieve->path[i] = element;
    }
    form->is_text = fhir_type_is_primitive(type);
    retrieve->by_directory = is_directory_path(retrieve->type, retrieve->path);
    return true;
}

static bool same_set(const ConceptSet *a, const ConceptSet *b)
{
    return a->first == b->first && a->span == b->span && a->count == b->count &&
           (a->bits == b->bits ||
            (a->span > 0 && memcmp(a->bits, b->bits, ((size_t)a->span + 63) / 64 * 8) == 0));
}

/* The number of an equal retrieve of the plan, or of this one, added. */
static uint32_t add_retrieve(Resolver *r, const PlanRetrieve *retrieve)
{
    for (size_t i = 0; i < r->plan->retrieves.count; i++) {
        const PlanRetrieve *other = &r->plan->retrieves.items[i];
        if (other->type == retrieve->type && other->profile == retrieve->profile &&
            other->has_codes == retrieve->has_codes && other->is_shared == retrieve->is_shared &&
            other->by_directory == retrieve->by_directory &&
            memcmp(other->path, retrieve->path, sizeof(other->path)) == 0 &&
            (other->not_done == NULL) == (retrieve->not_done == NULL) &&
            (other->not_done == NULL || str_eq(other->not_done->url, retrieve->not_done->url)) &&
            same_set(&other->concepts, &retrieve->concepts))
            return (uint32_t)i;
    }
    VEC_PUSH(r->arena, &r->plan->retrieves, *retrieve);
    return (uint32_t)(r->plan->retrieves.count - 1);
}

/* The class behind a retrieve: of its type, or by the profile that ELM names. */
static const ModelClass *retrieved_class(const Resolver *r, const AstRetrieve *parts,
                                         const CqlType *type)
{
    const ModelClass *class = type->class;
    const Library *library = r->library;
    for (size_t i = 0; class == NULL && parts->profile.len > 0 && i < library->ast->using_count;
         i++) {
        if (library->models[i] != NULL)
            class = model_find_class(library->models[i], parts->profile);
    }
    return class;
}

/* Records are of one person each. In the context Unfiltered a retrieve of what belongs to persons
   would be of all of them, and in a context other than Patient of somebody else's. */
static bool is_retrievable_here(Resolver *r, const Ast *ast, uint16_t type)
{
    bool is_persons = fhir_directory_table[type].is_patient_bound || type == FHIR_TYPE_Patient;
    if (is_unfiltered(r->context) && is_persons) {
        resolve_error(
            r, ast->line, ast->column, "cql-context",
            "in the context Unfiltered [%.*s] would be of all persons; a record is of one",
            STR_ARG(fhir_type_name(type)));
        return false;
    }
    if (r->context.len == 0 || is_unfiltered(r->context) || str_eq(r->context, S("Patient")))
        return true;
    resolve_error(r, ast->line, ast->column, "cql-context",
                  "records are of persons: in the context %.*s nothing can be retrieved; from the "
                  "context Patient write [X -> %.*s], X being a %.*s of the record",
                  STR_ARG(r->context), STR_ARG(fhir_type_name(type)), STR_ARG(r->context));
    return false;
}

static bool set_related(Resolver *r, const Ast *ast, PlanRetrieveBy *by)
{
    const AstRetrieve *parts = ast->retrieve;
    const Ast name = {
        .kind = AST_IDENTIFIER, .line = ast->line, .column = ast->column, .text = parts->context};
    const Ast *related = parts->context.len > 0 ? &name : parts->related;
    if (related == NULL)
        return true;
    by->related = resolve_expression(r, related);
    if (by->related == NULL)
        return false;
    const CqlType *type = by->related->type;
    bool is_resource = (type->kind == TYPE_FHIR || type->kind == TYPE_CLASS) &&
                       fhir_type_is_resource((FhirType)type->fhir);
    if (!is_resource && type->kind != TYPE_CHOICE && type->kind != TYPE_ANY) {
        resolve_error(r, related->line, related->column, "cql-type",
                      "one resource is expected before ->, not %.*s", STR_ARG(type->text));
        return false;
    }
    return true;
}

/* Where the codes of a retrieve stand: by its path, or where the directory has them from. */
static void set_path_of_codes(const PlanRetrieve *retrieve, uint8_t *ret_path)
{
    const FhirDirectoryInfo *info = &fhir_directory_table[retrieve->type];
    memcpy(ret_path, retrieve->path, sizeof(retrieve->path));
    if (ret_path[0] != 0 || info->code.count == 0)
        return;
    const FhirElementPath *way = &fhir_directory_path_table[info->code.first];
    for (uint8_t i = 0; i < way->count && i < sizeof(retrieve->path); i++)
        ret_path[i] = way->number[i];
}

CqlNode *resolve_retrieve(Resolver *r, const Ast *ast)
{
    const AstRetrieve *parts = ast->retrieve;
    const CqlType *type = resolve_type(r, parts->type);
    if (type == NULL)
        return NULL;
    bool has_nodes = type->kind == TYPE_FHIR || type->kind == TYPE_CLASS;
    if (!has_nodes || !fhir_type_is_concrete_resource((FhirType)type->fhir)) {
        resolve_error(r, ast->line, ast->column, "cql-retrieve", "%.*s is no resource to retrieve",
                      STR_ARG(type->text));
        return NULL;
    }
    if (!is_retrievable_here(r, ast, type->fhir))
        return NULL;
    PlanRetrieve retrieve = {.type = type->fhir, .is_shared = is_unfiltered(r->context)};
    PlanRetrieveBy by = {.codes = NULL};
    RetrieveForm form = {.class = retrieved_class(r, parts, type), .path = parts->path};
    if (form.class != NULL) {
        retrieve.profile = class_profile(r, form.class);
        form.path = form.path.len > 0 ? form.path : form.class->code_path;
    } else if (form.path.len == 0 && fhir_directory_table[type->fhir].code.count == 0) {
        form.path = fhir_code_path(r, type->fhir);
    }
    if (parts->terminology != NULL && (!set_path(r, ast, &form, &retrieve) ||
                                       !set_codes(r, parts->terminology, &form, &retrieve, &by)))
        return NULL;
    if (!set_related(r, ast, &by))
        return NULL;
    if (by.codes != NULL)
        set_path_of_codes(&retrieve, by.path);
    /* [MedicationRequest: codes] means the medication, whether by code or by reference. */
    if (retrieve.has_codes && retrieve.by_directory)
        retrieve.medication = fhir_element_by_name(type->fhir, S("medicationReference"));
    /* By the directory, the path says nothing more. */
    if (retrieve.by_directory || by.codes != NULL)
        memset(retrieve.path, 0, sizeof(retrieve.path));
    if (by.codes != NULL)
        retrieve.by_directory = false;
    bool is_by = by.codes != NULL || by.related != NULL;
    CqlNode *node =
        node_new(r, ast, is_by ? run_retrieve_by : run_retrieve, type_list(r->types, type));
    node_keep(r, node, (NodeForm){.whole = retrieve.codes, .ast = ast});
    retrieve.codes = NULL;
    node->index = add_retrieve(r, &retrieve);
    node->flags = NODE_IMPURE;
    if (is_by)
        node->detail = arena_copy(r->arena, &by, sizeof(by));
    return node;
}
