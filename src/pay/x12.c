/*
 * X12 005010: 835 (health care claim payment) and 820 (premium payment).
 *
 * Each payment is an interchange of its own, with the payment's number as control number. In an
 * 835 a document is a claim: BPR02 = sum of CLP04 - sum of PLB amounts, where PLB has what was
 * netted (WO) and advanced (AP). In an 820 it is a remittance: BPR02 = sum of RMR04 + sum of ADX01.
 */
#include "pay/pay_int.h"

typedef struct {
    const PayExport *what;
    StrBuf *out;
    Arena *arena;
    const PayParty *payer;
    const PayParty *payee;
    const PayPayment *payment;
    size_t number; /* of the payment in the books */
    Str control;   /* nine digits */
    Str day;       /* 20201231 */
    size_t segments;
} Set;

/* "a*b" without what would be read as another element; what is missing at the end is cut. */
static void segment(Set *set, const Str *elements, size_t count)
{
    while (count > 0 && elements[count - 1].len == 0)
        count--;
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            strbuf_add_char(set->out, '*');
        strbuf_add(set->out, elements[i]);
    }
    strbuf_add_c(set->out, "~\n");
    set->segments++;
}

#define SEGMENT(set, ...)                                                                          \
    segment((set), (const Str[]){__VA_ARGS__}, COUNT_OF(((const Str[]){__VA_ARGS__})))

static Str amount(const Set *set, int64_t minor)
{
    Currency currency = ledger_currency(set->what->books->ledger);
    return money_format(set->arena, minor, currency, false);
}

static Str compact(const Set *set, int32_t day)
{
    Str text = day_format(set->arena, day);
    return str_format(set->arena, "%.*s%.*s%.*s", 4, text.ptr, 2, text.ptr + 5, 2, text.ptr + 8);
}

/* --- what is needed --- */

static bool is_carried(Str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c < 0x20 || c >= 0x7F || c == '*' || c == '~' || c == ':' || c == '^')
            return false;
    }
    return true;
}

static void complain(const PayExport *what, const PayParty *party, Str name, const char *text)
{
    diag_addf(what->diags,
              (Diag){.severity = SEVERITY_ERROR,
                     .rule = S("pay-party"),
                     .file = what->file,
                     .line = party == NULL ? 0 : party->line},
              "party %.*s: %s", STR_ARG(name), text);
}

static const PayParty *need_party(const PayExport *what, Str name)
{
    const PayParty *found = NULL;
    VEC_FOREACH (PayParty, party, what->parties)
        if (str_eq(party->account, name))
            found = party;
    if (found == NULL) {
        complain(what, NULL, name, "it has no row");
        return NULL;
    }
    const Str texts[] = {found->name,  found->street,   found->city,
                         found->state, found->postcode, found->account_number};
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        if (!is_carried(texts[i]))
            complain(what, found, name, "X12 cannot carry a text of it: ASCII without * ~ : ^");
    if (found->name.len > 60)
        complain(what, found, name, "a name of X12 has 60 characters at most");
    if (found->routing.len == 0 || found->account_number.len == 0)
        complain(what, found, name, "it needs routing and account_number");
    if (found->tax_id.len == 0)
        complain(what, found, name, "it needs tax_id");
    if (found->street.len == 0 || found->city.len == 0 || found->state.len == 0 ||
        found->postcode.len == 0)
        complain(what, found, name, "it needs street, city, state and postcode");
    return found;
}

/* --- segments of both --- */

static Str padded(const Set *set, Str text)
{
    return str_format(set->arena, "%-15.*s", STR_ARG(str_slice(text, 0, 15)));
}

