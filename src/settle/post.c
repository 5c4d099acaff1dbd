/*
 * Posting: the ledger brought to the amounts of the run, in one batch.
 *
 * What was posted for a practice, clause and period is read from the ledger itself, by the
 * prefix of the entries' keys, so there is nothing beside it that could disagree. An entry's key is
 *
 *     settle/<contract>/<clause>/<practice>/<period>/v<version>/<data version>/<number>
 *
 * with the number of entries there were before it: the same difference can be needed again (data
 * mended and broken again), and no two runs can post the same one.
 */
#include "base/json.h"
#include "settle/settle_int.h"

typedef struct {
    Arena *arena;
    const SettleResult *result;
    Ledger *ledger;
    const SettleOptions *options;
    Str run;
    int32_t oldest_month; /* of what is posted; 0: all */
    SettleOut out;        /* differences.ndjson */
    JsonWriter json;
    PostedGroups posted;
    bool *is_seen; /* by number in posted.groups */
    SettlePosting posting;
} Poster;

Str settle_group_prefix(Arena *arena, const Contract *contract, const SettleLine *line)
{
    return str_format(arena, "settle/%.*s/%.*s/%.*s/%.*s", STR_ARG(contract->id),
                      STR_ARG(line->clause->id), STR_ARG(line->practice), STR_ARG(line->period));
}

/* --- what there is --- */

/* The key without its last three parts; empty when it is no key of ours. */
static Str key_prefix(Str key)
{
    size_t left = 3;
    size_t at = key.len;
    if (!str_starts_with(key, S("settle/")))
        return S("");
    while (at > 0 && left > 0)
        left -= key.ptr[--at] == '/';
    return str_slice(key, 0, at);
}

/* "v1" and the data version of settle/…/v1/<data>/<number>. */
static void split_key(Arena *arena, Str key, Str prefix, PostedGroup *group)
{
    Str rest = str_slice(key, prefix.len + 1, SIZE_MAX);
    Str part;
    if (str_split_next(&rest, '/', &part))
        group->version = str_copy(arena, part);
    if (str_split_next(&rest, '/', &part))
        group->data = str_copy(arena, part);
}

static void add_posted(Arena *arena, const Ledger *ledger, const LedgerEntry *entry,
                       PostedGroups *posted)
{
    Str prefix = key_prefix(entry->key);
    if (prefix.len == 0)
        return;
    bool is_new;
    uint64_t known;
    size_t number = posted->groups.count;
    if (map_find(&posted->by_prefix, prefix, &known)) {
        number = (size_t)known;
    } else {
        Str copy = str_copy(arena, prefix);
        (void)map_intern(&posted->by_prefix, copy, number, &is_new);
        VEC_PUSH(arena, &posted->groups, (PostedGroup){.prefix = copy});
    }
    PostedGroup *group = &posted->groups.items[number];
    group->entries++;
    group->last = entry->id;
    split_key(arena, entry->key, prefix, group);
    for (size_t i = 0; i < entry->line_count; i++) {
        Account account = ledger_account(ledger, entry->lines[i].account);
        if (account.type == ACCOUNT_LIABILITY)
            group->minor -= entry->lines[i].minor;
    }
}

ErrorCode settle_read_posted(Arena *arena, const Contract *contract, Ledger *ledger,
                             PostedGroups *ret_posted, Error *err)
{
    LedgerCursor *cursor;
    LedgerSource source = {.contract = contract->id};
    *ret_posted = (PostedGroups){0};
    map_init(&ret_posted->by_prefix, arena);
    ErrorCode code = ledger_entries(ledger, source, &cursor, err);
    if (code != ERR_OK)
        return code;
    LedgerEntry entry;
    while (ledger_next_entry(cursor, &entry))
        add_posted(arena, ledger, &entry, ret_posted);
    return ledger_cursor_finish(cursor, err);
}

/* --- entries --- */

/* One difference to be posted. */
typedef struct {
    Str prefix;
    Str clause;
    Str clause_title;
    Str practice;
    Str practice_name;
    Str period;
    int32_t last_day;
    Str data_version;
    int64_t wanted_minor;
    const PostedGroup *before; /* NULL: the first */
} Difference;

/* The data version as it stands in keys. */
static Str data_key(const Difference *difference)
{
    return str_slice(difference->data_version, 0, 16);
}

