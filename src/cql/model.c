#include "cql/model.h"

enum { CELLS_MAX = 8 };

typedef struct {
    Arena *arena;
    Model *model;
    Str file;
    uint32_t line;
    DiagList *diags;
    bool failed;
    Map types; /* "@1": index into texts */
    Vec(Str) texts;
    ModelClass *class;
    Str cells[CELLS_MAX];
    size_t cell_count;
} Reader;

static void report(Reader *r, const char *text)
{
    Diag diag = {
        .severity = SEVERITY_ERROR, .line = r->line, .rule = S("model-table"), .file = r->file};
    r->failed = true;
    diag_addf(r->diags, diag, "%s", text);
}

static Str cell(const Reader *r, size_t at)
{
    bool is_there = at < r->cell_count && !str_eq(r->cells[at], S("-"));
    return is_there ? r->cells[at] : S("");
}

static Str type_cell(Reader *r, size_t at)
{
    Str text = cell(r, at);
    uint64_t index;
    if (!str_starts_with(text, S("@")))
        return text;
    if (map_find(&r->types, text, &index))
        return r->texts.items[index];
    report(r, "a type that is not in the table");
    return S("");
}

static void read_model(Reader *r)
{
    Model *model = r->model;
    if (model->name.len > 0) {
        report(r, "a second model row");
        return;
    }
    model->name = cell(r, 1);
    model->version = cell(r, 2);
    model->url = cell(r, 3);
    model->target_url = cell(r, 4);
    model->qualifier = cell(r, 5);
    model->patient_class = cell(r, 6);
    model->birth_date = cell(r, 7);
    if (model->name.len == 0)
        report(r, "the model has no name");
}

static void read_class(Reader *r)
{
    Model *model = r->model;
    ModelClass *class = &model->classes[model->class_count];
    bool is_new;
    *class = (ModelClass){.model = model,
                          .name = cell(r, 1),
                          .base = type_cell(r, 2),
                          .is_retrievable = str_eq(cell(r, 3), S("retrievable")),
                          .identifier = cell(r, 4),
                          .label = cell(r, 5),
                          .target = cell(r, 6),
                          .code_path = cell(r, 7),
                          .elements = model->elements + model->element_count};
    r->class = class;
    (void)map_intern(&model->by_name, class->name, model->class_count, &is_new);
    if (!is_new || class->name.len == 0)
        report(r, "the class has no name or that of another");
    if (class->label.len > 0)
        (void)map_intern(&model->by_label, class->label, model->class_count, &is_new);
    if (class->identifier.len > 0)
        (void)map_intern(&model->by_identifier, class->identifier, model->class_count, &is_new);
    model->class_count++;
}

static void read_element(Reader *r)
{
    if (r->class == NULL) {
        report(r, "an element before the first class");
        return;
    }
    ModelElement *element = &r->model->elements[r->model->element_count++];
    *element = (ModelElement){.name = cell(r, 1), .type = type_cell(r, 2), .target = cell(r, 3)};
    r->class->element_count++;
    if (element->name.len == 0)
        report(r, "the element has no name");
}

static void read_type(Reader *r)
{
    bool is_new;
    (void)map_intern(&r->types, r->cells[1], r->texts.count, &is_new);
    if (!is_new || !str_starts_with(r->cells[1], S("@")))
        report(r, "a type's short name is not one of its own with @ in front");
    VEC_PUSH(r->arena, &r->texts, cell(r, 2));
}

static void read_related(Reader *r)
{
    if (r->class == NULL) {
        report(r, "a relation before the first class");
        return;
    }
    ModelRelation relation = {.class = r->class, .context = cell(r, 1), .element = cell(r, 2)};
    VEC_PUSH(r->arena, &r->model->relations, relation);
}

static void read_row(Reader *r)
{
    Model *model = r->model;
    Str kind = r->cells[0];
    bool may_be_short =
        str_eq(kind, S("class")) || str_eq(kind, S("element")) || str_eq(kind, S("model"));
    if (r->cell_count < (may_be_short ? 2 : 3)) {
        report(r, "a row has too few cells");
    } else if (str_eq(kind, S("element"))) {
        read_element(r);
    } else if (str_eq(kind, S("class")) && r->cell_count > 1) {
        read_class(r);
    } else if (str_eq(kind, S("related"))) {
        read_related(r);
    } else if (str_eq(kind, S("conversion"))) {
        ModelConversion conversion = {.from = cell(r, 1), .to = cell(r, 2), .function = cell(r, 3)};
        VEC_PUSH(r->arena, &model->conversions, conversion);
    } else if (str_eq(kind, S("type"))) {
        read_type(r);
    } else if (str_eq(kind, S("context"))) {
        ModelContext context = {.name = cell(r, 1),
                                .class_name = cell(r, 2),
                                .key = cell(r, 3),
                                .birth_date = cell(r, 4)};
        VEC_PUSH(r->arena, &model->contexts, context);
    } else if (str_eq(kind, S("model"))) {
        read_model(r);
    } else if (!str_eq(kind, S("requires"))) {
        report(r, "a row is no model, requires, type, class, element, related, conversion or "
                  "context");
    }
}

