/* Local adaptation: a clinical board sets parameters of the libraries in a document of its own. */
#include "programme/programme_int.h"

typedef struct {
    const YamlReader *yaml;
    const Programme *programme;
    ProgrammeAdaptation *adaptation;
    Vec(CqlParameter) parameters;
} AdaptationReader;

static void read_validity(AdaptationReader *reader, const YamlNode *root)
{
    ProgrammeAdaptation *adaptation = reader->adaptation;
    adaptation->from = DAY_FIRST;
    adaptation->to = DAY_LAST;
    if (!yaml_get_day(reader->yaml, root, S("from"), &adaptation->from))
        return;
    if (yaml_find(root, S("to")) != NULL &&
        yaml_get_day(reader->yaml, root, S("to"), &adaptation->to) &&
        adaptation->to < adaptation->from)
        yaml_error(reader->yaml, yaml_find(root, S("to")), "it ends before it begins");
}

static void read_approval(AdaptationReader *reader, const YamlNode *root)
{
    static const Str known[] = {STR_INIT("approvers"), STR_INIT("date"), STR_INIT("reason")};
    const YamlNode *approval = yaml_find(root, S("approval"));
    if (approval == NULL || approval->kind != YAML_MAPPING) {
        yaml_error(reader->yaml, root,
                   "an adaptation needs an approval: approvers, date and reason");
        return;
    }
    yaml_check_keys(reader->yaml, approval, known, COUNT_OF(known));
    const YamlNode *approvers =
        yaml_get_kind(reader->yaml, approval, S("approvers"), YAML_SEQUENCE);
    if (approvers != NULL && approvers->count == 0)
        yaml_error(reader->yaml, approvers, "nobody has approved it");
    (void)yaml_get_day(reader->yaml, approval, S("date"), &reader->adaptation->approved);
    (void)yaml_get_text(reader->yaml, approval, S("reason"), &reader->adaptation->reason);
    if (reader->adaptation->approved > reader->adaptation->from)
        yaml_error(reader->yaml, yaml_find(approval, S("date")),
                   "it is in force from a day before its approval");
}

static bool is_declared(AdaptationReader *reader, const YamlNode *item,
                        const CqlParameter *parameter)
{
    const Str *names;
    size_t count = cql_libraries_parameters(reader->programme->libraries, reader->yaml->arena,
                                            parameter->library, &names);
    for (size_t i = 0; i < count; i++)
        if (str_eq(names[i], parameter->name))
            return true;
    const Str *near = yaml_nearest_name(parameter->name, names, count);
    if (near == NULL)
        yaml_error(reader->yaml, yaml_find(item, S("name")),
                   "no library declares the parameter \"%.*s\"", STR_ARG(parameter->name));
    else
        yaml_error(reader->yaml, yaml_find(item, S("name")),
                   "no library declares the parameter \"%.*s\"; did you mean \"%.*s\"?",
                   STR_ARG(parameter->name), STR_ARG(*near));
    return false;
}

/* Whether the value is one that the parameter can have: the libraries are compiled with it alone.
   What is wrong with them without it is said elsewhere. */
static void check_value(AdaptationReader *reader, const YamlNode *item,
                        const CqlParameter *parameter)
{
    Arena *arena = reader->yaml->arena;
    MeasureSource source = programme_source(reader->programme, NULL);
    MeasurePlan *plan;
    DiagList before;
    DiagList after;
    diag_init(&before, arena);
    diag_init(&after, arena);
    source.parameters = NULL;
    source.parameter_count = 0;
    if (measure_source_plan(arena, &source, &before, &plan, NULL) != ERR_OK)
        return;
    source.parameters = parameter;
    source.parameter_count = 1;
    if (measure_source_plan(arena, &source, &after, &plan, NULL) == ERR_OK)
        return;
    VEC_FOREACH (const Diag, diag, &after.kept)
        if (diag->severity == SEVERITY_ERROR) {
            yaml_error(reader->yaml, yaml_find(item, S("value")), "%.*s", STR_ARG(diag->text));
            return;
        }
}

