/* Classes of models such as QI-Core: their types, where their elements are found, their profiles.
 */
#include "cql/resolve_int.h"

/* --- models --- */

static const Model *known_model(Resolver *r, Str name, Str version)
{
    for (size_t i = 0; i < r->models.count; i++) {
        const Model *model = r->models.items[i];
        if (str_eq(model->name, name) && (version.len == 0 || str_eq(model->version, version)))
            return model;
    }
    /* Without a version: the last, as the tables are in order of version. */
    for (size_t i = model_table_count; i-- > 0;) {
        const ModelTable *table = &model_tables[i];
        if (!str_eq(str_from_c(table->name), name) ||
            (version.len > 0 && !str_eq(str_from_c(table->version), version)))
            continue;
        Str text = {.ptr = table->text, .len = table->size};
        const Model *model = model_read(r->arena, text, name, r->diags);
        if (model != NULL)
            VEC_PUSH(r->arena, &r->models, model);
        return model;
    }
    return NULL;
}

static Str known_versions(Resolver *r, Str name)
{
    StrBuf out;
    strbuf_init(&out, r->arena, 0);
    for (size_t i = 0; i < model_table_count; i++) {
        if (str_eq(str_from_c(model_tables[i].name), name))
            strbuf_printf(&out, "%s'%s'", out.len > 0 ? ", " : "", model_tables[i].version);
    }
    return out.len > 0 ? strbuf_str(&out) : S("FHIR, USCore, QICore and System");
}

void find_models(Resolver *r, Library *library)
{
    const AstLibrary *ast = library->ast;
    library->models = ARENA_ZARRAY(r->arena, const Model *, ast->using_count);
    for (size_t i = 0; i < ast->using_count; i++) {
        const AstImport *using = &ast->usings[i];
        if (str_eq(using->name, S("System")))
            continue;
        bool is_fhir = str_eq(using->name, S("FHIR"));
        library->uses_fhir |= is_fhir;
        bool is_element_model =
            is_fhir && (using->version.len == 0 || str_eq(using->version, S("4.0.1")) ||
                        str_eq(using->version, S("4.0.0")));
        if (is_element_model)
            continue;
        library->models[i] = known_model(r, using->name, using->version);
        if (library->models[i] == NULL)
            resolve_error(r, using->line, using->column, "cql-model",
                          "the model %.*s version '%.*s' is not known; known are %.*s",
                          STR_ARG(using->name), STR_ARG(using->version),
                          STR_ARG(known_versions(r, using->name)));
    }
}

/* --- types --- */

/* How the model is called in types: by its name, the second version of it with the version. */
static Str name_in_plan(Resolver *r, const Model *model)
{
    for (size_t i = 0; i < r->models.count && r->models.items[i] != model; i++) {
        if (str_eq(r->models.items[i]->name, model->name))
            return str_format(r->arena, "%.*s '%.*s'", STR_ARG(model->name),
                              STR_ARG(model->version));
    }
    return model->name;
}

/* The part of "A,B<C,D>,E" up to the first comma outside of <>. */
static Str first_type(Str *rest)
{
    int depth = 0;
    size_t at = 0;
    for (; at < rest->len; at++) {
        char c = rest->ptr[at];
        depth += (c == '<') - (c == '>');
        if (c == ',' && depth == 0)
            break;
    }
    Str first = str_slice(*rest, 0, at);
    *rest = str_slice(*rest, at < rest->len ? at + 1 : at, SIZE_MAX);
    return first;
}

enum { TYPE_DEPTH_MAX = 8 };

static const CqlType *type_of_text(Resolver *r, const Model *model, Str text, unsigned depth);

static const CqlType *choice_of_text(Resolver *r, const Model *model, Str inner, unsigned depth)
{
    const CqlType *parts[64];
    size_t count = 0;
    while (inner.len > 0 && count < COUNT_OF(parts)) {
        const CqlType *part = type_of_text(r, model, first_type(&inner), depth + 1);
        if (part != NULL)
            parts[count++] = part;
    }
    return count == 0 ? NULL : type_choice(r->types, parts, count);
}

