/* Strings. Positions count code points, so that no character is ever cut. */
#include "cql/casing.h"
#include "cql/operator.h"
#include "cql/regex.h"

#define OP(name)                                                                                   \
    CqlValue name(UNUSED CqlEval *eval, UNUSED const CqlNode *node, UNUSED const CqlValue *args)

static Str text_or_empty(CqlValue value)
{
    return value.kind == CQL_STRING ? value_text(value) : S("");
}

/* Texts that are made count as steps too, so that no loop over them fills the memory. */
static bool charge_bytes(CqlEval *eval, const CqlNode *node, size_t bytes)
{
    return eval_charge(eval, node, bytes / 4);
}

static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xC0) == 0x80;
}

static int64_t count_chars(Str text)
{
    int64_t count = 0;
    for (size_t i = 0; i < text.len; i++)
        count += !is_continuation(text.ptr[i]);
    return count;
}

/* Byte position behind the character at `at`. */
static size_t after_char(Str text, size_t at)
{
    at++;
    while (at < text.len && is_continuation(text.ptr[at]))
        at++;
    return at;
}

/* Byte position of the n-th character; text.len at the end, SIZE_MAX beyond. */
static size_t byte_of(Str text, int64_t chars)
{
    size_t at = 0;
    for (int64_t i = 0; i < chars; i++) {
        if (at >= text.len)
            return SIZE_MAX;
        at = after_char(text, at);
    }
    return at;
}

OP(op_concatenate)
{
    Str a = text_or_empty(args[0]);
    Str b = text_or_empty(args[1]);
    if (a.len + b.len > LIMIT_DOCUMENT_BYTES)
        return eval_fail(eval, ERR_LIMIT, node, "a text grows beyond %zu bytes",
                         LIMIT_DOCUMENT_BYTES);
    if (!charge_bytes(eval, node, a.len + b.len))
        return value_null();
    char *out = arena_alloc(eval->context.arena, a.len + b.len);
    if (a.len > 0)
        memcpy(out, a.ptr, a.len);
    if (b.len > 0)
        memcpy(out + a.len, b.ptr, b.len);
    return value_string((Str){.ptr = out, .len = a.len + b.len});
}

static bool is_whole(CqlEval *eval, const CqlNode *node, const StrBuf *buf)
{
    if (buf->overflowed)
        (void)eval_fail(eval, ERR_LIMIT, node, "a text grows beyond %zu bytes",
                        LIMIT_DOCUMENT_BYTES);
    return charge_bytes(eval, node, buf->len);
}

OP(op_combine)
{
    bool any = false;
    if (args[0].kind != CQL_LIST)
        return value_null();
    Str separator = node->count > 1 ? text_or_empty(args[1]) : S("");
    StrBuf buf;
    strbuf_init(&buf, eval->context.arena, LIMIT_DOCUMENT_BYTES);
    for (uint32_t i = 0; i < args[0].count; i++) {
        CqlValue item = value_items(args[0])[i];
        if (item.kind != CQL_STRING)
            continue;
        if (any)
            strbuf_add(&buf, separator);
        strbuf_add(&buf, value_text(item));
        any = true;
    }
    if (!is_whole(eval, node, &buf))
        return value_null();
    return any ? value_string(strbuf_str(&buf)) : value_null();
}

OP(op_split)
{
    ValueVec items = {0};
    if (args[0].kind != CQL_STRING)
        return value_null();
    Str rest = value_text(args[0]);
    Str separator = text_or_empty(args[1]);
    size_t at = separator.len == 0 ? SIZE_MAX : str_find(rest, separator);
    while (at != SIZE_MAX) {
        VEC_PUSH(eval->context.arena, &items, value_string(str_slice(rest, 0, at)));
        rest = str_slice(rest, at + separator.len, rest.len);
        at = str_find(rest, separator);
    }
    VEC_PUSH(eval->context.arena, &items, value_string(rest));
    return value_from_vec(&items);
}

/* Also counts what the search took as steps of the person. */
static bool regex_failed(CqlEval *eval, const CqlNode *node, RegexResult result, size_t budget)
{
    if (!eval_charge(eval, node, (REGEX_STEPS - budget) / 16))
        return true;
    if (result == REGEX_BAD_PATTERN)
        (void)eval_fail(eval, ERR_EVALUATION, node, "the regular expression is malformed");
    else if (result == REGEX_TOO_LONG)
        (void)eval_fail(eval, ERR_EVALUATION, node, "the regular expression takes too many steps");
    return result >= REGEX_BAD_PATTERN;
}

OP(op_split_on_matches)
{
    ValueVec items = {0};
    if (args[0].kind != CQL_STRING)
        return value_null();
    Str text = value_text(args[0]);
    if (args[1].kind != CQL_STRING)
        return op_to_list(eval, node, args);
    size_t from = 0;
    size_t at = 0;
    RegexMatch match;
    size_t budget = REGEX_STEPS;
    RegexResult result;
    while ((result = regex_find(value_text(args[1]), text, at, &budget, &match)) == REGEX_YES) {
        if (match.end == match.start) {
            if (match.start >= text.len)
                break;
            at = after_char(text, match.start);
            continue;
        }
        VEC_PUSH(eval->context.arena, &items,
                 value_string(str_slice(text, from, match.start - from)));
        from = at = match.end;
    }
    if (regex_failed(eval, node, result, budget))
        return value_null();
    VEC_PUSH(eval->context.arena, &items, value_string(str_slice(text, from, text.len)));
    return value_from_vec(&items);
}

