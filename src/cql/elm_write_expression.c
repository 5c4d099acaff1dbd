/* Plan nodes as expressions of ELM. */
#include "cql/elm_write_int.h"

/* --- objects --- */

void elm_begin(ElmWriter *w, const char *type, const CqlNode *node)
{
    JsonWriter *json = &w->json;
    json_object_begin(json);
    json_member_str(json, S("type"), str_from_c(type));
    if (node == NULL)
        return;
    if (w->options->locators && node->line > 0) {
        const CqlRange *range = &node->range;
        Str text = range->line > 0
                       ? str_format(w->resolver->arena, "%u:%u-%u:%u", range->line, range->column,
                                    range->end_line, range->end_column)
                       : str_format(w->resolver->arena, "%u:%u", node->line, node->column);
        json_member_str(json, S("locator"), text);
    }
    if (w->options->result_types)
        elm_write_type_as(w, S("resultTypeName"), S("resultTypeSpecifier"), node->type);
}

static void end(ElmWriter *w)
{
    json_object_end(&w->json);
}

void elm_unsupported(ElmWriter *w, const CqlNode *node, const char *what)
{
    resolve_error(w->resolver, node->line, node->column, "elm", "%s cannot be written as ELM yet",
                  what);
    w->failed = true;
    elm_begin(w, "Null", NULL);
    end(w);
}

static void member(ElmWriter *w, const char *key, const CqlNode *node)
{
    json_key(&w->json, str_from_c(key));
    elm_write_node(w, node);
}

static void begin_operands(ElmWriter *w)
{
    json_key(&w->json, S("operand"));
    json_array_begin(&w->json);
}

static void end_operands(ElmWriter *w)
{
    json_array_end(&w->json);
    end(w);
}

static void operands(ElmWriter *w, CqlNode *const *nodes, uint32_t count)
{
    begin_operands(w);
    for (uint32_t i = 0; i < count; i++)
        elm_write_node(w, nodes[i]);
    end_operands(w);
}

static void unary(ElmWriter *w, const char *type, const CqlNode *node)
{
    elm_begin(w, type, NULL);
    member(w, "operand", node);
    end(w);
}

static void precision(ElmWriter *w, const CqlNode *node)
{
    static const Str names[] = {STR_INIT(""),       STR_INIT("Year"),        STR_INIT("Month"),
                                STR_INIT("Day"),    STR_INIT("Hour"),        STR_INIT("Minute"),
                                STR_INIT("Second"), STR_INIT("Millisecond"), STR_INIT("Week")};
    if (node->precision > 0 && node->precision < COUNT_OF(names))
        json_member_str(&w->json, S("precision"), names[node->precision]);
}

static void typed_null(ElmWriter *w, const CqlType *type)
{
    if (type == NULL || type->kind == TYPE_ANY) {
        elm_begin(w, "Null", NULL);
        end(w);
        return;
    }
    elm_begin(w, "As", NULL);
    elm_write_type_as(w, S("asType"), S("asTypeSpecifier"), type);
    json_key(&w->json, S("operand"));
    elm_begin(w, "Null", NULL);
    end(w);
    end(w);
}

void elm_begin_helper(ElmWriter *w, const char *function)
{
    w->uses_helpers = true;
    elm_begin(w, "FunctionRef", NULL);
    json_member_str(&w->json, S("libraryName"), w->helpers);
    json_member_str(&w->json, S("name"), str_from_c(function));
    begin_operands(w);
}

void elm_end_helper(ElmWriter *w)
{
    end_operands(w);
}

static void helper(ElmWriter *w, const char *function, const CqlNode *node)
{
    elm_begin_helper(w, function);
    elm_write_node(w, node);
    elm_end_helper(w);
}

/* --- conversions --- */

static const char *helper_for(const CqlType *to)
{
    switch (to->kind) {
    case TYPE_QUANTITY:
        return "ToQuantity";
    case TYPE_RATIO:
        return "ToRatio";
    case TYPE_INTERVAL:
        return "ToInterval";
    case TYPE_CODE:
        return "ToCode";
    case TYPE_CONCEPT:
        return "ToConcept";
    default:
        return NULL;
    }
}

