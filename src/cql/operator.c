#include "cql/operator.h"

const OperatorRow operator_table[] = {
#define OPERATOR(name, operands, result, op, flags) {name, operands, result, op, flags},
#include "cql/operators.def"
#undef OPERATOR
    {NULL, NULL, NULL, NULL, 0},
};
