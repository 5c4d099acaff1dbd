#!/usr/bin/env python3
"""gen_fhir_tables -- turns models/fhir-r4.tsv and models/directory.tsv into constant C tables.

    tools/gen_fhir_tables.py MODEL.tsv DIRECTORY.tsv OUT.c OUT.h OUT_ELEMENTS.h
    tools/gen_fhir_tables.py --check

The three files are made at build time and not committed; the same tables give the same bytes.
OUT.c includes "fhir_tables.h", so OUT.h should bear that name. In meson:

    fhir_gen = custom_target('fhir_tables',
      input: ['../../models/fhir-r4.tsv', '../../models/directory.tsv'],
      output: ['fhir_tables.c', 'fhir_tables.h', 'fhir_elements.h'],
      command: [python, files('../../tools/gen_fhir_tables.py'), '@INPUT@', '@OUTPUT@'])

What the C code gets (fhir_tables.h says the same at each declaration):

  FhirType            u16 enum. FHIR_TYPE_NONE = 0; then the resource types in alphabetical order,
                      among them the abstract DomainResource and Resource (FHIR_TYPE_Account = 1 ..
                      FHIR_RESOURCE_TYPE_LAST, so a resource type fits a u8); then the datatypes,
                      primitives and backbone types (FHIR_TYPE_Observation_component).
                      An element of type FHIR_TYPE_Resource holds any resource.
  fhir_type_table[]   FhirTypeInfo by FhirType: name, kind, base, elements, hash, required elements.
  fhir_element_table[] FhirElementInfo; element numbers are 1 .. element_count within their type,
                      in the order of the definition, 0 is none; fhir_element_info(type, number)
  fhir_element_find(type, key, len)      -> element number or 0
  fhir_resource_find(name, len)          -> FhirType of a resource type or FHIR_TYPE_NONE
  fhir_type_find(name, len)              -> any type by its name ("Observation.component"); slow
  fhir_required_table[]  numbers of elements with min = 1, a range a type; of a choice group that
                      is required its first alternative stands for the group (see FhirElementInfo)
  fhir_directory_table[] FhirDirectoryInfo by resource type: which paths feed the directory's
                      columns, as ranges of fhir_directory_path_table[]
  fhir_element_target, fhir_element_value_set: reference targets, required value sets (slow path)
  FHIR_ELEM_<Type>_<element>   element numbers as constants, in fhir_elements.h, for all types.

The two _find functions for elements and resources are inline: two 8 byte loads, two
multiplications, one probe, one comparison. They load 8 bytes at `key` whatever its length, so
THE CALLER GUARANTEES 8 READABLE BYTES FROM `key` ON (JSON text with 8 bytes of padding after
its end does); bytes at and past key + len do not change the answer.

"resourceType" is no element of any resource type and is not found there (the backbone type
ExampleScenario.instance does have an element of that name); nor are "_name" siblings of
primitives: look up the name without the underscore and demand FHIR_FLAG_PRIMITIVE. The
properties inside such a sibling are those of FHIR_TYPE_Element (id, extension), and each
primitive type has these two as its own elements as well.
"""

import os
import sys

MASK64 = (1 << 64) - 1
TAIL_FACTOR = 0x9E3779B97F4A7C15
TRIES_PER_SIZE = 48
KIND_ORDER = {"resource": 0, "domainresource": 0, "datatype": 1, "primitive": 2, "backbone": 3}
COLUMNS = ("patient", "code", "date", "number", "org")
# What the last element of a directory path may be, by column.
COLUMN_TYPES = {
    "patient": ("Reference", "id"),
    "code": ("CodeableConcept", "Coding"),
    "date": ("date", "dateTime", "instant"),
    "number": ("decimal", "integer", "positiveInt", "unsignedInt"),
    "org": ("Reference",),
}
PATH_LENGTH_MAX = 4


class ModelError(Exception):
    """A table that breaks one of its own rules; the message names the row."""


class Element:
    """One JSON property of a type."""

    def __init__(self, cells):
        self.name, self.type, minimum, maximum, choice, flags, targets, self.value_set = cells
        if minimum not in ("0", "1") and not minimum.isdigit():
            raise ModelError(f"{self.name}: min {minimum}")
        if maximum not in ("1", "*"):
            raise ModelError(f"{self.name}: max {maximum}")
        self.is_required = int(minimum) > 0
        self.is_list = maximum == "*"
        self.choice = "" if choice == "-" else choice
        self.flags = [] if flags == "-" else flags.split(" ")
        self.targets = [] if targets == "-" else targets.split(" ")