/* Why the amount is another one than the last time. */
static Str difference_reason(const Poster *poster, const Difference *difference)
{
    const PostedGroup *before = difference->before;
    Str version = str_format(poster->arena, "v%d", poster->result->contract->version);
    bool has_rules = !str_eq(before->version, version);
    bool has_facts = !str_eq(before->data, data_key(difference));
    if (str_eq(difference->data_version, S("none")))
        return has_rules ? S("nothing is due any more, under changed rules")
                         : S("nothing is due any more");
    if (has_rules && has_facts)
        return str_format(poster->arena, "changed rules (%.*s, was %.*s) and late facts",
                          STR_ARG(version), STR_ARG(before->version));
    if (has_rules)
        return str_format(poster->arena, "changed rules (%.*s, was %.*s)", STR_ARG(version),
                          STR_ARG(before->version));
    return has_facts ? S("late facts") : S("what was posted before had been left");
}

static Str difference_memo(const Poster *poster, const Difference *difference, int64_t delta)
{
    Arena *arena = poster->arena;
    Currency currency = poster->result->contract->currency;
    Str wanted = money_format(arena, difference->wanted_minor, currency, true);
    if (difference->before == NULL)
        return str_format(arena, "%.*s for %.*s: %.*s", STR_ARG(difference->clause),
                          STR_ARG(difference->period), STR_ARG(wanted));
    Str before = money_format(arena, difference->before->minor, currency, true);
    Str change = money_format(arena, delta, currency, true);
    return str_format(arena,
                      "%.*s for %.*s corrected: %.*s instead of %.*s, a difference of %.*s; the "
                      "last entry for it is %lld; %.*s",
                      STR_ARG(difference->clause), STR_ARG(difference->period), STR_ARG(wanted),
                      STR_ARG(before), STR_ARG(change), (long long)difference->before->last,
                      STR_ARG(difference_reason(poster, difference)));
}

static ErrorCode add_accounts(Poster *poster, const Difference *difference, AccountId ret_ids[2],
                              Error *err)
{
    Str expense = str_format(poster->arena, "expense:%.*s:%.*s",
                             STR_ARG(poster->result->contract->id), STR_ARG(difference->clause));
    Str payable = str_format(poster->arena, "payable:%.*s", STR_ARG(difference->practice));
    ErrorCode code = ledger_add_account(poster->ledger, expense, ACCOUNT_EXPENSE,
                                        difference->clause_title, &ret_ids[0], err);
    if (code == ERR_OK)
        code = ledger_add_account(poster->ledger, payable, ACCOUNT_LIABILITY,
                                  difference->practice_name, &ret_ids[1], err);
    return code;
}

static ErrorCode open_period(Poster *poster, int32_t month, Error *err)
{
    if (ledger_period(poster->ledger, month) != PERIOD_NEVER_OPENED)
        return ERR_OK;
    return ledger_open_period(poster->ledger, month, err);
}

/* When the difference is posted: on the posting day, else on the last day of what it is for, or
   where that month is closed on the first day of the next open one. */
static int32_t posting_day(const Poster *poster, const Difference *difference)
{
    if (poster->options->posting_day != DAY_NONE)
        return poster->options->posting_day;
    int32_t month = ledger_month_of_day(difference->last_day);
    int32_t open = ledger_open_month(poster->ledger, month);
    return open == month ? difference->last_day : day_from_date(open / 100, open % 100, 1);
}

/* Why nothing may be posted for the period any more; empty when it may. */
static Str why_left(const Poster *poster, const Difference *difference)
{
    if (poster->options->freeze_day != DAY_NONE &&
        difference->last_day <= poster->options->freeze_day)
        return S("frozen");
    if (ledger_month_of_day(difference->last_day) < poster->oldest_month)
        return S("beyond the look-back");
    return S("");
}

/* A line of differences.ndjson; `entry` is NULL for what was left. */
static ErrorCode tell(Poster *poster, const Difference *difference, const LedgerEntry *entry,
                      Str status, Error *err)
{
    JsonWriter *json = &poster->json;
    Currency currency = poster->result->contract->currency;
    int64_t before = difference->before == NULL ? 0 : difference->before->minor;
    json_object_begin(json);
    json_member_str(json, S("practice"), difference->practice);
    json_member_str(json, S("clause"), difference->clause);
    json_member_str(json, S("period"), difference->period);
    json_key(json, S("before"));
    json_raw(json, money_format(poster->arena, before, currency, false));
    json_key(json, S("now"));
    json_raw(json, money_format(poster->arena, difference->wanted_minor, currency, false));
    json_member_str(json, S("status"), status);
    if (difference->before != NULL) {
        json_member_str(json, S("reason"), difference_reason(poster, difference));
        json_member_int(json, S("corrects"), difference->before->last);
    }
    if (entry != NULL) {
        json_member_int(json, S("entry"), entry->id);
        json_member_str(
            json, S("posted"),
            str_format(poster->arena, "%04d-%02d", entry->month / 100, entry->month % 100));
    }
    json_object_end(json);
    json_line_end(json);
    return settle_out_flush(&poster->out, err);
}

