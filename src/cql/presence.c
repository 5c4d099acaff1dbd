/*
 * One walk along a person's directory tells for all retrieves of all libraries whether there is an
 * entry for them. Concepts that the same retrieves look for are one class, so that an entry costs
 * the same whatever the number of retrieves.
 */
#include "cql/operator.h"

typedef struct {
    CqlPlan *plan;
    uint32_t *classes; /* by ConceptId */
    Vec(uint64_t *) wanted_by;
    Map next; /* "class+retrieve" to class */
} Classes;

/* The class of concepts that one more retrieve wants. */
static uint32_t class_with(Classes *classes, uint32_t class, uint32_t retrieve)
{
    Arena *arena = classes->plan->arena;
    bool is_new;
    uint32_t key[2] = {class, retrieve};
    Str text = {.ptr = arena_copy(arena, key, sizeof(key)), .len = sizeof(key)};
    size_t entry = map_intern(&classes->next, text, classes->wanted_by.count, &is_new);
    if (is_new) {
        size_t words = classes->plan->presence.words;
        uint64_t *bits = ARENA_ARRAY(arena, uint64_t, words);
        memcpy(bits, classes->wanted_by.items[class], words * sizeof(*bits));
        bits[retrieve / 64] |= UINT64_C(1) << (retrieve % 64);
        VEC_PUSH(arena, &classes->wanted_by, bits);
    }
    return (uint32_t)classes->next.entries[entry].value;
}

static void classify(Classes *classes, uint32_t index)
{
    const PlanRetrieve *retrieve = &classes->plan->retrieves.items[index];
    uint32_t from = UINT32_MAX;
    uint32_t to = 0;
    for (ConceptId id = 0; concept_set_next(&retrieve->concepts, &id);) {
        /* Neighbours are mostly of one class: the map is asked when it changes. */
        if (classes->classes[id] != from) {
            from = classes->classes[id];
            to = class_with(classes, from, index);
        }
        classes->classes[id] = to;
    }
}

static PresenceType *type_of(CqlPlan *plan, uint16_t type)
{
    PlanPresence *presence = &plan->presence;
    for (size_t i = 0; i < presence->type_count; i++) {
        if (presence->types[i].type == type)
            return &presence->types[i];
    }
    PresenceType *added = &presence->types[presence->type_count++];
    *added = (PresenceType){.type = type,
                            .any = ARENA_ZARRAY(plan->arena, uint64_t, presence->words),
                            .coded = ARENA_ZARRAY(plan->arena, uint64_t, presence->words),
                            .uncoded = ARENA_ZARRAY(plan->arena, uint64_t, presence->words)};
    return added;
}

void plan_find_presence(CqlPlan *plan)
{
    PlanPresence *presence = &plan->presence;
    Arena *arena = plan->arena;
    *presence = (PlanPresence){.words = (plan->retrieves.count + 63) / 64};
    presence->concept_count = plan->dict == NULL ? 0 : concept_dict_count(plan->dict);
    presence->types = ARENA_ARRAY(arena, PresenceType, plan->retrieves.count);
    Classes classes = {.plan = plan,
                       .classes = ARENA_ZARRAY(arena, uint32_t, presence->concept_count + 1)};
    map_init(&classes.next, arena);
    VEC_PUSH(arena, &classes.wanted_by, ARENA_ZARRAY(arena, uint64_t, presence->words));
    for (uint32_t i = 0; i < plan->retrieves.count; i++) {
        const PlanRetrieve *retrieve = &plan->retrieves.items[i];
        const PresenceType *type = type_of(plan, retrieve->type);
        uint64_t *bits = retrieve_is_by_code(retrieve) ? type->coded : type->any;
        bits[i / 64] |= UINT64_C(1) << (i % 64);
        if (retrieve_is_by_code(retrieve))
            classify(&classes, i);
        if (retrieve->medication != 0)
            type->uncoded[i / 64] |= UINT64_C(1) << (i % 64);
    }
    uint64_t *wanted_by = ARENA_ARRAY(arena, uint64_t, classes.wanted_by.count * presence->words);
    for (size_t i = 0; i < classes.wanted_by.count && presence->words > 0; i++)
        memcpy(wanted_by + i * presence->words, classes.wanted_by.items[i],
               presence->words * sizeof(*wanted_by));
    presence->classes = classes.classes;
    presence->wanted_by = wanted_by;
}

static void walk(CqlEval *eval, const PresenceType *type, const RecordSlice *slice)
{
    const PlanPresence *presence = &eval->plan->presence;
    size_t words = presence->words;
    if (slice->count == 0)
        return;
    for (size_t i = 0; i < words; i++)
        eval->present[i] |= type->any[i];
    bool has_uncoded = slice->concepts == NULL;
    uint32_t before = 0;
    for (uint32_t i = 0; i < slice->count && slice->concepts != NULL; i++) {
        ConceptId id = slice->concepts[i];
        has_uncoded |= id == CONCEPT_NONE;
        uint32_t class = id <= presence->concept_count ? presence->classes[id] : 0;
        if (class == 0 || class == before)
            continue;
        before = class;
        const uint64_t *wanted_by = presence->wanted_by + class * words;
        for (size_t j = 0; j < words; j++)
            eval->present[j] |= wanted_by[j] & type->coded[j];
    }
    for (size_t i = 0; i < words && has_uncoded; i++)
        eval->present[i] |= type->uncoded[i];
}

static void find_present(CqlEval *eval)
{
    const PlanPresence *presence = &eval->plan->presence;
    if (presence->words > 0)
        memset(eval->present, 0, presence->words * sizeof(*eval->present));
    for (size_t i = 0; i < presence->type_count; i++) {
        const PresenceType *type = &presence->types[i];
        Source source;
        PlanRetrieve any = {.type = type->type};
        for (size_t j = 0; eval_source(eval, &any, j, &source); j++)
            walk(eval, type, &source.slice);
    }
    eval->is_presence_known = true;
}

bool eval_has_retrieve(CqlEval *eval, uint32_t retrieve)
{
    if (!eval->is_presence_known)
        find_present(eval);
    return (eval->present[retrieve / 64] >> (retrieve % 64) & 1) != 0;
}

bool eval_has_any(CqlEval *eval, const PlanGuard *guard)
{
    if (!eval->is_presence_known)
        find_present(eval);
    for (uint32_t i = 0; i < guard->word_count; i++) {
        if ((eval->present[guard->words[i]] & guard->bits[i]) != 0)
            return true;
    }
    return false;
}

CqlValue run_guard(CqlEval *eval, const CqlNode *node)
{
    (void)eval;
    return node->guard->value;
}