static CqlValue map_case(CqlEval *eval, CqlValue value, uint32_t (*map)(uint32_t))
{
    Str text = value_text(value);
    eval->steps += text.len / 4;
    char *out = arena_alloc(eval->context.arena, text.len + 4);
    size_t at = 0;
    while (at < text.len) {
        size_t from = at;
        uint32_t point = casing_next(text, &at);
        uint32_t mapped = map(point);
        if (mapped == point)
            memcpy(out + from, text.ptr + from, at - from);
        else
            (void)str_put_utf8(out + from, mapped);
    }
    return value_string((Str){.ptr = out, .len = text.len});
}

OP(op_upper)
{
    return map_case(eval, args[0], casing_upper);
}

OP(op_lower)
{
    return map_case(eval, args[0], casing_lower);
}

OP(op_length_string)
{
    return value_integer(count_chars(value_text(args[0])));
}

OP(op_substring)
{
    if (args[0].kind == CQL_NULL || args[1].kind == CQL_NULL)
        return value_null();
    Str text = value_text(args[0]);
    size_t from = args[1].integer < 0 ? SIZE_MAX : byte_of(text, args[1].integer);
    bool is_beyond = from == SIZE_MAX || (from == text.len && args[1].integer > 0);
    if (is_beyond)
        return value_null();
    Str rest = str_slice(text, from, text.len);
    if (node->count < 3 || args[2].kind == CQL_NULL)
        return value_string(rest);
    size_t len = args[2].integer < 0 ? 0 : byte_of(rest, args[2].integer);
    return value_string(str_slice(rest, 0, len == SIZE_MAX ? rest.len : len));
}

OP(op_indexer_string)
{
    Str text = value_text(args[0]);
    size_t at = args[1].integer < 0 ? SIZE_MAX : byte_of(text, args[1].integer);
    if (at >= text.len)
        return value_null();
    Str rest = str_slice(text, at, text.len);
    return value_string(str_slice(rest, 0, byte_of(rest, 1)));
}

OP(op_to_chars)
{
    ValueVec items = {0};
    Str rest = value_text(args[0]);
    while (rest.len > 0) {
        size_t len = byte_of(rest, 1);
        VEC_PUSH(eval->context.arena, &items, value_string(str_slice(rest, 0, len)));
        rest = str_slice(rest, len, rest.len);
    }
    return value_from_vec(&items);
}

OP(op_starts_with)
{
    return value_boolean(str_starts_with(value_text(args[0]), value_text(args[1])));
}

OP(op_ends_with)
{
    return value_boolean(str_ends_with(value_text(args[0]), value_text(args[1])));
}

OP(op_position_of)
{
    Str text = value_text(args[1]);
    size_t at = str_find(text, value_text(args[0]));
    return value_integer(at == SIZE_MAX ? -1 : count_chars(str_slice(text, 0, at)));
}

OP(op_last_position_of)
{
    Str text = value_text(args[1]);
    Str wanted = value_text(args[0]);
    for (size_t at = text.len + 1; at-- > 0;) {
        if (at + wanted.len <= text.len && str_eq(str_slice(text, at, wanted.len), wanted))
            return value_integer(count_chars(str_slice(text, 0, at)));
    }
    return value_integer(-1);
}

OP(op_matches)
{
    RegexMatch match;
    size_t budget = REGEX_STEPS;
    RegexResult result = regex_find(value_text(args[1]), value_text(args[0]), 0, &budget, &match);
    if (regex_failed(eval, node, result, budget))
        return value_null();
    return value_boolean(result == REGEX_YES);
}

/* $1 is a group, \$ a dollar. */
static void add_replacement(StrBuf *out, Str text, Str with, const RegexMatch *match)
{
    for (size_t i = 0; i < with.len; i++) {
        char c = with.ptr[i];
        char next = i + 1 < with.len ? with.ptr[i + 1] : '\0';
        if (c == '\\' && i + 1 < with.len) {
            strbuf_add_char(out, next);
            i++;
        } else if (c == '$' && next >= '0' && next <= '9') {
            size_t start = next == '0' ? match->start : match->group_starts[next - '0'];
            size_t end = next == '0' ? match->end : match->group_ends[next - '0'];
            if (start != SIZE_MAX)
                strbuf_add(out, str_slice(text, start, end - start));
            i++;
        } else {
            strbuf_add_char(out, c);
        }
    }
}

OP(op_replace_matches)
{
    Str text = value_text(args[0]);
    StrBuf out;
    strbuf_init(&out, eval->context.arena, LIMIT_DOCUMENT_BYTES);
    size_t at = 0;
    RegexMatch match;
    size_t budget = REGEX_STEPS;
    RegexResult result = REGEX_NO;
    while (at <= text.len &&
           (result = regex_find(value_text(args[1]), text, at, &budget, &match)) == REGEX_YES) {
        strbuf_add(&out, str_slice(text, at, match.start - at));
        add_replacement(&out, text, value_text(args[2]), &match);
        at = match.end;
        if (match.end == match.start) {
            size_t next = at < text.len ? after_char(text, at) : at + 1;
            strbuf_add(&out, str_slice(text, at, next - at));
            at = next;
        }
    }
    if (regex_failed(eval, node, result, budget))
        return value_null();
    if (at < text.len)
        strbuf_add(&out, str_slice(text, at, text.len));
    if (!is_whole(eval, node, &out))
        return value_null();
    return value_string(strbuf_str(&out));
}
