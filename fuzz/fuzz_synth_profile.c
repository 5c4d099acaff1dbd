/* fuzz_synth_profile -- any bytes as a profile: a profile that makes a person, or findings. */
#include "synth/synth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *arena = arena_create(0);
    DiagList diags;
    SynthProfile *profile;
    diag_init(&diags, arena);
    bool is_good =
        synth_profile_parse(arena, (Str){(const char *)data, size}, S("fuzz"), &diags, &profile);
    ASSERT(is_good == !diag_has_errors(&diags));
    arena_destroy(arena);
    return 0;
}
