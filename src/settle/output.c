/* Files of a run: written under a temporary name, synced, renamed. */
#include "base/json.h"
#include "settle/settle_int.h"

enum { OUT_BUFFER_BYTES = 256 * 1024 };

Str settle_folder(Arena *arena, Str out)
{
    return io_join(arena, out, S("settle"));
}

Str settle_details_folder(Arena *arena, Str out)
{
    return io_join(arena, settle_folder(arena, out), S("details"));
}

/* --- a file piece by piece --- */

ErrorCode settle_out_open(SettleOut *out, Arena *arena, Str folder, Str temporary_name, Error *err)
{
    *out = (SettleOut){.arena = arena, .folder = folder, .file = IO_FILE_CLOSED};
    out->temporary = io_join(arena, folder, temporary_name);
    strbuf_init(&out->buf, arena, 0);
    return io_create(out->temporary, &out->file, err);
}

static ErrorCode write_out(SettleOut *out, Error *err)
{
    if (out->digest != NULL)
        digest_add(out->digest, out->buf.ptr, out->buf.len);
    ErrorCode code = io_write(&out->file, out->buf.ptr, out->buf.len, err);
    strbuf_clear(&out->buf);
    return code;
}

ErrorCode settle_out_flush(SettleOut *out, Error *err)
{
    return out->buf.len < OUT_BUFFER_BYTES ? ERR_OK : write_out(out, err);
}

ErrorCode settle_out_close(SettleOut *out, Str name, Error *err)
{
    ErrorCode code = out->buf.len == 0 ? ERR_OK : write_out(out, err);
    if (code == ERR_OK)
        code = io_sync(&out->file, err);
    if (code == ERR_OK)
        code = io_close(&out->file, err);
    if (code == ERR_OK)
        code = io_rename(out->temporary, io_join(out->arena, out->folder, name), err);
    return code;
}

void settle_out_done(SettleOut *out)
{
    if (out->file.fd < 0)
        return;
    io_close_cleanup(&out->file);
    (void)!io_remove(out->temporary, NULL);
}

/* --- lines --- */

static void add_line(JsonWriter *json, Arena *arena, const SettleResult *result,
                     const SettleLine *line)
{
    const Contract *contract = result->contract;
    json_object_begin(json);
    json_member_str(json, S("practice"), line->practice);
    json_member_str(json, S("practiceName"), line->practice_name);
    json_member_str(json, S("contract"), contract->id);
    json_member_int(json, S("version"), contract->version);
    json_member_str(json, S("clause"), line->clause->id);
    json_member_str(json, S("period"), line->period);
    if (line->indicator.len > 0)
        json_member_str(json, S("indicator"), line->indicator);
    json_member_str(json, S("cell"), line->cell_label);
    json_member_int(json, S("quantity"), line->quantity);
    const RateTable *rate = &clause_find(line->clause, PRIMITIVE_RATE)->as.rate;
    json_key(json, S("rate"));
    json_decimal(json, rate->cells[line->cell].amount);
    json_key(json, S("amount"));
    json_raw(json, money_format(arena, line->amount_minor, contract->currency, false));
    json_member_int(json, S("amountMinor"), line->amount_minor);
    json_member_str(json, S("currency"), str_from_c(contract->currency.code));
    json_member_str(json, S("reason"), line->reason);
    json_member_str(json, S("detail"), line->detail);
    json_object_end(json);
    json_line_end(json);
}

ErrorCode settle_write_lines(Arena *arena, const SettleResult *result, Str folder, Str *ret_digest,
                             Error *err)
{
    SettleOut out;
    char hex[DIGEST_HEX];
    ErrorCode code = settle_out_open(&out, arena, folder, S("lines.ndjson.new"), err);
    out.digest = digest_create();
    digest_begin(out.digest);
    JsonWriter json;
    json_writer_init(&json, &out.buf, false);
    for (size_t i = 0; code == ERR_OK && i < result->line_count; i++) {
        add_line(&json, arena, result, &result->lines[i]);
        code = settle_out_flush(&out, err);
    }
    if (code == ERR_OK)
        code = settle_out_close(&out, S("lines.ndjson"), err);
    digest_end(out.digest, hex);
    digest_destroy(out.digest);
    settle_out_done(&out);
    *ret_digest = str_copy(arena, (Str){.ptr = hex, .len = DIGEST_HEX});
    return code;
}