class Type:
    """A resource type, datatype, primitive or backbone type with its elements."""

    def __init__(self, cells):
        self.name, self.kind, base, self.json, self.regex = cells
        self.base = "" if base == "-" else base
        self.elements = []
        self.constant = self.name.replace(".", "_")
        self.number = 0


def read_rows(path):
    with open(path, encoding="utf-8") as table:
        for line in table:
            if not line.startswith("#"):
                yield line.rstrip("\n").split("\t")


def read_model(path):
    """The types in the order of their numbers."""
    types = {}
    for cells in read_rows(path):
        if cells[0] == "type" and len(cells) == 6:
            if cells[1] in types:
                raise ModelError(f"{cells[1]}: type given twice")
            types[cells[1]] = Type(cells[1:])
        elif cells[0] == "element" and len(cells) == 10:
            types[cells[1]].elements.append(Element(cells[2:]))
        else:
            raise ModelError(f"no such row: {cells}")
    ordered = sorted(types.values(), key=lambda t: (KIND_ORDER[t.kind], t.name))
    for number, kind in enumerate(ordered, start=1):
        kind.number = number
    check_model(ordered)
    return ordered


def check_model(types):
    by_name = {t.name: t for t in types}
    if len({t.constant for t in types}) != len(types):
        raise ModelError("two types share a constant name")
    if sum(KIND_ORDER[t.kind] == 0 for t in types) > 255:
        raise ModelError("too many resource types for a u8")
    for kind in types:
        if kind.base and kind.base not in by_name:
            raise ModelError(f"{kind.name}: base {kind.base} is unknown")
        if len(kind.elements) > 250:
            raise ModelError(f"{kind.name}: {len(kind.elements)} elements, 250 may be")
        if len({e.name for e in kind.elements}) != len(kind.elements):
            raise ModelError(f"{kind.name}: an element name given twice")
        for element in kind.elements:
            if element.type not in by_name:
                raise ModelError(f"{kind.name}.{element.name}: type {element.type} is unknown")
            if element.choice and element.is_list:
                raise ModelError(f"{kind.name}.{element.name}: a choice that is a list")


def resolve_path(by_name, owner, path, column):
    """A path's element numbers; raises if it names no element or one of the wrong type."""
    numbers = []
    kind = by_name[owner]
    for name in path.split("."):
        found = [i for i, e in enumerate(kind.elements, start=1) if e.name == name]
        if not found:
            raise ModelError(f"directory: {owner} {path}: no element {name} in {kind.name}")
        numbers.append(found[0])
        kind = by_name[kind.elements[found[0] - 1].type]
    if kind.name not in COLUMN_TYPES[column]:
        raise ModelError(f"directory: {owner} {path}: type {kind.name} feeds no {column}")
    if len(numbers) > PATH_LENGTH_MAX:
        raise ModelError(f"directory: {owner} {path}: longer than {PATH_LENGTH_MAX}")
    return numbers


def read_directory(path, types):
    """{resource type: {column: [(path text, element numbers)]}}"""
    by_name = {t.name: t for t in types}
    rows = {}
    for cells in read_rows(path):
        owner = cells[0]
        if len(cells) != 1 + len(COLUMNS) or owner in rows or owner not in by_name:
            raise ModelError(f"directory: no such row: {cells}")
        rows[owner] = {}
        for column, cell in zip(COLUMNS, cells[1:]):
            paths = [] if cell == "-" else cell.split(" ")
            rows[owner][column] = [(p, resolve_path(by_name, owner, p, column)) for p in paths]
        if not rows[owner]["patient"]:
            raise ModelError(f"directory: {owner}: no patient path")
    return rows


# --- the hash: must be the same as fhir_name_mix and fhir_name_slot in the header ---


def name_head(raw):
    return int.from_bytes(raw[:8], "little")


def name_mix(raw):
    tail = int.from_bytes(raw[-8:] if len(raw) > 8 else raw[:8], "little")
    return (name_head(raw) ^ ((tail * TAIL_FACTOR) & MASK64)) + len(raw) & MASK64


def seeds():
    """Odd 64 bit numbers, always the same ones (splitmix64)."""
    state = 0
    while True:
        state = (state + 0x9E3779B97F4A7C15) & MASK64
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK64
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK64
        yield (z ^ (z >> 31)) | 1