/* What FHIRHelpers makes of an element; of a primitive that is its value. */
static void write_fhir_value(ElmWriter *w, const CqlNode *node, const CqlType *value)
{
    const char *function = helper_for(value);
    if (function != NULL) {
        helper(w, function, node);
        return;
    }
    elm_begin(w, "Property", NULL);
    json_member_str(&w->json, S("path"), S("value"));
    member(w, "source", node);
    end(w);
}

static const char *simple_conversion(const CqlType *from, const CqlType *to)
{
    bool is_number =
        from->kind == TYPE_INTEGER || from->kind == TYPE_LONG || from->kind == TYPE_DECIMAL;
    if (is_number && to->kind == TYPE_DECIMAL)
        return "ToDecimal";
    if (from->kind == TYPE_INTEGER && to->kind == TYPE_LONG)
        return "ToLong";
    if (from->kind == TYPE_DATE && to->kind == TYPE_DATETIME)
        return "ToDateTime";
    if (from->kind == TYPE_CODE && to->kind == TYPE_CONCEPT)
        return "ToConcept";
    return is_number && to->kind == TYPE_QUANTITY ? "ToQuantity" : NULL;
}

/* A stand-in for something to be converted, under an alias or as a cast of `source`. */
typedef struct {
    ElmInstead instead;
    CqlNode node;
} StandIn;

static void push_stand_in(ElmWriter *w, StandIn *stand_in, const CqlType *type)
{
    stand_in->node = (CqlNode){.type = type};
    stand_in->instead.outer = w->instead;
    stand_in->instead.node = &stand_in->node;
    stand_in->instead.type = type;
    w->instead = &stand_in->instead;
}

static void pop_stand_in(ElmWriter *w)
{
    w->instead = w->instead->outer;
}

/* Item by item: a query that returns each converted. */
static void convert_list(ElmWriter *w, const CqlNode *node, const CqlType *to)
{
    StandIn item = {.instead.alias = str_format(w->resolver->arena, "X%u", w->next_alias++)};
    elm_begin(w, "Query", NULL);
    json_key(&w->json, S("source"));
    json_array_begin(&w->json);
    json_object_begin(&w->json);
    json_member_str(&w->json, S("alias"), item.instead.alias);
    member(w, "expression", node);
    end(w);
    json_array_end(&w->json);
    json_key(&w->json, S("relationship"));
    json_array_begin(&w->json);
    json_array_end(&w->json);
    json_key(&w->json, S("return"));
    json_object_begin(&w->json);
    json_member_bool(&w->json, S("distinct"), false);
    push_stand_in(w, &item, node->type->element);
    json_key(&w->json, S("expression"));
    elm_write_converted(w, &item.node, to->element);
    pop_stand_in(w);
    end(w);
    end(w);
}

static void interval_part(ElmWriter *w, const char *key, const char *path, const CqlNode *node)
{
    json_key(&w->json, str_from_c(key));
    elm_begin(w, "Property", NULL);
    json_member_str(&w->json, S("path"), str_from_c(path));
    member(w, "source", node);
    end(w);
}

/* if x is null then null else Interval[low as converted, high as converted] with x's ends. */
static void convert_interval(ElmWriter *w, const CqlNode *node, const CqlType *to)
{
    static const char *const bounds[] = {"low", "high"};
    elm_begin(w, "If", NULL);
    json_key(&w->json, S("condition"));
    unary(w, "IsNull", node);
    json_key(&w->json, S("then"));
    typed_null(w, to);
    json_key(&w->json, S("else"));
    elm_begin(w, "Interval", NULL);
    for (size_t i = 0; i < 2; i++) {
        const char *function = simple_conversion(node->type->element, to->element);
        json_key(&w->json, str_from_c(bounds[i]));
        elm_begin(w, function == NULL ? "As" : function, NULL);
        if (function == NULL)
            elm_write_type_as(w, S("asType"), S("asTypeSpecifier"), to->element);
        interval_part(w, "operand", bounds[i], node);
        end(w);
    }
    interval_part(w, "lowClosedExpression", "lowClosed", node);
    interval_part(w, "highClosedExpression", "highClosed", node);
    end(w);
    end(w);
}

