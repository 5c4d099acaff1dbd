/* The documents of a programme: read, checked together, and everything wrong said in one run. */
#include "base/yaml.h"
#include "programme/programme_int.h"

typedef struct {
    Arena *arena;
    DiagList *diags;
    Programme *programme;
    YamlReader yaml;
    const YamlNode *root;
    InputDigest digest;
} DocumentReader;

/* A document that must be read; what hinders it is a finding, so that the others are checked too.
 */
static bool read_document(DocumentReader *reader, Str path, Str *ret_text)
{
    Error err = {0};
    if (io_read_file(reader->arena, path, 0, ret_text, &err) == ERR_OK) {
        input_digest_text(&reader->digest, *ret_text);
        return true;
    }
    diag_add(reader->diags, &(Diag){.severity = SEVERITY_ERROR,
                                    .rule = S("programme-unreadable"),
                                    .file = path,
                                    .text = str_from_c(err.message)});
    return false;
}

typedef void (*AddFn)(void *set, Str text, Str file, DiagList *diags);

static void add_library(void *set, Str text, Str file, DiagList *diags)
{
    (void)cql_libraries_add(set, text, file, diags); /* the findings say what is wrong */
}

static void add_value_set(void *set, Str text, Str file, DiagList *diags)
{
    value_sets_add(set, text, file, diags);
}

/* Adds the file, or every file of the folder whose name has the ending. */
static ErrorCode add_files(DocumentReader *reader, Str path, Str ending, AddFn add, void *set,
                           Error *err)
{
    IoNames names = {0};
    Str text;
    if (!io_is_dir(path)) {
        if (read_document(reader, path, &text))
            add(set, text, path, reader->diags);
        return ERR_OK;
    }
    ErrorCode code = io_list_dir(reader->arena, path, &names, err);
    if (code != ERR_OK)
        return code;
    for (size_t i = 0; i < names.count; i++) {
        Str file = io_join(reader->arena, path, names.items[i]);
        if (str_ends_with(file, ending) && read_document(reader, file, &text))
            add(set, text, file, reader->diags);
    }
    return ERR_OK;
}

ErrorCode programme_read_value_sets(Arena *arena, Str path, DiagList *diags, ValueSets **ret_sets,
                                    Error *err)
{
    DocumentReader reader = {.arena = arena, .diags = diags};
    ValueSets *sets = value_sets_create(arena);
    if (!str_is_empty(path)) {
        ErrorCode code = add_files(&reader, path, S(".json"), add_value_set, sets, err);
        if (code != ERR_OK)
            return code;
    }
    value_sets_resolve(sets, diags);
    *ret_sets = sets;
    return ERR_OK;
}

/* --- programme.yaml --- */

static void read_period(DocumentReader *reader)
{
    static const Str known[] = {STR_INIT("from"), STR_INIT("to")};
    MeasureSpec *spec = &reader->programme->measures;
    const YamlNode *period = yaml_get_kind(&reader->yaml, reader->root, S("period"), YAML_MAPPING);
    if (period == NULL)
        return;
    yaml_check_keys(&reader->yaml, period, known, COUNT_OF(known));
    if (yaml_get_day(&reader->yaml, period, S("from"), &spec->period_first) &&
        yaml_get_day(&reader->yaml, period, S("to"), &spec->period_last) &&
        spec->period_first > spec->period_last)
        yaml_error(&reader->yaml, period, "the period ends before it begins");
    /* Lists of gaps are of the day after it. */
    if (spec->period_last == DAY_LAST)
        yaml_error(&reader->yaml, yaml_find(period, S("to")),
                   "the period must end before 9999-12-31");
}

/* The path of a member that names a file or folder beside programme.yaml. */
static bool read_path(DocumentReader *reader, Str key, Str *ret_path)
{
    Str name;
    if (!yaml_get_text(&reader->yaml, reader->root, key, &name))
        return false;
    *ret_path = io_join(reader->arena, reader->programme->folder, name);
    if (io_exists(*ret_path))
        return true;
    yaml_error(&reader->yaml, yaml_find(reader->root, key), "%.*s does not exist",
               STR_ARG(*ret_path));
    return false;
}

static ErrorCode read_cql(DocumentReader *reader, Error *err)
{
    Programme *programme = reader->programme;
    programme->libraries = cql_libraries_create(reader->arena);
    programme->value_sets = value_sets_create(reader->arena);
    Str path;
    ErrorCode code = ERR_OK;
    if (read_path(reader, S("libraries"), &path))
        code = add_files(reader, path, S(".cql"), add_library, programme->libraries, err);
    if (code == ERR_OK && yaml_find(reader->root, S("value-sets")) != NULL &&
        read_path(reader, S("value-sets"), &path))
        code = add_files(reader, path, S(".json"), add_value_set, programme->value_sets, err);
    value_sets_resolve(programme->value_sets, reader->diags);
    return code;
}

MeasureSource programme_source(const Programme *programme, const ConceptDict *dict)
{
    MeasureSource source = {.libraries = programme->libraries,
                            .value_sets = programme->value_sets,
                            .dict = dict,
                            .spec = &programme->measures};
    if (programme_adaptation_is_in_force(programme)) {
        source.parameters = programme->adaptation->parameters;
        source.parameter_count = programme->adaptation->parameter_count;
    }
    return source;
}

/* Whether the libraries compile and have what the programme names; the plan for a store is made
   when its dictionary is known. */
static ErrorCode check_measures(DocumentReader *reader, Error *err)
{
    MeasureSource source = programme_source(reader->programme, NULL);
    MeasurePlan *plan;
    ErrorCode code = measure_source_plan(reader->arena, &source, reader->diags, &plan, err);
    return code == ERR_DOCUMENT ? ERR_OK : code; /* the findings say it */
}

