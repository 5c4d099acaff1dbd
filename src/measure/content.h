/*
 * content -- published measures with what they need: CQL libraries and value sets, wherever they
 * are.
 *
 * A source is a file or a folder: a Measure, Library or ValueSet resource, a Bundle of them, CQL
 * text, a FHIR package (.tgz), a folder of such files, or a content guide's repository, of which
 * input/resources, input/vocabulary and input/cql are read (bundles/ where input has no measure).
 * Tests beside them are passed over. The same library or value set found again counts once.
 *
 *     MeasureContent *content = measure_content_create(arena, &diags);
 *     code = measure_content_add(content, S("guide"), err);
 *     measure_content_finish(content);
 */
#pragma once

#include "cql/cql.h"
#include "measure/definition.h"

typedef Vec(Measure) MeasureVec;

typedef struct MeasureContent MeasureContent;

/* Findings go to diags, now and later. */
MeasureContent *measure_content_create(Arena *arena, DiagList *diags);
/* An error only when the source itself cannot be read; what is wrong inside it is a finding. */
MUST_USE ErrorCode measure_content_add(MeasureContent *content, Str path, Error *err);
/* One document: JSON of a resource or Bundle, or CQL text. */
void measure_content_add_text(MeasureContent *content, Str text, Str file);
/* Works out the value sets. Once, after the last addition. */
void measure_content_finish(MeasureContent *content);

const MeasureVec *measure_content_measures(const MeasureContent *content);
const CqlLibraries *measure_content_libraries(const MeasureContent *content);
const ValueSets *measure_content_value_sets(const MeasureContent *content);
/* The CQL library that a canonical ("url|version") or a bare name stands for; without a version, or
   where that version is not there, the only one or the last by order of version. False: none. */
bool measure_content_library(const MeasureContent *content, Str canonical, Str *ret_name,
                             Str *ret_version);
/* By name, id, url, or url|version; NULL when there is none. */
const Measure *measure_content_find(const MeasureContent *content, Str name);
