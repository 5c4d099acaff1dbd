/* The nodes of ELM as nodes of the syntax tree. */
#include "cql/elm_int.h"

typedef Vec(Ast *) AstItems;

Ast *elm_child(ElmReader *reader, const JsonValue *at, Str key)
{
    const JsonValue *child = json_find(at, key);
    if (child == NULL)
        return elm_fail(reader, at, "%.*s lacks the member '%.*s'",
                        STR_ARG(str_slice(json_find_text(at, S("type")), 0, 60)), STR_ARG(key));
    return elm_expression(reader, child);
}

static Ast *text_node(ElmReader *reader, const JsonValue *at, AstKind kind, Str text)
{
    Ast *node = elm_node(reader, kind, at);
    node->text = text;
    return node;
}

static void set_items(Ast *node, const AstItems *items)
{
    node->items = items->items;
    node->count = items->count;
}

/* --- operators --- */

/* Operands by the members of a row of elm.def. An optional one that is missing ends the list, but
   for one that has others behind it: that is a null. */
static bool read_operands(ElmReader *reader, const JsonValue *at, Str members, AstItems *items)
{
    Str rest = members;
    Str key;
    size_t nulls = 0;
    while (rest.ptr != NULL && members.len > 0 && str_split_next(&rest, ',', &key)) {
        bool is_array = str_ends_with(key, S("[]"));
        bool is_optional = str_ends_with(key, S("?"));
        key.len -= is_array ? 2 : is_optional ? 1 : 0;
        const JsonValue *member = json_find(at, key);
        if (is_array && (member == NULL || member->kind != JSON_ARRAY)) {
            (void)elm_fail(reader, at, "expected the array '%.*s'", STR_ARG(key));
            return false;
        }
        for (size_t i = 0; is_array && i < member->count; i++)
            VEC_PUSH(reader->arena, items, elm_expression(reader, &member->items[i]));
        if (is_array)
            continue;
        if (member == NULL && is_optional) {
            nulls++;
            continue;
        }
        for (; nulls > 0; nulls--)
            VEC_PUSH(reader->arena, items, elm_node(reader, AST_NULL, at));
        VEC_PUSH(reader->arena, items, elm_child(reader, at, key));
    }
    return true;
}

/* Chains of more than two, which some translators write for operators of two. */
static Ast *fold_left(ElmReader *reader, const JsonValue *at, Ast *node)
{
    static const Str chained[] = {STR_INIT("And"),   STR_INIT("Or"),        STR_INIT("Concatenate"),
                                  STR_INIT("Union"), STR_INIT("Intersect"), STR_INIT("Add")};
    bool is_chained = false;
    for (size_t i = 0; i < COUNT_OF(chained); i++)
        is_chained |= node->count > 2 && str_eq(node->text, chained[i]);
    if (!is_chained)
        return node;
    if (node->count > LIMIT_CQL_DEPTH)
        return elm_fail(reader, at, "more than %d operands", LIMIT_CQL_DEPTH);
    Ast *left = node->items[0];
    for (size_t i = 1; i < node->count; i++) {
        Ast *both = elm_operator(reader, "", at, left, node->items[i]);
        both->text = node->text;
        left = both;
    }
    return left;
}

static Ast *read_operator(ElmReader *reader, const JsonValue *at, const ElmOperator *row)
{
    Ast *node = elm_node(reader, AST_OPERATOR, at);
    AstItems items = {0};
    if (!read_operands(reader, at, row->members, &items))
        return elm_node(reader, AST_ERROR, at);
    /* No quantity to expand or collapse by is written as a null. */
    bool is_per = str_eq(row->name, S("Expand")) || str_eq(row->name, S("Collapse"));
    if (is_per && items.count == 2 && items.items[1]->kind == AST_NULL)
        items.count = 1;
    set_items(node, &items);
    node->text = row->name;
    /* Round's precision is an operand. */
    if (str_find(row->members, S("precision")) == SIZE_MAX)
        node->precision = elm_precision(reader, at);
    return fold_left(reader, at, node);
}