static void open_set(Set *set, const char *function, const char *version, const char *kind)
{
    Str made = set->what->made_at;
    Str made_day =
        str_format(set->arena, "%.*s%.*s%.*s", 4, made.ptr, 2, made.ptr + 5, 2, made.ptr + 8);
    Str made_time = str_format(set->arena, "%.*s%.*s", 2, made.ptr + 11, 2, made.ptr + 14);
    Str ten = S("          ");
    Str from = set->payer->tax_id;
    Str to = set->payee->tax_id;
    SEGMENT(set, S("ISA"), S("00"), ten, S("00"), ten, S("ZZ"), padded(set, from), S("ZZ"),
            padded(set, to), str_slice(made_day, 2, 6), made_time, S("^"), S("00501"), set->control,
            S("0"), S("P"), S(":"));
    SEGMENT(set, S("GS"), str_from_c(function), from, to, made_day, made_time, set->control, S("X"),
            str_from_c(version));
    set->segments = 0;
    bool is_820 = str_eq(str_from_c(kind), S("820"));
    SEGMENT(set, S("ST"), str_from_c(kind), S("0001"), is_820 ? str_from_c(version) : S(""));
    SEGMENT(set, S("BPR"), S("I"), amount(set, set->payment->minor), S("C"), S("ACH"), S("CCP"),
            S("01"), set->payer->routing, S("DA"), set->payer->account_number,
            str_format(set->arena, "1%.*s", STR_ARG(from)), S(""), S("01"), set->payee->routing,
            S("DA"), set->payee->account_number, set->day);
    SEGMENT(set, S("TRN"), is_820 ? S("3") : S("1"), set->payment->number,
            str_format(set->arena, "1%.*s", STR_ARG(from)));
}

static void close_set(Set *set)
{
    SEGMENT(set, S("SE"), str_format(set->arena, "%zu", set->segments + 1), S("0001"));
    SEGMENT(set, S("GE"), S("1"), set->control);
    SEGMENT(set, S("IEA"), S("1"), set->control);
}

static void put_address(Set *set, const PayParty *party)
{
    SEGMENT(set, S("N3"), party->street);
    SEGMENT(set, S("N4"), party->city, party->state, party->postcode);
}

static void month_days(int32_t month, int32_t *ret_first, int32_t *ret_last)
{
    *ret_first = day_from_date(month / 100, month % 100, 1);
    *ret_last = day_add_months(*ret_first, 1) - 1;
}

/* What the payment took back of advances and receivables. */
static int64_t netted(const Set *set)
{
    int64_t settled = 0;
    VEC_FOREACH (PaySettlement, settlement, &set->what->books->settlements)
        if (settlement->payment == set->number)
            settled += settlement->minor;
    return settled - set->payment->minor;
}

/* --- 835 --- */

static void put_claim(Set *set, const PayDocument *document, int64_t minor)
{
    int32_t first;
    int32_t last;
    Str paid = amount(set, minor);
    month_days(document->month, &first, &last);
    SEGMENT(set, S("CLP"), document->number, minor < 0 ? S("22") : S("1"), paid, paid, S(""),
            S("12"), document->number);
    /* No person is billed: the payment is for a population. */
    SEGMENT(set, S("NM1"), S("QC"), S("1"), S("POPULATION"));
    SEGMENT(set, S("DTM"), S("232"), compact(set, first));
    SEGMENT(set, S("DTM"), S("233"), compact(set, last));
}

static void put_adjustments(Set *set)
{
    const PayBooks *books = set->what->books;
    Str payee = set->payee->npi.len > 0 ? set->payee->npi : set->payee->tax_id;
    Str year_end = str_format(set->arena, "%.*s1231", 4, set->day.ptr);
    int64_t taken = netted(set);
    if (taken != 0)
        SEGMENT(set, S("PLB"), payee, year_end,
                str_format(set->arena, "WO:%.*s", STR_ARG(set->payment->number)),
                amount(set, taken));
    VEC_FOREACH (PaySettlement, settlement, &books->settlements) {
        const PayDocument *document = &books->documents.items[settlement->document];
        if (settlement->payment == set->number && document->kind == PAY_ADVANCE)
            SEGMENT(set, S("PLB"), payee, year_end,
                    str_format(set->arena, "AP:%.*s", STR_ARG(document->number)),
                    amount(set, -settlement->minor));
    }
}

