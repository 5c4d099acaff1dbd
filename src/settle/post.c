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
#include "settle/settle_int.h"

typedef struct {
    Arena *arena;
    const SettleResult *result;
    Ledger *ledger;
    const SettleOptions *options;
    Str run;
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
                      "last entry for it is %lld",
                      STR_ARG(difference->clause), STR_ARG(difference->period), STR_ARG(wanted),
                      STR_ARG(before), STR_ARG(change), (long long)difference->before->last);
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
    int32_t day = poster->options->posting_day == DAY_NONE ? difference->last_day
                                                           : poster->options->posting_day;
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
                                           STR_ARG(str_slice(difference->data_version, 0, 16)),
                                           number),
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
    return ERR_OK;
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

ErrorCode settle_post(Arena *arena, SettleResult *result, Ledger *ledger,
                      const SettleOptions *options, Str run, Error *err)
{
    Poster poster = {
        .arena = arena, .result = result, .ledger = ledger, .options = options, .run = run};
    Currency currency = ledger_currency(ledger);
    if (strcmp(currency.code, result->contract->currency.code) != 0)
        return error_set(err, ERR_REFUSED, "the contract is in %s, the ledger in %s",
                         result->contract->currency.code, currency.code);
    /* What was posted decides what is posted now: nothing is built on a ledger that was damaged. */
    ErrorCode code = ledger_verify(ledger, NULL, err);
    if (code == ERR_OK)
        code = ledger_begin(ledger, err);
    if (code != ERR_OK)
        return code;
    code = settle_read_posted(arena, result->contract, ledger, &poster.posted, err);
    if (code == ERR_OK) {
        poster.is_seen = ARENA_ZARRAY(arena, bool, poster.posted.groups.count + 1);
        code = post_groups(&poster, err);
    }
    if (code == ERR_OK)
        code = post_withdrawn(&poster, err);
    if (code != ERR_OK) {
        ledger_rollback(ledger);
        return code;
    }
    code = ledger_commit(ledger, err);
    if (code == ERR_OK)
        result->posting = poster.posting;
    return code;
}
