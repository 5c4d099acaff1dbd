/* Queries and retrieves of ELM. */
#include "cql/elm_int.h"

typedef Vec(AstSource) SourceItems;

static bool read_source(ElmReader *reader, const JsonValue *at, Str name_key, AstSource *ret_source)
{
    *ret_source = (AstSource){.alias = json_find_text(at, name_key)};
    elm_place(at, &ret_source->line, &ret_source->column);
    ret_source->expression = elm_child(reader, at, S("expression"));
    if (ret_source->alias.len == 0)
        (void)elm_fail(reader, at, "expected the member '%.*s'", STR_ARG(name_key));
    return ret_source->alias.len > 0;
}

static bool read_sources(ElmReader *reader, const JsonValue *array, Str name_key,
                         AstSource **ret_sources, size_t *ret_count)
{
    SourceItems sources = {0};
    bool ok = true;
    for (size_t i = 0; array != NULL && i < array->count; i++) {
        AstSource source;
        ok &= read_source(reader, &array->items[i], name_key, &source);
        VEC_PUSH(reader->arena, &sources, source);
    }
    *ret_sources = sources.items;
    *ret_count = sources.count;
    return ok;
}

static bool read_relations(ElmReader *reader, const JsonValue *array, AstQuery *query)
{
    Vec(AstRelation) relations = {0};
    for (size_t i = 0; array != NULL && i < array->count; i++) {
        const JsonValue *at = &array->items[i];
        Str type = json_find_text(at, S("type"));
        AstRelation relation = {.is_without = str_eq(type, S("Without"))};
        if (!relation.is_without && !str_eq(type, S("With"))) {
            (void)elm_fail(reader, at, "expected With or Without");
            return false;
        }
        if (!read_source(reader, at, S("alias"), &relation.source))
            return false;
        relation.such_that = elm_child(reader, at, S("suchThat"));
        VEC_PUSH(reader->arena, &relations, relation);
    }
    query->relations = relations.items;
    query->relation_count = relations.count;
    return true;
}

/* A key: by the item itself, by an element of it (also of an element of it), by an expression. */
static Ast *read_sort_key(ElmReader *reader, const JsonValue *at)
{
    Str path = json_find_text(at, S("path"));
    if (path.len == 0)
        return elm_child(reader, at, S("expression"));
    Ast *key = NULL;
    Str part;
    for (size_t i = 0; i < LIMIT_CQL_DEPTH && str_split_next(&path, '.', &part); i++)
        key = key == NULL ? elm_identifier(reader, at, part) : elm_member(reader, at, key, part);
    return key;
}

static void read_sort(ElmReader *reader, const JsonValue *sort, AstQuery *query)
{
    const JsonValue *by = json_find(sort, S("by"));
    Vec(AstSortKey) keys = {0};
    for (size_t i = 0; by != NULL && i < by->count; i++) {
        const JsonValue *at = &by->items[i];
        Str direction = json_find_text(at, S("direction"));
        AstSortKey key = {.is_descending = str_starts_with(direction, S("desc"))};
        if (!str_eq(json_find_text(at, S("type")), S("ByDirection")))
            key.expression = read_sort_key(reader, at);
        VEC_PUSH(reader->arena, &keys, key);
    }
    query->sort_keys = keys.items;
    query->sort_count = keys.count;
}

static void read_aggregate(ElmReader *reader, const JsonValue *at, AstQuery *query)
{
    const JsonValue *start = json_find(at, S("starting"));
    query->aggregate_name = json_find_text(at, S("identifier"));
    query->aggregate_distinct = elm_flag(at, S("distinct"), false);
    query->aggregate = elm_child(reader, at, S("expression"));
    query->aggregate_start = start == NULL ? NULL : elm_expression(reader, start);
}

