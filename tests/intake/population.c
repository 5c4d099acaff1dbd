#include "population.h"

#include "base/io.h"

Str population_ndjson(Arena *arena, size_t first, size_t count)
{
    StrBuf buf;
    strbuf_init(&buf, arena, 0);
    for (size_t n = first; n < first + count; n++) {
        strbuf_printf(&buf,
                      "{\"resourceType\":\"Patient\",\"id\":\"p%zu\",\"gender\":\"%s\","
                      "\"birthDate\":\"%zu-0%zu-11\"}\n",
                      n, n % 2 == 0 ? "female" : "male", 1930 + n % 80, 1 + n % 9);
        for (size_t k = 0; k < n % 4; k++)
            strbuf_printf(&buf,
                          "{\"resourceType\":\"Condition\",\"id\":\"c%zu-%zu\",\"subject\":"
                          "{\"reference\":\"Patient/p%zu\"},\"code\":{\"coding\":[{\"system\":"
                          "\"http://snomed.info/sct\",\"code\":\"%zu\"}]},\"onsetDateTime\":"
                          "\"20%02zu-03-0%zu\"}\n",
                          n, k, n, 44054000 + (n + k) % 7, n % 20, 1 + k);
        for (size_t k = 0; k < 3; k++)
            strbuf_printf(&buf,
                          "{\"resourceType\":\"Observation\",\"id\":\"o%zu-%zu\",\"status\":"
                          "\"final\",\"code\":{\"coding\":[{\"system\":\"http://loinc.org\","
                          "\"code\":\"4548-%zu\"}]},\"subject\":{\"reference\":\"Patient/p%zu\"},"
                          "\"effectiveDateTime\":\"2020-01-%02zuT10:00:00Z\",\"valueQuantity\":"
                          "{\"value\":%zu.5,\"unit\":\"%%\"}}\n",
                          n, k, k, n, 1 + (n + k) % 28, 4 + n % 9);
        if (n % 10 == 0)
            strbuf_printf(&buf,
                          "{\"resourceType\":\"Organization\",\"id\":\"org%zu\",\"name\":"
                          "\"Practice %zu\"}\n",
                          n % 50, n % 50);
    }
    return strbuf_str(&buf);
}

ErrorCode population_load(Str folder, Str text, IntakeOptions options, DiagList *diags,
                          IntakeReport *ret_report, Error *err)
{
    Arena *arena = diags->arena;
    Str file = io_join(arena, folder, S("input.ndjson"));
    ErrorCode code = io_write_file(file, text, err);
    if (code != ERR_OK)
        return code;
    options.sources = &file;
    options.source_count = 1;
    if (options.store_path.len == 0)
        options.store_path = io_join(arena, folder, S("store"));
    return intake_load(arena, &options, diags, ret_report, err);
}
