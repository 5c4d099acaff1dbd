/*
 * Flat tapes to a batch: who is whose, in which order, without what is there twice; then the
 * columns and the shared area.
 */
#include "fhir/share.h"

#include <stdlib.h>

enum {
    /* Resources that are looked at beforehand: this part of a batch, within bounds. */
    SAMPLES_PART = 16,
    SAMPLES_MIN = 256,
    SAMPLES_MAX = 2048,
    NOBODY = UINT32_MAX
};

struct RecordBuilder {
    Arena *arena;
    Arena *scratch; /* until finish has ended */
    RecordBuilderOptions options;
    Vec(RecordInput) inputs;
    size_t tape_bytes;
};

typedef struct {
    Str id;
    uint64_t hash;
    uint32_t count; /* of inputs */
    uint32_t first; /* in the order by person */
    bool has_patient;
} Person;

/* An input's place in the order of its person; what decides mostly stands in the key itself. */
typedef struct {
    uint64_t type_and_day;
    int64_t instant_ms;
    uint32_t input;
    bool is_refused;
} Key;

typedef struct {
    RecordBuilder *builder;
    Arena *arena;
    Arena *scratch;
    Person *persons;
    uint32_t person_count;
    uint32_t *person_of; /* input -> person */
    Key *keys;           /* by person, then in order */
    RecordBatch *batch;
    uint32_t counts[FHIR_RESOURCE_TYPE_LIMIT];
    RecordType *types;
    Vec(uint64_t) refused; /* verdict << 32 | input, in any order */
} Finish;

RecordBuilder *record_builder_create(Arena *arena, const RecordBuilderOptions *options)
{
    RecordBuilder *builder = ARENA_NEW(arena, RecordBuilder);
    builder->arena = arena;
    builder->options = *options;
    builder->scratch = options->scratch != NULL ? options->scratch : arena_create(1 << 20);
    return builder;
}

void record_builder_add(RecordBuilder *builder, const RecordInput *input)
{
    ASSERT(builder->scratch != NULL);
    VEC_PUSH(builder->scratch, &builder->inputs, *input);
    builder->tape_bytes += input->tape_size;
}

/* For tables that live within finish. Ids are mostly UUIDs, of which any bytes will do. */
static inline uint64_t hash_id(Str id)
{
    uint64_t head = 0;
    uint64_t tail = 0;
    if (id.len >= 8) {
        memcpy(&head, id.ptr, 8);
        memcpy(&tail, id.ptr + id.len - 8, 8);
    } else if (id.len > 0) {
        memcpy(&head, id.ptr, id.len);
    }
    uint64_t mixed =
        (head ^ (tail * UINT64_C(0x9E3779B97F4A7C15)) ^ id.len) * UINT64_C(0xBF58476D1CE4E5B9);
    return mixed ^ mixed >> 32;
}

/* --- persons --- */

static uint32_t intern_person(Finish *finish, uint32_t *slots, size_t mask, Str id)
{
    size_t at = hash_id(id) & mask;
    for (; slots[at] != 0; at = (at + 1) & mask)
        if (str_eq(finish->persons[slots[at] - 1].id, id))
            return slots[at] - 1;
    finish->persons[finish->person_count] = (Person){.id = id, .hash = str_hash(id)};
    slots[at] = ++finish->person_count;
    return finish->person_count - 1;
}

static int compare_persons(const void *a, const void *b)
{
    const Person *x = a;
    const Person *y = b;
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return str_cmp(x->id, y->id);
}

/* Numbers the persons in order of (id hash, id), and each input's person. */
static void find_persons(Finish *finish)
{
    RecordBuilder *builder = finish->builder;
    size_t count = builder->inputs.count;
    size_t size = 16;
    while (size < 2 * count)
        size *= 2;
    uint32_t *slots = ARENA_ZARRAY(finish->scratch, uint32_t, size);
    finish->persons = ARENA_ARRAY(finish->scratch, Person, count + 1);
    finish->person_of = ARENA_ARRAY(finish->scratch, uint32_t, count + 1);
    if (builder->options.is_shared)
        (void)intern_person(finish, slots, size - 1, S(""));
    for (size_t i = 0; i < count; i++) {
        const FhirFacts *facts = &builder->inputs.items[i].facts;
        Str id = builder->options.is_shared ? S("") : facts->patient_id;
        bool is_same = i > 0 && str_eq(id, finish->persons[finish->person_of[i - 1]].id);
        finish->person_of[i] =
            is_same ? finish->person_of[i - 1] : intern_person(finish, slots, size - 1, id);
    }
    /* Sorting moves the persons: their inputs are told by way of `first`. */
    uint32_t *places = ARENA_ARRAY(finish->scratch, uint32_t, finish->person_count + 1);
    for (uint32_t i = 0; i < finish->person_count; i++)
        finish->persons[i].first = i;
    qsort(finish->persons, finish->person_count, sizeof(Person), compare_persons);
    for (uint32_t i = 0; i < finish->person_count; i++)
        places[finish->persons[i].first] = i;
    for (size_t i = 0; i < count; i++) {
        uint32_t place = places[finish->person_of[i]];
        Person *person = &finish->persons[place];
        finish->person_of[i] = place;
        person->count++;
        person->has_patient |= builder->inputs.items[i].facts.type == FHIR_TYPE_Patient;
    }
}

