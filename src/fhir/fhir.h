/*
 * fhir -- FHIR R4 as numbers: the element model, tapes, records, and JSON both ways.
 */
#pragma once

#include "fhir/model.h"
#include "fhir/reader.h"
#include "fhir/record.h"
#include "fhir/tape.h"
#include "fhir/template.h"
