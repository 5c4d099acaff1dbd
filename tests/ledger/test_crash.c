#include "ledger_helper.h"