def find_hash(names):
    """(seed, shift, slots): every name in a slot of its own; slots hold numbers from 1 on."""
    mixes = [name_mix(n.encode()) for n in names]
    if len(set(mixes)) != len(mixes):
        raise ModelError(f"names that the hash cannot tell apart: {names}")
    bits = max(1, (len(names) * 3 // 2 - 1).bit_length())
    source = seeds()
    while bits <= 14:
        shift = 64 - bits
        for _ in range(TRIES_PER_SIZE):
            seed = next(source)
            slots = [0] * (1 << bits)
            for number, mix in enumerate(mixes, start=1):
                slot = ((mix * seed) & MASK64) >> shift
                if slots[slot]:
                    break
                slots[slot] = number
            else:
                return seed, shift, slots
        bits += 1
    raise ModelError(f"no hash found for {len(names)} names")


# --- writing C ---


def c_list(values, per_line=20):
    lines = []
    for i in range(0, len(values), per_line):
        lines.append("    " + ", ".join(str(v) for v in values[i:i + per_line]) + ",")
    return "\n".join(lines)


HEADER_TOP = """\
/*
 * fhir_tables -- the element model of FHIR R4 as constant tables. Generated from
 * models/fhir-r4.tsv and models/directory.tsv by tools/gen_fhir_tables.py; do not edit.
 *
 * Everything here is constant: nothing to initialise, any number of threads.
 *
 *     FhirType type = fhir_resource_find(name, len);
 *     uint8_t number = fhir_element_find(type, key, key_len);
 *     if (number == 0) -> no such element
 *     const FhirElementInfo *element = fhir_element_info(type, number);
 *     element->type is the type of its value
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

"""

HEADER_MIDDLE = """
typedef enum {
    FHIR_CLASS_NONE,
    FHIR_CLASS_RESOURCE,        /* Bundle, Binary, Parameters and the abstract Resource */
    FHIR_CLASS_DOMAIN_RESOURCE, /* all other resource types and the abstract DomainResource */
    FHIR_CLASS_DATATYPE,        /* with the abstract Element and BackboneElement */
    FHIR_CLASS_PRIMITIVE,
    FHIR_CLASS_BACKBONE, /* an element with elements of its own, such as Observation.component */
} FhirClass;

/* The form of a type's value in JSON. */
typedef enum {
    FHIR_JSON_OBJECT,
    FHIR_JSON_STRING,
    FHIR_JSON_NUMBER,
    FHIR_JSON_BOOLEAN,
} FhirJson;

enum {
    FHIR_FLAG_LIST = 1,       /* max is *: an array in JSON */
    FHIR_FLAG_PRIMITIVE = 2,  /* the type is primitive: "_name" may stand beside it */
    FHIR_FLAG_CHOICE = 4,     /* one of an alternative, see choice */
    FHIR_FLAG_MODIFIER = 8,   /* isModifier */
    FHIR_FLAG_REQUIRED = 16,  /* min is 1; for a choice: one of the group must be there */
    FHIR_FLAG_SUMMARY = 32,   /* isSummary */
    FHIR_FLAG_REFERENCE = 64, /* the type is Reference */
    FHIR_FLAG_RESOURCE = 128, /* holds any resource: contained, Bundle.entry.resource ... */
};

typedef struct {
    const char *name; /* ends with NUL; at least 8 readable bytes in all */
    uint64_t head;    /* the first 8 bytes, little-endian, zero beyond the name's end */
    uint16_t type;    /* FhirType of the value */
    uint8_t name_len;
    uint8_t flags;        /* FHIR_FLAG_* */
    uint8_t choice;       /* number of the choice group within the type from 1 on, 0 is none */
    uint8_t choice_first; /* element number of the group's first alternative, else its own */
    uint8_t choice_stem;  /* length of the group's name: 5 of valueQuantity, else name_len */
    uint8_t reserved;
} FhirElementInfo;

typedef struct {
    const char *name;
    uint64_t hash_seed;
    uint32_t hash_first; /* the type's slots in fhir_slot_table */
    uint16_t element_first; /* in fhir_element_table: number 1's index */
    uint16_t base;          /* FhirType, FHIR_TYPE_NONE for Element and Resource */
    uint16_t required_first; /* in fhir_required_table */
    uint8_t required_count;
    uint8_t name_len;
    uint8_t hash_shift;
    uint8_t element_count;
    uint8_t class;        /* FhirClass */
    uint8_t json;         /* FhirJson */
    uint8_t choice_count; /* number of choice groups */
    uint8_t reserved[3];
} FhirTypeInfo;

extern const FhirTypeInfo fhir_type_table[FHIR_TYPE_COUNT];
extern const FhirElementInfo fhir_element_table[FHIR_ELEMENT_COUNT];
extern const uint8_t fhir_required_table[FHIR_REQUIRED_COUNT];
extern const uint8_t fhir_slot_table[FHIR_SLOT_COUNT];
extern const uint8_t fhir_resource_slot_table[FHIR_RESOURCE_SLOT_COUNT];

static inline const FhirTypeInfo *fhir_type_info(FhirType type)
{
    return &fhir_type_table[type];
}

/* The element with this number; number is 1 .. element_count of the type. */
static inline const FhirElementInfo *fhir_element_info(FhirType type, uint8_t number)
{
    return &fhir_element_table[fhir_type_table[type].element_first + number - 1U];
}

static inline bool fhir_type_is_resource(FhirType type)
{
    return type != FHIR_TYPE_NONE && type <= FHIR_RESOURCE_TYPE_LAST;
}

/* Whether a resource of exactly this type may exist. */
static inline bool fhir_type_is_concrete_resource(FhirType type)
{
    return fhir_type_is_resource(type) && type != FHIR_TYPE_Resource &&
           type != FHIR_TYPE_DomainResource;
}

/* A little-endian load of any alignment. */
static inline uint64_t fhir_load8(const char *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

/* The first 8 bytes of a name, zero beyond its end. Reads 8 bytes whatever the length. */
static inline uint64_t fhir_name_head(const char *name, size_t len)
{
    uint64_t word = fhir_load8(name);
    return len >= 8 ? word : word & ((UINT64_C(1) << (8 * len)) - 1);
}

/* What the tables are hashed by: head, the last 8 bytes, and length. */
static inline uint64_t fhir_name_mix(const char *name, size_t len, uint64_t head)
{
    uint64_t tail = len > 8 ? fhir_load8(name + len - 8) : head;
    return (head ^ (tail * UINT64_C(0x9E3779B97F4A7C15))) + len;
}

/* The number of the type's element of that JSON name, 0 if there is none. The caller guarantees
   8 readable bytes from key on, whatever key_len. FHIR_TYPE_NONE has no elements. */
static inline uint8_t fhir_element_find(FhirType type, const char *key, size_t key_len)
{
    const FhirTypeInfo *info = &fhir_type_table[type];
    uint64_t head = fhir_name_head(key, key_len);
    uint64_t slot = (fhir_name_mix(key, key_len, head) * info->hash_seed) >> info->hash_shift;
    uint8_t number = fhir_slot_table[info->hash_first + slot];
    if (number == 0) {
        return 0;
    }
    const FhirElementInfo *element = &fhir_element_table[info->element_first + number - 1U];
    bool same = element->head == head && element->name_len == key_len &&
                (key_len <= 8 || memcmp(key + 8, element->name + 8, key_len - 8) == 0);
    return same ? number : 0;
}

/* The resource type of that name, FHIR_TYPE_NONE if there is none; the abstract types are found
   too. The caller guarantees 8 readable bytes from name on, whatever len. */
static inline FhirType fhir_resource_find(const char *name, size_t len)
{
    uint64_t head = fhir_name_head(name, len);
    uint64_t slot = (fhir_name_mix(name, len, head) * FHIR_RESOURCE_SEED) >> FHIR_RESOURCE_SHIFT;
    uint8_t type = fhir_resource_slot_table[slot];
    const FhirTypeInfo *info = &fhir_type_table[type];
    bool same = info->name_len == len && memcmp(name, info->name, len) == 0;
    return same ? (FhirType)type : FHIR_TYPE_NONE;
}

/* Any type by name, "Observation.component" too; a binary search, for plans and tools. Reads
   only the name's own bytes. */
FhirType fhir_type_find(const char *name, size_t len);

/* The resource types that a Reference or canonical may point at: calls with i = 0, 1 .. until
   FHIR_TYPE_NONE. An element without a list, or one with Resource, may point at any. */
FhirType fhir_element_target(FhirType type, uint8_t number, unsigned i);

/* The value set of a required binding, NULL if there is none. */
const char *fhir_element_value_set(FhirType type, uint8_t number);

/* One way through a resource: element numbers, each within the type that the one before it
   leads to. Of a list, models/README.md says which item counts. */
typedef struct {
    uint8_t count;
    uint8_t number[FHIR_DIRECTORY_PATH_MAX];
} FhirElementPath;

typedef struct {
    uint16_t first; /* in fhir_directory_path_table */
    uint16_t count; /* alternatives in order of preference; 0: the column is empty */
} FhirElementPaths;

/* Which elements feed the directory's columns; see models/directory.tsv. */
typedef struct {
    bool is_patient_bound; /* else it goes to the shared partition, and all below is empty */
    FhirElementPaths patient; /* references, the first to a Patient; of Patient itself: its id */
    FhirElementPaths code;        /* CodeableConcept or Coding, one or a list */
    FhirElementPaths date;        /* date, dateTime or instant */
    FhirElementPaths number;      /* decimal or integer */
    FhirElementPaths org;         /* references, the first to an Organization */
} FhirDirectoryInfo;

extern const FhirDirectoryInfo fhir_directory_table[FHIR_RESOURCE_TYPE_LAST + 1];
extern const FhirElementPath fhir_directory_path_table[FHIR_DIRECTORY_PATH_COUNT];
"""

SOURCE_TOP = """\
/* Generated from models/fhir-r4.tsv and models/directory.tsv by tools/gen_fhir_tables.py. */
#include "fhir_tables.h"

"""

SOURCE_FUNCTIONS = """
FhirType fhir_type_find(const char *name, size_t len)
{
    size_t low = 0;
    size_t high = FHIR_TYPE_COUNT - 1;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const FhirTypeInfo *info = &fhir_type_table[types_by_name[middle]];
        size_t shorter = len < info->name_len ? len : info->name_len;
        int order = memcmp(name, info->name, shorter);
        if (order == 0 && len == info->name_len) {
            return (FhirType)types_by_name[middle];
        }
        if (order < 0 || (order == 0 && len < info->name_len)) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return FHIR_TYPE_NONE;
}

/* Elements with targets or a value set are few; the index in fhir_element_table finds their row. */
static const ElementExtra *extra_find(FhirType type, uint8_t number)
{
    uint32_t index = fhir_type_table[type].element_first + number - 1U;
    size_t low = 0;
    size_t high = sizeof element_extras / sizeof element_extras[0];
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (element_extras[middle].element < index) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    bool found = low < sizeof element_extras / sizeof element_extras[0] &&
                 element_extras[low].element == index;
    return found ? &element_extras[low] : NULL;
}

FhirType fhir_element_target(FhirType type, uint8_t number, unsigned i)
{
    const ElementExtra *extra = extra_find(type, number);
    if (extra == NULL || i >= extra->target_count) {
        return FHIR_TYPE_NONE;
    }
    return (FhirType)element_targets[extra->target_first + i];
}

const char *fhir_element_value_set(FhirType type, uint8_t number)
{
    const ElementExtra *extra = extra_find(type, number);
    return extra == NULL ? NULL : extra->value_set;
}
"""


class Tables:
    """All arrays, gathered in one walk over the types."""

    def __init__(self, types, directory):
        self.types = types
        self.directory = directory
        self.by_name = {t.name: t for t in types}
        self.resources = [t for t in types if KIND_ORDER[t.kind] == 0]
        self.type_rows, self.element_rows, self.required = [], [], []
        self.slots, self.extras, self.targets = [0, 0], [], []
        for kind in types:
            self.add_type(kind)
        self.paths, self.directory_rows = [], []
        for kind in self.resources:
            self.add_directory(kind)
        self.resource_hash = find_hash([t.name for t in self.resources])

    def add_type(self, kind):
        first, required_first = len(self.element_rows), len(self.required)
        seed, shift, slots = find_hash([e.name for e in kind.elements])
        hash_first = len(self.slots)
        self.slots += slots
        groups = {}
        for number, element in enumerate(kind.elements, start=1):
            group, leader = 0, number
            if element.choice:
                group, leader = groups.setdefault(element.choice, (len(groups) + 1, number))
            if element.is_required and leader == number:
                self.required.append(number)
            self.add_element(element, group, leader)
        name_len = len(kind.name)
        base = f"FHIR_TYPE_{self.by_name[kind.base].constant}" if kind.base else "FHIR_TYPE_NONE"
        word = {"resource": "RESOURCE", "domainresource": "DOMAIN_RESOURCE"}.get(
            kind.kind, kind.kind.upper())
        self.type_rows.append(
            f'    [FHIR_TYPE_{kind.constant}] = {{"{kind.name}", UINT64_C(0x{seed:016x}), '
            f"{hash_first}, {first}, {base}, {required_first}, "
            f"{len(self.required) - required_first}, {name_len}, {shift}, {len(kind.elements)}, "
            f"FHIR_CLASS_{word}, FHIR_JSON_{kind.json.upper()}, {len(groups)}, {{0}}}},")

    def add_element(self, element, group, leader):
        value = self.by_name[element.type]
        bits = 1 * element.is_list + 2 * (value.kind == "primitive") + 4 * (group > 0) \
            + 8 * ("modifier" in element.flags) + 16 * element.is_required \
            + 32 * ("summary" in element.flags) + 64 * (value.name == "Reference") \
            + 128 * (value.name == "Resource")
        raw = element.name.encode()
        stem = len(element.choice) - 3 if element.choice else len(raw)
        if element.targets or element.value_set != "-":
            # Targets outside R4's resource types are logical models; they count as any.
            numbers = [self.by_name[t].number if t in self.by_name else
                       self.by_name["Resource"].number for t in element.targets]
            value_set = "NULL" if element.value_set == "-" else f'"{element.value_set}"'
            self.extras.append(f"    {{{len(self.element_rows)}, {len(self.targets)}, "
                               f"{len(numbers)}, {value_set}}},")
            self.targets += numbers
        # Padded so that 8 bytes can be loaded from any name.
        padding = "\\0" * max(0, 7 - len(raw))
        self.element_rows.append(
            f'    {{"{element.name}{padding}", UINT64_C(0x{name_head(raw):016x}), '
            f"FHIR_TYPE_{value.constant}, {len(raw)}, {bits}, {group}, {leader}, {stem}, 0}},")

    def add_directory(self, kind):
        row = self.directory.get(kind.name)
        if row is None:
            return
        cells = []
        for column in COLUMNS:
            cells.append(f"{{{len(self.paths)}, {len(row[column])}}}")
            for text, numbers in row[column]:
                inner = ", ".join(str(n) for n in numbers)
                self.paths.append(f"    {{{len(numbers)}, {{{inner}}}}}, /* {kind.name}.{text} */")
        self.directory_rows.append(f"    [FHIR_TYPE_{kind.constant}] = {{true, "
                                   + ", ".join(cells) + "},")


def header_text(tables):
    last = {}
    lines = ["typedef enum {", "    FHIR_TYPE_NONE,"]
    for kind in tables.types:
        lines.append(f"    FHIR_TYPE_{kind.constant},")
        last[KIND_ORDER[kind.kind]] = kind.constant
    lines += [
        "    FHIR_TYPE_COUNT,",
        f"    FHIR_RESOURCE_TYPE_LAST = FHIR_TYPE_{last[0]},",
        "    FHIR_RESOURCE_TYPE_LIMIT, /* every resource type is below it */",
        f"    FHIR_DATATYPE_LAST = FHIR_TYPE_{last[1]},",
        f"    FHIR_PRIMITIVE_LAST = FHIR_TYPE_{last[2]},",
        "} FhirType;"]
    seed, shift, slots = tables.resource_hash
    lines += [
        "", "enum {",
        f"    FHIR_ELEMENT_COUNT = {len(tables.element_rows)},",
        f"    FHIR_TYPE_ELEMENTS_MAX = {max(len(t.elements) for t in tables.types)},",
        f"    FHIR_REQUIRED_COUNT = {len(tables.required)},",
        f"    FHIR_SLOT_COUNT = {len(tables.slots)},",
        f"    FHIR_RESOURCE_SLOT_COUNT = {len(slots)},",
        f"    FHIR_RESOURCE_SHIFT = {shift},",
        f"    FHIR_DIRECTORY_PATH_COUNT = {len(tables.paths)},",
        f"    FHIR_DIRECTORY_PATH_MAX = {PATH_LENGTH_MAX},",
        "};", f"#define FHIR_RESOURCE_SEED UINT64_C(0x{seed:016x})"]
    return HEADER_TOP + "\n".join(lines) + "\n" + HEADER_MIDDLE


def source_text(tables):
    by_name = [t.number for t in sorted(tables.types, key=lambda t: t.name)]
    parts = [
        SOURCE_TOP,
        "const FhirTypeInfo fhir_type_table[FHIR_TYPE_COUNT] = {\n",
        '    [FHIR_TYPE_NONE] = {"", UINT64_C(1), 0, 0, FHIR_TYPE_NONE, 0, 0, 0, 63, 0, '
        "FHIR_CLASS_NONE, FHIR_JSON_OBJECT, 0, {0}},\n",
        "\n".join(tables.type_rows), "\n};\n\n",
        "const FhirElementInfo fhir_element_table[FHIR_ELEMENT_COUNT] = {\n",
        "\n".join(tables.element_rows), "\n};\n\n",
        "const uint8_t fhir_required_table[FHIR_REQUIRED_COUNT] = {\n",
        c_list(tables.required), "\n};\n\n",
        "const uint8_t fhir_slot_table[FHIR_SLOT_COUNT] = {\n", c_list(tables.slots), "\n};\n\n",
        "const uint8_t fhir_resource_slot_table[FHIR_RESOURCE_SLOT_COUNT] = {\n",
        c_list(tables.resource_hash[2]), "\n};\n\n",
        "static const uint16_t types_by_name[FHIR_TYPE_COUNT - 1] = {\n",
        c_list(by_name), "\n};\n\n",
        "static const uint8_t element_targets[] = {\n", c_list(tables.targets), "\n};\n\n",
        "typedef struct {\n    uint32_t element;\n    uint16_t target_first;\n"
        "    uint16_t target_count;\n    const char *value_set;\n} ElementExtra;\n\n",
        "static const ElementExtra element_extras[] = {\n", "\n".join(tables.extras), "\n};\n\n",
        "const FhirElementPath fhir_directory_path_table[FHIR_DIRECTORY_PATH_COUNT] = {\n",
        "\n".join(tables.paths), "\n};\n\n",
        "const FhirDirectoryInfo fhir_directory_table[FHIR_RESOURCE_TYPE_LAST + 1] = {\n",
        "\n".join(tables.directory_rows), "\n};\n",
        SOURCE_FUNCTIONS]
    return "".join(parts)


def elements_text(tables):
    lines = ["/*", " * fhir_elements -- the element numbers of every type as constants, for code",
             " * that names elements. Generated by tools/gen_fhir_tables.py; do not edit.", " */",
             "#pragma once", "", "enum {"]
    for kind in tables.types:
        for number, element in enumerate(kind.elements, start=1):
            lines.append(f"    FHIR_ELEM_{kind.constant}_{element.name} = {number},")
    return "\n".join(lines) + "\n};\n"


def load(model, directory):
    types = read_model(model)
    return Tables(types, read_directory(directory, types))


def check():
    """For lint: both tables keep their rules, and generating twice gives the same text."""
    models = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "models")
    paths = [os.path.join(models, name) for name in ("fhir-r4.tsv", "directory.tsv")]
    first, second = load(*paths), load(*paths)
    if any(make(first) != make(second) for make in (header_text, source_text, elements_text)):
        raise ModelError("generating twice gave two texts")
    names = [t.name for t in first.types]
    model_order = [cells[1] for cells in read_rows(paths[0]) if cells[0] == "type"]
    if model_order != sorted(names):
        raise ModelError("fhir-r4.tsv is not sorted by type")
    directory_order = [cells[0] for cells in read_rows(paths[1])]
    if directory_order != sorted(directory_order):
        raise ModelError("directory.tsv is not sorted by type")
    print(f"fhir tables: {len(first.types)} types, {len(first.resources)} of resources, "
          f"{len(first.element_rows)} elements, {max(len(t.elements) for t in first.types)} in a "
          f"type at most, {len(first.slots)} slots, {len(first.directory)} patient-bound types")


def main():
    if sys.argv[1:] == ["--check"]:
        check()
        return
    if len(sys.argv) != 6:
        raise SystemExit(__doc__)
    tables = load(sys.argv[1], sys.argv[2])
    for path, text in zip(sys.argv[3:], (source_text(tables), header_text(tables),
                                         elements_text(tables))):
        with open(path, "w", encoding="utf-8", newline="\n") as out:
            out.write(text)


if __name__ == "__main__":
    try:
        main()
    except ModelError as error:
        raise SystemExit(f"gen_fhir_tables: {error}") from error