Ast *elm_query(ElmReader *reader, const JsonValue *at)
{
    Ast *node = elm_node(reader, AST_QUERY, at);
    AstQuery *query = ARENA_NEW(reader->arena, AstQuery);
    const JsonValue *where = json_find(at, S("where"));
    const JsonValue *returns = json_find(at, S("return"));
    const JsonValue *aggregate = json_find(at, S("aggregate"));
    const JsonValue *sort = json_find(at, S("sort"));
    bool ok = read_sources(reader, json_find(at, S("source")), S("alias"), &query->sources,
                           &query->source_count) &&
              read_sources(reader, json_find(at, S("let")), S("identifier"), &query->lets,
                           &query->let_count) &&
              read_relations(reader, json_find(at, S("relationship")), query);
    if (!ok)
        return elm_node(reader, AST_ERROR, at);
    if (query->source_count == 0)
        return elm_fail(reader, at, "expected a query with a source");
    query->where = where == NULL ? NULL : elm_expression(reader, where);
    if (returns != NULL) {
        query->returns = elm_child(reader, returns, S("expression"));
        query->return_all = !elm_flag(returns, S("distinct"), true);
    }
    if (aggregate != NULL)
        read_aggregate(reader, aggregate, query);
    if (sort != NULL)
        read_sort(reader, sort, query);
    node->query = query;
    return node;
}

/* A query over one source under the name of its scope. */
static Ast *scoped_query(ElmReader *reader, const JsonValue *at, AstQuery **ret_query)
{
    Ast *node = elm_node(reader, AST_QUERY, at);
    AstQuery *query = ARENA_NEW(reader->arena, AstQuery);
    Str scope = json_find_text(at, S("scope"));
    query->sources = ARENA_ZARRAY(reader->arena, AstSource, 1);
    query->source_count = 1;
    query->sources[0].alias = scope.len == 0 ? S("$this") : scope;
    query->sources[0].expression = elm_child(reader, at, S("source"));
    elm_place(at, &query->sources[0].line, &query->sources[0].column);
    node->query = query;
    *ret_query = query;
    return node;
}

Ast *elm_filter(ElmReader *reader, const JsonValue *at)
{
    AstQuery *query;
    Ast *node = scoped_query(reader, at, &query);
    query->where = elm_child(reader, at, S("condition"));
    return node;
}

Ast *elm_for_each(ElmReader *reader, const JsonValue *at)
{
    AstQuery *query;
    Ast *node = scoped_query(reader, at, &query);
    query->returns = elm_child(reader, at, S("element"));
    query->return_all = true;
    return node;
}

/* Only those whose date lies within the range: a query around the retrieve. */
static Ast *within_dates(ElmReader *reader, const JsonValue *at, Ast *retrieve,
                         const JsonValue *range)
{
    Str path = json_find_text(at, S("dateProperty"));
    if (path.len == 0)
        return elm_fail(reader, at, "expected dateProperty beside dateRange");
    AstQuery *query = ARENA_NEW(reader->arena, AstQuery);
    query->sources = ARENA_ZARRAY(reader->arena, AstSource, 1);
    query->source_count = 1;
    query->sources[0] = (AstSource){.alias = S("$item"), .expression = retrieve};
    Ast *date = elm_member(reader, at, elm_identifier(reader, at, S("$item")), path);
    query->where = elm_operator(reader, "IncludedIn", at, date, elm_expression(reader, range));
    Ast *node = elm_node(reader, AST_QUERY, at);
    node->query = query;
    return node;
}

Ast *elm_retrieve(ElmReader *reader, const JsonValue *at)
{
    Ast *node = elm_node(reader, AST_RETRIEVE, at);
    AstRetrieve *retrieve = ARENA_NEW(reader->arena, AstRetrieve);
    const JsonValue *codes = json_find(at, S("codes"));
    const JsonValue *range = json_find(at, S("dateRange"));
    const JsonValue *context = json_find(at, S("context"));
    node->retrieve = retrieve;
    retrieve->type = elm_type_of(reader, at, S("dataType"), S("dataTypeSpecifier"));
    if (retrieve->type == NULL)
        return elm_node(reader, AST_ERROR, at);
    retrieve->profile = json_find_text(at, S("templateId"));
    retrieve->path = json_find_text(at, S("codeProperty"));
    retrieve->comparator = json_find_text(at, S("codeComparator"));
    if (codes != NULL) {
        bool is_set = str_eq(json_find_text(codes, S("type")), S("ValueSetRef"));
        retrieve->terminology =
            is_set ? elm_reference(reader, codes) : elm_expression(reader, codes);
    }
    if (context != NULL) {
        Str name = json_find_text(context, S("name"));
        if (name.len == 0)
            return elm_fail(reader, context, "expected the name of a definition");
        retrieve->context = name;
    }
    return range == NULL ? node : within_dates(reader, at, node, range);
}