/* NULL for a type that the model does not have. */
static const CqlType *type_of_text(Resolver *r, const Model *model, Str text, /* NOLINT */
                                   unsigned depth)
{
    if (text.len == 0)
        return type_simple(r->types, TYPE_ANY);
    if (depth > TYPE_DEPTH_MAX)
        return NULL;
    size_t open = str_find_char(text, '<');
    if (open == SIZE_MAX) {
        if (str_starts_with(text, S("System.")))
            return type_system(r->types, str_slice(text, 7, SIZE_MAX));
        if (str_starts_with(text, S("FHIR.")))
            return type_fhir(r->types, model_fhir_type(str_slice(text, 5, SIZE_MAX)));
        const ModelClass *class = model_find_class(model, text);
        return class == NULL ? NULL : class_type(r, class);
    }
    if (!str_ends_with(text, S(">")))
        return NULL;
    Str outer = str_slice(text, 0, open);
    Str inner = str_slice(text, open + 1, text.len - open - 2);
    if (str_eq(outer, S("Choice")))
        return choice_of_text(r, model, inner, depth);
    const CqlType *element = type_of_text(r, model, inner, depth + 1);
    if (element == NULL)
        return NULL;
    return str_eq(outer, S("List")) ? type_list(r->types, element)
                                    : type_interval(r->types, element);
}

const CqlType *class_type(Resolver *r, const ModelClass *class)
{
    const ModelClass *root = class;
    for (unsigned depth = 0; root->super != NULL && depth < TYPE_DEPTH_MAX; depth++)
        root = root->super;
    bool is_own = root->base.len == 0 || str_eq(root->base, S("System.Any"));
    if (!is_own) {
        const CqlType *type = type_of_text(r, root->model, root->base, 0);
        if (type != NULL)
            return type;
    }
    if (class->fhir == FHIR_TYPE_NONE)
        return NULL;
    return type_class(r->types, class, name_in_plan(r, class->model));
}

/* Of FHIR itself: a class that has only a value is a code. */
static const CqlType *fhir_code_class(Resolver *r, Str name)
{
    const Model *model = known_model(r, S("FHIR"), S("4.0.1"));
    const ModelClass *class = model == NULL ? NULL : model_find_class(model, name);
    const ModelElement *value = class == NULL ? NULL : model_find_element(class, S("value"));
    if (value == NULL || !str_eq(value->type, S("System.String")))
        return NULL;
    return type_fhir(r->types, FHIR_TYPE_code);
}

Str fhir_code_path(Resolver *r, uint16_t type)
{
    const Model *model = known_model(r, S("FHIR"), S("4.0.1"));
    const ModelClass *class = model == NULL ? NULL : model_find_class(model, fhir_type_name(type));
    return class == NULL ? S("") : class->code_path;
}

const CqlType *find_class(Resolver *r, Str model, Str name)
{
    if (str_eq(model, S("FHIR")))
        return fhir_code_class(r, name);
    if (r->library == NULL)
        return NULL;
    for (size_t i = 0; i < r->library->ast->using_count; i++) {
        const AstImport *using = &r->library->ast->usings[i];
        const Model *used = r->library->models[i];
        bool is_meant = model.len == 0 || str_eq(using->name, model) || str_eq(using->alias, model);
        if (!is_meant)
            continue;
        if (used == NULL) {
            uint16_t fhir = str_eq(using->name, S("FHIR")) ? model_fhir_type(name) : FHIR_TYPE_NONE;
            if (fhir != FHIR_TYPE_NONE)
                return type_fhir(r->types, fhir);
            const CqlType *code = str_eq(using->name, S("FHIR")) ? fhir_code_class(r, name) : NULL;
            if (code != NULL)
                return code;
            continue;
        }
        const ModelClass *class = model_find_class(used, name);
        const CqlType *type = class == NULL ? NULL : class_type(r, class);
        if (type != NULL)
            return type;
    }
    return NULL;
}

const CqlType *patient_type(Resolver *r)
{
    for (size_t i = 0; r->library != NULL && i < r->library->ast->using_count; i++) {
        const Model *model = r->library->models[i];
        const ModelClass *class =
            model == NULL ? NULL : model_find_class(model, model->patient_class);
        if (class != NULL && class->fhir == FHIR_TYPE_Patient)
            return class_type(r, class);
        if (str_eq(r->library->ast->usings[i].name, S("FHIR")))
            break;
    }
    return type_fhir(r->types, FHIR_TYPE_Patient);
}

