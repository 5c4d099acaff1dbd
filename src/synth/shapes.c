/* Templates and codes: models/synth/shapes.tsv and codes.tsv compiled, with one dictionary of all
 * concepts. */
#include "synth/shapes.h"

/* Rows of cells divided by tabs, without comments. False at the end. */
static bool next_row(Str *rest, Str *cells, size_t count)
{
    Str line;
    while (str_split_next(rest, '\n', &line)) {
        if (line.len == 0 || line.ptr[0] == '#')
            continue;
        for (size_t i = 0; i < count; i++)
            if (i + 1 < count ? !str_split_next(&line, '\t', &cells[i])
                              : (cells[i] = line, line.ptr == NULL))
                return false;
        return true;
    }
    return false;
}

typedef struct {
    Arena *arena;
    ConceptBuilder *concepts;
    Shapes *shapes;
    Error *err;
    Vec(FhirTemplate *) all; /* to be renumbered */
    bool is_bad;
} Compiling;

static const FhirTemplate *compile(Compiling *compiling, Str name, Str element, Str json)
{
    FhirTemplate *template = NULL;
    FhirTemplateSource source = {.name = name, .element = element, .json = json};
    if (compiling->is_bad)
        return NULL;
    if (fhir_template_compile(compiling->arena, compiling->concepts, &source, &template,
                              compiling->err) != ERR_OK) {
        compiling->is_bad = true;
        return NULL;
    }
    VEC_PUSH(compiling->arena, &compiling->all, template);
    return template;
}

/* A part that is one code: a CodeableConcept, or with is_coding a Coding alone. */
static FhirPart code_part(Compiling *compiling, Str system, Str code, Str title, bool is_coding)
{
    Str coding =
        str_format(compiling->arena, "{\"system\":\"%.*s\",\"code\":\"%.*s\",\"display\":\"%.*s\"}",
                   STR_ARG(system), STR_ARG(code), STR_ARG(title));
    Str json =
        is_coding ? coding : str_format(compiling->arena, "{\"coding\":[%.*s]}", STR_ARG(coding));
    return (FhirPart){
        .template =
            compile(compiling, code, is_coding ? S("Encounter.class") : S("Condition.code"), json)};
}

static FhirPart organisation_part(Compiling *compiling, Str id)
{
    Str json = str_format(compiling->arena, "{\"reference\":\"Organization/%.*s\"}", STR_ARG(id));
    return (FhirPart){.template = compile(compiling, id, S("Encounter.serviceProvider"), json)};
}

static void read_shapes(Compiling *compiling)
{
    static const Str names[SHAPE_COUNT] = {
#define SHAPE(name, text) STR_INIT(text),
#include "synth/shape.def"
#undef SHAPE
    };
    Str rest = S("");
    Str cells[3];
    (void)synth_file_find(S("shapes.tsv"), &rest);
    while (next_row(&rest, cells, 3))
        for (size_t i = 0; i < SHAPE_COUNT; i++)
            if (str_eq(cells[0], names[i]))
                compiling->shapes->shapes[i] = compile(
                    compiling, cells[0], str_eq(cells[1], S("-")) ? S("") : cells[1], cells[2]);
    for (size_t i = 0; i < SHAPE_COUNT; i++)
        ASSERT(compiling->is_bad || compiling->shapes->shapes[i] != NULL);
}

static void read_codes(Compiling *compiling)
{
    static const Str names[CODE_COUNT] = {
#define CODE(name, text) STR_INIT(text),
#include "synth/code.def"
#undef CODE
    };
    Str rest = S("");
    Str cells[4];
    (void)synth_file_find(S("codes.tsv"), &rest);
    while (next_row(&rest, cells, 4))
        for (size_t i = 0; i < CODE_COUNT; i++)
            if (str_eq(cells[0], names[i]))
                compiling->shapes->codes[i] = code_part(compiling, cells[1], cells[2], cells[3],
                                                        str_starts_with(cells[0], S("class-")));
    for (size_t i = 0; i < CODE_COUNT; i++)
        ASSERT(compiling->is_bad || compiling->shapes->codes[i].template != NULL);
}

static void make_profile_codes(Compiling *compiling, const SynthProfile *profile)
{
    Shapes *shapes = compiling->shapes;
    for (size_t i = 0; i < profile->condition_count; i++) {
        const ConditionProfile *condition = &profile->conditions[i];
        shapes->conditions[i] = code_part(compiling, S("http://hl7.org/fhir/sid/icd-10"),
                                          condition->icd10, condition->title, false);
    }
    for (size_t i = 0; i < profile->medicine_count; i++) {
        Str name = profile->medicines[i].name;
        shapes->medicines[i] =
            code_part(compiling, S("urn:braid:synth:medicine"), name, name, false);
    }
}

static FhirPart *make_organisations(Compiling *compiling, Organisation kind, uint32_t count)
{
    FhirPart *parts = ARENA_ARRAY(compiling->arena, FhirPart, count);
    for (uint32_t i = 0; i < count; i++)
        parts[i] = organisation_part(compiling, synth_organisation_id(compiling->arena, kind, i));
    return parts;
}

Str synth_organisation_id(Arena *arena, Organisation kind, uint32_t number)
{
    static const char *const names[] = {"practice", "hospital", "community",
                                        "council",  "pharmacy", "payer"};
    return str_format(arena, "%s-%04u", names[kind], number + 1);
}

static void read_names(Arena *arena, Shapes *shapes)
{
    static const Str kinds[NAME_COUNT] = {STR_INIT("woman"), STR_INIT("man"), STR_INIT("family"),
                                          STR_INIT("street"), STR_INIT("town")};
    Str rest = S("");
    Str cells[2];
    (void)synth_file_find(S("names.tsv"), &rest);
    while (next_row(&rest, cells, 2))
        for (size_t i = 0; i < NAME_COUNT; i++)
            if (str_eq(cells[0], kinds[i]))
                VEC_PUSH(arena, &shapes->names[i], cells[1]);
    for (size_t i = 0; i < NAME_COUNT; i++)
        ASSERT(shapes->names[i].count > 0);
}

Shapes *shapes_create(Arena *arena, const SynthModel *model, Error *err)
{
    Shapes *shapes = ARENA_NEW(arena, Shapes);
    Compiling compiling = {
        .arena = arena, .concepts = concept_builder_create(), .shapes = shapes, .err = err};
    read_shapes(&compiling);
    read_codes(&compiling);
    make_profile_codes(&compiling, model->profile);
    for (Organisation kind = 0; kind < ORGANISATION_COUNT; kind++) {
        shapes->organisation_counts[kind] = kind == ORGANISATION_PRACTICE   ? model->practices
                                            : kind == ORGANISATION_PHARMACY ? model->practices
                                            : kind == ORGANISATION_PAYER    ? 1
                                                                            : model->hospitals;
        shapes->organisations[kind] =
            make_organisations(&compiling, kind, shapes->organisation_counts[kind]);
    }
    read_names(arena, shapes);
    if (!compiling.is_bad) {
        const ConceptId *renumber;
        shapes->dict = concept_builder_finish(compiling.concepts, arena, &renumber);
        VEC_FOREACH (FhirTemplate *, template, &compiling.all)
            fhir_template_renumber(*template, renumber);
    }
    concept_builder_destroy(compiling.concepts);
    return compiling.is_bad ? NULL : shapes;
}

const ConceptDict *shapes_dict(const Shapes *shapes)
{
    return shapes->dict;
}