static ErrorCode leave_difference(Poster *poster, const Difference *difference, Str why, Error *err)
{
    int64_t before = difference->before == NULL ? 0 : difference->before->minor;
    poster->posting.left++;
    poster->posting.left_minor += difference->wanted_minor - before;
    return tell(poster, difference, NULL, why, err);
}

static ErrorCode post_difference(Poster *poster, const Difference *difference, Error *err)
{
    const Contract *contract = poster->result->contract;
    uint32_t number = difference->before == NULL ? 0 : difference->before->entries;
    int64_t before = difference->before == NULL ? 0 : difference->before->minor;
    int64_t delta = difference->wanted_minor - before;
    AccountId accounts[2];
    if (delta == 0) {
        poster->posting.unchanged++;
        return ERR_OK;
    }
    Str why = why_left(poster, difference);
    if (why.len > 0)
        return leave_difference(poster, difference, why, err);
    int32_t day = posting_day(poster, difference);
    int32_t month = ledger_month_of_day(day);
    ErrorCode code = add_accounts(poster, difference, accounts, err);
    if (code == ERR_OK)
        code = open_period(poster, month, err);
    if (code != ERR_OK)
        return code;
    LedgerLine lines[2] = {{.account = accounts[0], .minor = delta},
                           {.account = accounts[1], .minor = -delta}};
    LedgerEntry entry = {.key = str_format(poster->arena, "%.*s/v%d/%.*s/%u",
                                           STR_ARG(difference->prefix), contract->version,
                                           STR_ARG(data_key(difference)), number),
                         .corrects = difference->before == NULL ? 0 : difference->before->last,
                         .day = day,
                         .month = month,
                         .memo = difference_memo(poster, difference, delta),
                         .source = {.contract = contract->id,
                                    .version = str_format(poster->arena, "%d", contract->version),
                                    .clause = difference->clause,
                                    .run = poster->run},
                         .lines = lines,
                         .line_count = COUNT_OF(lines)};
    Posted posted;
    code = ledger_post(poster->ledger, &entry, &posted, err);
    if (code == ERR_CLOSED)
        (void)error_wrap(err, "give a posting day in an open period");
    if (code != ERR_OK)
        return error_wrap(err, "practice %.*s, clause %.*s, %.*s", STR_ARG(difference->practice),
                          STR_ARG(difference->clause), STR_ARG(difference->period));
    /* Keys number the entries there were, so this one cannot be there. */
    if (posted.result != POST_POSTED)
        return error_set(err, ERR_DAMAGED,
                         "the ledger has an entry %.*s that is not among those of the contract",
                         STR_ARG(entry.key));
    poster->posting.entries++;
    poster->posting.first += difference->before == NULL;
    poster->posting.corrected += difference->before != NULL;
    poster->posting.posted_minor += delta;
    entry.id = posted.entry;
    return tell(poster, difference, &entry, S("posted"), err);
}

static ErrorCode post_groups(Poster *poster, Error *err)
{
    const SettleResult *result = poster->result;
    for (size_t i = 0; i < result->group_count; i++) {
        const SettleGroup *group = &result->groups[i];
        const SettleLine *line = &result->lines[group->first_line];
        ArenaMark mark = arena_mark(poster->arena);
        Difference difference = {.prefix =
                                     settle_group_prefix(poster->arena, result->contract, line),
                                 .clause = line->clause->id,
                                 .clause_title = line->clause->title,
                                 .practice = line->practice,
                                 .practice_name = line->practice_name,
                                 .period = line->period,
                                 .last_day = line->last_day,
                                 .data_version = group->data_version,
                                 .wanted_minor = group->amount_minor};
        uint64_t number;
        if (map_find(&poster->posted.by_prefix, difference.prefix, &number)) {
            poster->is_seen[number] = true;
            difference.before = &poster->posted.groups.items[number];
        }
        ErrorCode code = post_difference(poster, &difference, err);
        arena_rewind(poster->arena, mark);
        if (code != ERR_OK)
            return code;
    }
    return ERR_OK;
}

