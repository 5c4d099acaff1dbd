#include "terms/value_set_int.h"

/* Where the reading stands: what findings need. */
typedef struct {
    ValueSets *sets;
    ValueSetSource *source;
    DiagList *diags;
    bool is_bad;
} Reading;

static void finding(Reading *reading, const JsonValue *place, Str rule, Str path, const char *text)
{
    Str url = reading->source->set.url;
    diag_addf(reading->diags,
              (Diag){.severity = SEVERITY_ERROR,
                     .rule = rule,
                     .file = reading->source->file,
                     .line = place->line,
                     .column = place->column,
                     .path = path},
              "value set '%.*s': %s", STR_ARG(url), text);
    reading->is_bad = true;
}

/* The member as an array (NULL when absent); one of another kind is a finding. */
static const JsonValue *find_array(Reading *reading, const JsonValue *object, Str key, Str path)
{
    const JsonValue *member = json_find(object, key);
    if (member == NULL || member->kind == JSON_ARRAY)
        return member;
    finding(reading, member, S("value-set-shape"), path, "expected an array");
    return NULL;
}

static const JsonValue *find_object(Reading *reading, const JsonValue *object, Str key, Str path)
{
    const JsonValue *member = json_find(object, key);
    if (member == NULL || member->kind == JSON_OBJECT)
        return member;
    finding(reading, member, S("value-set-shape"), path, "expected an object");
    return NULL;
}

/* One copy of each system's text serves all codes of it. */
static Str keep_system(ValueSets *sets, Str system)
{
    uint64_t ignored;
    if (!map_find(&sets->systems, system, &ignored))
        map_put(&sets->systems, str_copy(sets->arena, system), 0);
    bool is_new;
    return sets->systems.entries[map_intern(&sets->systems, system, 0, &is_new)].key;
}

static void hash_text(ValueSetSource *source, Str text)
{
    source->content_hash = (source->content_hash ^ str_hash(text)) * 0x9e3779b97f4a7c15ull;
}

static void add_code(Reading *reading, Codes *codes, Str system, const JsonValue *holder, Str path)
{
    Str code = json_find_text(holder, S("code"));
    if (str_is_empty(code)) {
        finding(reading, holder, S("value-set-code"), path, "a concept without a code");
        return;
    }
    if (system.len + code.len > LIMIT_CONCEPT_TEXT_BYTES) {
        finding(reading, holder, S("value-set-code"), path, "a code that is too long");
        return;
    }
    Arena *arena = reading->sets->arena;
    hash_text(reading->source, system);
    hash_text(reading->source, code);
    VEC_PUSH(
        arena, codes,
        (ConceptName){.system = keep_system(reading->sets, system), .code = str_copy(arena, code)});
}

static bool is_true(const JsonValue *object, Str key)
{
    const JsonValue *member = json_find(object, key);
    return member != NULL && member->kind == JSON_BOOL && member->boolean;
}

/* ValueSet.expansion.contains, which nests. The depth is that of the JSON, which is limited. */
static void read_contains(Reading *reading, const JsonValue *holder)
{
    static const Str path = STR_INIT("ValueSet.expansion.contains");
    const JsonValue *contains = find_array(reading, holder, S("contains"), path);
    for (size_t i = 0; contains != NULL && i < contains->count; i++) {
        const JsonValue *entry = &contains->items[i];
        if (entry->kind != JSON_OBJECT) {
            finding(reading, entry, S("value-set-shape"), path, "expected an object");
            continue;
        }
        reading->source->expansion_nodes++;
        Str system = json_find_text(entry, S("system"));
        /* Abstract entries, and those without a code, only order the others. */
        bool has_code = json_find(entry, S("code")) != NULL;
        if (has_code && !is_true(entry, S("abstract"))) {
            if (str_is_empty(system))
                finding(reading, entry, S("value-set-code"), path, "a code without a system");
            else
                add_code(reading, &reading->source->expansion, system, entry, path);
        }
        read_contains(reading, entry);
    }
}

/* valueset-unclosed: "the expansion is not the whole value set". */
static bool has_unclosed_mark(const JsonValue *expansion)
{
    const JsonValue *extensions = json_find(expansion, S("extension"));
    if (extensions == NULL || extensions->kind != JSON_ARRAY)
        return false;
    for (size_t i = 0; i < extensions->count; i++) {
        const JsonValue *extension = &extensions->items[i];
        if (str_eq(json_find_text(extension, S("url")),
                   S("http://hl7.org/fhir/StructureDefinition/valueset-unclosed")) &&
            is_true(extension, S("valueBoolean")))
            return true;
    }
    return false;
}