/* --- order within a person --- */

static bool is_before(const RecordBuilder *builder, const Key *a, const Key *b)
{
    if (a->type_and_day != b->type_and_day)
        return a->type_and_day < b->type_and_day;
    if (a->instant_ms != b->instant_ms)
        return a->instant_ms < b->instant_ms;
    const RecordInput *x = &builder->inputs.items[a->input];
    const RecordInput *y = &builder->inputs.items[b->input];
    int order = str_cmp(x->facts.id, y->facts.id);
    return order != 0 ? order < 0 : x->source < y->source;
}

static void sort_run(const RecordBuilder *builder, Key *keys, size_t from, size_t to)
{
    for (size_t i = from + 1; i < to; i++) {
        Key key = keys[i];
        size_t k = i;
        for (; k > from && is_before(builder, &key, &keys[k - 1]); k--)
            keys[k] = keys[k - 1];
        keys[k] = key;
    }
}

static void merge_runs(const RecordBuilder *builder, const Key *source, Key *target,
                       const size_t bounds[3])
{
    size_t a = bounds[0];
    size_t b = bounds[1];
    for (size_t out = bounds[0]; out < bounds[2]; out++) {
        bool takes_b =
            a == bounds[1] || (b < bounds[2] && is_before(builder, &source[b], &source[a]));
        target[out] = takes_b ? source[b++] : source[a++];
    }
}

/* Merge sort: runs of 8 by insertion, then merging between the two arrays. */
static void sort_keys(const RecordBuilder *builder, Key *keys, Key *spare, size_t count)
{
    enum { RUN = 8 };
    for (size_t from = 0; from < count; from += RUN)
        sort_run(builder, keys, from, from + RUN < count ? from + RUN : count);
    Key *source = keys;
    Key *target = spare;
    for (size_t width = RUN; width < count; width *= 2) {
        for (size_t from = 0; from < count; from += 2 * width) {
            size_t middle = from + width < count ? from + width : count;
            size_t to = from + 2 * width < count ? from + 2 * width : count;
            merge_runs(builder, source, target, (const size_t[]){from, middle, to});
        }
        Key *swap = source;
        source = target;
        target = swap;
    }
    if (source != keys)
        memcpy(keys, source, count * sizeof(Key));
}

static void order_keys(Finish *finish)
{
    const RecordBuilder *builder = finish->builder;
    size_t count = builder->inputs.count;
    uint32_t most = 0;
    uint32_t first = 0;
    for (uint32_t i = 0; i < finish->person_count; i++) {
        Person *person = &finish->persons[i];
        person->first = first;
        first += person->count;
        most = person->count > most ? person->count : most;
        person->count = 0;
    }
    finish->keys = ARENA_ARRAY(finish->scratch, Key, count + 1);
    for (size_t i = 0; i < count; i++) {
        const FhirFacts *facts = &builder->inputs.items[i].facts;
        Person *person = &finish->persons[finish->person_of[i]];
        uint32_t day = (uint32_t)facts->day ^ 0x80000000u; /* unsigned order */
        finish->keys[person->first + person->count++] =
            (Key){.type_and_day = (uint64_t)facts->type << 32 | day,
                  .instant_ms = facts->instant_ms,
                  .input = (uint32_t)i};
    }
    Key *spare = ARENA_ARRAY(finish->scratch, Key, most + 1);
    for (uint32_t i = 0; i < finish->person_count; i++)
        sort_keys(builder, finish->keys + finish->persons[i].first, spare,
                  finish->persons[i].count);
}

/* --- refusals --- */