/* --- literals and selectors --- */

static Ast *read_literal(ElmReader *reader, const JsonValue *at)
{
    static const struct {
        Str type;
        AstKind kind;
    } kinds[] = {{STR_INIT("Boolean"), AST_BOOLEAN},
                 {STR_INIT("Integer"), AST_INTEGER},
                 {STR_INIT("Long"), AST_LONG},
                 {STR_INIT("Decimal"), AST_DECIMAL},
                 {STR_INIT("String"), AST_STRING}};
    Str type = json_find_text(at, S("valueType"));
    const JsonValue *value = json_find(at, S("value"));
    size_t end = str_find_char(type, '}');
    Str name = end == SIZE_MAX ? type : str_slice(type, end + 1, type.len);
    Str text = value == NULL ? S("") : value->text;
    if (value != NULL && value->kind == JSON_BOOL)
        text = value->boolean ? S("true") : S("false");
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (!str_eq(name, kinds[i].type))
            continue;
        AstKind kind = kinds[i].kind;
        if (kind == AST_BOOLEAN && !str_eq(text, S("true")) && !str_eq(text, S("false")))
            return elm_fail(reader, at, "expected true or false");
        if (kind == AST_DECIMAL && str_find_char(text, '.') == SIZE_MAX)
            text = str_format(reader->arena, "%.*s.0", STR_ARG(text));
        bool is_negative =
            (kind == AST_INTEGER || kind == AST_LONG) && str_starts_with(text, S("-"));
        Ast *node = text_node(reader, at, kind, str_slice(text, is_negative, SIZE_MAX));
        return is_negative ? elm_operator(reader, "Negate", at, node, NULL) : node;
    }
    return elm_fail(reader, at, "expected a literal of a System type, not '%.*s'",
                    STR_ARG(str_slice(type, 0, 80)));
}

static Ast *read_null(ElmReader *reader, const JsonValue *at)
{
    return text_node(reader, at, AST_NULL, S("null"));
}

static bool is_calendar_word(Str unit)
{
    static const Str words[] = {STR_INIT("year"),   STR_INIT("month"),      STR_INIT("week"),
                                STR_INIT("day"),    STR_INIT("hour"),       STR_INIT("minute"),
                                STR_INIT("second"), STR_INIT("millisecond")};
    Str stem = str_ends_with(unit, S("s")) ? str_slice(unit, 0, unit.len - 1) : unit;
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (str_eq(stem, words[i]))
            return true;
    }
    return false;
}

static Ast *read_quantity(ElmReader *reader, const JsonValue *at)
{
    const JsonValue *value = json_find(at, S("value"));
    if (value == NULL || (value->kind != JSON_NUMBER && value->kind != JSON_STRING))
        return elm_fail(reader, at, "expected a quantity with a value");
    Ast *node = text_node(reader, at, AST_QUANTITY, value->text);
    Str unit = json_find_text(at, S("unit"));
    node->unit = unit.len == 0 ? S("1") : unit;
    node->flags = is_calendar_word(unit) ? AST_CALENDAR : 0;
    return node;
}

static Ast *read_ratio(ElmReader *reader, const JsonValue *at)
{
    const JsonValue *parts[2] = {json_find(at, S("numerator")), json_find(at, S("denominator"))};
    if (parts[0] == NULL || parts[1] == NULL)
        return elm_fail(reader, at, "expected a ratio with numerator and denominator");
    Ast *node = elm_operator(reader, "", at, read_quantity(reader, parts[0]),
                             read_quantity(reader, parts[1]));
    bool ok = node->items[0]->kind == AST_QUANTITY && node->items[1]->kind == AST_QUANTITY;
    node->kind = ok ? AST_RATIO : AST_ERROR;
    return node;
}

