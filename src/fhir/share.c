/* Top-down: a sub-tree that stands somewhere becomes a reference; else its parts are tried. */
#include "fhir/share.h"

#include <stdlib.h>

enum {
    SHARED_SIZE_MIN = 4, /* of a node that may become a reference of 2 bytes and more */
    CHILDREN_AT_ONCE = 32,
    SLOTS_FIRST = 1 << 12,
    BYTES_A_SLOT = 96, /* of flat tape: a guess at how large the table will become */
    NEAR2 = 1 << 13,   /* what the short references reach */
    NEAR3 = 1 << 21,
    HEAD_COUNT_MIN = 4,
    PLACES = 2 * FHIR_ELEMENT_COUNT,
    TRIES_MIN = 16,   /* before a place is judged */
    TRIES_A_HIT = 12, /* at which a place is worth to be looked up */
    SAMPLE_SLOTS = 1 << 14
};

/* Where children stand: in an object of `type`, or (has_fields false) as items of type `type` of
   the element that is this number in fhir_element_table. */
typedef struct {
    uint16_t type;
    uint16_t element;
    bool has_fields;
} Place;

typedef struct {
    const uint8_t *source; /* NULL: free */
    uint32_t hash;
    uint32_t offset; /* in the area; while sampling: how often seen */
} Slot;

typedef struct {
    const uint8_t *bytes;
    uint32_t size;
    uint32_t hash;
    Place place;    /* of its own children, if it is a list */
    uint8_t number; /* of the element; 0 of an item */
    bool is_shareable;
} Child;

/* The first children of a resource that is about to be added: their slots are on the way. */
typedef struct {
    const uint8_t *tape;
    const uint8_t *next; /* the child behind them */
    size_t count;
    Child children[CHILDREN_AT_ONCE];
} Prepared;

struct Share {
    uint8_t *area;
    uint8_t *out;
    size_t size_max;
    const ConceptId *renumber;
    Arena *scratch;
    Slot *slots;
    size_t mask;
    size_t count;
    /* Sampling. Values of an element, and items of it, are judged apart. */
    Slot *samples;
    Place *sample_places;
    uint32_t *sample_order; /* by slot: how many had been seen before */
    size_t sample_count;
    uint16_t *tries; /* by place_number */
    uint16_t *hits;
    bool *is_hopeless; /* values here are hardly ever equal to another */
    Prepared prepared[2];
    unsigned turn; /* which of them is to be added next */
};

/* --- hashing --- */

