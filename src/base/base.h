/*
 * base -- what every folder stands on; it knows nothing of health.
 *
 * This header is the core: memory, text, arrays, maps, failures and findings. The other
 * headers of the folder (decimal, money, date, json, yaml, io, threads, progress, test,
 * limits) are included where they are used.
 */
#pragma once

#include "base/arena.h"
#include "base/attr.h"
#include "base/diag.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/str.h"
#include "base/vec.h"