/* By the alternative that is there. */
static void convert_choice(ElmWriter *w, const CqlNode *node, const CqlType *to)
{
    elm_begin(w, "Case", NULL);
    json_key(&w->json, S("caseItem"));
    json_array_begin(&w->json);
    for (size_t i = 0; i < node->type->count; i++) {
        const CqlType *part = node->type->parts[i];
        if (conversion_cost(w->resolver, part, to) < 0)
            continue;
        StandIn alternative = {.instead.source = node};
        json_object_begin(&w->json);
        json_key(&w->json, S("when"));
        elm_begin(w, "Is", NULL);
        elm_write_type_as(w, S("isType"), S("isTypeSpecifier"), part);
        member(w, "operand", node);
        end(w);
        json_key(&w->json, S("then"));
        push_stand_in(w, &alternative, part);
        elm_write_converted(w, &alternative.node, to);
        pop_stand_in(w);
        end(w);
    }
    json_array_end(&w->json);
    json_key(&w->json, S("else"));
    typed_null(w, to);
    end(w);
}

static void write_as(ElmWriter *w, const CqlNode *place, const CqlNode *node, const CqlType *to,
                     bool is_strict)
{
    elm_begin(w, "As", place);
    if (is_strict)
        json_member_bool(&w->json, S("strict"), true);
    elm_write_type_as(w, S("asType"), S("asTypeSpecifier"), to);
    member(w, "operand", node);
    end(w);
}

/* The alternative of a choice that the type becomes. */
static const CqlType *alternative_for(ElmWriter *w, const CqlType *from, const CqlType *choice)
{
    const CqlType *best = NULL;
    int least = -1;
    for (size_t i = 0; i < choice->count; i++) {
        int cost = conversion_cost(w->resolver, from, choice->parts[i]);
        if (cost >= 0 && (least < 0 || cost < least)) {
            least = cost;
            best = choice->parts[i];
        }
    }
    return best;
}

/* Nodes that were written stand only at one place in the arena of the tree: a stand-in that is
   converted in two steps needs a node for the step between. */
static void convert_in_two(ElmWriter *w, const CqlNode *node, const CqlType *value,
                           const CqlType *to)
{
    const char *function = simple_conversion(value, to);
    if (value == to || function == NULL) {
        write_fhir_value(w, node, value);
        return;
    }
    elm_begin(w, function, NULL);
    json_key(&w->json, S("operand"));
    write_fhir_value(w, node, value);
    end(w);
}

void elm_write_converted(ElmWriter *w, const CqlNode *node, const CqlType *to)
{
    const CqlType *from = node->type;
    if (to == NULL || from == to || type_is_subtype(from, to)) {
        elm_write_node(w, node);
        return;
    }
    const CqlType *value = system_type_of(w->resolver, from);
    const char *function = simple_conversion(from, to);
    const CqlType *alternative;
    /* NOLINTNEXTLINE(bugprone-branch-clone): any type is asked for before the others are looked at
     */
    if (from->kind == TYPE_ANY) {
        write_as(w, NULL, node, to, false);
    } else if (from->kind == TYPE_CHOICE) {
        convert_choice(w, node, to);
    } else if (to->kind == TYPE_CHOICE) {
        alternative = alternative_for(w, from, to);
        elm_write_converted(w, node, alternative == NULL ? from : alternative);
    } else if (value != from) {
        if (value->kind == TYPE_INTERVAL || simple_conversion(value, to) != NULL || value == to)
            convert_in_two(w, node, value, to);
        else
            write_fhir_value(w, node, value);
    } else if (function != NULL) {
        unary(w, function, node);
    } else if (from->kind == TYPE_LIST && to->kind == TYPE_LIST) {
        convert_list(w, node, to);
    } else if (from->kind == TYPE_INTERVAL && to->kind == TYPE_INTERVAL) {
        convert_interval(w, node, to);
    } else {
        write_as(w, NULL, node, to, false);
    }
}

/* --- references and variables --- */

