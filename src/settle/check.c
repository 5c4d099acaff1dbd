/* Facts = detail = lines = ledger: the files of a run read back and added up again. */
#include "settle/settle_int.h"

/* --- one detail file --- */

static ErrorCode read_detail(Arena *arena, Str out, Str digest, Str *ret_text, Error *err)
{
    Str name = str_format(arena, "%.*s.ndjson", STR_ARG(digest));
    Str path = io_join(arena, settle_details_folder(arena, out), name);
    ErrorCode code = io_read_file(arena, path, SIZE_MAX, ret_text, err);
    if (code != ERR_OK)
        return code;
    if (!str_eq(digest_of(arena, *ret_text), digest))
        return error_set(err, ERR_DAMAGED, "%.*s: the content is not what its name says",
                         STR_ARG(path));
    return ERR_OK;
}

/* A row of a detail file, as views into it. What a detail file holds is what detail.c wrote (the
   digest says so), so members stand in a known order and are found by their names; a quote
   within a value is escaped and cannot look like one. */
typedef struct {
    Str person; /* as in JSON */
    Str from;
    Str to;
    Str indicator;
    int64_t cell;
} DetailRow;

/* Walks the rows with the section that each stands in. */
typedef struct {
    Str rest;
    Str clause;
    Str practice;
    Str text; /* of the row */
    DetailRow row;
} DetailWalk;

/* The text between the marker and the end; *text goes on behind it. Most follow one another. */
static Str take_member(Str *text, Str marker, char end)
{
    size_t at = 0;
    if (text->len > 0 && text->ptr[0] == '"')
        *text = str_slice(*text, 1, SIZE_MAX);
    if (!str_starts_with(*text, marker))
        at = str_find(*text, marker);
    if (at == SIZE_MAX)
        return S("");
    Str from = str_slice(*text, at + marker.len, SIZE_MAX);
    size_t len = str_find_char(from, end);
    Str value = str_slice(from, 0, len);
    *text = str_slice(from, value.len, SIZE_MAX);
    return value;
}

static DetailRow read_row(Str text)
{
    DetailRow row = {.cell = -1};
    row.person = take_member(&text, S("{\"person\":\""), '"');
    row.from = take_member(&text, S(",\"from\":\""), '"');
    row.to = take_member(&text, S(",\"to\":\""), '"');
    (void)str_to_int64(take_member(&text, S(",\"cell\":"), ','), &row.cell);
    row.indicator = take_member(&text, S(",\"indicator\":\""), '"');
    return row;
}

static bool detail_next(DetailWalk *walk)
{
    Str text;
    while (str_split_next(&walk->rest, '\n', &text)) {
        if (str_starts_with(text, S("{\"contract\":"))) {
            walk->clause = take_member(&text, S(",\"clause\":\""), '"');
            walk->practice = take_member(&text, S(",\"practice\":\""), '"');
            continue;
        }
        if (text.len == 0)
            continue;
        walk->text = text;
        walk->row = read_row(text);
        return true;
    }
    return false;
}

static bool row_is_in_line(const DetailRow *row, const SettleLine *line)
{
    return row->cell == line->cell && str_cmp(row->from, line->period) <= 0 &&
           str_cmp(row->to, line->period) >= 0 && str_eq(row->indicator, line->indicator);
}

static ErrorCode facts_of(Arena *arena, Str out, const SettleLine *line, bool all_cells,
                          SettleFactVec *ret_facts, Error *err)
{
    Str text;
    ErrorCode code = read_detail(arena, out, line->detail, &text, err);
    if (code != ERR_OK)
        return code;
    DetailWalk walk = {.rest = text};
    *ret_facts = (SettleFactVec){0};
    while (detail_next(&walk)) {
        if (!str_eq(walk.clause, line->clause->id) || !str_eq(walk.practice, line->practice) ||
            (!all_cells && !row_is_in_line(&walk.row, line)))
            continue;
        VEC_PUSH(arena, ret_facts,
                 (SettleFact){.person = walk.row.person,
                              .first_period = walk.row.from,
                              .last_period = walk.row.to,
                              .json = walk.text});
    }
    return ERR_OK;
}

ErrorCode settle_line_facts(Arena *arena, Str out, const SettleLine *line, SettleFactVec *ret_facts,
                            Error *err)
{
    return facts_of(arena, out, line, false, ret_facts, err);
}

ErrorCode settle_clause_facts(Arena *arena, Str out, const SettleLine *line,
                              SettleFactVec *ret_facts, Error *err)
{
    return facts_of(arena, out, line, true, ret_facts, err);
}

/* --- the whole run --- */

typedef struct {
    const SettleResult *result;
    Str out;
    DiagList *diags;
    Arena *arena;
    int64_t *persons; /* by line, from the detail files */
    uint64_t strays;  /* rows of the detail files behind no line */
    Map by_bucket;    /* clause/practice -> number of its first line */
} Checker;

static void complain(const Checker *checker, const SettleLine *line, Str text)
{
    Str path = str_format(checker->arena, "%.*s/%.*s/%.*s", STR_ARG(line->clause->id),
                          STR_ARG(line->practice), STR_ARG(line->period));
    diag_add(
        checker->diags,
        &(Diag){.severity = SEVERITY_ERROR, .rule = S("settle-sums"), .path = path, .text = text});
}

static Str bucket_key(Arena *arena, Str clause, Str practice)
{
    return str_format(arena, "%.*s/%.*s", STR_ARG(clause), STR_ARG(practice));
}

static bool is_same_bucket(const SettleLine *a, const SettleLine *b)
{
    return a->clause == b->clause && str_eq(a->practice, b->practice);
}