static void put_835(Set *set)
{
    const PayBooks *books = set->what->books;
    open_set(set, "HP", "005010X221A1", "835");
    SEGMENT(set, S("DTM"), S("405"), set->day);
    SEGMENT(set, S("N1"), S("PR"), set->payer->name);
    put_address(set, set->payer);
    SEGMENT(set, S("PER"), S("BL"), set->payer->name);
    if (set->payee->npi.len > 0)
        SEGMENT(set, S("N1"), S("PE"), set->payee->name, S("XX"), set->payee->npi);
    else
        SEGMENT(set, S("N1"), S("PE"), set->payee->name, S("FI"), set->payee->tax_id);
    put_address(set, set->payee);
    if (set->payee->npi.len > 0)
        SEGMENT(set, S("REF"), S("TJ"), set->payee->tax_id);
    SEGMENT(set, S("LX"), S("1"));
    VEC_FOREACH (PaySettlement, settlement, &books->settlements) {
        const PayDocument *document = &books->documents.items[settlement->document];
        if (settlement->payment == set->number && document->kind != PAY_ADVANCE)
            put_claim(set, document, settlement->minor);
    }
    put_adjustments(set);
    close_set(set);
}

/* --- 820 --- */

static void put_820(Set *set)
{
    const PayBooks *books = set->what->books;
    open_set(set, "RA", "005010X218", "820");
    SEGMENT(set, S("N1"), S("PE"), set->payee->name, S("FI"), set->payee->tax_id);
    put_address(set, set->payee);
    SEGMENT(set, S("N1"), S("PR"), set->payer->name, S("FI"), set->payer->tax_id);
    put_address(set, set->payer);
    SEGMENT(set, S("ENT"), S("1"));
    VEC_FOREACH (PaySettlement, settlement, &books->settlements) {
        const PayDocument *document = &books->documents.items[settlement->document];
        int32_t first;
        int32_t last;
        if (settlement->payment != set->number)
            continue;
        month_days(document->month, &first, &last);
        SEGMENT(set, S("RMR"), S("IK"), document->number, S(""), amount(set, settlement->minor),
                amount(set, document->minor));
        SEGMENT(set, S("DTM"), S("582"), S(""), S(""), S(""), S("RD8"),
                str_format(set->arena, "%.*s-%.*s", STR_ARG(compact(set, first)),
                           STR_ARG(compact(set, last))));
    }
    if (netted(set) != 0)
        SEGMENT(set, S("ADX"), amount(set, -netted(set)), S("52"));
    close_set(set);
}

/* --- both --- */

static ErrorCode write_all(const PayExport *what, StrBuf *out, void (*put)(Set *), Error *err)
{
    CLEANUP(arena_cleanup) Arena *arena = arena_create(0);
    size_t errors = what->diags->counts[SEVERITY_ERROR];
    size_t count = 0;
    int32_t day;
    if (what->made_at.len < 16 || !day_parse(str_slice(what->made_at, 0, 10), &day))
        return error_set(err, ERR_USAGE, "\"%.*s\" is no time such as 2026-01-31T12:34:56Z",
                         STR_ARG(what->made_at));
    const PayParty *payer = need_party(what, S("payer"));
    for (size_t i = 0; i < what->books->payments.count; i++) {
        const PayPayment *payment = &what->books->payments.items[i];
        if (!str_eq(payment->run, what->run) || payment->minor == 0)
            continue;
        const PayParty *payee = need_party(what, pay_party(payment->account));
        count++;
        if (payer == NULL || payee == NULL || what->diags->counts[SEVERITY_ERROR] != errors)
            continue; /* all that is missing is told before nothing is written */
        Set set = {.what = what,
                   .out = out,
                   .arena = arena,
                   .payer = payer,
                   .payee = payee,
                   .payment = payment,
                   .number = i,
                   .control = str_format(arena, "%09zu", i + 1)};
        set.day = compact(&set, payment->day);
        put(&set);
    }
    if (count == 0)
        diag_addf(what->diags, (Diag){.severity = SEVERITY_ERROR, .rule = S("pay-run")},
                  "the run \"%.*s\" has no payments", STR_ARG(what->run));
    if (what->diags->counts[SEVERITY_ERROR] != errors)
        return diag_to_error(what->diags, err);
    return out->overflowed ? error_set(err, ERR_LIMIT, "the file would be too long") : ERR_OK;
}

ErrorCode pay_write_835(const PayExport *what, StrBuf *out, Error *err)
{
    return write_all(what, out, put_835, err);
}

ErrorCode pay_write_820(const PayExport *what, StrBuf *out, Error *err)
{
    return write_all(what, out, put_820, err);
}