/* --- elements --- */

/* The last part of a class's name: "diagnosis" of Encounter.Diagnosis; empty without a dot. */
static bool is_part_named(const ModelClass *class, Str step)
{
    size_t dot = SIZE_MAX;
    for (size_t i = 0; i < class->name.len; i++) {
        if (class->name.ptr[i] == '.')
            dot = i;
    }
    if (dot == SIZE_MAX || class->name.len - dot - 1 != step.len)
        return false;
    for (size_t i = 0; i < step.len; i++) {
        if ((class->name.ptr[dot + 1 + i] | 32) != (step.ptr[i] | 32))
            return false;
    }
    return true;
}

static PlanStep plan_step(Resolver *r, const MappingStep *step, uint16_t type)
{
    PlanStep plan = {.name = step->name,
                     .filter_path_count = step->path_count,
                     .filter_count = step->condition_count};
    if (type != FHIR_TYPE_NONE)
        plan.element = fhir_element_by_name(type, step->name);
    plan.filter_path = step->path;
    Str *names = ARENA_ARRAY(r->arena, Str, step->condition_count);
    Str *values = ARENA_ARRAY(r->arena, Str, step->condition_count);
    for (size_t i = 0; i < step->condition_count; i++) {
        names[i] = step->conditions[i].name;
        values[i] = step->conditions[i].value;
    }
    plan.filter_names = names;
    plan.filter_values = values;
    return plan;
}

static void plan_path(Resolver *r, const ModelClass *class, Str name, const Mapping *mapping,
                      PlanPath *path)
{
    PlanStep *steps = ARENA_ARRAY(r->arena, PlanStep, MAPPING_STEPS_MAX + 1);
    uint16_t type = class->fhir;
    size_t from = 0;
    if (!mapping->is_parent) {
        const MappingStep own = {.name = name};
        steps[path->step_count++] = plan_step(r, &own, type);
    } else if (is_part_named(class, mapping->steps[0].name)) {
        /* A target of a part is written from the whole: the first step leads to the part itself. */
        from = 1;
    }
    for (size_t i = from; i < mapping->step_count; i++) {
        bool is_first = path->step_count == 0;
        steps[path->step_count++] =
            plan_step(r, &mapping->steps[i], is_first ? type : FHIR_TYPE_NONE);
    }
    path->steps = steps;
    path->is_value_set = str_eq(mapping->function, S("ToValueSet"));
}

/* %value, %value.value or FHIRHelpers.ToX(%value), and nothing of another type. */
static bool is_plain(const Mapping *mapping, uint16_t type)
{
    if (mapping->is_parent || mapping->next != NULL)
        return false;
    if (mapping->step_count == 0)
        return true;
    return mapping->step_count == 1 && str_eq(mapping->steps[0].name, S("value")) &&
           mapping->steps[0].condition_count == 0 && fhir_type_is_primitive(type);
}

static CqlNode *plain_property(Resolver *r, const Ast *place, CqlNode *object, uint16_t fhir,
                               Str name, const CqlType *type)
{
    CqlNode *node = fhir_property(r, place, object, fhir, name);
    bool is_choice = node->op == op_property_choice;
    node->op = is_choice ? op_property_choice_value : op_property_value;
    node->flags &= (uint8_t)~NODE_LIST;
    node->flags |= type->kind == TYPE_LIST && !is_choice ? NODE_LIST : 0;
    node->type = type;
    return node;
}

static CqlNode *path_property(Resolver *r, const Ast *place, CqlNode *object, const CqlType *type)
{
    CqlNode *node = node_operator(r, place, op_property_path, type, object);
    node->flags |= type->kind == TYPE_LIST ? NODE_LIST : 0;
    return node;
}

/* The FHIR type of an element that is no choice, or NONE. */
static uint16_t element_fhir_type(uint16_t type, Str name)
{
    uint8_t element = fhir_element_by_name(type, name);
    return element == 0 ? FHIR_TYPE_NONE : fhir_element_info((FhirType)type, element)->type;
}