/* Adds a row to every line that it is behind: lines of a bucket follow one another. A row that is
   behind no line in one of its periods is counted: somebody who is not paid for. */
static void add_row(Checker *checker, const DetailRow *row, size_t first)
{
    const SettleResult *result = checker->result;
    uint32_t periods = 0;
    uint32_t first_period = 0;
    uint32_t last_period = 0;
    for (size_t i = first; i < result->line_count; i++) {
        const SettleLine *line = &result->lines[i];
        if (!is_same_bucket(line, &result->lines[first]))
            break;
        if (!row_is_in_line(row, line))
            continue;
        checker->persons[i]++;
        first_period = str_eq(line->period, row->from) ? line->period_index : first_period;
        last_period = str_eq(line->period, row->to) ? line->period_index : last_period;
        periods++;
    }
    checker->strays += periods == 0 || periods != last_period - first_period + 1;
}

static void add_rows(Checker *checker, Str text)
{
    DetailWalk walk = {.rest = text};
    Str practice = {0};
    Str clause = {0};
    uint64_t first = SIZE_MAX;
    while (detail_next(&walk)) {
        /* A new section: the views are into its header. */
        if (walk.practice.ptr != practice.ptr || walk.clause.ptr != clause.ptr) {
            practice = walk.practice;
            clause = walk.clause;
            if (!map_find(&checker->by_bucket, bucket_key(checker->arena, clause, practice),
                          &first))
                first = SIZE_MAX;
        }
        if (first == SIZE_MAX)
            checker->strays++;
        else
            add_row(checker, &walk.row, (size_t)first);
    }
}

static ErrorCode check_details(Checker *checker, Error *err)
{
    const SettleResult *result = checker->result;
    Map files;
    map_init(&files, checker->arena);
    for (size_t i = 0; i < result->line_count; i++) {
        const SettleLine *line = &result->lines[i];
        if (i == 0 || !is_same_bucket(line, line - 1))
            map_put(&checker->by_bucket,
                    bucket_key(checker->arena, line->clause->id, line->practice), i);
        bool is_new;
        (void)map_intern(&files, line->detail, i, &is_new);
    }
    for (size_t i = 0; i < files.count; i++) {
        Arena *scratch = arena_create(0);
        Str text;
        ErrorCode code = read_detail(scratch, checker->out, files.entries[i].key, &text, err);
        if (code == ERR_OK)
            add_rows(checker, text);
        arena_destroy(scratch);
        if (code != ERR_OK)
            return code;
    }
    return ERR_OK;
}

static void check_lines(const Checker *checker)
{
    const SettleResult *result = checker->result;
    int64_t total = 0;
    for (size_t i = 0; i < result->line_count; i++) {
        const SettleLine *line = &result->lines[i];
        const RateTable *rate = &clause_find(line->clause, PRIMITIVE_RATE)->as.rate;
        int64_t amount = -1;
        if (checker->persons[i] != line->quantity)
            complain(checker, line,
                     str_format(checker->arena, "the line counts %lld, its detail %lld",
                                (long long)line->quantity, (long long)checker->persons[i]));
        if (!contract_amount(result->contract, &rate->cells[line->cell], checker->persons[i],
                             &amount) ||
            amount != line->amount_minor)
            complain(checker, line, S("the amount is not the persons of its detail at the rate"));
        total += line->amount_minor;
    }
    for (size_t i = 0; i < result->group_count; i++) {
        const SettleGroup *group = &result->groups[i];
        int64_t sum = 0;
        for (size_t k = 0; k < group->line_count; k++)
            sum += result->lines[group->first_line + k].amount_minor;
        if (sum != group->amount_minor)
            complain(checker, &result->lines[group->first_line],
                     S("the group's amount is not the sum of its lines"));
    }
    Diag diag = {.severity = SEVERITY_ERROR, .rule = S("settle-sums")};
    if (total != result->total_minor)
        diag_addf(checker->diags, diag, "the total is not the sum of the lines");
    if (checker->strays > 0)
        diag_addf(checker->diags, diag, "%llu rows of detail files are behind no line",
                  (unsigned long long)checker->strays);
}

static ErrorCode check_ledger(const Checker *checker, Ledger *ledger, Error *err)
{
    const SettleResult *result = checker->result;
    PostedGroups posted;
    ErrorCode code = settle_read_posted(checker->arena, result->contract, ledger, &posted, err);
    if (code != ERR_OK)
        return code;
    for (size_t i = 0; i < result->group_count; i++) {
        const SettleGroup *group = &result->groups[i];
        const SettleLine *line = &result->lines[group->first_line];
        Str prefix = settle_group_prefix(checker->arena, result->contract, line);
        uint64_t number;
        int64_t minor = 0;
        if (map_find(&posted.by_prefix, prefix, &number))
            minor = posted.groups.items[number].minor;
        if (minor != group->amount_minor)
            complain(checker, line,
                     str_format(checker->arena, "settled %lld, in the ledger %lld (minor units)",
                                (long long)group->amount_minor, (long long)minor));
    }
    return ERR_OK;
}

ErrorCode settle_check(const SettleResult *result, Str out, Ledger *ledger, DiagList *diags,
                       Error *err)
{
    Arena *arena = arena_create(0);
    Checker checker = {.result = result, .out = out, .diags = diags, .arena = arena};
    checker.persons = ARENA_ZARRAY(arena, int64_t, result->line_count + 1);
    map_init(&checker.by_bucket, arena);
    ErrorCode code = check_details(&checker, err);
    if (code == ERR_OK) {
        check_lines(&checker);
        if (ledger != NULL)
            code = check_ledger(&checker, ledger, err);
    }
    arena_destroy(arena);
    return code;
}