static void refuse(Finish *finish, Key *key, RecordVerdict verdict)
{
    key->is_refused = true;
    VEC_PUSH(finish->scratch, &finish->refused, (uint64_t)verdict << 32 | key->input);
}

/* Of several resources of one type and id, the first by source stays. `slots` has mask + 1 entries,
   all 0. */
static void refuse_twins(Finish *finish, const Person *person, uint32_t *slots, size_t mask)
{
    const RecordInput *inputs = finish->builder->inputs.items;
    Key *keys = finish->keys + person->first;
    for (uint32_t i = 0; i < person->count; i++) {
        const RecordInput *input = &inputs[keys[i].input];
        if (input->facts.id.len == 0)
            continue;
        size_t at = (hash_id(input->facts.id) + input->facts.type) & mask;
        for (; slots[at] != 0; at = (at + 1) & mask) {
            Key *other = &keys[slots[at] - 1];
            const RecordInput *twin = &inputs[other->input];
            if (twin->facts.type != input->facts.type || !str_eq(twin->facts.id, input->facts.id))
                continue;
            bool is_first = input->source < twin->source;
            refuse(finish, is_first ? other : &keys[i], RECORD_REFUSED_TWICE);
            if (is_first)
                slots[at] = i + 1;
            break;
        }
        if (slots[at] == 0)
            slots[at] = i + 1;
    }
}

static void refuse_all(Finish *finish)
{
    bool is_shared = finish->builder->options.is_shared;
    size_t most = 16;
    for (uint32_t i = 0; i < finish->person_count; i++)
        while (most < 2 * (size_t)finish->persons[i].count)
            most *= 2;
    uint32_t *slots = ARENA_ARRAY(finish->scratch, uint32_t, most);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < finish->person_count; i++) {
        Person *person = &finish->persons[i];
        Key *keys = finish->keys + person->first;
        if (!is_shared && (!person->has_patient || person->id.len == 0)) {
            for (uint32_t k = 0; k < person->count; k++)
                refuse(finish, &keys[k], RECORD_REFUSED_NO_PATIENT);
            continue;
        }
        size_t size = 16;
        while (size < 2 * (size_t)person->count)
            size *= 2;
        if (!finish->builder->options.keeps_repeated) {
            memset(slots, 0, size * sizeof *slots);
            refuse_twins(finish, person, slots, size - 1);
        }
        finish->persons[kept++] = *person;
    }
    finish->person_count = kept;
}

static int compare_refused(const void *a, const void *b, void *context)
{
    const RecordInput *inputs = context;
    uint64_t x = inputs[*(const uint64_t *)a & UINT32_MAX].source;
    uint64_t y = inputs[*(const uint64_t *)b & UINT32_MAX].source;
    return x < y ? -1 : x > y;
}

static void tell_refused(Finish *finish)
{
    const RecordBuilderOptions *options = &finish->builder->options;
    const RecordInput *inputs = finish->builder->inputs.items;
    if (options->on_refusal == NULL || finish->refused.count == 0)
        return;
    qsort_r(finish->refused.items, finish->refused.count, sizeof(uint64_t), compare_refused,
            finish->builder->inputs.items);
    VEC_FOREACH (uint64_t, refused, &finish->refused)
        options->on_refusal(options->context, &inputs[*refused & UINT32_MAX],
                            (RecordVerdict)(*refused >> 32));
}

/* --- the batch --- */

/* What the columns of one type hold while they are filled. */
typedef struct {
    ConceptId *concepts;
    int32_t *days;
    int64_t *numbers;
    ConceptId *orgs;
    uint32_t *tapes;
    uint32_t *starts;
    uint32_t count;
    bool has_concepts, has_days, has_numbers, has_orgs;
} Columns;

static void make_columns(Finish *finish, Columns *columns)
{
    const RecordInput *inputs = finish->builder->inputs.items;
    for (uint32_t i = 0; i < finish->person_count; i++) {
        const Person *person = &finish->persons[i];
        for (uint32_t k = 0; k < person->count; k++) {
            const Key *key = &finish->keys[person->first + k];
            finish->counts[inputs[key->input].facts.type] += !key->is_refused;
        }
    }
    for (unsigned type = 0; type < FHIR_RESOURCE_TYPE_LIMIT; type++) {
        uint32_t count = finish->counts[type];
        if (count == 0)
            continue;
        columns[type] = (Columns){
            .concepts = ARENA_ARRAY(finish->arena, ConceptId, count),
            .days = ARENA_ARRAY(finish->arena, int32_t, count),
            .numbers = ARENA_ARRAY(finish->arena, int64_t, count),
            .orgs = ARENA_ARRAY(finish->arena, ConceptId, count),
            .tapes = ARENA_ARRAY(finish->arena, uint32_t, count),
            .starts = ARENA_ARRAY(finish->arena, uint32_t, finish->person_count + 1),
        };
    }
}