static Ast *read_interval(ElmReader *reader, const JsonValue *at)
{
    static const Str bounds[] = {STR_INIT("low"), STR_INIT("high")};
    static const Str closed[] = {STR_INIT("lowClosedExpression"), STR_INIT("highClosedExpression")};
    Ast *node = elm_node(reader, AST_INTERVAL, at);
    node->items = ARENA_ZARRAY(reader->arena, Ast *, 4);
    node->count = 2;
    for (size_t i = 0; i < 2; i++) {
        const JsonValue *bound = json_find(at, bounds[i]);
        node->items[i] =
            bound == NULL ? elm_node(reader, AST_NULL, at) : elm_expression(reader, bound);
        const JsonValue *expression = json_find(at, closed[i]);
        if (expression != NULL) {
            node->items[2 + i] = elm_expression(reader, expression);
            node->count = 4;
        }
    }
    if (elm_flag(at, S("lowClosed"), true))
        node->flags |= AST_LOW_CLOSED;
    if (elm_flag(at, S("highClosed"), true))
        node->flags |= AST_HIGH_CLOSED;
    return node;
}

static Ast *read_list(ElmReader *reader, const JsonValue *at)
{
    Ast *node = elm_node(reader, AST_LIST, at);
    const JsonValue *elements = json_find(at, S("element"));
    const JsonValue *type = json_find(at, S("typeSpecifier"));
    AstItems items = {0};
    if (type != NULL) {
        const JsonValue *inner = json_find(type, S("elementType"));
        bool is_list = str_eq(json_find_text(type, S("type")), S("ListTypeSpecifier"));
        node->type = elm_type(reader, is_list && inner != NULL ? inner : type);
        if (node->type == NULL)
            return elm_node(reader, AST_ERROR, at);
    }
    for (size_t i = 0; elements != NULL && i < elements->count; i++)
        VEC_PUSH(reader->arena, &items, elm_expression(reader, &elements->items[i]));
    set_items(node, &items);
    return node;
}

/* The elements of a tuple or an instance: name and value each. */
static bool read_elements(ElmReader *reader, const JsonValue *at, Ast *node)
{
    const JsonValue *elements = json_find(at, S("element"));
    AstItems items = {0};
    size_t count = elements == NULL || elements->kind != JSON_ARRAY ? 0 : elements->count;
    node->names = ARENA_ARRAY(reader->arena, Str, count);
    for (size_t i = 0; i < count; i++) {
        const JsonValue *element = &elements->items[i];
        node->names[i] = json_find_text(element, S("name"));
        if (node->names[i].len == 0) {
            (void)elm_fail(reader, element, "expected an element with a name");
            return false;
        }
        VEC_PUSH(reader->arena, &items, elm_child(reader, element, S("value")));
    }
    set_items(node, &items);
    return true;
}

static Ast *read_tuple(ElmReader *reader, const JsonValue *at)
{
    Ast *node = elm_node(reader, AST_TUPLE, at);
    return read_elements(reader, at, node) ? node : elm_node(reader, AST_ERROR, at);
}

static Ast *read_instance(ElmReader *reader, const JsonValue *at)
{
    Ast *node = elm_node(reader, AST_INSTANCE, at);
    node->type = elm_type_of(reader, at, S("classType"), S("classTypeSpecifier"));
    bool ok = node->type != NULL && read_elements(reader, at, node);
    return ok ? node : elm_node(reader, AST_ERROR, at);
}

static Ast *read_code(ElmReader *reader, const JsonValue *at)
{
    const JsonValue *system = json_find(at, S("system"));
    if (system == NULL)
        return elm_fail(reader, at, "expected a code with a system");
    Ast *node = elm_operator(reader, "", at, elm_reference(reader, system), NULL);
    node->kind = AST_CODE;
    node->text = json_find_text(at, S("code"));
    node->unit = json_find_text(at, S("display"));
    return node;
}