static void write_reference(ElmWriter *w, const CqlNode *node, const Definition *definition)
{
    static const char *const types[] = {
        [DEF_EXPRESSION] = "ExpressionRef", [DEF_FUNCTION] = "FunctionRef",
        [DEF_PARAMETER] = "ParameterRef",   [DEF_CODE_SYSTEM] = "CodeSystemRef",
        [DEF_VALUE_SET] = "ValueSetRef",    [DEF_CODE] = "CodeRef",
        [DEF_CONCEPT] = "ConceptRef"};
    elm_begin(w, types[definition->ast->kind], node);
    json_member_str(&w->json, S("name"), definition->ast->name);
    if (definition->library != w->library) {
        const AstLibrary *ast = w->library->ast;
        for (size_t i = 0; i < ast->include_count; i++) {
            if (w->library->includes[i] == definition->library) {
                json_member_str(&w->json, S("libraryName"), ast->includes[i].alias);
                break;
            }
        }
    }
    if (definition->ast->kind == DEF_VALUE_SET)
        json_member_bool(&w->json, S("preserve"), true);
    if (definition->ast->kind == DEF_FUNCTION) {
        json_key(&w->json, S("signature"));
        json_array_begin(&w->json);
        for (size_t i = 0; i < definition->ast->operand_count; i++) {
            elm_write_specifier(w, definition->operands[i]);
        }
        json_array_end(&w->json);
        operands(w, node->args, node->count);
        return;
    }
    end(w);
}

static void write_slot(ElmWriter *w, const CqlNode *node)
{
    static const char *const types[] = {"AliasRef", "QueryLetRef", "OperandRef"};
    for (const ElmVariable *variable = w->variables; variable != NULL; variable = variable->outer) {
        if (variable->slot != node->index)
            continue;
        elm_begin(w, types[variable->kind], node);
        json_member_str(&w->json, S("name"), variable->name);
        end(w);
        return;
    }
    elm_unsupported(w, node, "a variable that ELM has no name for");
}

/* --- operators --- */

static const char *plain_name(const CqlNode *node)
{
    const OperatorRow *found = NULL;
    for (const OperatorRow *row = operator_table; row->name != NULL && found == NULL; row++) {
        bool fits = row->op == node->op && row->flags == (node->flags & ~NODE_IMPLICIT);
        found = fits ? row : NULL;
    }
    return found == NULL ? NULL : found->name;
}

static bool is_point_operand(const CqlNode *node)
{
    const CqlType *type = node->type;
    return type->kind != TYPE_INTERVAL && type->kind != TYPE_LIST;
}

/* Interval[x, x], or null: what a point stands for beside an interval. */
static void point_as_interval(ElmWriter *w, const CqlNode *node)
{
    elm_begin(w, "If", NULL);
    json_key(&w->json, S("condition"));
    unary(w, "IsNull", node);
    json_key(&w->json, S("then"));
    typed_null(w, type_interval(w->resolver->types, node->type));
    json_key(&w->json, S("else"));
    elm_begin(w, "Interval", NULL);
    json_member_bool(&w->json, S("lowClosed"), true);
    json_member_bool(&w->json, S("highClosed"), true);
    member(w, "low", node);
    member(w, "high", node);
    end(w);
    end(w);
}

/* Before, SameOrAfter and their like over a point and an interval. */
static bool write_mixed(ElmWriter *w, const CqlNode *node, const char *name)
{
    static const char *const mixed[] = {"SameOrBefore", "SameOrAfter", "Before", "After"};
    bool is_mixed = false;
    for (size_t i = 0; i < COUNT_OF(mixed); i++)
        is_mixed |= strcmp(mixed[i], name) == 0;
    if (!is_mixed || is_point_operand(node->args[0]) == is_point_operand(node->args[1]))
        return false;
    elm_begin(w, name, node);
    precision(w, node);
    begin_operands(w);
    for (size_t i = 0; i < 2; i++) {
        if (is_point_operand(node->args[i]))
            point_as_interval(w, node->args[i]);
        else
            elm_write_node(w, node->args[i]);
    }
    end_operands(w);
    return true;
}

/* In and its like over a vocabulary. */
static void write_membership(ElmWriter *w, const CqlNode *node, const CqlNode *code,
                             const CqlNode *set)
{
    const CqlType *type = code->type;
    bool is_list = type->kind == TYPE_LIST;
    bool is_system = set->type->kind == TYPE_CODE_SYSTEM;
    const CqlType *item = is_list ? type->element : type;
    elm_begin(w,
              is_system ? (is_list ? "AnyInCodeSystem" : "InCodeSystem")
                        : (is_list ? "AnyInValueSet" : "InValueSet"),
              node);
    json_key(&w->json, is_list ? S("codes") : S("code"));
    const CqlType *value = system_type_of(w->resolver, item);
    elm_write_converted(w, code, is_list ? type_list(w->resolver->types, value) : value);
    const Definition *definition = set->form == NULL ? NULL : set->form->definition;
    bool is_direct = definition != NULL && (definition->ast->kind == DEF_VALUE_SET ||
                                            definition->ast->kind == DEF_CODE_SYSTEM);
    json_key(&w->json, is_system ? (is_direct ? S("codesystem") : S("codesystemExpression"))
                                 : (is_direct ? S("valueset") : S("valuesetExpression")));
    elm_write_node(w, set);
    end(w);
}