static inline ConceptId renumber(const Finish *finish, ConceptId id)
{
    const ConceptId *map = finish->builder->options.renumber;
    return map == NULL ? id : map[id];
}

static void put_entry(const Finish *finish, Columns *column, const FhirFacts *facts, size_t tape)
{
    uint32_t at = column->count++;
    column->concepts[at] = renumber(finish, facts->concept);
    column->days[at] = facts->day;
    column->numbers[at] = facts->number;
    column->orgs[at] = renumber(finish, facts->org);
    column->tapes[at] = (uint32_t)tape;
    column->has_concepts |= facts->concept != CONCEPT_NONE;
    column->has_days |= facts->day != DAY_NONE;
    column->has_numbers |= facts->number != NUMBER_NONE;
    column->has_orgs |= facts->org != CONCEPT_NONE;
}

/* The columns of the person table, which come from the Patient. */
static void put_person(RecordBatch *batch, uint32_t row, const RecordInput *patient)
{
    TapeArea area = {.bytes = patient->tape, .size = patient->tape_size};
    FhirNode root = fhir_root(&area, 0);
    Moment moment;
    bool is_dead;
    int32_t *birth = (int32_t *)batch->birth_days + row;
    int32_t *death = (int32_t *)batch->death_days + row;
    uint8_t *sex = (uint8_t *)batch->sexes + row;
    if (fhir_moment(fhir_child(root, FHIR_ELEM_Patient_birthDate), &moment))
        *birth = moment_day(moment);
    if (fhir_moment(fhir_child(root, FHIR_ELEM_Patient_deceasedDateTime), &moment))
        *death = moment_day(moment);
    else if (fhir_boolean(fhir_child(root, FHIR_ELEM_Patient_deceasedBoolean), &is_dead) && is_dead)
        *death = DEATH_UNDATED;
    FhirNode gender = fhir_child(root, FHIR_ELEM_Patient_gender);
    *sex = fhir_text_is(gender, S("female"))  ? SEX_FEMALE
           : fhir_text_is(gender, S("male"))  ? SEX_MALE
           : fhir_text_is(gender, S("other")) ? SEX_OTHER
                                              : SEX_UNKNOWN;
}

static void make_person_table(Finish *finish)
{
    RecordBatch *batch = finish->batch;
    uint32_t count = finish->person_count;
    size_t bytes = 0;
    for (uint32_t i = 0; i < count; i++)
        bytes += finish->persons[i].id.len;
    uint64_t *hashes = ARENA_ARRAY(finish->arena, uint64_t, count + 1);
    uint32_t *starts = ARENA_ARRAY(finish->arena, uint32_t, count + 1);
    char *id_bytes = arena_alloc(finish->arena, bytes + 1);
    int32_t *births = ARENA_ARRAY(finish->arena, int32_t, count + 1);
    int32_t *deaths = ARENA_ARRAY(finish->arena, int32_t, count + 1);
    uint8_t *sexes = ARENA_ZARRAY(finish->arena, uint8_t, count + 1);
    uint32_t at = 0;
    for (uint32_t i = 0; i < count; i++) {
        Str id = finish->persons[i].id;
        hashes[i] = finish->persons[i].hash;
        starts[i] = at;
        if (id.len > 0)
            memcpy(id_bytes + at, id.ptr, id.len);
        at += (uint32_t)id.len;
        births[i] = deaths[i] = DAY_NONE;
    }
    starts[count] = at;
    batch->person_count = count;
    batch->id_hashes = hashes;
    batch->id_starts = starts;
    batch->id_bytes = id_bytes;
    batch->birth_days = births;
    batch->death_days = deaths;
    batch->sexes = sexes;
}

/* Looks at the first persons, whose order has nothing to do with who they are, to learn what comes
   most often. */
