#include "base/test.h"
#include "cql/cql.h"

TEST(cql_placeholder)
{
    CHECK(true);
}