static void negated(ElmWriter *w, const char *type, const CqlNode *node)
{
    elm_begin(w, "Not", node);
    json_key(&w->json, S("operand"));
    elm_begin(w, type, NULL);
    operands(w, node->args, node->count);
    end(w);
}

/* low <= x and x <= high */
static void write_between(ElmWriter *w, const CqlNode *node, bool is_properly)
{
    static const char *const names[2][2] = {{"GreaterOrEqual", "LessOrEqual"}, {"Greater", "Less"}};
    elm_begin(w, "And", node);
    begin_operands(w);
    for (uint32_t i = 0; i < 2; i++) {
        CqlNode *pair[2] = {node->args[0], node->args[1 + i]};
        elm_begin(w, names[is_properly][i], NULL);
        operands(w, pair, 2);
    }
    end_operands(w);
}

/* A text, or the empty one for a null. */
static void write_concatenate_null(ElmWriter *w, const CqlNode *node)
{
    static const CqlNode empty = {.constant = {.kind = CQL_STRING}};
    elm_begin(w, "Concatenate", node);
    begin_operands(w);
    for (uint32_t i = 0; i < node->count; i++) {
        elm_begin(w, "Coalesce", NULL);
        begin_operands(w);
        elm_write_node(w, node->args[i]);
        CqlNode text = empty;
        text.type = type_simple(w->resolver->types, TYPE_STRING);
        elm_write_constant(w, &text);
        end_operands(w);
    }
    end_operands(w);
}

static void integer_member(ElmWriter *w, const char *key, int64_t number)
{
    CqlNode node = {.type = type_simple(w->resolver->types, TYPE_INTEGER),
                    .constant = value_integer(number)};
    json_key(&w->json, str_from_c(key));
    elm_write_constant(w, &node);
}

static void write_slice(ElmWriter *w, const CqlNode *node, const char *name)
{
    elm_begin(w, "Slice", node);
    member(w, "source", node->args[0]);
    if (strcmp(name, "Tail") == 0)
        integer_member(w, "startIndex", 1);
    else if (strcmp(name, "Skip") == 0)
        member(w, "startIndex", node->args[1]);
    else
        integer_member(w, "startIndex", 0);
    json_key(&w->json, S("endIndex"));
    if (strcmp(name, "Take") == 0) {
        elm_begin(w, "Coalesce", NULL);
        begin_operands(w);
        elm_write_node(w, node->args[1]);
        CqlNode zero = {.type = type_simple(w->resolver->types, TYPE_INTEGER),
                        .constant = value_integer(0)};
        elm_write_constant(w, &zero);
        end_operands(w);
    } else {
        elm_begin(w, "Null", NULL);
        end(w);
    }
    end(w);
}

/* The duration of an interval is that between its ends. */
static void write_duration_of(ElmWriter *w, const CqlNode *node, const char *type)
{
    elm_begin(w, type, node);
    precision(w, node);
    begin_operands(w);
    unary(w, "Start", node->args[0]);
    unary(w, "End", node->args[0]);
    end_operands(w);
}

