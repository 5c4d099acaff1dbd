/* What the acts come to: documents, approvals, payments. */
#include "pay/pay_int.h"

const char *const pay_prefixes[PAY_KIND_COUNT] = {"INV", "CRN", "ADV"};

const char *pay_kind_text(PayKind kind)
{
    static const char *const texts[PAY_KIND_COUNT] = {"invoice", "credit note", "advance"};
    ASSERT(kind < PAY_KIND_COUNT);
    return texts[kind];
}

Str pay_party(Str account)
{
    size_t colon = str_find_char(account, ':');
    return colon == SIZE_MAX ? account : str_slice(account, colon + 1, SIZE_MAX);
}

Str pay_sister(Arena *arena, Str account, const char *kind)
{
    return str_format(arena, "%s:%.*s", kind, STR_ARG(pay_party(account)));
}

int64_t pay_balance(const Ledger *ledger, Str code)
{
    AccountId id = ledger_find_account(ledger, code);
    return id == 0 ? 0 : ledger_account(ledger, id).balance;
}

Str pay_month_text(Arena *arena, int32_t month)
{
    return str_format(arena, "%04d-%02d", month / 100, month % 100);
}

Str pay_amount(const PayBooks *books, int64_t minor)
{
    return money_format(books->arena, minor, ledger_currency(books->ledger), true);
}

ErrorCode pay_end_batch(Ledger *ledger, ErrorCode code, Error *err)
{
    if (code == ERR_OK)
        return ledger_commit(ledger, err);
    ledger_rollback(ledger);
    return code;
}

ErrorCode pay_open_month(Ledger *ledger, int32_t month, Error *err)
{
    if (ledger_period(ledger, month) != PERIOD_NEVER_OPENED)
        return ERR_OK;
    return ledger_open_period(ledger, month, err);
}

ErrorCode pay_add_act(PayBooks *books, const PayActor *actor, LedgerAct act, Error *err)
{
    act.person = actor->person;
    act.day = actor->day;
    return ledger_add_act(books->ledger, &act, NULL, err);
}

/* --- folding --- */

static ErrorCode wrong(const LedgerAct *act, const char *what, Error *err)
{
    return error_set(err, ERR_DAMAGED, "act %lld of the ledger: %s", (long long)act->id, what);
}

/* "42 202001 what for" */
static bool read_span(const LedgerAct *act, PayDocument *document)
{
    Str rest = act->text;
    Str first;
    Str month;
    int64_t number;
    if (!str_split_next(&rest, ' ', &first) || !str_split_next(&rest, ' ', &month) ||
        !str_to_int64(first, &document->first) || !str_to_int64(month, &number) || number < 101 ||
        number > 999912)
        return false;
    document->month = (int32_t)number;
    document->text = rest.ptr == NULL ? S("") : rest;
    return true;
}

static Str cover_key(Arena *arena, Str account, int32_t month)
{
    return str_format(arena, "%d %.*s", month, STR_ARG(account));
}

static ErrorCode fold_document(PayBooks *books, const LedgerAct *act, Error *err)
{
    PayDocument document = {.number = str_copy(books->arena, act->subject),
                            .account = str_copy(books->arena, act->account),
                            .day = act->day,
                            .minor = act->minor,
                            .last = act->entry};
    while (document.kind < PAY_KIND_COUNT &&
           !str_eq(act->role, str_from_c(pay_kind_text(document.kind))))
        document.kind++;
    if (document.kind == PAY_KIND_COUNT || !read_span(act, &document))
        return wrong(act, "a document that makes no sense", err);
    document.text = str_copy(books->arena, document.text);
    bool is_new;
    (void)map_intern(&books->by_number, document.number, books->documents.count, &is_new);
    if (!is_new)
        return wrong(act, "a document's number twice", err);
    if (document.kind != PAY_ADVANCE)
        map_put(&books->covered, cover_key(books->arena, document.account, document.month),
                (uint64_t)document.last);
    books->counts[document.kind]++;
    VEC_PUSH(books->arena, &books->documents, document);
    return ERR_OK;
}

static PayDocument *find_document(const PayBooks *books, Str number)
{
    uint64_t index;
    if (!map_find(&books->by_number, number, &index))
        return NULL;
    return &books->documents.items[index];
}

static ErrorCode fold_approval(PayBooks *books, const LedgerAct *act, Error *err)
{
    PayDocument *document = find_document(books, act->subject);
    if (document == NULL)
        return wrong(act, "approves what is not there", err);
    PayApproval approval = {.person = str_copy(books->arena, act->person),
                            .role = str_copy(books->arena, act->role),
                            .day = act->day};
    VEC_PUSH(books->arena, &document->approvals, approval);
    return ERR_OK;
}