static Ast *read_concept(ElmReader *reader, const JsonValue *at)
{
    Ast *node = elm_node(reader, AST_CONCEPT, at);
    const JsonValue *codes = json_find(at, S("code"));
    AstItems items = {0};
    for (size_t i = 0; codes != NULL && i < codes->count; i++) {
        Ast *code = read_code(reader, &codes->items[i]);
        if (code->kind != AST_CODE)
            return code;
        VEC_PUSH(reader->arena, &items, code);
    }
    set_items(node, &items);
    node->unit = json_find_text(at, S("display"));
    return node;
}

/* --- conditions and types --- */

static Ast *read_if(ElmReader *reader, const JsonValue *at)
{
    Ast *node = elm_node(reader, AST_IF, at);
    AstItems items = {0};
    VEC_PUSH(reader->arena, &items, elm_child(reader, at, S("condition")));
    VEC_PUSH(reader->arena, &items, elm_child(reader, at, S("then")));
    VEC_PUSH(reader->arena, &items, elm_child(reader, at, S("else")));
    set_items(node, &items);
    return node;
}

static Ast *read_case(ElmReader *reader, const JsonValue *at)
{
    Ast *node = elm_node(reader, AST_CASE, at);
    const JsonValue *comparand = json_find(at, S("comparand"));
    const JsonValue *cases = json_find(at, S("caseItem"));
    AstItems items = {0};
    VEC_PUSH(reader->arena, &items, comparand == NULL ? NULL : elm_expression(reader, comparand));
    for (size_t i = 0; cases != NULL && i < cases->count; i++) {
        VEC_PUSH(reader->arena, &items, elm_child(reader, &cases->items[i], S("when")));
        VEC_PUSH(reader->arena, &items, elm_child(reader, &cases->items[i], S("then")));
    }
    VEC_PUSH(reader->arena, &items, elm_child(reader, at, S("else")));
    set_items(node, &items);
    return node;
}

static Ast *read_typed(ElmReader *reader, const JsonValue *at, AstKind kind, AstType *type)
{
    Ast *node = elm_operator(reader, "", at, elm_child(reader, at, S("operand")), NULL);
    node->kind = (uint8_t)(type == NULL ? AST_ERROR : kind);
    node->type = type;
    return node;
}

static Ast *read_as(ElmReader *reader, const JsonValue *at)
{
    AstType *type = elm_type_of(reader, at, S("asType"), S("asTypeSpecifier"));
    Ast *node = read_typed(reader, at, AST_AS, type);
    node->flags = elm_flag(at, S("strict"), false) ? AST_STRICT : 0;
    return node;
}

static Ast *read_is(ElmReader *reader, const JsonValue *at)
{
    return read_typed(reader, at, AST_IS,
                      elm_type_of(reader, at, S("isType"), S("isTypeSpecifier")));
}

static Ast *read_convert(ElmReader *reader, const JsonValue *at)
{
    return read_typed(reader, at, AST_CONVERT,
                      elm_type_of(reader, at, S("toType"), S("toTypeSpecifier")));
}

static Ast *read_extreme(ElmReader *reader, const JsonValue *at)
{
    Ast *node = elm_node(reader, AST_EXTREME, at);
    node->type = elm_type_of(reader, at, S("valueType"), S("valueTypeSpecifier"));
    if (str_eq(json_find_text(at, S("type")), S("MaxValue")))
        node->flags = AST_MAXIMUM;
    if (node->type == NULL)
        node->kind = AST_ERROR;
    return node;
}

/* --- references --- */

static Ast *read_variable(ElmReader *reader, const JsonValue *at)
{
    Str name = json_find_text(at, S("name"));
    return name.len == 0 ? elm_fail(reader, at, "expected a name")
                         : elm_identifier(reader, at, name);
}

static Ast *read_identifier(ElmReader *reader, const JsonValue *at)
{
    return json_find(at, S("libraryName")) != NULL ? elm_reference(reader, at)
                                                   : read_variable(reader, at);
}

