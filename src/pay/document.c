/* Issuing documents, and deciding about them. */
#include <stdlib.h>

#include "pay/pay_int.h"

/* --- issuing --- */

/* What an account's entries of a month come to that are in no document. */
typedef struct {
    int32_t month;
    EntryId first; /* the last that was in one */
    EntryId last;
    int64_t owed; /* to the party */
} Open;

typedef struct {
    PayBooks *books;
    const PayActor *actor;
    int32_t through_month;
    PayIssued issued;
    Vec(Open) open; /* of one account */
} Issuer;

static Open *open_of(Issuer *issuer, Str account, int32_t month)
{
    VEC_FOREACH (Open, open, &issuer->open)
        if (open->month == month)
            return open;
    Str key = str_format(issuer->books->arena, "%d %.*s", month, STR_ARG(account));
    uint64_t covered = 0;
    (void)map_find(&issuer->books->covered, key, &covered);
    VEC_PUSH(issuer->books->arena, &issuer->open,
             (Open){.month = month, .first = (EntryId)covered, .last = (EntryId)covered});
    return &issuer->open.items[issuer->open.count - 1];
}

static ErrorCode gather(Issuer *issuer, AccountId account, Str code_text, Error *err)
{
    LedgerCursor *cursor = NULL;
    StatementRow row;
    bool fits = true;
    issuer->open.count = 0;
    ErrorCode code = ledger_statement(issuer->books->ledger, account, &cursor, err);
    if (code != ERR_OK)
        return code;
    while (ledger_next_statement_row(cursor, &row)) {
        bool is_late = issuer->through_month != 0 && row.month > issuer->through_month;
        if (is_late || str_starts_with(row.key, S("pay/")))
            continue;
        Open *open = open_of(issuer, code_text, row.month);
        if (row.entry <= open->first)
            continue;
        open->last = row.entry;
        fits = fits && !__builtin_sub_overflow(open->owed, row.minor, &open->owed);
    }
    code = ledger_cursor_finish(cursor, err);
    if (code == ERR_OK && !fits)
        code =
            error_set(err, ERR_OVERFLOW, "account %.*s: too large to add up", STR_ARG(code_text));
    return code;
}

static Str next_number(PayBooks *books, PayKind kind)
{
    return str_format(books->arena, "%s-%06zu", pay_prefixes[kind], ++books->counts[kind]);
}

static ErrorCode issue_one(Issuer *issuer, Str account, const Open *open, Error *err)
{
    PayBooks *books = issuer->books;
    PayKind kind = open->owed > 0 ? PAY_INVOICE : PAY_CREDIT_NOTE;
    if (open->owed == 0)
        return ERR_OK;
    if (open->owed > 0) {
        issuer->issued.invoices++;
        issuer->issued.invoiced_minor += open->owed;
    } else {
        issuer->issued.credit_notes++;
        issuer->issued.credited_minor += open->owed;
    }
    LedgerAct act = {.kind = S("document"),
                     .subject = next_number(books, kind),
                     .account = account,
                     .role = str_from_c(pay_kind_text(kind)),
                     .minor = open->owed,
                     .entry = open->last,
                     .text =
                         str_format(books->arena, "%lld %d", (long long)open->first, open->month)};
    return pay_add_act(books, issuer->actor, act, err);
}

static int compare_open(const void *a, const void *b)
{
    const Open *left = a;
    const Open *right = b;
    return (left->month > right->month) - (left->month < right->month);
}

static ErrorCode issue_account(Issuer *issuer, Str code_text, Error *err)
{
    AccountId account = ledger_find_account(issuer->books->ledger, code_text);
    ErrorCode code = gather(issuer, account, code_text, err);
    if (issuer->open.count > 0)
        qsort(issuer->open.items, issuer->open.count, sizeof(Open), compare_open);
    for (size_t i = 0; code == ERR_OK && i < issuer->open.count; i++)
        code = issue_one(issuer, code_text, &issuer->open.items[i], err);
    return code;
}

/* Codes of the accounts of that kind, in order. */
static size_t accounts_of(const PayBooks *books, Str prefix, Str **ret_codes)
{
    size_t all = ledger_account_count(books->ledger);
    Str *codes = ARENA_ARRAY(books->arena, Str, all + 1);
    size_t count = 0;
    for (AccountId id = 1; id <= all; id++) {
        Str code = ledger_account(books->ledger, id).code;
        if (str_starts_with(code, prefix))
            codes[count++] = str_copy(books->arena, code);
    }
    qsort(codes, count, sizeof(Str), str_compare_items);
    *ret_codes = codes;
    return count;
}

ErrorCode pay_issue(PayBooks *books, const PayActor *actor, int32_t through_month,
                    PayIssued *ret_issued, Error *err)
{
    Issuer issuer = {.books = books, .actor = actor, .through_month = through_month};
    Str *codes;
    ErrorCode code = ledger_begin(books->ledger, err);
    if (code != ERR_OK)
        return code;
    size_t count = accounts_of(books, S("payable:"), &codes);
    for (size_t i = 0; code == ERR_OK && i < count; i++)
        code = issue_account(&issuer, codes[i], err);
    code = pay_end_batch(books->ledger, code, err);
    if (code == ERR_OK)
        *ret_issued = issuer.issued;
    return code;
}

