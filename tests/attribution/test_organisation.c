#include "base/test.h"
#include "people.h"

static Str organisation_json(Arena *arena, const char *id, const char *name, const char *parent)
{
    StrBuf json;
    strbuf_init(&json, arena, 0);
    strbuf_printf(&json, "{\"resourceType\":\"Organization\",\"id\":\"%s\"", id);
    if (name != NULL)
        strbuf_printf(&json, ",\"name\":\"%s\"", name);
    if (parent != NULL)
        strbuf_printf(&json, ",\"partOf\":{\"reference\":\"Organization/%s\"}", parent);
    strbuf_add_char(&json, '}');
    return strbuf_str(&json);
}

TEST(organisations_know_their_names_and_wholes)
{
    Str resources[] = {
        organisation_json(arena, "z-practice", "Practice Z", "network"),
        organisation_json(arena, "a-practice", "Practice A", "network"),
        organisation_json(arena, "network", NULL, "nowhere"),
        organisation_json(arena, "alone", "Alone", NULL),
    };
    Str persons[] = {people_patient(arena, "p", NULL),
                     people_encounter(arena, "1", "p", "\"start\":\"2020-01-01\"", "network"),
                     people_encounter(arena, "2", "p", "\"start\":\"2020-01-01\"", "alone"),
                     people_encounter(arena, "3", "p", "\"start\":\"2020-01-01\"", "nowhere")};
    const ConceptDict *dict = people_batch(arena, persons, COUNT_OF(persons), false)->dict;
    RecordBatch *batch = people_batch(arena, resources, COUNT_OF(resources), true);
    Organisations *organisations = organisations_create(arena, dict);
    organisations_add(organisations, batch);
    organisations_add(organisations, batch); /* what is there already is passed over */
    DiagList diags;
    diag_init(&diags, arena);
    organisations_finish(organisations, &diags);
    CHECK_INT((int64_t)diags.kept.count, 0);
    CHECK_INT((int64_t)organisations_count(organisations), 4);
    for (size_t i = 1; i < 4; i++)
        CHECK(str_cmp(organisations_at(organisations, i - 1)->id,
                      organisations_at(organisations, i)->id) < 0);
    const Organisation *z = organisation_find_id(organisations, S("z-practice"));
    CHECK(z != NULL && z->parent != NULL);
    CHECK_STR(z->name, S("Practice Z"));
    CHECK_STR(z->parent->id, S("network"));
    CHECK_STR(z->parent->name, S("network"));
    CHECK_STR(z->parent->parent_id, S("nowhere"));
    CHECK(organisation_network(z) == z->parent && z->parent->parent == NULL);
    CHECK(organisation_find_id(organisations, S("nowhere")) == NULL);
    /* Records refer to three ids, of which one is nobody's. */
    static const Str system = STR_INIT("Organization");
    ConceptId network = concept_dict_find(dict, system, S("network"));
    ConceptId alone = concept_dict_find(dict, system, S("alone"));
    ConceptId nowhere = concept_dict_find(dict, system, S("nowhere"));
    CHECK(organisation_find(organisations, network) == z->parent);
    CHECK_STR(organisation_find(organisations, alone)->name, S("Alone"));
    CHECK(organisation_find(organisations, nowhere) == NULL && nowhere != CONCEPT_NONE);
    CHECK_INT(z->concept, CONCEPT_NONE);
    CHECK(organisation_find(organisations, CONCEPT_NONE) == NULL);
}

TEST(organisation_without_a_resource_is_called_by_its_id)
{
    Str persons[] = {people_patient(arena, "p", NULL),
                     people_encounter(arena, "e", "p", "\"start\":\"2020-01-01\"", "unknown-org")};
    RecordBatch *batch = people_batch(arena, persons, COUNT_OF(persons), false);
    Organisations *organisations = organisations_create(arena, batch->dict);
    DiagList diags;
    diag_init(&diags, arena);
    organisations_finish(organisations, &diags);
    ConceptId unknown = concept_dict_find(batch->dict, S("Organization"), S("unknown-org"));
    CHECK(organisation_find(organisations, unknown) == NULL);
    CHECK_STR(organisation_name(organisations, unknown), S("unknown-org"));
    CHECK(organisation_find_id(organisations, S("unknown-org")) == NULL);
}

TEST(organisation_that_is_part_of_itself_is_cut_off)
{
    Str resources[] = {
        organisation_json(arena, "a", "A", "b"), organisation_json(arena, "b", "B", "c"),
        organisation_json(arena, "c", "C", "b"), organisation_json(arena, "self", "S", "self"),
        organisation_json(arena, "d", "D", "a"),
    };
    RecordBatch *batch = people_batch(arena, resources, COUNT_OF(resources), true);
    Organisations *organisations = organisations_create(arena, batch->dict);
    organisations_add(organisations, batch);
    DiagList diags;
    diag_init(&diags, arena);
    organisations_finish(organisations, &diags);
    CHECK_INT((int64_t)diags.counts[SEVERITY_WARNING], 2);
    /* a -> b -> c -> b: c closes the circle. */
    CHECK(organisation_find_id(organisations, S("c"))->parent == NULL);
    CHECK(organisation_find_id(organisations, S("self"))->parent == NULL);
    CHECK_STR(organisation_network(organisation_find_id(organisations, S("d")))->id, S("c"));
}
