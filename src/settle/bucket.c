/*
 * Facts dealt to buckets, one a practice and clause, by counting: the facts of a bucket keep the
 * order of partitions and rows. ConceptIds of organisations are in order of their ids, so the
 * order of buckets is that of practice ids.
 */
#include "settle/settle_int.h"

typedef struct {
    const SettlePlan *plan;
    const Facts *facts;
    uint32_t *numbers; /* practice number + 1 by ConceptId; 0 is none */
    ConceptId *practices;
    size_t practice_count;
    size_t *starts; /* by practice and clause: first its count, then where its next ref goes */
} Dealer;

static void number_practices(Dealer *dealer, Arena *arena)
{
    uint32_t concepts = concept_dict_count(store_dict(dealer->plan->input->store));
    dealer->numbers = ARENA_ZARRAY(arena, uint32_t, (size_t)concepts + 1);
    for (size_t i = 0; i < dealer->facts->part_count; i++) {
        VEC_FOREACH (Fact, fact, &dealer->facts->parts[i].facts) {
            ASSERT(fact->organisation >= 1 && fact->organisation <= concepts);
            dealer->practice_count += dealer->numbers[fact->organisation] == 0;
            dealer->numbers[fact->organisation] = 1;
        }
    }
    dealer->practices = ARENA_ARRAY(arena, ConceptId, dealer->practice_count + 1);
    uint32_t number = 0;
    for (ConceptId id = 1; id <= concepts; id++) {
        if (dealer->numbers[id] == 0)
            continue;
        dealer->practices[number] = id;
        dealer->numbers[id] = ++number;
    }
}

static size_t slot_of(const Dealer *dealer, const Fact *fact)
{
    size_t practice = dealer->numbers[fact->organisation] - 1;
    return practice * dealer->plan->clause_count + fact->clause;
}

static void deal(Dealer *dealer, Arena *arena, FactRef **ret_refs)
{
    size_t slots = dealer->practice_count * dealer->plan->clause_count;
    dealer->starts = ARENA_ZARRAY(arena, size_t, slots + 1);
    size_t total = 0;
    for (size_t i = 0; i < dealer->facts->part_count; i++)
        VEC_FOREACH (Fact, fact, &dealer->facts->parts[i].facts)
            dealer->starts[slot_of(dealer, fact) + 1]++;
    for (size_t i = 0; i < slots; i++)
        dealer->starts[i + 1] += dealer->starts[i];
    total = dealer->starts[slots];
    FactRef *refs = ARENA_ARRAY(arena, FactRef, total + 1);
    for (size_t i = 0; i < dealer->facts->part_count; i++) {
        const PartFacts *part = &dealer->facts->parts[i];
        for (size_t k = 0; k < part->facts.count; k++) {
            size_t slot = slot_of(dealer, &part->facts.items[k]);
            refs[dealer->starts[slot]++] =
                (FactRef){.partition = (uint32_t)i, .index = (uint32_t)k};
        }
    }
    *ret_refs = refs;
}

/* Names of organisations for people, from their resources. */
static ErrorCode read_organisations(Arena *arena, const Store *store, Organisations **ret_all,
                                    Error *err)
{
    DiagList diags; /* what is wrong with organisations is told by whoever loads them */
    diag_init(&diags, arena);
    Organisations *all = organisations_create(arena, store_dict(store));
    for (size_t i = 0; i < store_shared_count(store); i++) {
        const RecordBatch *shared;
        ErrorCode code = store_shared(store, i, &shared, err);
        if (code != ERR_OK)
            return code;
        organisations_add(all, shared);
    }
    organisations_finish(all, &diags);
    *ret_all = all;
    return ERR_OK;
}

ErrorCode settle_buckets(Arena *arena, const SettlePlan *plan, const Facts *facts,
                         Buckets *ret_buckets, Error *err)
{
    Dealer dealer = {.plan = plan, .facts = facts};
    Organisations *organisations;
    ErrorCode code = read_organisations(arena, plan->input->store, &organisations, err);
    if (code != ERR_OK)
        return code;
    FactRef *refs;
    number_practices(&dealer, arena);
    deal(&dealer, arena, &refs);
    const ConceptDict *dict = store_dict(plan->input->store);
    size_t slots = dealer.practice_count * plan->clause_count;
    Bucket *buckets = ARENA_ZARRAY(arena, Bucket, slots + 1);
    size_t count = 0;
    for (size_t slot = 0; slot < slots; slot++) {
        /* After dealing, each start is where the next slot begins. */
        size_t from = slot == 0 ? 0 : dealer.starts[slot - 1];
        if (dealer.starts[slot] == from)
            continue;
        Bucket *bucket = &buckets[count++];
        bucket->organisation = dealer.practices[slot / plan->clause_count];
        bucket->practice = concept_dict_name(dict, bucket->organisation).code;
        bucket->name = organisation_name(organisations, bucket->organisation);
        bucket->clause = (uint32_t)(slot % plan->clause_count);
        bucket->refs = refs + from;
        bucket->ref_count = dealer.starts[slot] - from;
    }
    *ret_buckets = (Buckets){.buckets = buckets, .bucket_count = count};
    return ERR_OK;
}