static void read_parameter(AdaptationReader *reader, const YamlNode *item)
{
    static const Str known[] = {STR_INIT("library"), STR_INIT("name"), STR_INIT("value"),
                                STR_INIT("reason")};
    CqlParameter parameter = {0};
    Str reason;
    if (item->kind != YAML_MAPPING) {
        yaml_error(reader->yaml, item, "expected a parameter: name, value, reason");
        return;
    }
    yaml_check_keys(reader->yaml, item, known, COUNT_OF(known));
    bool is_whole = yaml_get_text(reader->yaml, item, S("name"), &parameter.name);
    is_whole = yaml_get_text(reader->yaml, item, S("value"), &parameter.value) && is_whole;
    is_whole = yaml_get_text(reader->yaml, item, S("reason"), &reason) && is_whole;
    if (yaml_find(item, S("library")) != NULL)
        (void)yaml_get_text(reader->yaml, item, S("library"), &parameter.library);
    if (!is_whole)
        return;
    if (str_eq(parameter.name, S("Measurement Period"))) {
        yaml_error(reader->yaml, yaml_find(item, S("name")),
                   "the period is the programme's to set");
        return;
    }
    for (size_t i = 0; i < reader->parameters.count; i++)
        if (str_eq(reader->parameters.items[i].name, parameter.name) &&
            str_eq(reader->parameters.items[i].library, parameter.library))
            yaml_error(reader->yaml, yaml_find(item, S("name")), "it is set twice");
    if (is_declared(reader, item, &parameter))
        check_value(reader, item, &parameter);
    VEC_PUSH(reader->yaml->arena, &reader->parameters, parameter);
}

ProgrammeAdaptation *adaptation_parse(const YamlReader *yaml, const YamlNode *root, Str text,
                                      const Programme *programme)
{
    static const Str known[] = {STR_INIT("id"),       STR_INIT("title"),     STR_INIT("version"),
                                STR_INIT("author"),   STR_INIT("from"),      STR_INIT("to"),
                                STR_INIT("approval"), STR_INIT("parameters")};
    AdaptationReader reader = {.yaml = yaml,
                               .programme = programme,
                               .adaptation = ARENA_NEW(yaml->arena, ProgrammeAdaptation)};
    if (root->kind != YAML_MAPPING) {
        yaml_error(yaml, root, "expected an adaptation: id, version, author, approval, parameters");
        return reader.adaptation;
    }
    yaml_check_keys(yaml, root, known, COUNT_OF(known));
    (void)yaml_get_text(yaml, root, S("id"), &reader.adaptation->id);
    (void)yaml_get_text(yaml, root, S("version"), &reader.adaptation->version);
    (void)yaml_get_text(yaml, root, S("author"), &reader.adaptation->author);
    read_validity(&reader, root);
    read_approval(&reader, root);
    const YamlNode *list = yaml_get_kind(yaml, root, S("parameters"), YAML_SEQUENCE);
    for (size_t i = 0; list != NULL && i < list->count; i++)
        read_parameter(&reader, &list->items[i]);
    InputDigest digest = {0};
    input_digest_text(&digest, text);
    reader.adaptation->digest = digest.value;
    reader.adaptation->parameters = reader.parameters.items;
    reader.adaptation->parameter_count = reader.parameters.count;
    return reader.adaptation;
}

bool programme_adaptation_is_in_force(const Programme *programme)
{
    const ProgrammeAdaptation *adaptation = programme->adaptation;
    int32_t day = programme->measures.period_last;
    return adaptation != NULL && day >= adaptation->from && day <= adaptation->to;
}

void programme_write_versions(const Programme *programme, JsonWriter *json)
{
    Arena *arena = json->out->arena;
    json_key(json, S("documents"));
    json_object_begin(json);
    json_member_str(json, S("programme"), programme->id);
    json_member_str(json, S("version"), programme->version);
    json_member_str(json, S("digest"),
                    str_format(arena, "%016llx", (unsigned long long)programme->digest));
    json_key(json, S("adaptation"));
    if (programme_adaptation_is_in_force(programme)) {
        json_object_begin(json);
        json_member_str(json, S("id"), programme->adaptation->id);
        json_member_str(json, S("version"), programme->adaptation->version);
        json_member_str(
            json, S("digest"),
            str_format(arena, "%016llx", (unsigned long long)programme->adaptation->digest));
        json_object_end(json);
    } else {
        json_null(json);
    }
    json_object_end(json);
}
