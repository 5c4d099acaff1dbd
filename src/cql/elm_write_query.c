/* Queries, retrieves and elements as ELM. */
#include "cql/elm_write_int.h"

static void expression(ElmWriter *w, const char *key, const CqlNode *node)
{
    json_key(&w->json, str_from_c(key));
    elm_write_node(w, node);
}

/* --- queries --- */

static void declare(ElmWriter *w, ElmVariable *variable, const PlanSource *source,
                    VariableKind kind)
{
    *variable = (ElmVariable){
        .outer = w->variables, .slot = source->slot, .kind = kind, .name = source->name};
    w->variables = variable;
}

static void write_sources(ElmWriter *w, const char *key, const PlanSource *sources, size_t count,
                          VariableKind kind)
{
    json_key(&w->json, str_from_c(key));
    json_array_begin(&w->json);
    for (size_t i = 0; i < count; i++) {
        json_object_begin(&w->json);
        json_member_str(&w->json, kind == VARIABLE_LET ? S("identifier") : S("alias"),
                        sources[i].name);
        expression(w, "expression", sources[i].node);
        json_object_end(&w->json);
        declare(w, ARENA_NEW(w->resolver->arena, ElmVariable), &sources[i], kind);
    }
    json_array_end(&w->json);
}

static void write_relations(ElmWriter *w, const PlanQuery *query)
{
    json_key(&w->json, S("relationship"));
    json_array_begin(&w->json);
    for (size_t i = 0; i < query->relation_count; i++) {
        const PlanRelation *relation = &query->relations[i];
        const ElmVariable *outer = w->variables;
        ElmVariable variable;
        elm_begin(w, relation->is_without ? "Without" : "With", NULL);
        json_member_str(&w->json, S("alias"), relation->source.name);
        expression(w, "expression", relation->source.node);
        declare(w, &variable, &relation->source, VARIABLE_ALIAS);
        expression(w, "suchThat", relation->such_that);
        w->variables = outer;
        json_object_end(&w->json);
    }
    json_array_end(&w->json);
}

/* The element's name when the key is one element of the item: what every engine can sort by. */
static bool key_column(const ElmWriter *w, const PlanQuery *query, const CqlNode *key,
                       Str *ret_name)
{
    bool is_element = key->run == run_operator && key->count == 1 &&
                      key->args[0]->run == run_slot && key->args[0]->index == query->sort_slot;
    (void)w;
    if (!is_element || key->op != op_property_tuple)
        return false;
    *ret_name = key->args[0]->type->names[key->index];
    return true;
}

static void write_sort(ElmWriter *w, const PlanQuery *query)
{
    const ElmVariable *outer = w->variables;
    ElmVariable item = {.outer = outer, .slot = query->sort_slot, .name = S("$this")};
    w->variables = &item;
    json_key(&w->json, S("sort"));
    json_object_begin(&w->json);
    json_key(&w->json, S("by"));
    json_array_begin(&w->json);
    for (size_t i = 0; i < query->sort_count; i++) {
        const PlanSortKey *key = &query->sort_keys[i];
        Str column = S("");
        bool is_item =
            key->key == NULL || (key->key->run == run_slot && key->key->index == query->sort_slot);
        bool is_column = !is_item && key_column(w, query, key->key, &column);
        elm_begin(w, is_item ? "ByDirection" : is_column ? "ByColumn" : "ByExpression", NULL);
        json_member_str(&w->json, S("direction"), key->is_descending ? S("desc") : S("asc"));
        if (is_column)
            json_member_str(&w->json, S("path"), column);
        else if (!is_item)
            expression(w, "expression", key->key);
        json_object_end(&w->json);
    }
    json_array_end(&w->json);
    json_object_end(&w->json);
    w->variables = outer;
}

static void write_aggregate(ElmWriter *w, const PlanQuery *query, const AstQuery *ast)
{
    const ElmVariable *outer = w->variables;
    ElmVariable total = {.outer = outer,
                         .slot = query->aggregate_slot,
                         .kind = VARIABLE_LET,
                         .name = ast->aggregate_name};
    json_key(&w->json, S("aggregate"));
    json_object_begin(&w->json);
    json_member_str(&w->json, S("identifier"), ast->aggregate_name);
    json_member_bool(&w->json, S("distinct"), query->aggregate_distinct);
    json_key(&w->json, S("starting"));
    if (query->aggregate_start != NULL) {
        elm_write_node(w, query->aggregate_start);
    } else {
        elm_begin(w, "Null", NULL);
        json_object_end(&w->json);
    }
    w->variables = &total;
    expression(w, "expression", query->aggregate);
    w->variables = outer;
    json_object_end(&w->json);
}