static CqlNode *mapped_property(Resolver *r, const Ast *place, CqlNode *object,
                                const ModelElement *element, const CqlType *type)
{
    const ModelClass *class = object->type->class;
    const char *expected;
    size_t at;
    const Mapping *mapping = mapping_parse(r->arena, element->target, &expected, &at);
    if (mapping == NULL) {
        resolve_error(r, place->line, place->column, "cql-mapping",
                      "the model's target '%.*s' of '%.*s' cannot be read: expected %s",
                      STR_ARG(element->target), STR_ARG(element->name), expected);
        return NULL;
    }
    CqlNode *probe = fhir_property(r, place, object, class->fhir, element->name);
    if (probe != NULL && is_plain(mapping, element_fhir_type(class->fhir, element->name)))
        return plain_property(r, place, object, class->fhir, element->name, type);
    size_t count = 0;
    for (const Mapping *one = mapping; one != NULL; one = one->next)
        count++;
    PlanPath *paths = ARENA_ZARRAY(r->arena, PlanPath, count);
    size_t number = 0;
    for (const Mapping *one = mapping; one != NULL; one = one->next)
        plan_path(r, class, element->name, one, &paths[number++]);
    CqlNode *node = path_property(r, place, object, type);
    node->detail = paths;
    node->index = (uint32_t)count;
    return node;
}

CqlNode *class_property(Resolver *r, const Ast *place, CqlNode *object, Str name)
{
    const ModelClass *class = object->type->class;
    const ModelElement *element = model_find_element(class, name);
    if (element == NULL)
        return NULL;
    const CqlType *type = type_of_text(r, class->model, element->type, 0);
    if (type == NULL) {
        resolve_error(r, place->line, place->column, "cql-model",
                      "the model has no type '%.*s', which '%.*s' is to have",
                      STR_ARG(element->type), STR_ARG(name));
        return NULL;
    }
    if (element->target.len > 0)
        return mapped_property(r, place, object, element, type);
    if (fhir_property(r, place, object, class->fhir, name) != NULL)
        return plain_property(r, place, object, class->fhir, name, type);
    /* A slice whose place the model does not tell. */
    resolve_warning(r, place->line, place->column, "cql-mapping",
                    "the model does not say where '%.*s' of %.*s is found: it is null",
                    STR_ARG(name), STR_ARG(object->type->text));
    return node_constant(r, place, value_null(), type);
}

/* --- profiles --- */

typedef Vec(Str) StrVec;

/* The four cells of the next row of models/cql/profiles.tsv; false at the end. */
static bool next_rule(Str *rest, Str cells[4])
{
    Str line;
    if (!str_split_next(rest, '\n', &line) || line.len == 0)
        return false;
    for (size_t i = 0; i < 4; i++) {
        bool has = str_split_next(&line, '\t', &cells[i]);
        ASSERT(has);
    }
    return true;
}

/* Ids of "system|code system|code". */
static ConceptSet codes_of_rule(Resolver *r, Str codes)
{
    ConceptId ids[8];
    size_t count = 0;
    Str rest = codes;
    Str one;
    if (r->plan->dict == NULL)
        return (ConceptSet){.span = 0};
    while (count < COUNT_OF(ids) && str_split_next(&rest, ' ', &one)) {
        size_t bar = str_find_char(one, '|');
        ASSERT(bar != SIZE_MAX);
        ConceptId id = concept_dict_find(r->plan->dict, str_slice(one, 0, bar),
                                         str_slice(one, bar + 1, SIZE_MAX));
        if (id != CONCEPT_NONE)
            ids[count++] = id;
    }
    return concept_set_of(r->arena, r->plan->dict, ids, count);
}