static void sample(const Finish *finish, Share *share)
{
    const RecordInput *inputs = finish->builder->inputs.items;
    size_t left = finish->builder->inputs.count / SAMPLES_PART;
    left = left < SAMPLES_MIN ? SAMPLES_MIN : left > SAMPLES_MAX ? SAMPLES_MAX : left;
    for (uint32_t i = 0; i < finish->person_count && left > 0; i++) {
        const Person *person = &finish->persons[i];
        for (uint32_t k = 0; k < person->count && left > 0; k++, left--) {
            const Key *key = &finish->keys[person->first + k];
            share_sample(share, inputs[key->input].tape, inputs[key->input].tape_size);
        }
    }
    share_put_head(share);
}

/* The inputs lie where they came from, in no order. */
static inline void fetch_ahead(const RecordInput *input)
{
    enum { LINE = 64, LINES_MAX = 12 };
    for (size_t i = 0; i < LINES_MAX && i * LINE < input->tape_size; i++)
        __builtin_prefetch(input->tape + i * LINE);
}

static void put_all(Finish *finish, Columns *columns, Share *share)
{
    const RecordInput *inputs = finish->builder->inputs.items;
    for (uint32_t row = 0; row < finish->person_count; row++) {
        const Person *person = &finish->persons[row];
        for (unsigned type = 0; type < FHIR_RESOURCE_TYPE_LIMIT; type++)
            if (columns[type].starts != NULL)
                columns[type].starts[row] = columns[type].count;
        for (uint32_t k = 0; k < person->count; k++) {
            const Key *key = &finish->keys[person->first + k];
            const RecordInput *input = &inputs[key->input];
            if (k + 9 < person->count) {
                __builtin_prefetch(&inputs[key[9].input]);
                __builtin_prefetch(&inputs[key[9].input].tape);
            }
            if (k + 3 < person->count)
                fetch_ahead(&inputs[key[3].input]);
            if (k + 1 < person->count && !key->is_refused)
                share_prepare(share, inputs[key[1].input].tape, inputs[key[1].input].tape_size);
            if (key->is_refused)
                continue;
            size_t at = share_add(share, input->tape, input->tape_size);
            put_entry(finish, &columns[input->facts.type], &input->facts, at);
            if (input->facts.type == FHIR_TYPE_Patient && !finish->builder->options.is_shared)
                put_person(finish->batch, row, input);
        }
    }
}

static void finish_columns(Finish *finish, const Columns *columns)
{
    for (unsigned type = 0; type < FHIR_RESOURCE_TYPE_LIMIT; type++) {
        const Columns *from = &columns[type];
        if (from->starts == NULL)
            continue;
        from->starts[finish->person_count] = from->count;
        finish->batch->types[type] = (RecordType){
            .starts = from->starts,
            .entries = {.count = from->count,
                        .concepts = from->has_concepts ? from->concepts : NULL,
                        .days = from->has_days ? from->days : NULL,
                        .numbers = from->has_numbers ? from->numbers : NULL,
                        .orgs = from->has_orgs ? from->orgs : NULL,
                        .tapes = from->tapes},
        };
    }
}

ErrorCode record_builder_finish(RecordBuilder *builder, RecordBatch **ret_batch, Error *err)
{
    Finish finish = {.builder = builder, .arena = builder->arena, .scratch = builder->scratch};
    ErrorCode code = ERR_OK;
    if (builder->tape_bytes > UINT32_MAX - SHARE_HEAD_BYTES || builder->inputs.count > UINT32_MAX) {
        code = error_set(err, ERR_LIMIT, "a batch of %zu bytes of tapes: at most 4 GiB may be",
                         builder->tape_bytes);
    } else {
        finish.batch = ARENA_NEW(builder->arena, RecordBatch);
        Columns *columns = ARENA_ZARRAY(builder->scratch, Columns, FHIR_RESOURCE_TYPE_LIMIT);
        find_persons(&finish);
        order_keys(&finish);
        refuse_all(&finish);
        make_person_table(&finish);
        make_columns(&finish, columns);
        Share *share =
            share_create(builder->arena, builder->scratch, builder->tape_bytes + SHARE_HEAD_BYTES,
                         builder->options.renumber);
        sample(&finish, share);
        put_all(&finish, columns, share);
        finish_columns(&finish, columns);
        finish.batch->dict = builder->options.dict;
        finish.batch->area.bytes = share_finish(share, &finish.batch->area.size);
        finish.batch->area.names.dict = builder->options.dict;
        tell_refused(&finish);
        *ret_batch = finish.batch;
    }
    if (builder->scratch != builder->options.scratch)
        arena_destroy(builder->scratch);
    builder->scratch = NULL;
    return code;
}
