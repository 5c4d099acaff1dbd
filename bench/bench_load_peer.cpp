// The simdjson DOM parser over NDJSON, line by line on one thread, for bench_load.
#include <cstddef>
#include <cstring>

#include <simdjson.h>

extern "C" size_t bench_load_peer_simdjson(const char *text, size_t len);

// The text has simdjson's padding behind it. Gives the number of documents that were objects.
size_t bench_load_peer_simdjson(const char *text, size_t len)
{
    simdjson::dom::parser parser;
    size_t objects = 0;
    const char *end = text + len;
    while (text < end) {
        const char *newline =
            static_cast<const char *>(std::memchr(text, '\n', static_cast<size_t>(end - text)));
        size_t size = static_cast<size_t>((newline == nullptr ? end : newline) - text);
        simdjson::dom::element document;
        if (parser.parse(text, size, false).get(document) == simdjson::SUCCESS)
            objects += document.is_object();
        text += size + 1;
    }
    return objects;
}