static inline uint64_t load8(const uint8_t *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

static inline uint64_t mix(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Reads nothing outside of the node. */
static inline uint32_t hash_node(const uint8_t *bytes, size_t size)
{
    uint64_t state = size * UINT64_C(0x9E3779B97F4A7C15);
    size_t i = 0;
    for (; i + 16 <= size; i += 16)
        state = mix(load8(bytes + i) ^ UINT64_C(0xA0761D6478BD642F), load8(bytes + i + 8) ^ state);
    if (i + 8 <= size)
        state = mix(load8(bytes + i) ^ UINT64_C(0xE7037ED1A0B428DB), state);
    uint64_t last = 0;
    if (size >= 8)
        last = load8(bytes + size - 8);
    else
        for (size_t k = 0; k < size; k++)
            last |= (uint64_t)bytes[k] << (8 * k);
    return (uint32_t)(mix(last ^ UINT64_C(0x8EBC6AF09C88C6E3), state ^ size) >> 16);
}

/* --- the table --- */

static void grow(Share *share)
{
    Slot *old = share->slots;
    size_t old_size = share->mask + 1;
    share->mask = old_size * 2 - 1;
    share->slots = ARENA_ZARRAY(share->scratch, Slot, share->mask + 1);
    for (size_t i = 0; i < old_size; i++) {
        if (old[i].source == NULL)
            continue;
        size_t at = old[i].hash & share->mask;
        while (share->slots[at].source != NULL)
            at = (at + 1) & share->mask;
        share->slots[at] = old[i];
    }
}

/* The slot of this node, or the free one where it would go. */
static inline Slot *find_slot(Slot *slots, size_t mask, const Child *child)
{
    size_t at = child->hash & mask;
    for (;; at = (at + 1) & mask) {
        Slot *slot = &slots[at];
        if (slot->source == NULL ||
            (slot->hash == child->hash && memcmp(slot->source, child->bytes, child->size) == 0))
            return slot;
    }
}

/* --- nodes of a flat tape --- */

/* Of numbers and references (not the objects around them) too few are equal to be worth a look. */
static inline bool is_shareable(uint8_t tag, size_t size)
{
    if (size < SHARED_SIZE_MIN)
        return false;
    return tag >= TAPE_TEXT0 || (tag >= TAPE_LIST1 && tag <= TAPE_UUID) || tag == TAPE_SECOND ||
           tag == TAPE_MILLI;
}

/* Length of a container's header, from its tag. */
static inline size_t header_size(uint8_t tag)
{
    static const uint8_t sizes[] = {1, 2, 3, 5, 2, 3, 5, 3, 4, 6};
    ASSERT(tag >= TAPE_LIST1);
    return tag >= TAPE_OBJECT0 ? 1 : sizes[(tag - TAPE_LIST1) % COUNT_OF(sizes)];
}

static inline bool is_container(uint8_t tag)
{
    return tape_is_list(tag) || tape_is_object(tag);
}

/* Of a value of an element, and of an item of it. */
static inline size_t place_number(const Child *child)
{
    return 2 * (size_t)child->place.element + (child->number == 0);
}

/* The next child at *from, which is moved behind it. Its hash is left out where nobody will ask. */
static inline void next_child(const Share *share, const TapeArea *area, const uint8_t **from,
                              Place place, Child *child)
{
    const uint8_t *at = *from;
    child->number = 0;
    child->place = place;
    if (place.has_fields) {
        const FhirTypeInfo *info = &fhir_type_table[place.type];
        child->number = *at;
        if (*at != TAPE_FIELD_SYSTEM_CODE) {
            child->place.element = (uint16_t)(info->element_first + *at - 1U);
            child->place.type = fhir_element_table[child->place.element].type;
            at++;
        } else {
            at += 2; /* the code's node; see put_child */
        }
    }
    child->place.has_fields = false;
    size_t end = tape_skip(area, (size_t)(at - area->bytes));
    ASSERT(end != 0);
    child->bytes = at;
    child->size = (uint32_t)(end - (size_t)(at - area->bytes));
    child->is_shareable =
        is_shareable(*at, child->size) && !share->is_hopeless[place_number(child)];
    if (child->is_shareable)
        child->hash = hash_node(at, child->size);
    *from = area->bytes + end;
}

/* Where the children of a container (or of an EXTRA or REFERENCE) stand. */
static inline Place inner_place(const uint8_t *bytes, Place place)
{
    uint8_t tag = *bytes;
    if (!tape_is_object(tag))
        return place;
    if (tag >= TAPE_RESOURCE8 && tag <= TAPE_RESOURCE32)
        place.type = bytes[1];
    else if (fhir_type_is_primitive(place.type))
        place.type = FHIR_TYPE_Element; /* beside a primitive value */
    place.has_fields = true;
    return place;
}

/* --- writing --- */

static void put_child(Share *share, const TapeArea *area, const Child *child);

static inline uint8_t *put_reference(uint8_t *out, size_t at, size_t target)
{
    size_t distance = at - target;
    if (distance < NEAR2 || target < NEAR2) {
        uint8_t tag = distance < NEAR2 ? TAPE_REF_NEAR2 : TAPE_REF_FIRST2;
        size_t value = distance < NEAR2 ? distance : target;
        out[0] = (uint8_t)(tag | value >> 8);
        out[1] = (uint8_t)value;
        return out + 2;
    }
    if (distance < NEAR3 || target < NEAR3) {
        uint8_t tag = distance < NEAR3 ? TAPE_REF_NEAR3 : TAPE_REF_FIRST3;
        size_t value = distance < NEAR3 ? distance : target;
        out[0] = (uint8_t)(tag | value >> 16);
        out[1] = (uint8_t)value;
        out[2] = (uint8_t)(value >> 8);
        return out + 3;
    }
    out[0] = TAPE_REF32;
    tape_store32(out + 1, (uint32_t)target);
    return out + 5;
}

/* Reads children from *from on, and sends for their slots. */
static size_t read_children(const Share *share, const TapeArea *area, const uint8_t **from,
                            const uint8_t *end, Place place, Child *children)
{
    size_t count = 0;
    while (*from < end && count < CHILDREN_AT_ONCE) {
        Child *child = &children[count++];
        next_child(share, area, from, place, child);
        if (child->is_shareable)
            __builtin_prefetch(&share->slots[child->hash & share->mask]);
    }
    return count;
}

/* Sends for what the slots point at, then writes. */
static void put_some(Share *share, const TapeArea *area, const Child *children, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (children[i].is_shareable)
            __builtin_prefetch(share->slots[children[i].hash & share->mask].source);
    for (size_t i = 0; i < count; i++)
        put_child(share, area, &children[i]);
}

static void put_children(Share *share, const TapeArea *area, const uint8_t *from,
                         const uint8_t *end, Place place)
{
    Child children[CHILDREN_AT_ONCE];
    const Prepared *prepared = &share->prepared[share->turn];
    if (prepared->tape == area->bytes && from == area->bytes + header_size(*area->bytes)) {
        from = prepared->next;
        put_some(share, area, prepared->children, prepared->count);
    }
    while (from < end) {
        size_t count = read_children(share, area, &from, end, place, children);
        put_some(share, area, children, count);
    }
}

/* The header is as wide as the flat body asks for: the shared one is never longer. */
static void put_container(Share *share, const TapeArea *area, const uint8_t *bytes, size_t size,
                          Place place)
{
    uint8_t tag = bytes[0];
    size_t header = header_size(tag);
    size_t body = size - header;
    uint8_t *start = share->out;
    bool is_object = tape_is_object(tag);
    bool is_resource = tag >= TAPE_RESOURCE8 && tag <= TAPE_RESOURCE32;
    if (tag == TAPE_LIST1) {
        *share->out++ = tag;
        put_children(share, area, bytes + 1, bytes + size, place);
        return;
    }
    size_t skip = 1u + is_resource;
    bool is_small = body <= TAPE_SMALL_MAX && is_object && !is_resource;
    size_t width = is_small ? 0 : body <= UINT8_MAX ? 1 : body <= UINT16_MAX ? 2 : 4;
    start[1] = bytes[1]; /* the type of a resource */
    share->out = start + skip + width;
    put_children(share, area, bytes + header, bytes + size, inner_place(bytes, place));
    size_t length = (size_t)(share->out - start) - skip - width;
    if (is_small) {
        *start = (uint8_t)(TAPE_OBJECT0 + length);
        return;
    }
    uint8_t base = is_resource ? TAPE_RESOURCE8 : is_object ? TAPE_OBJECT8 : TAPE_LIST8;
    *start = (uint8_t)(base + (width >> 1));
    for (size_t i = 0; i < width; i++)
        start[skip + i] = (uint8_t)(length >> (8 * i));
}

static void put_copy(Share *share, const uint8_t *bytes, size_t size)
{
    memcpy(share->out, bytes, size);
    share->out += size;
}

static void put_concept(Share *share, const uint8_t *code)
{
    ConceptId id = tape_load32(code + 1);
    *share->out = TAPE_CODE;
    tape_store32(share->out + 1, share->renumber == NULL ? id : share->renumber[id]);
    share->out += 5;
}

/* A node that does not become a reference, part by part. */
static void put_parts(Share *share, const TapeArea *area, const Child *child)
{
    const uint8_t *bytes = child->bytes;
    size_t size = child->size;
    uint8_t tag = bytes[0];
    if (is_container(tag)) {
        put_container(share, area, bytes, size, child->place);
    } else if (tag == TAPE_CODE) {
        put_concept(share, bytes);
    } else if (tag == TAPE_SYSTEM) {
        *share->out++ = tag;
        put_concept(share, bytes + 1);
    } else if (tag == TAPE_EXTRA) {
        *share->out++ = tag;
        put_children(share, area, bytes + 1, bytes + size, child->place);
    } else if (tag == TAPE_REFERENCE) {
        put_copy(share, bytes, 2);
        put_children(share, area, bytes + 2, bytes + size, child->place);
    } else {
        put_copy(share, bytes, size);
    }
}

static void put_child(Share *share, const TapeArea *area, const Child *child)
{
    if (child->number == TAPE_FIELD_SYSTEM_CODE) {
        *share->out++ = child->number;
        *share->out++ = TAPE_SYSTEM;
    } else if (child->number != 0) {
        *share->out++ = child->number;
    }
    if (!child->is_shareable) {
        put_parts(share, area, child);
        return;
    }
    Slot *slot = find_slot(share->slots, share->mask, child);
    size_t at = (size_t)(share->out - share->area);
    if (slot->source != NULL) {
        uint8_t *end = put_reference(share->out, at, slot->offset);
        if ((size_t)(end - share->out) < child->size)
            share->out = end;
        else
            put_parts(share, area, child);
        return;
    }
    *slot = (Slot){.source = child->bytes, .hash = child->hash, .offset = (uint32_t)at};
    if (++share->count * 3 > share->mask * 2)
        grow(share);
    put_parts(share, area, child);
}

/* --- the head --- */

static void count_up(uint16_t *counter)
{
    *counter = (uint16_t)(*counter + (*counter < UINT16_MAX));
}

static void sample_children(Share *share, const TapeArea *area, const uint8_t *from,
                            const uint8_t *end, Place place)
{
    while (from < end) {
        Child child;
        next_child(share, area, &from, place, &child);
        uint8_t tag = *child.bytes;
        if (child.is_shareable) {
            Slot *slot = find_slot(share->samples, SAMPLE_SLOTS - 1, &child);
            count_up(&share->tries[place_number(&child)]);
            if (slot->source != NULL) {
                count_up(&share->hits[place_number(&child)]);
                slot->offset++;
                continue;
            }
            if (share->sample_count < SAMPLE_SLOTS / 2) {
                *slot = (Slot){.source = child.bytes, .hash = child.hash, .offset = 1};
                share->sample_places[slot - share->samples] = child.place;
                share->sample_order[slot - share->samples] = (uint32_t)share->sample_count++;
            }
        }
        size_t header = is_container(tag)       ? header_size(tag)
                        : tag == TAPE_EXTRA     ? 1
                        : tag == TAPE_REFERENCE ? 2
                                                : 0;
        if (header > 0)
            sample_children(share, area, child.bytes + header, child.bytes + child.size,
                            inner_place(child.bytes, child.place));
    }
}

void share_sample(Share *share, const uint8_t *tape, size_t size)
{
    TapeArea area = {.bytes = tape, .size = size};
    sample_children(share, &area, tape + header_size(*tape), tape + size,
                    inner_place(tape, (Place){0}));
}

typedef struct {
    const uint8_t *bytes;
    uint32_t size;
    uint32_t count;
    uint32_t order;
    Place place;
} Hot;

static uint32_t node_size(const uint8_t *bytes)
{
    TapeArea area = {.bytes = bytes, .size = SIZE_MAX / 2};
    return (uint32_t)tape_skip(&area, 0);
}

/* Most references for a byte of the head first; then as they came, so that the order of slots,
   which rests on provisional numbers, does not show. */
static int compare_hot(const void *a, const void *b)
{
    const Hot *x = a;
    const Hot *y = b;
    uint64_t gain_x = (uint64_t)x->count * y->size;
    uint64_t gain_y = (uint64_t)y->count * x->size;
    if (gain_x != gain_y)
        return gain_x > gain_y ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

static void judge_places(Share *share)
{
    for (size_t i = 0; i < PLACES; i++)
        share->is_hopeless[i] =
            share->tries[i] >= TRIES_MIN && share->hits[i] < share->tries[i] / TRIES_A_HIT;
}

void share_put_head(Share *share)
{
    Hot *hot = arena_alloc_array(share->scratch, share->sample_count + 1, sizeof(Hot));
    size_t count = 0;
    for (size_t i = 0; i < SAMPLE_SLOTS; i++) {
        const Slot *slot = &share->samples[i];
        if (slot->source == NULL || slot->offset < HEAD_COUNT_MIN)
            continue;
        hot[count++] = (Hot){.bytes = slot->source,
                             .size = node_size(slot->source),
                             .count = slot->offset,
                             .order = share->sample_order[i],
                             .place = share->sample_places[i]};
    }
    judge_places(share);
    qsort(hot, count, sizeof(Hot), compare_hot);
    for (size_t i = 0; i < count; i++) {
        size_t used = (size_t)(share->out - share->area);
        if (used + hot[i].size > SHARE_HEAD_BYTES)
            continue;
        TapeArea area = {.bytes = hot[i].bytes, .size = hot[i].size};
        put_children(share, &area, hot[i].bytes, hot[i].bytes + hot[i].size, hot[i].place);
    }
}

/* --- the facade --- */

Share *share_create(Arena *arena, Arena *scratch, size_t size_max, const ConceptId *renumber)
{
    Share *share = ARENA_NEW(scratch, Share);
    share->area = arena_alloc(arena, size_max);
    share->out = share->area;
    share->size_max = size_max;
    share->renumber = renumber;
    share->scratch = scratch;
    share->samples = ARENA_ZARRAY(scratch, Slot, SAMPLE_SLOTS);
    share->sample_places = ARENA_ARRAY(scratch, Place, SAMPLE_SLOTS);
    share->sample_order = ARENA_ARRAY(scratch, uint32_t, SAMPLE_SLOTS);
    share->tries = ARENA_ZARRAY(scratch, uint16_t, PLACES);
    share->hits = ARENA_ZARRAY(scratch, uint16_t, PLACES);
    share->is_hopeless = ARENA_ZARRAY(scratch, bool, PLACES);
    size_t slots = SLOTS_FIRST;
    while (slots < size_max / BYTES_A_SLOT)
        slots *= 2;
    share->mask = slots - 1;
    share->slots = ARENA_ZARRAY(scratch, Slot, slots);
    return share;
}

void share_prepare(Share *share, const uint8_t *tape, size_t size)
{
    Prepared *prepared = &share->prepared[!share->turn];
    TapeArea area = {.bytes = tape, .size = size};
    prepared->tape = tape;
    prepared->next = tape + header_size(*tape);
    prepared->count = read_children(share, &area, &prepared->next, tape + size,
                                    inner_place(tape, (Place){0}), prepared->children);
}

size_t share_add(Share *share, const uint8_t *tape, size_t size)
{
    size_t at = (size_t)(share->out - share->area);
    TapeArea area = {.bytes = tape, .size = size};
    ASSERT(at + size <= share->size_max);
    put_container(share, &area, tape, size, (Place){0});
    share->turn = !share->turn;
    return at;
}

const uint8_t *share_finish(Share *share, size_t *ret_size)
{
    share->slots = NULL;
    *ret_size = (size_t)(share->out - share->area);
    return share->area;
}