/* A value set that is not to be preserved is the list of its codes. */
static Ast *read_value_set(ElmReader *reader, const JsonValue *at)
{
    Ast *node = elm_reference(reader, at);
    return elm_flag(at, S("preserve"), false) || node->kind == AST_ERROR
               ? node
               : elm_operator(reader, "ExpandValueSet", at, node, NULL);
}

static Ast *read_property(ElmReader *reader, const JsonValue *at)
{
    Str path = json_find_text(at, S("path"));
    Str scope = json_find_text(at, S("scope"));
    const JsonValue *source = json_find(at, S("source"));
    if (path.len == 0 || (scope.len == 0 && source == NULL))
        return elm_fail(reader, at, "expected a property with a path and a scope or source");
    Ast *object =
        source != NULL ? elm_expression(reader, source) : elm_identifier(reader, at, scope);
    Str part;
    size_t parts = 0;
    while (str_split_next(&path, '.', &part)) {
        if (++parts > LIMIT_CQL_DEPTH)
            return elm_fail(reader, at, "more than %d parts of one path", LIMIT_CQL_DEPTH);
        size_t bracket = str_find_char(part, '[');
        object = elm_member(reader, at, object, str_slice(part, 0, bracket));
        if (bracket == SIZE_MAX)
            continue;
        Ast *index = text_node(reader, at, AST_INTEGER,
                               str_slice(part, bracket + 1, part.len - bracket - 2));
        object = elm_operator(reader, "Indexer", at, object, index);
    }
    return object;
}

static Ast *read_function(ElmReader *reader, const JsonValue *at)
{
    Str name = json_find_text(at, S("name"));
    Str library = json_find_text(at, S("libraryName"));
    Ast *node = text_node(reader, at, AST_FUNCTION, name);
    AstItems items = {0};
    const JsonValue *operands = json_find(at, S("operand"));
    const JsonValue *signature = json_find(at, S("signature"));
    if (name.len == 0)
        return elm_fail(reader, at, "expected the name of a function");
    if (library.len > 0) {
        node->flags = AST_FLUENT;
        Ast *alias = elm_identifier(reader, at, library);
        alias->flags |= AST_GLOBAL;
        VEC_PUSH(reader->arena, &items, alias);
    }
    for (size_t i = 0; operands != NULL && i < operands->count; i++)
        VEC_PUSH(reader->arena, &items, elm_expression(reader, &operands->items[i]));
    set_items(node, &items);
    size_t count = signature == NULL || signature->kind != JSON_ARRAY ? 0 : signature->count;
    if (count == 0 || operands == NULL || count != operands->count)
        return node;
    node->signature = ARENA_ARRAY(reader->arena, AstType *, count);
    for (size_t i = 0; i < count; i++) {
        node->signature[i] = elm_type(reader, &signature->items[i]);
        if (node->signature[i] == NULL)
            return elm_node(reader, AST_ERROR, at);
    }
    return node;
}

/* --- membership --- */

/* InValueSet and its like: the vocabulary by reference or as an expression. */
static Ast *read_membership(ElmReader *reader, const JsonValue *at)
{
    static const Str code_keys[] = {STR_INIT("code"), STR_INIT("codes")};
    static const Str set_keys[] = {STR_INIT("valueset"), STR_INIT("codesystem")};
    static const Str expression_keys[] = {STR_INIT("valuesetExpression"),
                                          STR_INIT("codesystemExpression")};
    const JsonValue *code = NULL;
    Ast *set = NULL;
    for (size_t i = 0; i < 2; i++) {
        const JsonValue *member = json_find(at, set_keys[i]);
        const JsonValue *expression = json_find(at, expression_keys[i]);
        code = code == NULL ? json_find(at, code_keys[i]) : code;
        if (member != NULL)
            set = elm_reference(reader, member);
        else if (expression != NULL)
            set = elm_expression(reader, expression);
    }
    if (code == NULL || set == NULL)
        return elm_fail(reader, at, "expected a code and a value set or code system");
    return elm_operator(reader, "In", at, elm_expression(reader, code), set);
}

