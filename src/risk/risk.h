/* risk -- what statistics say of costs: how far payments of a period are complete. */
#pragma once

#include "risk/triangle.h"