static void read_contract(DocumentReader *reader)
{
    Str path;
    Str text;
    const MeasureSpec *spec = &reader->programme->measures;
    if (yaml_find(reader->root, S("contract")) == NULL ||
        !read_path(reader, S("contract"), &path) || !read_document(reader, path, &text))
        return;
    reader->programme->contract_file = path;
    Str *ids = ARENA_ARRAY(reader->arena, Str, spec->indicator_count);
    for (size_t i = 0; i < spec->indicator_count; i++)
        ids[i] = spec->indicators[i].id;
    ContractKnown known = {
        .indicators = ids, .indicator_count = spec->indicator_count, .has_indicators = true};
    if (contract_check(reader->arena, text, path, &known, reader->diags,
                       &reader->programme->contract) != ERR_OK)
        reader->programme->contract = NULL; /* the findings say why */
}

/* A YAML document that programme.yaml names; NULL when it is not named or cannot be read. */
static const YamlNode *read_beside(DocumentReader *reader, Str key, YamlReader *ret_yaml,
                                   Str *ret_text)
{
    Str path;
    YamlNode *root;
    if (yaml_find(reader->root, key) == NULL || !read_path(reader, key, &path) ||
        !read_document(reader, path, ret_text) ||
        yaml_parse(reader->arena, *ret_text, path, reader->diags, &root) != ERR_OK)
        return NULL;
    *ret_yaml = (YamlReader){.arena = reader->arena, .diags = reader->diags, .file = path};
    return root;
}

static void read_adaptation(DocumentReader *reader)
{
    YamlReader yaml;
    Str text;
    const YamlNode *root = read_beside(reader, S("adaptation"), &yaml, &text);
    size_t before = reader->diags->counts[SEVERITY_ERROR];
    if (root == NULL)
        return;
    const ProgrammeAdaptation *adaptation = adaptation_parse(&yaml, root, text, reader->programme);
    if (reader->diags->counts[SEVERITY_ERROR] > before)
        return;
    reader->programme->adaptation = adaptation;
    if (!programme_adaptation_is_in_force(reader->programme))
        diag_add(reader->diags,
                 &(Diag){.severity = SEVERITY_WARNING,
                         .rule = S("adaptation-not-in-force"),
                         .file = yaml.file,
                         .line = root->line,
                         .column = root->column,
                         .text = S("the programme's period does not end within its days: its "
                                   "parameters are not set")});
}

static void read_organisation(DocumentReader *reader)
{
    YamlReader yaml;
    Str text;
    const YamlNode *root = read_beside(reader, S("organisation"), &yaml, &text);
    if (root != NULL)
        reader->programme->tiers = tiers_parse(&yaml, root);
}

static ErrorCode read_members(DocumentReader *reader, Error *err)
{
    static const Str known[] = {
        STR_INIT("id"),           STR_INIT("title"),       STR_INIT("version"),
        STR_INIT("period"),       STR_INIT("libraries"),   STR_INIT("value-sets"),
        STR_INIT("contract"),     STR_INIT("attribution"), STR_INIT("adaptation"),
        STR_INIT("organisation"), STR_INIT("registers"),   STR_INIT("indicators")};
    Programme *programme = reader->programme;
    yaml_check_keys(&reader->yaml, reader->root, known, COUNT_OF(known));
    (void)yaml_get_text(&reader->yaml, reader->root, S("id"), &programme->id);
    (void)yaml_get_text(&reader->yaml, reader->root, S("title"), &programme->title);
    (void)yaml_get_text(&reader->yaml, reader->root, S("version"), &programme->version);
    read_period(reader);
    ErrorCode spec = measure_spec_parse(&reader->yaml, reader->root, &programme->measures);
    ErrorCode code = read_cql(reader, err);
    if (code == ERR_OK && spec == ERR_OK && !diag_has_errors(reader->diags)) {
        read_adaptation(reader);
        code = check_measures(reader, err);
    }
    read_organisation(reader);
    const YamlNode *rule = yaml_find(reader->root, S("attribution"));
    if (rule != NULL)
        programme->has_attribution =
            attribution_rule_parse(&reader->yaml, rule, &programme->attribution);
    programme->digest = reader->digest.value;
    read_contract(reader);
    programme->contract_digest = reader->digest.value;
    return code;
}

ErrorCode programme_read(Arena *arena, Str folder, DiagList *diags, Programme **ret_programme,
                         Error *err)
{
    Programme *programme = ARENA_NEW(arena, Programme);
    programme->folder = folder;
    Str path = io_join(arena, folder, S("programme.yaml"));
    if (!io_exists(path))
        return error_set(err, ERR_NOT_FOUND,
                         "%.*s: there is no such file; a programme is a folder with it",
                         STR_ARG(path));
    DocumentReader reader = {.arena = arena,
                             .diags = diags,
                             .programme = programme,
                             .yaml = {.arena = arena, .diags = diags, .file = path}};
    Str text;
    YamlNode *root;
    size_t before = diags->counts[SEVERITY_ERROR];
    if (read_document(&reader, path, &text) &&
        yaml_parse(arena, text, path, diags, &root) == ERR_OK) {
        reader.root = root;
        if (root->kind != YAML_MAPPING)
            yaml_error(&reader.yaml, root, "expected a mapping with id, title, registers, ...");
        else if (read_members(&reader, err) != ERR_OK)
            return err->code;
    }
    if (diags->counts[SEVERITY_ERROR] > before)
        return diag_to_error(diags, err);
    *ret_programme = programme;
    return ERR_OK;
}
