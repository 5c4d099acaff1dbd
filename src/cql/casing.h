/* casing -- upper and lower case of characters, the same in every locale. */
#pragma once

#include "base/base.h"

/* Both have as many bytes in UTF-8 as the character given. */
uint32_t casing_lower(uint32_t point);
uint32_t casing_upper(uint32_t point);
/* The character that begins at *at, which goes on behind it. A stray byte is a character. */
uint32_t casing_next(Str text, size_t *at);