static void fold_stop(PayBooks *books, const LedgerAct *act)
{
    uint64_t number = 0;
    if (!str_eq(act->role, S("release"))) {
        VEC_PUSH(books->arena, &books->stop_texts,
                 str_format(books->arena, "%s: %.*s",
                            str_eq(act->role, S("dispute")) ? "disputed" : "held",
                            STR_ARG(act->text)));
        number = books->stop_texts.count;
    }
    map_put(&books->stops, str_copy(books->arena, act->subject), number);
}

static ErrorCode fold_rule(PayBooks *books, const LedgerAct *act, Error *err)
{
    PayRules *rules = &books->rules;
    if (str_eq(act->subject, S("roles"))) {
        Str rest = str_copy(books->arena, act->text);
        Str role;
        rules->roles.count = 0;
        while (str_split_next(&rest, ',', &role))
            VEC_PUSH(books->arena, &rules->roles, role);
    } else if (str_eq(act->subject, S("least"))) {
        rules->least_minor = act->minor;
    } else if (str_eq(act->subject, S("recoupment"))) {
        rules->recoup_percent = act->minor;
    } else {
        return wrong(act, "a rule that is not known", err);
    }
    return ERR_OK;
}

static ErrorCode fold_payment(PayBooks *books, const LedgerAct *act)
{
    PayPayment payment = {.number = str_copy(books->arena, act->subject),
                          .run = str_copy(books->arena, act->text),
                          .account = str_copy(books->arena, act->account),
                          .day = act->day,
                          .minor = act->minor,
                          .entry = act->entry};
    map_put(&books->payment_by_number, payment.number, books->payments.count);
    VEC_PUSH(books->arena, &books->payments, payment);
    return ERR_OK;
}

static ErrorCode fold_settlement(PayBooks *books, const LedgerAct *act, Error *err)
{
    PayDocument *document = find_document(books, act->subject);
    uint64_t payment;
    if (document == NULL || !map_find(&books->payment_by_number, act->text, &payment))
        return wrong(act, "settles what is not there", err);
    document->settled += act->minor;
    VEC_PUSH(books->arena, &books->settlements,
             (PaySettlement){.document = (size_t)(document - books->documents.items),
                             .payment = (size_t)payment,
                             .minor = act->minor});
    return ERR_OK;
}

static ErrorCode fold(PayBooks *books, const LedgerAct *act, Error *err)
{
    if (str_eq(act->kind, S("document")))
        return fold_document(books, act, err);
    if (str_eq(act->kind, S("approve")))
        return fold_approval(books, act, err);
    if (str_eq(act->kind, S("rule")))
        return fold_rule(books, act, err);
    if (str_eq(act->kind, S("payment")))
        return fold_payment(books, act);
    if (str_eq(act->kind, S("settle")))
        return fold_settlement(books, act, err);
    if (str_eq(act->kind, S("stop")))
        fold_stop(books, act);
    if (str_eq(act->kind, S("run")))
        VEC_PUSH(books->arena, &books->runs, str_copy(books->arena, act->subject));
    return ERR_OK;
}

ErrorCode pay_read(Arena *arena, Ledger *ledger, PayBooks *ret_books, Error *err)
{
    PayBooks books = {.arena = arena, .ledger = ledger, .rules = {.recoup_percent = 100}};
    VEC_PUSH(arena, &books.rules.roles, S("contract"));
    VEC_PUSH(arena, &books.rules.roles, S("finance"));
    map_init(&books.by_number, arena);
    map_init(&books.payment_by_number, arena);
    map_init(&books.covered, arena);
    map_init(&books.stops, arena);
    LedgerCursor *cursor = NULL;
    LedgerAct act;
    ErrorCode code = ledger_acts(ledger, &cursor, err);
    if (code != ERR_OK)
        return code;
    while (code == ERR_OK && ledger_next_act(cursor, &act))
        code = fold(&books, &act, err);
    ErrorCode finished = ledger_cursor_finish(cursor, code == ERR_OK ? err : NULL);
    if (code == ERR_OK)
        code = finished;
    if (code == ERR_OK)
        *ret_books = books;
    return code;
}

/* --- asking --- */

const PayDocument *pay_find(const PayBooks *books, Str number)
{
    return find_document(books, number);
}

static Str stop_of(const PayBooks *books, Str subject)
{
    uint64_t number = 0;
    if (!map_find(&books->stops, subject, &number) || number == 0)
        return S("");
    return books->stop_texts.items[number - 1];
}

Str pay_stopped(const PayBooks *books, const PayDocument *document)
{
    Str stop = stop_of(books, document->number);
    return stop.len > 0 ? stop : stop_of(books, document->account);
}

static bool has_role(const PayDocument *document, Str role)
{
    VEC_FOREACH (PayApproval, approval, &document->approvals)
        if (str_eq(approval->role, role))
            return true;
    return false;
}

bool pay_is_approved(const PayBooks *books, const PayDocument *document)
{
    VEC_FOREACH (Str, role, &books->rules.roles)
        if (!has_role(document, *role))
            return false;
    return true;
}
