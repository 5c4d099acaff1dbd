/*
 * document -- the gaps of one person as a FHIR document: what DEQM calls a gaps in care report.
 *
 * A Bundle of type document: a Composition (LOINC 96315-7) with a section an indicator, which
 * focuses on an individual MeasureReport and lists a DetectedIssue (CAREGAP) with the gap's status:
 * open-gap, closed-gap, or prospective-gap for one due soon. Excluded and excepted persons have
 * a report and no issue. Ids are made of the person, the indicator and the period: the same
 * question gives the same bytes. Profiles are those of http://hl7.org/fhir/us/davinci-deqm.
 */
#pragma once

#include "measure/gaps.h"

typedef struct {
    Str programme; /* id, the first part of every measure's url */
    Str version;
    Str title;
    int32_t period_first;
    int32_t period_last;
    Str date;   /* instant, "2021-01-01T00:00:00Z" */
    Str author; /* id of an Organization; empty: Braid, as a name */
    const MeasureSpec *spec;
} GapDocumentFrame;

typedef struct {
    Gap gap;
    EvidenceVec evidence;
} GapWithEvidence;

/* One line of JSON. */
void measure_gap_document(const GapDocumentFrame *frame, Record record, const GapWithEvidence *gaps,
                          size_t count, StrBuf *out);