/* The last day of "2020-01" or "2020-01..2020-12". */
static bool period_last_day(Str period, int32_t *ret_day)
{
    int32_t first;
    char text[11] = "0000-00-01";
    if (period.len < 7)
        return false;
    memcpy(text, period.ptr + period.len - 7, 7);
    if (!day_parse((Str){.ptr = text, .len = 10}, &first))
        return false;
    *ret_day = day_add_months(first, 1) - 1;
    return true;
}

/* The parts of a prefix: settle/<contract>/<clause>/<practice>/<period>. */
static bool split_prefix(Str prefix, Difference *difference)
{
    Str *parts[] = {NULL, NULL, &difference->clause, &difference->practice, &difference->period};
    Str rest = prefix;
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        Str part;
        if (!str_split_next(&rest, '/', &part))
            return false;
        if (parts[i] != NULL)
            *parts[i] = part;
    }
    return period_last_day(difference->period, &difference->last_day);
}

/* What was posted before and is no longer due: a practice without persons, a clause that is gone.
   Periods that the run left out are left alone. */
static ErrorCode post_withdrawn(Poster *poster, Error *err)
{
    const Contract *contract = poster->result->contract;
    int32_t through = poster->options->through_day;
    for (size_t i = 0; i < poster->posted.groups.count; i++) {
        const PostedGroup *group = &poster->posted.groups.items[i];
        Difference difference = {
            .prefix = group->prefix, .data_version = S("none"), .wanted_minor = 0, .before = group};
        if (poster->is_seen[i] || group->minor == 0 || !split_prefix(group->prefix, &difference))
            continue;
        bool is_left_out = (through != DAY_NONE && difference.last_day > through) ||
                           difference.last_day < contract->first_day ||
                           difference.last_day > contract->last_day;
        if (is_left_out)
            continue;
        /* The accounts are there and keep their names. */
        difference.clause_title = difference.clause;
        difference.practice_name = difference.practice;
        ErrorCode code = post_difference(poster, &difference, err);
        if (code != ERR_OK)
            return code;
    }
    return ERR_OK;
}

/* The first month within the look-back; 0 for all. */
static int32_t oldest_month(const SettleOptions *options, const Contract *contract)
{
    if (options->look_back_months == 0)
        return 0;
    int32_t day = contract->last_day;
    if (options->posting_day != DAY_NONE)
        day = options->posting_day;
    else if (options->through_day != DAY_NONE && options->through_day < day)
        day = options->through_day;
    int32_t oldest = day_add_months(day, -options->look_back_months);
    return oldest == DAY_NONE ? 0 : ledger_month_of_day(oldest);
}

ErrorCode settle_post(Arena *arena, SettleResult *result, Ledger *ledger,
                      const SettleOptions *options, Str run, Error *err)
{
    Poster poster = {.arena = arena,
                     .result = result,
                     .ledger = ledger,
                     .options = options,
                     .run = run,
                     .oldest_month = oldest_month(options, result->contract)};
    Currency currency = ledger_currency(ledger);
    if (strcmp(currency.code, result->contract->currency.code) != 0)
        return error_set(err, ERR_REFUSED, "the contract is in %s, the ledger in %s",
                         result->contract->currency.code, currency.code);
    /* What was posted decides what is posted now: nothing is built on a ledger that was damaged. */
    ErrorCode code = ledger_verify(ledger, NULL, err);
    /* Of its own: what a group needs is taken back after each. */
    CLEANUP(arena_cleanup) Arena *texts = arena_create(0);
    if (code == ERR_OK)
        code = settle_out_open(&poster.out, texts, settle_folder(arena, options->out),
                               S("differences.ndjson.new"), err);
    if (code != ERR_OK)
        return code;
    json_writer_init(&poster.json, &poster.out.buf, false);
    code = ledger_begin(ledger, err);
    if (code != ERR_OK) {
        settle_out_done(&poster.out);
        return code;
    }
    code = settle_read_posted(arena, result->contract, ledger, &poster.posted, err);
    if (code == ERR_OK) {
        poster.is_seen = ARENA_ZARRAY(arena, bool, poster.posted.groups.count + 1);
        code = post_groups(&poster, err);
    }
    if (code == ERR_OK)
        code = post_withdrawn(&poster, err);
    if (code != ERR_OK)
        ledger_rollback(ledger);
    else
        code = ledger_commit(ledger, err);
    /* Only now, so that the file never tells of what was not posted. */
    if (code == ERR_OK)
        code = settle_out_close(&poster.out, S("differences.ndjson"), err);
    settle_out_done(&poster.out);
    if (code == ERR_OK)
        result->posting = poster.posting;
    return code;
}