ErrorCode pay_advance(PayBooks *books, const PayActor *actor, const PayOnAccount *advance,
                      Str *ret_number, Error *err)
{
    if (advance->minor <= 0)
        return error_set(err, ERR_REFUSED, "an advance is of more than nothing");
    Str account = str_format(books->arena, "payable:%.*s", STR_ARG(advance->party));
    if (ledger_find_account(books->ledger, account) == 0)
        return error_set(err, ERR_NOT_FOUND, "no account %.*s", STR_ARG(account));
    Str number = next_number(books, PAY_ADVANCE);
    LedgerAct act = {.kind = S("document"),
                     .subject = number,
                     .account = account,
                     .role = str_from_c(pay_kind_text(PAY_ADVANCE)),
                     .minor = advance->minor,
                     .text = str_format(books->arena, "0 %d %.*s", ledger_month_of_day(actor->day),
                                        STR_ARG(advance->reason))};
    ErrorCode code = pay_add_act(books, actor, act, err);
    if (code == ERR_OK)
        *ret_number = number;
    return code;
}

/* --- deciding --- */

static ErrorCode need_document(const PayBooks *books, Str number, const PayDocument **ret_document,
                               Error *err)
{
    *ret_document = pay_find(books, number);
    return *ret_document != NULL
               ? ERR_OK
               : error_set(err, ERR_NOT_FOUND, "no document %.*s", STR_ARG(number));
}

ErrorCode pay_approve(PayBooks *books, const PayActor *actor, Str number, Str role, Error *err)
{
    const PayDocument *document;
    bool is_role = false;
    ErrorCode code = need_document(books, number, &document, err);
    if (code != ERR_OK)
        return code;
    VEC_FOREACH (Str, known, &books->rules.roles)
        is_role = is_role || str_eq(*known, role);
    if (!is_role)
        return error_set(err, ERR_REFUSED, "\"%.*s\" is no role that approves", STR_ARG(role));
    if (document->settled == document->minor)
        return error_set(err, ERR_REFUSED, "%.*s is settled", STR_ARG(number));
    VEC_FOREACH (PayApproval, approval, &document->approvals) {
        if (str_eq(approval->role, role))
            return error_set(err, ERR_REFUSED, "%.*s: approved by %.*s as %.*s already",
                             STR_ARG(number), STR_ARG(approval->person), STR_ARG(role));
        if (str_eq(approval->person, actor->person))
            return error_set(err, ERR_REFUSED,
                             "%.*s: %.*s approved it as %.*s, and the roles are of two persons",
                             STR_ARG(number), STR_ARG(actor->person), STR_ARG(approval->role));
    }
    LedgerAct act = {.kind = S("approve"), .subject = number, .role = role};
    return pay_add_act(books, actor, act, err);
}

ErrorCode pay_stop(PayBooks *books, const PayActor *actor, PayStop stop, Str subject, Str reason,
                   Error *err)
{
    static const char *const roles[] = {"hold", "dispute", "release"};
    Str account = str_format(books->arena, "payable:%.*s", STR_ARG(subject));
    bool is_account = ledger_find_account(books->ledger, account) != 0;
    if (pay_find(books, subject) == NULL && !is_account)
        return error_set(err, ERR_NOT_FOUND, "%.*s: no document and no party", STR_ARG(subject));
    if (reason.len == 0)
        return error_set(err, ERR_REFUSED, "%.*s: it needs a reason", STR_ARG(subject));
    LedgerAct act = {.kind = S("stop"),
                     .subject = pay_find(books, subject) != NULL ? subject : account,
                     .role = str_from_c(roles[stop]),
                     .text = reason};
    return pay_add_act(books, actor, act, err);
}

static bool roles_are_named(Str value)
{
    Str rest = value;
    Str role;
    size_t count = 0;
    while (str_split_next(&rest, ',', &role)) {
        Str before = str_slice(value, 0, (size_t)(role.ptr - value.ptr));
        Str earlier;
        while (str_split_next(&before, ',', &earlier))
            if (str_eq(earlier, role) && role.len > 0)
                return false;
        if (role.len == 0 || !str_eq(role, str_trim(role)))
            return false;
        count++;
    }
    return count >= 2;
}

ErrorCode pay_set_rule(PayBooks *books, const PayActor *actor, Str name, Str value, Error *err)
{
    LedgerAct act = {.kind = S("rule"), .subject = name, .text = value};
    if (str_eq(name, S("roles"))) {
        if (!roles_are_named(value))
            return error_set(err, ERR_REFUSED,
                             "roles: two or more different names with commas between them");
    } else if (str_eq(name, S("least"))) {
        if (!money_parse(value, ledger_currency(books->ledger), &act.minor) || act.minor < 0)
            return error_set(err, ERR_REFUSED, "least: an amount such as 5.00");
    } else if (str_eq(name, S("recoupment"))) {
        if (!str_to_int64(value, &act.minor) || act.minor < 0 || act.minor > 100)
            return error_set(err, ERR_REFUSED, "recoupment: a whole percentage, 0 to 100");
    } else {
        return error_set(err, ERR_REFUSED, "\"%.*s\": no rule; there are roles, least, recoupment",
                         STR_ARG(name));
    }
    return pay_add_act(books, actor, act, err);
}