/* Operators that ELM says otherwise; false for all others. */
static bool write_special_operator(ElmWriter *w, const CqlNode *node, const char *name)
{
    bool is_list = node->count > 0 && node->args[0]->type->kind == TYPE_LIST;
    /* A conversion to what it is already: left by ToX of FHIRHelpers. */
    bool is_identity =
        strncmp(name, "To", 2) == 0 && node->count == 1 && node->type == node->args[0]->type;
    if (strcmp(name, "NotEqual") == 0)
        negated(w, "Equal", node);
    else if (strcmp(name, "NotEquivalent") == 0)
        negated(w, "Equivalent", node);
    else if (strcmp(name, "Between") == 0 || strcmp(name, "ProperBetween") == 0)
        write_between(w, node, name[0] == 'P');
    else if (strcmp(name, "ConcatenateNull") == 0)
        write_concatenate_null(w, node);
    else if (strcmp(name, "Skip") == 0 || strcmp(name, "Take") == 0 || strcmp(name, "Tail") == 0)
        write_slice(w, node, name);
    else if (strcmp(name, "DurationOf") == 0)
        write_duration_of(w, node, "DurationBetween");
    else if (strcmp(name, "DifferenceOf") == 0)
        write_duration_of(w, node, "DifferenceBetween");
    else if (strcmp(name, "Positive") == 0 || is_identity)
        elm_write_node(w, node->args[0]);
    else if (strcmp(name, "In") == 0 && node->op == op_in_vocabulary)
        write_membership(w, node, node->args[0], node->args[1]);
    else if (node->op == op_contains_vocabulary)
        write_membership(w, node, node->args[1], node->args[0]);
    else if (strcmp(name, "CoalesceList") == 0) {
        elm_begin(w, "Coalesce", node);
        operands(w, node->args, 1);
    } else if (strcmp(name, "Length") == 0 && is_list) {
        elm_begin(w, "Length", node);
        member(w, "operand", node->args[0]);
        end(w);
    } else
        return false;
    return true;
}

/* The name under which ELM has an operator between elements and wholes. */
static const char *elm_name(const CqlNode *node, const char *name)
{
    bool first_is_point = node->count == 2 && node->op != op_included_in_interval;
    if (!first_is_point)
        return name;
    if (node->op == op_concatenate)
        return "Concatenate";
    if (node->op == op_properly_contains_list || node->op == op_properly_contains_interval)
        return "ProperContains";
    if (node->op == op_properly_in_list || node->op == op_properly_in_interval)
        return "ProperIn";
    if (node->op == op_in_interval || node->op == op_in_list)
        return "In";
    if (node->op == op_contains_interval || node->op == op_contains_list)
        return "Contains";
    return name;
}

static void write_members(ElmWriter *w, const CqlNode *node, Str members)
{
    Str rest = members;
    Str key;
    uint32_t at = 0;
    if (str_ends_with(members, S("[]"))) {
        operands(w, node->args, node->count);
        return;
    }
    while (members.len > 0 && rest.ptr != NULL && at < node->count &&
           str_split_next(&rest, ',', &key)) {
        key.len -= str_ends_with(key, S("?")) ? 1 : 0;
        json_key(&w->json, key);
        elm_write_node(w, node->args[at++]);
    }
    end(w);
}

/* The CodeableConcept and Coding of a record beside codes: both as System values. */
static bool write_fhir_operator(ElmWriter *w, const CqlNode *node)
{
    bool is_text = node->op == op_fhir_text_equal;
    bool is_code = node->op == op_fhir_code_equivalent || node->op == op_fhir_concept_equivalent;
    if (node->op == op_fhir_value) {
        write_fhir_value(w, node->args[0], node->type);
        return true;
    }
    if (!is_text && !is_code)
        return false;
    const CqlType *left = system_type_of(w->resolver, node->args[0]->type);
    elm_begin(w, is_text ? "Equal" : "Equivalent", node);
    begin_operands(w);
    elm_write_converted(w, node->args[0], left);
    elm_write_converted(w, node->args[1], is_text ? NULL : left);
    end_operands(w);
    return true;
}

static void write_operator(ElmWriter *w, const CqlNode *node)
{
    if (write_fhir_operator(w, node))
        return;
    const char *name = plain_name(node);
    if (name == NULL) {
        elm_unsupported(w, node, "this operator");
        return;
    }
    if (write_special_operator(w, node, name) || write_mixed(w, node, name))
        return;
    name = elm_name(node, name);
    for (const ElmOperator *row = elm_operator_table; row->type.ptr != NULL; row++) {
        if (!str_eq(row->name, str_from_c(name)) && !str_eq(row->type, str_from_c(name)))
            continue;
        elm_begin(w, str_to_c(w->resolver->arena, row->type), node);
        if (str_find(row->members, S("precision")) == SIZE_MAX)
            precision(w, node);
        write_members(w, node, row->members);
        return;
    }
    elm_unsupported(w, node, name);
}

