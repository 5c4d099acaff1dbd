/*
 * measure -- registers, indicators and gaps in care over a whole store, in one pass.
 *
 * A MeasureSpec names registers (who has the disease) and indicators (what should have been done
 * for them), each by CQL definitions. measure_run() opens every person once, answers all of them
 * and keeps the answers as one bit a person and population, so that counting, set algebra and
 * payment read bits only. What is behind an answer is worked out anew for one person
 * when somebody asks (measure_evidence): nothing about a reason is stored that could go stale.
 *
 * Persons are named by (partition, row) of the store that was measured. Results depend only on
 * the store and the documents, never on the number of threads. An error while evaluating one
 * person is that person's finding; the person is in no population and the others go on.
 */
#pragma once

#include "measure/algebra.h"
#include "measure/check.h"
#include "measure/content.h"
#include "measure/definition.h"
#include "measure/document.h"
#include "measure/evaluate.h"
#include "measure/gaps.h"
#include "measure/history.h"
#include "measure/pass.h"
#include "measure/populations.h"
#include "measure/report.h"
#include "measure/statistic.h"