static PlanDemand demand_of_rule(Resolver *r, const ModelClass *class, const Str cells[4])
{
    const char *expected;
    size_t at;
    PlanDemand demand = {.kind = DEMAND_NO_PATIENT, .value = cells[3]};
    Str target = str_format(r->arena, "%%parent.%.*s", STR_ARG(cells[1]));
    const Mapping *mapping = mapping_parse(r->arena, target, &expected, &at);
    ASSERT(mapping != NULL);
    plan_path(r, class, cells[1], mapping, &demand.path);
    if (str_eq(cells[2], S("is"))) {
        demand.kind = DEMAND_IS;
    } else if (str_eq(cells[2], S("not"))) {
        demand.kind = DEMAND_NOT;
    } else if (str_eq(cells[2], S("has")) || str_eq(cells[2], S("if-any"))) {
        demand.kind = str_eq(cells[2], S("has")) ? DEMAND_HAS : DEMAND_IF_ANY;
        demand.concepts = codes_of_rule(r, cells[3]);
    }
    return demand;
}

/* The profiles of other classes of the model on the same type, less those that are accepted. */
static void gather_others(Resolver *r, const ModelClass *class, const StrVec *accepted,
                          StrVec *others)
{
    for (size_t i = 0; i < class->model->class_count; i++) {
        const ModelClass *other = &class->model->classes[i];
        bool is_profile = other != class && other->fhir == class->fhir && other->is_retrievable &&
                          other->identifier.len > 0;
        for (size_t j = 0; j < accepted->count; j++)
            is_profile &= !str_eq(accepted->items[j], other->identifier);
        if (is_profile)
            VEC_PUSH(r->arena, others, other->identifier);
    }
}

/* Where profiles of the same guide begin, when the class is one of them. */
static Str guide_of(Resolver *r, const ModelClass *class)
{
    Str guide = str_format(r->arena, "%.*s/StructureDefinition/", STR_ARG(class->model->url));
    return str_starts_with(class->identifier, guide) ? guide : S("");
}

const PlanProfile *class_profile(Resolver *r, const ModelClass *class)
{
    /* A class on a whole FHIR type has no profile of its own. */
    bool is_plain =
        class->target.len == 0 &&
        str_starts_with(class->identifier, S("http://hl7.org/fhir/StructureDefinition/"));
    if (class->identifier.len == 0 || is_plain)
        return NULL;
    for (size_t i = 0; i < r->profiles.count; i++) {
        if (r->profiles.items[i]->class == class)
            return r->profiles.items[i];
    }
    StrVec accepted = {0};
    StrVec others = {0};
    Vec(PlanDemand) demands = {0};
    Str rest = str_from_c(model_profiles);
    Str cells[4];
    VEC_PUSH(r->arena, &accepted, class->identifier);
    while (next_rule(&rest, cells)) {
        if (str_eq(cells[2], S("of"))) {
            if (str_eq(cells[3], class->identifier))
                VEC_PUSH(r->arena, &accepted, cells[0]);
        } else if (str_eq(cells[0], class->identifier)) {
            PlanDemand demand = demand_of_rule(r, class, cells);
            VEC_PUSH(r->arena, &demands, demand);
        }
    }
    gather_others(r, class, &accepted, &others);
    if (others.count == 0 && demands.count == 0)
        return NULL;
    PlanProfile *profile = ARENA_NEW(r->arena, PlanProfile);
    *profile = (PlanProfile){.class = class,
                             .guide = guide_of(r, class),
                             .accepted = accepted.items,
                             .accepted_count = accepted.count,
                             .others = others.items,
                             .other_count = others.count,
                             .demands = demands.items,
                             .demand_count = demands.count};
    VEC_PUSH(r->arena, &r->profiles, profile);
    return profile;
}

const PlanNotDone *class_not_done(Resolver *r, const ModelClass *class, Str path, Str url)
{
    const ModelElement *element = model_find_element(class, path);
    const char *expected;
    size_t at;
    const Mapping *mapping = element == NULL || element->target.len == 0
                                 ? NULL
                                 : mapping_parse(r->arena, element->target, &expected, &at);
    for (; mapping != NULL; mapping = mapping->next) {
        if (!str_eq(mapping->function, S("ToValueSet")))
            continue;
        PlanPath *found = ARENA_NEW(r->arena, PlanPath);
        plan_path(r, class, path, mapping, found);
        PlanNotDone *not_done = ARENA_NEW(r->arena, PlanNotDone);
        *not_done = (PlanNotDone){.path = found, .url = url};
        return not_done;
    }
    return NULL;
}