/* What `Tail`, `Skip` and `Take` are written as: the items from startIndex to before endIndex. */
static Ast *read_slice(ElmReader *reader, const JsonValue *at)
{
    const JsonValue *end = json_find(at, S("endIndex"));
    const JsonValue *start = json_find(at, S("startIndex"));
    bool to_end = end == NULL || str_eq(json_find_text(end, S("type")), S("Null"));
    bool from_first = start == NULL || str_eq(json_find_text(start, S("value")), S("0"));
    Ast *list = elm_child(reader, at, S("source"));
    if (!from_first)
        list = elm_operator(reader, "Skip", at, list, elm_expression(reader, start));
    if (to_end)
        return list;
    Ast *count = elm_expression(reader, end);
    if (!from_first)
        count = elm_operator(reader, "Subtract", at, count, elm_expression(reader, start));
    return elm_operator(reader, "Take", at, list, count);
}

/* --- all of them --- */

typedef Ast *(*ReadFn)(ElmReader *reader, const JsonValue *at);

static const struct {
    Str type;
    ReadFn read;
} special_nodes[] = {
    {STR_INIT("Literal"), read_literal},
    {STR_INIT("Null"), read_null},
    {STR_INIT("Quantity"), read_quantity},
    {STR_INIT("Ratio"), read_ratio},
    {STR_INIT("Interval"), read_interval},
    {STR_INIT("List"), read_list},
    {STR_INIT("Tuple"), read_tuple},
    {STR_INIT("Instance"), read_instance},
    {STR_INIT("Code"), read_code},
    {STR_INIT("Concept"), read_concept},
    {STR_INIT("If"), read_if},
    {STR_INIT("Case"), read_case},
    {STR_INIT("As"), read_as},
    {STR_INIT("Is"), read_is},
    {STR_INIT("Convert"), read_convert},
    {STR_INIT("MinValue"), read_extreme},
    {STR_INIT("MaxValue"), read_extreme},
    {STR_INIT("ExpressionRef"), elm_reference},
    {STR_INIT("ParameterRef"), elm_reference},
    {STR_INIT("CodeSystemRef"), elm_reference},
    {STR_INIT("CodeRef"), elm_reference},
    {STR_INIT("ConceptRef"), elm_reference},
    {STR_INIT("ValueSetRef"), read_value_set},
    {STR_INIT("AliasRef"), read_variable},
    {STR_INIT("QueryLetRef"), read_variable},
    {STR_INIT("OperandRef"), read_variable},
    {STR_INIT("IdentifierRef"), read_identifier},
    {STR_INIT("Property"), read_property},
    {STR_INIT("FunctionRef"), read_function},
    {STR_INIT("InValueSet"), read_membership},
    {STR_INIT("InCodeSystem"), read_membership},
    {STR_INIT("AnyInValueSet"), read_membership},
    {STR_INIT("AnyInCodeSystem"), read_membership},
    {STR_INIT("Slice"), read_slice},
    {STR_INIT("Query"), elm_query},
    {STR_INIT("Filter"), elm_filter},
    {STR_INIT("ForEach"), elm_for_each},
    {STR_INIT("Retrieve"), elm_retrieve},
};

Ast *elm_expression(ElmReader *reader, const JsonValue *at)
{
    Str type = json_find_text(at, S("type"));
    for (size_t i = 0; i < COUNT_OF(special_nodes); i++) {
        if (str_eq(special_nodes[i].type, type))
            return special_nodes[i].read(reader, at);
    }
    for (const ElmOperator *row = elm_operator_table; row->type.ptr != NULL; row++) {
        if (str_eq(row->type, type))
            return read_operator(reader, at, row);
    }
    if (type.len == 0)
        return elm_fail(reader, at, "expected an expression: an object with a type");
    return elm_fail(reader, at, "expressions of type '%.*s' are not supported",
                    STR_ARG(str_slice(type, 0, 60)));
}