uint16_t model_fhir_type(Str name)
{
    char text[128];
    FhirType fhir = fhir_type_find(name.ptr, name.len);
    if (fhir != FHIR_TYPE_NONE)
        return (uint16_t)fhir;
    if (name.len >= sizeof(text) || str_find_char(name, '.') == SIZE_MAX)
        return FHIR_TYPE_NONE;
    /* Model info writes Observation.Component for the backbone type Observation.component. */
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool is_capital = i > 0 && name.ptr[i - 1] == '.' && c >= 'A' && c <= 'Z';
        text[i] = (char)(is_capital ? c + 32 : c);
    }
    return (uint16_t)fhir_type_find(text, name.len);
}

static Str last_part(Str identifier)
{
    Str rest = identifier;
    Str part = S("");
    while (str_split_next(&rest, '/', &part)) {
    }
    return part;
}

/* The FHIR type of a class: what it says, its name, its identifier, or that of its base. */
static void find_fhir_types(Model *model)
{
    for (size_t i = 0; i < model->class_count; i++) {
        ModelClass *class = &model->classes[i];
        uint64_t at;
        if (map_find(&model->by_name, class->base, &at) && at != i)
            class->super = &model->classes[at];
        class->fhir = class->target.len > 0 ? model_fhir_type(class->target) : FHIR_TYPE_NONE;
        if (class->fhir == FHIR_TYPE_NONE)
            class->fhir = model_fhir_type(class->name);
        if (class->fhir == FHIR_TYPE_NONE && class->identifier.len > 0)
            class->fhir = model_fhir_type(last_part(class->identifier));
    }
    for (size_t i = 0; i < model->class_count; i++) {
        ModelClass *class = &model->classes[i];
        const ModelClass *super = class->super;
        for (unsigned depth = 0; class->fhir == FHIR_TYPE_NONE && super != NULL && depth < 16;
             depth++) {
            class->fhir = super->fhir;
            super = super->super;
        }
    }
}

static size_t count_rows(Str text, Str kind)
{
    size_t count = 0;
    Str rest = text;
    Str line;
    while (str_split_next(&rest, '\n', &line))
        count += str_starts_with(line, kind);
    return count;
}

Model *model_read(Arena *arena, Str text, Str file, DiagList *diags)
{
    Model *model = ARENA_NEW(arena, Model);
    Reader r = {.arena = arena, .model = model, .file = file, .diags = diags};
    model->classes = ARENA_ARRAY(arena, ModelClass, count_rows(text, S("class")));
    model->elements = ARENA_ARRAY(arena, ModelElement, count_rows(text, S("element")));
    map_init(&model->by_name, arena);
    map_init(&model->by_label, arena);
    map_init(&model->by_identifier, arena);
    map_init(&r.types, arena);
    Str rest = text;
    Str line;
    while (str_split_next(&rest, '\n', &line)) {
        Str part;
        r.line++;
        r.cell_count = 0;
        if (line.len == 0 || line.ptr[0] == '#')
            continue;
        while (r.cell_count < CELLS_MAX && str_split_next(&line, '\t', &part))
            r.cells[r.cell_count++] = part;
        read_row(&r);
    }
    if (model->name.len == 0 && !r.failed)
        report(&r, "there is no model row");
    find_fhir_types(model);
    return r.failed ? NULL : model;
}

const ModelClass *model_find_class(const Model *model, Str name)
{
    uint64_t at;
    bool is_there = map_find(&model->by_name, name, &at) || map_find(&model->by_label, name, &at) ||
                    map_find(&model->by_identifier, name, &at);
    return is_there ? &model->classes[at] : NULL;
}

const ModelElement *model_find_element(const ModelClass *class, Str name)
{
    for (unsigned depth = 0; class != NULL && depth < 16; depth++, class = class->super) {
        for (size_t i = 0; i < class->element_count; i++) {
            if (str_eq(class->elements[i].name, name))
                return &class->elements[i];
        }
    }
    return NULL;
}
