#include "intake/intake_int.h"

#include "base/json.h"

enum {
    /* Refused texts that may wait for an earlier chunk. */
    PENDING_BYTES_MAX = 32 << 20,
    TEXT_PARSE_BYTES_MAX = 16 << 20,
};

/* ---- one output ---- */

Output *output_create(void)
{
    Arena *arena = arena_create(0);
    Output *output = ARENA_NEW(arena, Output);
    output->arena = arena;
    diag_init(&output->diags, arena);
    strbuf_init(&output->refused, arena, 0);
    return output;
}

void output_destroy(Output *output)
{
    if (output != NULL) {
        Arena *arena = output->arena;
        arena_destroy(arena);
    }
}

void intake_count_rule(Arena *arena, IntakeRefusalVec *rules, Str rule, uint64_t count)
{
    VEC_FOREACH (IntakeRefusal, refusal, rules) {
        if (str_eq(refusal->rule, rule)) {
            refusal->count += count;
            return;
        }
    }
    VEC_PUSH(arena, rules, (IntakeRefusal){.rule = str_copy(arena, rule), .count = count});
}

/* Whether the text is one JSON object by itself, so that it can stand in a line as it is. */
static bool is_json_object(Str text)
{
    Str trimmed = str_trim(text);
    if (trimmed.len == 0 || trimmed.ptr[0] != '{' || trimmed.len > TEXT_PARSE_BYTES_MAX)
        return false;
    Arena *arena CLEANUP(arena_cleanup) = arena_create(0);
    JsonValue *value;
    return json_parse(arena, trimmed, &value, NULL) == ERR_OK;
}

/* Length of the well-formed UTF-8 sequence at the beginning, 0 if there is none. */
static size_t utf8_length(const unsigned char *at, size_t left)
{
    unsigned char lead = at[0];
    size_t len = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (len == 0 || lead > 0xf4 || len > left)
        return 0;
    for (size_t i = 1; i < len; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    }
    bool is_wrong = (lead == 0xe0 && at[1] < 0xa0) || (lead == 0xed && at[1] > 0x9f) ||
                    (lead == 0xf0 && at[1] < 0x90) || (lead == 0xf4 && at[1] > 0x8f);
    return is_wrong ? 0 : len;
}

/* The text with bytes that are no UTF-8 replaced, for a JSON string. */
static Str mend_utf8(Arena *arena, Str text)
{
    StrBuf buf;
    strbuf_init(&buf, arena, 0);
    for (size_t i = 0; i < text.len;) {
        size_t len = utf8_length((const unsigned char *)text.ptr + i, text.len - i);
        strbuf_add(&buf, len == 0 ? S("\xef\xbf\xbd") : str_slice(text, i, len));
        i += len == 0 ? 1 : len;
    }
    return strbuf_str(&buf);
}

/* Line breaks of JSON text stand between its tokens only; blanks do as well. */
static void add_on_one_line(StrBuf *buf, Str text)
{
    char *room = strbuf_reserve(buf, text.len);
    if (room == NULL)
        return;
    for (size_t i = 0; i < text.len; i++)
        room[i] = text.ptr[i] == '\n' || text.ptr[i] == '\r' ? ' ' : text.ptr[i];
    buf->len += text.len;
}

static void write_envelope(Output *output, const Diag *diag, Str text)
{
    JsonWriter json;
    json_writer_init(&json, &output->refused, false);
    json_object_begin(&json);
    json_member_str(&json, S("file"), mend_utf8(output->arena, diag->file));
    json_member_int(&json, S("line"), diag->line);
    json_member_str(&json, S("path"), diag->path);
    json_member_str(&json, S("rule"), diag->rule);
    json_member_str(&json, S("finding"), mend_utf8(output->arena, diag->text));
    if (output->references.len > 0) {
        json_key(&json, S("references"));
        json_raw(&json, output->references);
    }
    Str trimmed = str_trim(text);
    if (is_json_object(trimmed)) {
        json_key(&json, S("resource"));
        json_raw(&json, S(""));
        add_on_one_line(&output->refused, trimmed);
    } else if (trimmed.len > 0) {
        json_member_str(&json, S("text"), mend_utf8(output->arena, trimmed));
    }
    json_object_end(&json);
    json_line_end(&json);
}

void output_refuse(Output *output, const Diag *diag, Str text, bool keeps_text)
{
    output->refused_count++;
    intake_count_rule(output->arena, &output->rules, diag->rule, 1);
    if (keeps_text)
        write_envelope(output, diag, text);
    output->references = (Str){0};
}

void output_refuse_with(Output *output, const Diag *diag, Str text, bool keeps_text)
{
    diag_add(&output->diags, diag);
    output_refuse(output, diag, text, keeps_text);
}

/* For cleaning up where nobody can be told: what is left is removed by the next writer. */
static void best_effort(UNUSED ErrorCode code)
{
}

/* ---- the sink ---- */

typedef struct {
    Output *output;
    bool is_there;
} SinkSlot;