static void write_operator_node(ElmWriter *w, const CqlNode *node)
{
    static const CqlOperatorFn properties[] = {
        op_property,        op_property_choice,       op_property_named,
        op_property_system, op_property_tuple,        op_property_list,
        op_property_value,  op_property_choice_value, op_property_path};
    for (size_t i = 0; i < COUNT_OF(properties); i++) {
        if (node->op == properties[i]) {
            elm_write_property(w, node);
            return;
        }
    }
    if (node->op == op_as) {
        write_as(w, node, node->args[0], node->operand, node->index != 0);
    } else if (node->op == op_is) {
        elm_begin(w, "Is", node);
        elm_write_type_as(w, S("isType"), S("isTypeSpecifier"), node->operand);
        member(w, "operand", node->args[0]);
        end(w);
    } else if (node->op == op_convert) {
        elm_write_converted(w, node->args[0], node->operand);
    } else if (node->op == op_fhir_or_value) {
        helper(w, "ToValue", node->args[0]);
    } else {
        write_operator(w, node);
    }
}

/* --- conditions, lists, intervals --- */

static void write_logic(ElmWriter *w, const CqlNode *node)
{
    elm_begin(w, node->run == run_and ? "And" : node->run == run_or ? "Or" : "Implies", node);
    operands(w, node->args, node->count);
}

static void write_if(ElmWriter *w, const CqlNode *node)
{
    elm_begin(w, "If", node);
    member(w, "condition", node->args[0]);
    member(w, "then", node->args[1]);
    member(w, "else", node->args[2]);
    end(w);
}

static void write_case(ElmWriter *w, const CqlNode *node)
{
    elm_begin(w, "Case", node);
    if (node->args[0] != NULL)
        member(w, "comparand", node->args[0]);
    json_key(&w->json, S("caseItem"));
    json_array_begin(&w->json);
    for (uint32_t i = 1; i + 1 < node->count; i += 2) {
        json_object_begin(&w->json);
        member(w, "when", node->args[i]);
        member(w, "then", node->args[i + 1]);
        end(w);
    }
    json_array_end(&w->json);
    member(w, "else", node->args[node->count - 1]);
    end(w);
}

/* A branch for each alternative, in which the choice is cast to it. */
static void write_ladder(ElmWriter *w, const CqlNode *node)
{
    const CqlType *const *types = node->detail;
    elm_begin(w, "Case", node);
    json_key(&w->json, S("caseItem"));
    json_array_begin(&w->json);
    for (uint32_t i = 1; i < node->count; i++) {
        ElmInstead alternative = {.outer = w->instead,
                                  .slot = node->index,
                                  .source = node->args[0],
                                  .type = types[i - 1]};
        json_object_begin(&w->json);
        json_key(&w->json, S("when"));
        elm_begin(w, "Is", NULL);
        elm_write_type_as(w, S("isType"), S("isTypeSpecifier"), types[i - 1]);
        member(w, "operand", node->args[0]);
        end(w);
        json_key(&w->json, S("then"));
        w->instead = &alternative;
        elm_write_node(w, node->args[i]);
        w->instead = alternative.outer;
        end(w);
    }
    json_array_end(&w->json);
    json_key(&w->json, S("else"));
    typed_null(w, node->type);
    end(w);
}

static void write_list(ElmWriter *w, const CqlNode *node)
{
    elm_begin(w, "List", node);
    if (node->count == 0 && node->type->element->kind != TYPE_ANY)
        elm_write_type(w, S("typeSpecifier"), node->type);
    json_key(&w->json, S("element"));
    json_array_begin(&w->json);
    for (uint32_t i = 0; i < node->count; i++)
        elm_write_node(w, node->args[i]);
    json_array_end(&w->json);
    end(w);
}

static void write_elements(ElmWriter *w, const CqlNode *node, const Str *names)
{
    json_key(&w->json, S("element"));
    json_array_begin(&w->json);
    for (uint32_t i = 0; i < node->count; i++) {
        json_object_begin(&w->json);
        json_member_str(&w->json, S("name"), names[i]);
        member(w, "value", node->args[i]);
        end(w);
    }
    json_array_end(&w->json);
    end(w);
}

static void write_interval(ElmWriter *w, const CqlNode *node)
{
    elm_begin(w, "Interval", node);
    if (node->count == 2) {
        json_member_bool(&w->json, S("lowClosed"), (node->index & 1) != 0);
        json_member_bool(&w->json, S("highClosed"), (node->index & 2) != 0);
    }
    member(w, "low", node->args[0]);
    member(w, "high", node->args[1]);
    if (node->count == 4) {
        member(w, "lowClosedExpression", node->args[2]);
        member(w, "highClosedExpression", node->args[3]);
    }
    end(w);
}

