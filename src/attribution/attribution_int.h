/*
 * attribution_int -- what a method of attribution is: a row of the table in rule.c.
 *
 * A new method is a line in words.def, a row in the table, and a file with its two functions. What
 * it needs to know goes into AttributionRule.
 */
#pragma once

#include "attribution/attribution.h"

enum { METHOD_KEYS_MAX = 8 };

typedef struct {
    const Str *keys; /* besides `method`, all that the mapping may have */
    size_t key_count;
    bool (*read)(const YamlReader *reader, const YamlNode *node, AttributionRule *rule);
    void (*decide)(const AttributionRule *rule, Record record, const int32_t *days, size_t count,
                   AttributionDecision *decisions, Arena *arena);
    size_t (*entries)(const AttributionRule *rule, Record record,
                      const AttributionDecision *decision, Arena *arena,
                      const uint32_t **ret_entries);
} MethodInfo;

bool plurality_read(const YamlReader *reader, const YamlNode *node, AttributionRule *rule);
extern const MethodInfo method_plurality;