struct Sink {
    Arena *arena; /* of its own, under the lock */
    pthread_mutex_t lock;
    pthread_cond_t advanced;
    DiagList *diags;
    IntakeReport *report;
    Arena *report_arena;
    Str refused_path;
    bool keeps_earlier; /* an earlier refused file, when nothing is refused */
    Str temporary_path;
    IoFile refused;
    Vec(SinkSlot) slots; /* of numbers next .. */
    size_t slot_first;   /* the slot of number `next` */
    uint32_t next;
    size_t pending_bytes;
    Error failure;
};

Sink *sink_create(Arena *arena, Str refused_path, DiagList *diags, IntakeReport *report)
{
    Sink *sink = ARENA_NEW(arena, Sink);
    sink->arena = arena_create(0);
    pthread_mutex_init(&sink->lock, NULL);
    pthread_cond_init(&sink->advanced, NULL);
    sink->diags = diags;
    sink->report = report;
    sink->report_arena = arena;
    sink->refused_path = refused_path;
    if (refused_path.len > 0)
        sink->temporary_path = str_format(sink->arena, "%.*s.tmp", STR_ARG(refused_path));
    sink->refused = IO_FILE_CLOSED;
    return sink;
}

void sink_keep_earlier(Sink *sink)
{
    sink->keeps_earlier = true;
}

bool sink_keeps_texts(const Sink *sink)
{
    return sink->refused_path.len > 0;
}

static ErrorCode write_refused(Sink *sink, const Output *output, Error *err)
{
    if (output->refused.len == 0 || sink->refused_path.len == 0)
        return ERR_OK;
    ErrorCode code = ERR_OK;
    if (sink->refused.fd < 0)
        code = io_create(sink->temporary_path, &sink->refused, err);
    if (code == ERR_OK)
        code = io_write(&sink->refused, output->refused.ptr, output->refused.len, err);
    return code;
}

static ErrorCode pass_on(Sink *sink, Output *output, Error *err)
{
    if (output == NULL)
        return ERR_OK;
    sink->pending_bytes -= output->refused.len;
    diag_append(sink->diags, &output->diags);
    sink->report->refused += output->refused_count;
    VEC_FOREACH (IntakeRefusal, refusal, &output->rules)
        intake_count_rule(sink->report_arena, &sink->report->refused_by_rule, refusal->rule,
                          refusal->count);
    ErrorCode code = write_refused(sink, output, err);
    output_destroy(output);
    return code;
}

/* Passes on all outputs whose turn has come. */
static ErrorCode advance(Sink *sink, Error *err)
{
    ErrorCode code = ERR_OK;
    while (code == ERR_OK && sink->slot_first < sink->slots.count &&
           sink->slots.items[sink->slot_first].is_there) {
        code = pass_on(sink, sink->slots.items[sink->slot_first].output, err);
        sink->slot_first++;
        sink->next++;
    }
    if (sink->slot_first == sink->slots.count) {
        sink->slots.count = 0;
        sink->slot_first = 0;
    } else if (sink->slot_first > 1024 && sink->slot_first > sink->slots.count / 2) {
        sink->slots.count -= sink->slot_first;
        memmove(sink->slots.items, sink->slots.items + sink->slot_first,
                sink->slots.count * sizeof(SinkSlot));
        sink->slot_first = 0;
    }
    return code;
}

ErrorCode sink_put(Sink *sink, uint32_t number, Output *output, Error *err)
{
    pthread_mutex_lock(&sink->lock);
    ASSERT(number >= sink->next);
    /* Whoever is next never waits here, so that the others' wait ends. */
    while (sink->pending_bytes > PENDING_BYTES_MAX && number != sink->next &&
           sink->failure.code == ERR_OK)
        pthread_cond_wait(&sink->advanced, &sink->lock);
    size_t slot = sink->slot_first + (number - sink->next);
    while (sink->slots.count <= slot)
        VEC_PUSH(sink->arena, &sink->slots, (SinkSlot){0});
    sink->slots.items[slot] = (SinkSlot){.output = output, .is_there = true};
    sink->pending_bytes += output == NULL ? 0 : output->refused.len;
    ErrorCode code = sink->failure.code;
    if (code == ERR_OK)
        code = advance(sink, &sink->failure);
    if (code != ERR_OK)
        (void)error_set(err, code, "%s", sink->failure.message);
    pthread_cond_broadcast(&sink->advanced);
    pthread_mutex_unlock(&sink->lock);
    return code;
}

ErrorCode sink_finish(Sink *sink, bool is_failed, Error *err)
{
    for (size_t i = sink->slot_first; i < sink->slots.count; i++)
        output_destroy(sink->slots.items[i].output);
    ErrorCode code = ERR_OK;
    if (sink->refused.fd >= 0) {
        code = io_close(&sink->refused, is_failed ? NULL : err);
        if (is_failed || code != ERR_OK)
            best_effort(io_remove(sink->temporary_path, NULL));
        else
            code = io_rename(sink->temporary_path, sink->refused_path, err);
    } else if (!is_failed && sink->refused_path.len > 0 && !sink->keeps_earlier) {
        code = io_remove(sink->refused_path, err);
    }
    pthread_mutex_destroy(&sink->lock);
    pthread_cond_destroy(&sink->advanced);
    Arena *arena = sink->arena;
    arena_destroy(arena);
    return is_failed ? ERR_OK : code;
}
