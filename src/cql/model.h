/*
 * model -- the classes of a data model: what HL7's model info says, read from a table of ours.
 *
 * A table is text, a row a line, cells by tabs (models/README.md says how). Those in models/cql
 * are part of the engine; others are made by `braid model import` and handed to it. A Model is
 * immutable and holds views into its text. Names are those of the table: of the model itself
 * without its name in front, of System with it.
 */
#pragma once

#include "cql/cql.h"

typedef struct Model Model;
typedef struct ModelClass ModelClass;

typedef struct {
    Str name;
    Str type;   /* "List<System.Concept>"; empty when the model does not say */
    Str target; /* where it is found in FHIR; empty: by its own name */
} ModelElement;

struct ModelClass {
    const Model *model;
    Str name;
    Str base; /* a type's text */
    bool is_retrievable;
    Str identifier; /* of the profile */
    Str label;
    Str target; /* the FHIR type that the profile is on; empty: as its name says */
    Str code_path;
    const ModelElement *elements;
    size_t element_count;
    const ModelClass *super; /* base, where it is a class of the model */
    uint16_t fhir; /* FhirType of its values; FHIR_TYPE_NONE for what is no part of FHIR */
};

typedef struct {
    Str from;
    Str to;
    Str function;
} ModelConversion;

typedef struct {
    Str name;
    Str class_name;
    Str key;
    Str birth_date;
} ModelContext;

/* The class is related to a context by the element. */
typedef struct {
    const ModelClass *class;
    Str context;
    Str element;
} ModelRelation;

struct Model {
    Str name;
    Str version;
    Str url;
    Str target_url;
    Str qualifier;
    Str patient_class;
    Str birth_date;
    ModelClass *classes;
    size_t class_count;
    ModelElement *elements; /* of all classes */
    size_t element_count;
    Vec(ModelConversion) conversions;
    Vec(ModelContext) contexts;
    Vec(ModelRelation) relations;
    Map by_name;
    Map by_label;
    Map by_identifier; /* the first class with it */
};

/* A table that is part of the engine. */
typedef struct {
    const char *name;
    const char *version;
    const char *text;
    size_t size;
} ModelTable;
extern const ModelTable model_tables[];
extern const size_t model_table_count;
/* models/cql/profiles.tsv: what content a profile demands. */
extern const char model_profiles[];

/* Reads a table; NULL, with findings of its lines, when it is not well formed. The text must live
   as long as the model. */
Model *model_read(Arena *arena, Str text, Str file, DiagList *diags);
/* By name, label or identifier; NULL when there is none. */
const ModelClass *model_find_class(const Model *model, Str name);
/* Of the class or what it is based on. */
const ModelElement *model_find_element(const ModelClass *class, Str name);
/* The FHIR type of that name, which may be written as model info writes backbone types:
   Observation.Component. */
uint16_t model_fhir_type(Str name);
