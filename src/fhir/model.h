/*
 * model -- the element model of FHIR R4 as constant tables.
 *
 * The tables are generated from models/fhir-r4.tsv and models/directory.tsv when Braid is built;
 * fhir_tables.h documents each at its declaration. Types are numbers (FhirType), elements are
 * numbers within their type (FHIR_ELEM_<Type>_<element>). Here stands what is worked out from them.
 */
#pragma once

#include "base/base.h"
#include "fhir_elements.h"
#include "fhir_tables.h"

static inline Str fhir_type_name(uint16_t type)
{
    const FhirTypeInfo *info = &fhir_type_table[type];
    return (Str){.ptr = info->name, .len = info->name_len};
}

static inline Str fhir_element_name(uint16_t type, uint8_t number)
{
    const FhirElementInfo *info = fhir_element_info((FhirType)type, number);
    return (Str){.ptr = info->name, .len = info->name_len};
}

static inline bool fhir_type_is_primitive(uint16_t type)
{
    return type < FHIR_TYPE_COUNT && fhir_type_table[type].class == FHIR_CLASS_PRIMITIVE;
}

/* As fhir_element_find, for a name of which only its own bytes may be read. */
uint8_t fhir_element_by_name(uint16_t type, Str name);
/* As fhir_resource_find, likewise. */
uint16_t fhir_resource_by_name(Str name);
