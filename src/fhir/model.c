#include "fhir/model.h"

enum { NAME_BYTES_MAX = 64 };

uint8_t fhir_element_by_name(uint16_t type, Str name)
{
    char padded[NAME_BYTES_MAX + 8] = {0};
    if (name.len > NAME_BYTES_MAX || name.len == 0 || type >= FHIR_TYPE_COUNT)
        return 0;
    memcpy(padded, name.ptr, name.len);
    return fhir_element_find((FhirType)type, padded, name.len);
}

uint16_t fhir_resource_by_name(Str name)
{
    char padded[NAME_BYTES_MAX + 8] = {0};
    if (name.len > NAME_BYTES_MAX || name.len == 0)
        return FHIR_TYPE_NONE;
    memcpy(padded, name.ptr, name.len);
    return (uint16_t)fhir_resource_find(padded, name.len);
}
