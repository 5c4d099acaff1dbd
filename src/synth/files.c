/* The files of models/synth, which are part of the command. */
#include "synth/synth_int.h"

static const struct {
    Str name;
    Str text;
} files[] = {
#include "synth_files.h"
};

bool synth_file_find(Str name, Str *ret_text)
{
    for (size_t i = 0; i < COUNT_OF(files); i++)
        if (str_eq(files[i].name, name)) {
            *ret_text = files[i].text;
            return true;
        }
    return false;
}

size_t synth_profile_names(Arena *arena, const Str **ret_names)
{
    Str *names = ARENA_ARRAY(arena, Str, COUNT_OF(files));
    size_t count = 0;
    for (size_t i = 0; i < COUNT_OF(files); i++)
        if (str_ends_with(files[i].name, S(".yaml")))
            names[count++] = str_slice(files[i].name, 0, files[i].name.len - 5);
    *ret_names = names;
    return count;
}
