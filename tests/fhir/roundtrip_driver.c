/*
 * roundtrip_driver -- reads the names of JSON files from standard input and writes for each one
 * line: the resource as it comes back from its tape, or "refused: " and the first error.
 */
#include <stdio.h>

#include "base/io.h"
#include "fhir/fhir.h"

static void read_one(FhirReader *reader, Str path)
{
    Arena *arena = arena_create(0);
    DiagList diags;
    FhirParsed parsed;
    StrBuf out;
    Str text;
    Error err = {0};
    diag_init(&diags, arena);
    strbuf_init(&out, arena, 0);
    if (io_read_file(arena, path, 0, &text, &err) != ERR_OK) {
        printf("refused: %s\n", err.message);
        arena_destroy(arena);
        return;
    }
    fhir_reader_begin(reader, text, path, 1, &diags);
    bool is_there = fhir_reader_next(reader, &parsed);
    if (is_there && !parsed.is_refused) {
        TapeArea area = fhir_reader_area(reader, &parsed);
        ErrorCode code = fhir_tape_check(&area, 0, &err);
        if (code != ERR_OK || !fhir_write_json(fhir_root(&area, 0), &out))
            strbuf_printf(&out, "refused: bad tape: %s", err.message);
    } else {
        strbuf_add(&out, S("refused: "));
        VEC_FOREACH (Diag, diag, &diags.kept)
            if (diag->severity == SEVERITY_ERROR && out.len < sizeof "refused: ")
                strbuf_printf(&out, "%.*s %.*s", STR_ARG(diag->rule), STR_ARG(diag->path));
    }
    printf("%.*s\n", STR_ARG(strbuf_str(&out)));
    arena_destroy(arena);
}

int main(void)
{
    char line[4096];
    ConceptBuilder *concepts = concept_builder_create();
    FhirReader *reader = fhir_reader_create(concepts, &(FhirReaderOptions){.keep_narrative = true});
    while (fgets(line, sizeof line, stdin) != NULL)
        read_one(reader, str_trim(str_from_c(line)));
    fhir_reader_destroy(reader);
    concept_builder_destroy(concepts);
    return 0;
}