static void read_expansion(Reading *reading, const JsonValue *expansion)
{
    static const Str path = STR_INIT("ValueSet.expansion.total");
    ValueSetSource *source = reading->source;
    const JsonValue *total = json_find(expansion, S("total"));
    int64_t number = 0;
    if (total != NULL &&
        (total->kind != JSON_NUMBER || !str_to_int64(total->text, &number) || number < 0))
        finding(reading, total, S("value-set-shape"), path, "expected a whole number");
    source->expansion_total = number < 0 ? 0 : (uint64_t)number;
    source->is_unclosed = has_unclosed_mark(expansion);
    /* One that neither lists nor counts says nothing. */
    source->has_expansion = total != NULL || json_find(expansion, S("contains")) != NULL;
    read_contains(reading, expansion);
}

static void read_concepts(Reading *reading, const JsonValue *concepts, ComposePart *part, Str path)
{
    for (size_t i = 0; i < concepts->count; i++) {
        if (concepts->items[i].kind == JSON_OBJECT)
            add_code(reading, &part->codes, part->system, &concepts->items[i], path);
        else
            finding(reading, &concepts->items[i], S("value-set-shape"), path, "expected an object");
    }
}

static void read_value_set_names(Reading *reading, const JsonValue *names, ComposePart *part,
                                 Str path)
{
    for (size_t i = 0; i < names->count; i++) {
        const JsonValue *name = &names->items[i];
        if (name->kind != JSON_STRING || str_is_empty(name->text)) {
            finding(reading, name, S("value-set-shape"), path, "expected a canonical URL");
            continue;
        }
        hash_text(reading->source, name->text);
        VEC_PUSH(reading->sets->arena, &part->value_sets,
                 str_copy(reading->sets->arena, name->text));
    }
}

static void read_part(Reading *reading, const JsonValue *item, ComposeParts *parts, Str path)
{
    if (item->kind != JSON_OBJECT) {
        finding(reading, item, S("value-set-shape"), path, "expected an object");
        return;
    }
    Str system = json_find_text(item, S("system"));
    const JsonValue *concepts = find_array(reading, item, S("concept"), path);
    const JsonValue *filters = find_array(reading, item, S("filter"), path);
    const JsonValue *names = find_array(reading, item, S("valueSet"), path);
    ComposePart part = {.system = keep_system(reading->sets, system),
                        .line = item->line,
                        .has_filter = filters != NULL && filters->count > 0};
    bool has_concepts = concepts != NULL && concepts->count > 0;
    part.is_whole_system = !str_is_empty(system) && !has_concepts;
    hash_text(reading->source, path);
    hash_text(reading->source, system);
    hash_text(reading->source, part.has_filter ? S("filter") : S(""));
    if (str_is_empty(system) && (has_concepts || part.has_filter))
        finding(reading, item, S("value-set-code"), path, "concepts without a system");
    else if (has_concepts)
        read_concepts(reading, concepts, &part, path);
    if (names != NULL)
        read_value_set_names(reading, names, &part, path);
    if (str_is_empty(system) && part.value_sets.count == 0)
        finding(reading, item, S("value-set-shape"), path,
                "expected a system or a value set to take codes from");
    VEC_PUSH(reading->sets->arena, parts, part);
}

static void read_parts(Reading *reading, const JsonValue *compose, Str key, Str path,
                       ComposeParts *parts)
{
    const JsonValue *items = find_array(reading, compose, key, path);
    for (size_t i = 0; items != NULL && i < items->count; i++)
        read_part(reading, &items->items[i], parts, path);
}

bool value_set_read(ValueSets *sets, const JsonValue *resource, Str file, DiagList *diags,
                    ValueSetSource *ret_source)
{
    Arena *arena = sets->arena;
    ValueSetSource source = {
        .set = {.url = str_copy(arena, json_find_text(resource, S("url"))),
                .version = str_copy(arena, json_find_text(resource, S("version"))),
                .name = str_copy(arena, json_find_text(resource, S("name"))),
                .title = str_copy(arena, json_find_text(resource, S("title")))},
        .file = str_copy(arena, file),
        .line = resource->line,
    };
    Reading reading = {.sets = sets, .source = &source, .diags = diags};
    if (str_is_empty(source.set.url))
        finding(&reading, resource, S("value-set-url"), S("ValueSet.url"), "it has no url");
    const JsonValue *expansion =
        find_object(&reading, resource, S("expansion"), S("ValueSet.expansion"));
    if (expansion != NULL)
        read_expansion(&reading, expansion);
    const JsonValue *compose = find_object(&reading, resource, S("compose"), S("ValueSet.compose"));
    if (compose != NULL) {
        source.has_compose = true;
        read_parts(&reading, compose, S("include"), S("ValueSet.compose.include"),
                   &source.includes);
        read_parts(&reading, compose, S("exclude"), S("ValueSet.compose.exclude"),
                   &source.excludes);
    }
    if (!source.has_expansion && !source.has_compose)
        finding(&reading, resource, S("value-set-empty"), S("ValueSet"),
                "neither an expansion nor a definition");
    *ret_source = source;
    return !reading.is_bad;
}