void elm_write_query(ElmWriter *w, const CqlNode *node)
{
    const PlanQuery *query = node->detail;
    const AstQuery *ast = node->form->ast->query;
    const ElmVariable *outer = w->variables;
    elm_begin(w, "Query", node);
    write_sources(w, "source", query->sources, query->source_count, VARIABLE_ALIAS);
    write_sources(w, "let", query->lets, query->let_count, VARIABLE_LET);
    write_relations(w, query);
    if (query->where != NULL)
        expression(w, "where", query->where);
    bool is_implied = ast->returns == NULL && query->source_count == 1;
    if (query->aggregate != NULL) {
        write_aggregate(w, query, ast);
    } else if (!is_implied) {
        json_key(&w->json, S("return"));
        json_object_begin(&w->json);
        json_member_bool(&w->json, S("distinct"), query->distinct);
        expression(w, "expression", query->returns);
        json_object_end(&w->json);
    }
    if (query->sort_count > 0)
        write_sort(w, query);
    w->variables = outer;
    json_object_end(&w->json);
}

/* --- retrieves --- */

void elm_write_retrieve(ElmWriter *w, const CqlNode *node)
{
    const AstRetrieve *ast = node->form->ast->retrieve;
    const CqlNode *codes = node->form->whole;
    const CqlType *type = node->type->element;
    Arena *arena = w->resolver->arena;
    Str profile = ast->profile;
    Str path = ast->path;
    if (profile.len == 0 && type->class != NULL)
        profile = type->class->identifier;
    if (profile.len == 0)
        profile = str_format(arena, "http://hl7.org/fhir/StructureDefinition/%.*s",
                             STR_ARG(fhir_type_name(type->fhir)));
    if (path.len == 0 && type->class != NULL)
        path = type->class->code_path;
    elm_begin(w, "Retrieve", node);
    json_member_str(&w->json, S("dataType"), elm_type_name(arena, type));
    json_member_str(&w->json, S("templateId"), profile);
    if (codes != NULL) {
        const FhirDirectoryInfo *info = &fhir_directory_table[type->fhir];
        if (path.len == 0 && info->code.count > 0) {
            /* The primary code: the first way of the directory to it. */
            const FhirElementPath *way = &fhir_directory_path_table[info->code.first];
            const FhirElementInfo *element =
                fhir_element_info((FhirType)type->fhir, way->number[0]);
            bool is_choice = (element->flags & FHIR_FLAG_CHOICE) != 0;
            path = str_slice((Str){.ptr = element->name, .len = element->name_len}, 0,
                             is_choice ? element->choice_stem : SIZE_MAX);
        }
        json_member_str(&w->json, S("codeProperty"), path);
        bool is_set = codes->type->kind == TYPE_VALUE_SET;
        json_member_str(&w->json, S("codeComparator"), is_set ? S("in") : S("~"));
        json_key(&w->json, S("codes"));
        const CqlType *list =
            type_list(w->resolver->types, type_simple(w->resolver->types, TYPE_CODE));
        if (codes->type->kind == TYPE_CODE) {
            elm_begin(w, "ToList", NULL);
            expression(w, "operand", codes);
            json_object_end(&w->json);
        } else if (codes->type->kind == TYPE_CONCEPT) {
            elm_begin(w, "Property", NULL);
            json_member_str(&w->json, S("path"), S("codes"));
            expression(w, "source", codes);
            json_object_end(&w->json);
        } else {
            elm_write_converted(w, codes, is_set ? NULL : list);
        }
    }
    json_object_end(&w->json);
}

/* --- elements --- */

static Str choice_name(const CqlNode *node)
{
    uint16_t type = node->args[0]->type->fhir;
    for (uint8_t i = 1; i <= fhir_type_table[type].element_count; i++) {
        const FhirElementInfo *info = fhir_element_info((FhirType)type, i);
        if (info->choice == (uint8_t)node->index && (info->flags & FHIR_FLAG_CHOICE) != 0)
            return (Str){.ptr = info->name, .len = info->choice_stem};
    }
    return S("");
}

