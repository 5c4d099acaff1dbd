/* Facts = detail = lines = ledger: the files of a run read back and added up again. */
#include "base/json.h"
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

/* Walks the rows of a detail file with the section that each stands in. */
typedef struct {
    Arena *arena; /* of one row */
    ArenaMark mark;
    Str rest;
    Str clause; /* of the section; views into the text */
    Str practice;
    Str row;
    const JsonValue *value;
} DetailWalk;

/* The text of a string member of a row, as a view into `text`: ids and clauses have no escapes. */
static Str view_member(Str text, Str marker)
{
    size_t at = str_find(text, marker);
    if (at == SIZE_MAX)
        return S("");
    Str from = str_slice(text, at + marker.len, SIZE_MAX);
    return str_slice(from, 0, str_find_char(from, '"'));
}

static bool detail_next(DetailWalk *walk)
{
    Str row;
    while (str_split_next(&walk->rest, '\n', &row)) {
        if (str_starts_with(row, S("{\"contract\":"))) {
            walk->clause = view_member(row, S("\"clause\":\""));
            walk->practice = view_member(row, S("\"practice\":\""));
            continue;
        }
        if (row.len == 0)
            continue;
        JsonValue *value;
        arena_rewind(walk->arena, walk->mark);
        walk->row = row;
        /* The digest is right, so the row is as it was written. */
        ErrorCode code = json_parse(walk->arena, row, &value, NULL);
        ASSERT(code == ERR_OK);
        walk->value = value;
        return true;
    }
    return false;
}

static int64_t row_int(const JsonValue *row, Str key)
{
    const JsonValue *member = json_find(row, key);
    int64_t value = -1;
    if (member == NULL || !str_to_int64(member->text, &value))
        return -1;
    return value;
}

static bool row_is_in_line(const DetailWalk *walk, const SettleLine *line)
{
    return str_eq(walk->clause, line->clause->id) && str_eq(walk->practice, line->practice) &&
           str_cmp(json_find_text(walk->value, S("from")), line->period) <= 0 &&
           str_cmp(json_find_text(walk->value, S("to")), line->period) >= 0 &&
           row_int(walk->value, S("cell")) == line->cell &&
           str_eq(json_find_text(walk->value, S("indicator")), line->indicator);
}

ErrorCode settle_line_facts(Arena *arena, Str out, const SettleLine *line, SettleFactVec *ret_facts,
                            Error *err)
{
    Str text;
    ErrorCode code = read_detail(arena, out, line->detail, &text, err);
    if (code != ERR_OK)
        return code;
    Arena *scratch = arena_create(0);
    DetailWalk walk = {.arena = scratch, .mark = arena_mark(scratch), .rest = text};
    *ret_facts = (SettleFactVec){0};
    while (detail_next(&walk)) {
        if (!row_is_in_line(&walk, line))
            continue;
        SettleFact fact = {.person = str_copy(arena, json_find_text(walk.value, S("person"))),
                           .first_period = str_copy(arena, json_find_text(walk.value, S("from"))),
                           .last_period = str_copy(arena, json_find_text(walk.value, S("to"))),
                           .json = walk.row};
        VEC_PUSH(arena, ret_facts, fact);
    }
    arena_destroy(scratch);
    return ERR_OK;
}

/* --- the whole run --- */

typedef struct {
    const SettleResult *result;
    Str out;
    DiagList *diags;
    Arena *arena;
    int64_t *persons; /* by line, from the detail files */
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

/* Adds a row to every line that it is behind. */
static void add_row(Checker *checker, const DetailWalk *walk)
{
    const SettleResult *result = checker->result;
    uint64_t first;
    if (!map_find(&checker->by_bucket, bucket_key(walk->arena, walk->clause, walk->practice),
                  &first))
        return;
    for (size_t i = (size_t)first; i < result->line_count; i++) {
        if (!is_same_bucket(&result->lines[i], &result->lines[first]))
            break;
        checker->persons[i] += row_is_in_line(walk, &result->lines[i]);
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
        Arena *rows = arena_create(0);
        Str text;
        ErrorCode code = read_detail(scratch, checker->out, files.entries[i].key, &text, err);
        DetailWalk walk = {.arena = rows, .mark = arena_mark(rows), .rest = text};
        while (code == ERR_OK && detail_next(&walk))
            add_row(checker, &walk);
        arena_destroy(rows);
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
    if (total != result->total_minor)
        diag_add(checker->diags, &(Diag){.severity = SEVERITY_ERROR,
                                         .rule = S("settle-sums"),
                                         .text = S("the total is not the sum of the lines")});
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