/* --- who is not paid for --- */

static void add_unpaid(JsonWriter *json, const SettlePlan *plan, const PartFacts *part,
                       const Unpaid *unpaid)
{
    static const Str reasons[] = {
        [UNPAID_NOBODY] = STR_INIT("no practice is responsible: no encounter counts"),
        [UNPAID_BIRTH_UNKNOWN] = STR_INIT("no birth date"),
        [UNPAID_DEATH_UNDATED] = STR_INIT("dead, and nobody says since when"),
    };
    const PlanClause *clause = &plan->clauses[unpaid->clause];
    json_object_begin(json);
    json_member_str(json, S("person"),
                    record_person_id((Record){.batch = part->batch, .row = unpaid->row}));
    json_member_str(json, S("clause"), clause->clause->id);
    json_member_str(json, S("from"), clause->periods[unpaid->first_period].text);
    json_member_str(json, S("to"), clause->periods[unpaid->last_period].text);
    json_member_str(json, S("reason"), reasons[unpaid->reason]);
    json_object_end(json);
    json_line_end(json);
}

ErrorCode settle_write_unpaid(const SettlePlan *plan, const Facts *facts, Str folder, Error *err)
{
    SettleOut out;
    Arena *arena = arena_create(0);
    ErrorCode code = settle_out_open(&out, arena, folder, S("unpaid.ndjson.new"), err);
    JsonWriter json;
    json_writer_init(&json, &out.buf, false);
    for (size_t i = 0; code == ERR_OK && i < facts->part_count; i++) {
        const PartFacts *part = &facts->parts[i];
        for (size_t k = 0; code == ERR_OK && k < part->unpaid.count; k++) {
            add_unpaid(&json, plan, part, &part->unpaid.items[k]);
            code = settle_out_flush(&out, err);
        }
    }
    if (code == ERR_OK)
        code = settle_out_close(&out, S("unpaid.ndjson"), err);
    settle_out_done(&out);
    arena_destroy(arena);
    return code;
}

/* --- the run in numbers --- */

static void add_amount(JsonWriter *json, Arena *arena, const SettleResult *result, Str key,
                       int64_t minor)
{
    json_key(json, key);
    json_raw(json, money_format(arena, minor, result->contract->currency, false));
}

ErrorCode settle_write_summary(Arena *arena, const SettleResult *result,
                               const SettleOptions *options, Str run, Error *err)
{
    Str folder = settle_folder(arena, options->out);
    StrBuf out;
    JsonWriter json;
    const SettlePosting *posting = &result->posting;
    strbuf_init(&out, arena, 0);
    json_writer_init(&json, &out, true);
    json_object_begin(&json);
    json_member_str(&json, S("contract"), result->contract->id);
    json_member_int(&json, S("version"), result->contract->version);
    json_member_str(&json, S("currency"), str_from_c(result->contract->currency.code));
    json_member_str(&json, S("run"), run);
    if (options->recorded_at.len > 0)
        json_member_str(&json, S("recordedAt"), options->recorded_at);
    json_member_bool(&json, S("dryRun"), options->is_dry_run);
    json_member_int(&json, S("lines"), (int64_t)result->line_count);
    add_amount(&json, arena, result, S("total"), result->total_minor);
    json_member_int(&json, S("persons"), (int64_t)result->persons);
    json_member_int(&json, S("personsPaid"), (int64_t)result->persons_paid);
    json_member_int(&json, S("personsUnattributed"), (int64_t)result->persons_unattributed);
    json_member_int(&json, S("personPeriodsUnattributed"),
                    (int64_t)result->person_periods_unattributed);
    json_member_int(&json, S("personsDeathUndated"), (int64_t)result->persons_death_undated);
    json_member_int(&json, S("entriesPosted"), (int64_t)posting->entries);
    json_member_int(&json, S("entriesCorrecting"), (int64_t)posting->corrected);
    json_member_int(&json, S("groupsLeft"), (int64_t)posting->left);
    add_amount(&json, arena, result, S("left"), posting->left_minor);
    json_member_int(&json, S("groupsUnchanged"), (int64_t)posting->unchanged);
    add_amount(&json, arena, result, S("posted"), posting->posted_minor);
    json_object_end(&json);
    strbuf_add_char(&out, '\n');
    return io_replace_file(io_join(arena, folder, S("summary.json")), strbuf_str(&out), err);
}