static Str element_name(const CqlNode *node)
{
    const CqlType *type = node->args[0]->type;
    if (node->op == op_property || node->op == op_property_value) {
        const FhirElementInfo *info = fhir_element_info((FhirType)type->fhir, (uint8_t)node->index);
        return (Str){.ptr = info->name, .len = info->name_len};
    }
    if (node->op == op_property_tuple)
        return type->names[node->index];
    return node->op == op_property_choice ? choice_name(node) : *(const Str *)node->detail;
}

/* An element of every item: those that are there, and those of lists in one list. */
static void write_list_property(ElmWriter *w, const CqlNode *node)
{
    const CqlNode *one = node->detail;
    Str alias = str_format(w->resolver->arena, "X%u", w->next_alias++);
    ElmInstead item = {
        .outer = w->instead, .node = one->args[0], .alias = alias, .type = one->args[0]->type};
    bool is_flat = one->type->kind == TYPE_LIST;
    if (is_flat) {
        elm_begin(w, "Flatten", node);
        json_key(&w->json, S("operand"));
    }
    elm_begin(w, "Query", is_flat ? NULL : node);
    json_key(&w->json, S("source"));
    json_array_begin(&w->json);
    json_object_begin(&w->json);
    json_member_str(&w->json, S("alias"), alias);
    expression(w, "expression", node->args[0]);
    json_object_end(&w->json);
    json_array_end(&w->json);
    json_key(&w->json, S("relationship"));
    json_array_begin(&w->json);
    json_array_end(&w->json);
    w->instead = &item;
    json_key(&w->json, S("where"));
    elm_begin(w, "Not", NULL);
    json_key(&w->json, S("operand"));
    elm_begin(w, "IsNull", NULL);
    expression(w, "operand", one);
    json_object_end(&w->json);
    json_object_end(&w->json);
    json_key(&w->json, S("return"));
    json_object_begin(&w->json);
    json_member_bool(&w->json, S("distinct"), false);
    expression(w, "expression", one);
    json_object_end(&w->json);
    w->instead = item.outer;
    json_object_end(&w->json);
    if (is_flat)
        json_object_end(&w->json);
}

/* An element of a class that is mapped to the FHIR element of the same place: that element, then
   the conversion to the type that the class gives it. */
static void write_mapped_property(ElmWriter *w, const CqlNode *node)
{
    Resolver *r = w->resolver;
    uint16_t owner = node->args[0]->type->fhir;
    CqlNode *raw = arena_copy(r->arena, node, sizeof(*node));
    if (node->op == op_property_choice_value) {
        const CqlType *parts[64];
        size_t count = 0;
        for (uint8_t i = 1; i <= fhir_type_table[owner].element_count; i++) {
            const FhirElementInfo *info = fhir_element_info((FhirType)owner, i);
            if (info->choice == (uint8_t)node->index && count < COUNT_OF(parts))
                parts[count++] = type_fhir(r->types, info->type);
        }
        raw->op = op_property_choice;
        raw->type = type_choice(r->types, parts, count);
        elm_begin_helper(w, "ToValue");
        elm_write_property(w, raw);
        elm_end_helper(w);
        return;
    }
    const FhirElementInfo *info = fhir_element_info((FhirType)owner, (uint8_t)node->index);
    const CqlType *of = type_fhir(r->types, info->type);
    bool is_list = (info->flags & FHIR_FLAG_LIST) != 0;
    const CqlType *item = node->type->kind == TYPE_LIST ? node->type->element : node->type;
    bool has_nodes = item->kind == TYPE_FHIR || item->kind == TYPE_CLASS;
    raw->op = op_property;
    raw->type = is_list ? type_list(r->types, of) : of;
    if (is_list != (node->type->kind == TYPE_LIST))
        elm_unsupported(w, node, "an element that the model takes one of");
    else if (has_nodes)
        elm_write_property(w, raw);
    else
        elm_write_converted(w, raw, node->type);
}

void elm_write_property(ElmWriter *w, const CqlNode *node)
{
    if (node->op == op_property_list) {
        write_list_property(w, node);
        return;
    }
    if (node->op == op_property_value || node->op == op_property_choice_value) {
        write_mapped_property(w, node);
        return;
    }
    if (node->op == op_property_path) {
        elm_unsupported(w, node, "an element that the model finds by a path of FHIR");
        return;
    }
    elm_begin(w, "Property", node);
    json_member_str(&w->json, S("path"), element_name(node));
    /* Of an alias the property says so itself. */
    expression(w, "source", node->args[0]);
    json_object_end(&w->json);
}
