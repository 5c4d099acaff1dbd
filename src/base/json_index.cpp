// The only C++ of Braid: simdjson's first stage behind the C interface of json_index.h.
#include <string.h>

#include <memory>

#include <simdjson.h>

extern "C" { // the headers below json_index.h are plain C
#include "base/json_index.h"
}

using simdjson::internal::dom_parser_implementation;

struct JsonIndex {
    std::unique_ptr<dom_parser_implementation> parser;
    size_t capacity = 0;
    uint32_t none[2] = {0, 0}; // what follows the last offset when a text has no structure
    bool has_offsets = false;
};

namespace
{

constexpr size_t CAPACITY_FIRST = size_t{1} << 16;
constexpr size_t CAPACITY_SECOND = size_t{4} << 20; // larger texts are not alone mostly
constexpr size_t CAPACITY_MOST = 0xFFFFFFFFu;

// Makes room for texts of len bytes. The index array is 4 bytes for each byte of text, of which
// the system gives only what is touched; so growing by doubling costs little.
void reserve(JsonIndex *index, size_t len)
{
    if (len <= index->capacity)
        return;
    size_t capacity = len <= CAPACITY_FIRST ? CAPACITY_FIRST : CAPACITY_SECOND;
    while (capacity < len)
        capacity = capacity * 2 < CAPACITY_MOST ? capacity * 2 : CAPACITY_MOST;
    index->parser.reset();
    // The depth is for simdjson's second stage, which is not used.
    auto code = simdjson::get_active_implementation()->create_dom_parser_implementation(
        capacity, 1, index->parser);
    ASSERT(code == simdjson::SUCCESS);
    index->capacity = capacity;
}

} // namespace

JsonIndex *json_index_create(void)
{
    return new JsonIndex;
}

void json_index_destroy(JsonIndex *index)
{
    delete index;
}

JsonIndexResult json_index_run(JsonIndex *index, const char *text, size_t len)
{
    index->has_offsets = false;
    index->none[0] = index->none[1] = static_cast<uint32_t>(len);
    if (len >= CAPACITY_MOST)
        return JSON_INDEX_TOO_LONG;
    if (len == 0)
        return JSON_INDEX_EMPTY;
    reserve(index, len);
    // "regular" asks for strings that are closed and for valid UTF-8, and for nothing about
    // whole documents: that is the second stage's business.
    auto code = index->parser->stage1(reinterpret_cast<const uint8_t *>(text), len,
                                      simdjson::stage1_mode::regular);
    switch (code) {
    case simdjson::SUCCESS:
        index->has_offsets = true;
        return JSON_INDEX_OK;
    case simdjson::UTF8_ERROR:
        return JSON_INDEX_BAD_UTF8;
    case simdjson::UNCLOSED_STRING:
        return JSON_INDEX_UNCLOSED_STRING;
    case simdjson::UNESCAPED_CHARS:
        return JSON_INDEX_BAD_STRING;
    case simdjson::EMPTY:
        return JSON_INDEX_EMPTY;
    default:
        // CAPACITY and MEMALLOC cannot come here; anything else is not a text that we know.
        ASSERT(code == simdjson::UNEXPECTED_ERROR);
        return JSON_INDEX_BAD_UTF8;
    }
}

const uint32_t *json_index_offsets(const JsonIndex *index, size_t *ret_count)
{
    *ret_count = index->has_offsets ? index->parser->n_structural_indexes : 0;
    return index->has_offsets ? index->parser->structural_indexes.get() : index->none;
}

const char *json_index_result_text(JsonIndexResult result)
{
    static const char *const texts[] = {
        "well-formed",
        "not valid UTF-8",
        "a string is not closed",
        "a control character inside a string",
        "empty",
        "longer than 4 GiB",
    };
    ASSERT(static_cast<size_t>(result) < COUNT_OF(texts));
    return texts[result];
}