static void write_constant_node(ElmWriter *w, const CqlNode *node)
{
    const NodeForm *form = node->form;
    if (form != NULL && form->definition != NULL)
        write_reference(w, node, form->definition);
    else if (form != NULL && form->whole != NULL)
        elm_write_node(w, form->whole);
    else if (node->constant.kind == CQL_NULL)
        typed_null(w, node->type);
    else
        elm_write_constant(w, node);
}

/* --- all of them --- */

typedef void (*WriteFn)(ElmWriter *w, const CqlNode *node);

static void write_tuple(ElmWriter *w, const CqlNode *node)
{
    elm_begin(w, "Tuple", node);
    write_elements(w, node, node->type->names);
}

static void write_instance(ElmWriter *w, const CqlNode *node)
{
    elm_begin(w, "Instance", node);
    json_member_str(&w->json, S("classType"), elm_type_name(w->resolver->arena, node->type));
    write_elements(w, node, node->detail);
}

static void write_coalesce(ElmWriter *w, const CqlNode *node)
{
    elm_begin(w, "Coalesce", node);
    operands(w, node->args, node->count);
}

static void write_definition(ElmWriter *w, const CqlNode *node)
{
    write_reference(w, node, node->form->definition);
}

static void write_exists(ElmWriter *w, const CqlNode *node)
{
    elm_begin(w, "Exists", node);
    member(w, "operand", node->form->whole);
    end(w);
}

static void write_patient(ElmWriter *w, const CqlNode *node)
{
    elm_begin(w, "ExpressionRef", node);
    json_member_str(&w->json, S("name"), S("Patient"));
    end(w);
}

/* True when something else is to be written in the node's place. */
static bool write_instead(ElmWriter *w, const CqlNode *node)
{
    for (const ElmInstead *instead = w->instead; instead != NULL; instead = instead->outer) {
        bool is_slot =
            instead->node == NULL && node->run == run_slot && node->index == instead->slot;
        if (!is_slot && instead->node != node)
            continue;
        /* What is written in its place is outside of it. */
        const ElmInstead *all = w->instead;
        w->instead = instead->outer;
        if (instead->alias.len > 0) {
            elm_begin(w, "AliasRef", NULL);
            json_member_str(&w->json, S("name"), instead->alias);
            end(w);
        } else {
            write_as(w, NULL, instead->source, instead->type, false);
        }
        w->instead = all;
        return true;
    }
    return false;
}

static const struct {
    CqlRunFn run;
    WriteFn write;
} node_writers[] = {
    {run_constant, write_constant_node},
    {run_operator, write_operator_node},
    {run_slot, write_slot},
    {run_definition, write_definition},
    {run_function, write_definition},
    {run_and, write_logic},
    {run_or, write_logic},
    {run_implies, write_logic},
    {run_ladder, write_ladder},
    {run_if, write_if},
    {run_case, write_case},
    {run_coalesce, write_coalesce},
    {run_list, write_list},
    {run_tuple, write_tuple},
    {run_interval, write_interval},
    {run_instance, write_instance},
    {run_query, elm_write_query},
    {run_retrieve, elm_write_retrieve},
    {run_exists_retrieve, write_exists},
    {run_patient, write_patient},
};

/* JSON levels that one node may need. */
enum { LEVELS_A_NODE = 16 };

void elm_write_node(ElmWriter *w, const CqlNode *node)
{
    if (w->json.depth + LEVELS_A_NODE > JSON_WRITER_DEPTH_MAX || w->json.out->overflowed) {
        if (!w->failed)
            elm_unsupported(w, node, "so deep or so large an expression");
        else
            json_null(&w->json);
        return;
    }
    if (write_instead(w, node))
        return;
    bool needs_form = node->run == run_definition || node->run == run_function ||
                      node->run == run_exists_retrieve || node->run == run_query ||
                      node->run == run_retrieve;
    if (needs_form && node->form == NULL) {
        elm_unsupported(w, node, "this expression");
        return;
    }
    for (size_t i = 0; i < COUNT_OF(node_writers); i++) {
        if (node_writers[i].run == node->run) {
            node_writers[i].write(w, node);
            return;
        }
    }
    elm_unsupported(w, node, "this expression");
}
