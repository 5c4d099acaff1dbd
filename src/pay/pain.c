/* ISO 20022 pain.001.001.09: customer credit transfer initiation. */
#include "base/xml.h"
#include "pay/pay_int.h"

static const PayParty *find_party(const PayExport *what, Str name)
{
    VEC_FOREACH (PayParty, party, what->parties)
        if (str_eq(party->account, name))
            return party;
    return NULL;
}

typedef struct {
    const PayExport *what;
    Arena *arena;
    const PayParty *payer;
    size_t count;
    int64_t total;
} Transfer;

static void complain(const PayExport *what, const PayParty *party, Str name, const char *text)
{
    diag_addf(what->diags,
              (Diag){.severity = SEVERITY_ERROR,
                     .rule = S("pay-party"),
                     .file = what->file,
                     .line = party == NULL ? 0 : party->line},
              "party %.*s: %s", STR_ARG(name), text);
}

static bool has_account(const PayParty *party)
{
    return party->iban.len > 0 || party->account_number.len > 0;
}

/* Counts and sums the payments, and finds what is missing of their parties. */
static bool prepare(Transfer *transfer)
{
    const PayExport *what = transfer->what;
    size_t errors = what->diags->counts[SEVERITY_ERROR];
    transfer->payer = find_party(what, S("payer"));
    if (transfer->payer == NULL || !has_account(transfer->payer))
        complain(what, transfer->payer, S("payer"),
                 "it needs a row with an iban or account_number");
    VEC_FOREACH (PayPayment, payment, &what->books->payments) {
        if (!str_eq(payment->run, what->run) || payment->minor == 0)
            continue;
        Str name = pay_party(payment->account);
        const PayParty *party = find_party(what, name);
        if (party == NULL || !has_account(party))
            complain(what, party, name, "it needs a row with an iban or account_number");
        transfer->count++;
        transfer->total += payment->minor; /* was in range when the run added it up */
    }
    if (transfer->count == 0)
        diag_addf(what->diags, (Diag){.severity = SEVERITY_ERROR, .rule = S("pay-run")},
                  "the run \"%.*s\" has no payments", STR_ARG(what->run));
    return what->diags->counts[SEVERITY_ERROR] == errors;
}

static void put_account(XmlWriter *xml, const char *name, const PayParty *party)
{
    xml_begin(xml, name);
    xml_begin(xml, "Id");
    if (party->iban.len > 0) {
        xml_put(xml, "IBAN", party->iban);
    } else {
        xml_begin(xml, "Othr");
        xml_put(xml, "Id", party->account_number);
        xml_end(xml);
    }
    xml_end(xml);
    xml_end(xml);
}

static void put_agent(XmlWriter *xml, const char *name, const PayParty *party, bool is_needed)
{
    if (!is_needed && party->bic.len == 0 && party->routing.len == 0)
        return;
    xml_begin(xml, name);
    xml_begin(xml, "FinInstnId");
    if (party->bic.len > 0) {
        xml_put(xml, "BICFI", party->bic);
    } else if (party->routing.len > 0) {
        xml_begin(xml, "ClrSysMmbId");
        xml_begin(xml, "ClrSysId");
        xml_put(xml, "Cd", S("USABA"));
        xml_end(xml);
        xml_put(xml, "MmbId", party->routing);
        xml_end(xml);
    } else {
        xml_begin(xml, "Othr");
        xml_put(xml, "Id", S("NOTPROVIDED"));
        xml_end(xml);
    }
    xml_end(xml);
    xml_end(xml);
}

/* "INV-000001 INV-000002", cut at 140 characters (Max140Text). */
static Str remittance(const Transfer *transfer, size_t payment)
{
    enum { MAX_TEXT = 140 };
    const PayBooks *books = transfer->what->books;
    StrBuf out;
    strbuf_init(&out, transfer->arena, 0);
    VEC_FOREACH (PaySettlement, settlement, &books->settlements) {
        const PayDocument *document = &books->documents.items[settlement->document];
        if (settlement->payment != payment)
            continue;
        if (out.len + document->number.len + 5 > MAX_TEXT) {
            strbuf_add_c(&out, " ...");
            break;
        }
        if (out.len > 0)
            strbuf_add_char(&out, ' ');
        strbuf_add(&out, document->number);
    }
    return strbuf_str(&out);
}

static void put_payment(XmlWriter *xml, const Transfer *transfer, size_t number)
{
    const PayExport *what = transfer->what;
    const PayPayment *payment = &what->books->payments.items[number];
    const PayParty *party = find_party(what, pay_party(payment->account));
    Currency currency = ledger_currency(what->books->ledger);
    xml_begin(xml, "CdtTrfTxInf");
    xml_begin(xml, "PmtId");
    xml_put(xml, "EndToEndId", payment->number);
    xml_end(xml);
    xml_begin(xml, "Amt");
    xml_begin(xml, "InstdAmt");
    xml_put_attribute(xml, "Ccy", str_from_c(currency.code));
    xml_end_text(xml, money_format(transfer->arena, payment->minor, currency, false));
    xml_end(xml);
    put_agent(xml, "CdtrAgt", party, false);
    xml_begin(xml, "Cdtr");
    xml_put(xml, "Nm", party->name);
    xml_end(xml);
    put_account(xml, "CdtrAcct", party);
    xml_begin(xml, "RmtInf");
    xml_put(xml, "Ustrd", remittance(transfer, number));
    xml_end(xml);
    xml_end(xml);
}

static void put_sums(XmlWriter *xml, const Transfer *transfer)
{
    Currency currency = ledger_currency(transfer->what->books->ledger);
    xml_put(xml, "NbOfTxs", str_format(transfer->arena, "%zu", transfer->count));
    xml_put(xml, "CtrlSum", money_format(transfer->arena, transfer->total, currency, false));
}

static void put_all(XmlWriter *xml, const Transfer *transfer)
{
    const PayExport *what = transfer->what;
    bool has_begun = false;
    xml_begin(xml, "Document");
    xml_put_attribute(xml, "xmlns", S("urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"));
    xml_begin(xml, "CstmrCdtTrfInitn");
    xml_begin(xml, "GrpHdr");
    xml_put(xml, "MsgId", what->run);
    xml_put(xml, "CreDtTm", what->made_at);
    put_sums(xml, transfer);
    xml_begin(xml, "InitgPty");
    xml_put(xml, "Nm", transfer->payer->name);
    xml_end(xml);
    xml_end(xml);
    for (size_t i = 0; i < what->books->payments.count; i++) {
        const PayPayment *payment = &what->books->payments.items[i];
        if (!str_eq(payment->run, what->run) || payment->minor == 0)
            continue;
        if (!has_begun) {
            xml_begin(xml, "PmtInf");
            xml_put(xml, "PmtInfId", what->run);
            xml_put(xml, "PmtMtd", S("TRF"));
            put_sums(xml, transfer);
            xml_begin(xml, "ReqdExctnDt");
            xml_put(xml, "Dt", day_format(transfer->arena, payment->day));
            xml_end(xml);
            xml_begin(xml, "Dbtr");
            xml_put(xml, "Nm", transfer->payer->name);
            xml_end(xml);
            put_account(xml, "DbtrAcct", transfer->payer);
            put_agent(xml, "DbtrAgt", transfer->payer, true);
            has_begun = true;
        }
        put_payment(xml, transfer, i);
    }
    for (size_t i = 0; i < 3; i++)
        xml_end(xml);
}

ErrorCode pay_write_pain001(const PayExport *what, StrBuf *out, Error *err)
{
    CLEANUP(arena_cleanup) Arena *arena = arena_create(0);
    Transfer transfer = {.what = what, .arena = arena};
    XmlWriter xml;
    if (!prepare(&transfer))
        return diag_to_error(what->diags, err);
    xml_writer_init(&xml, out);
    put_all(&xml, &transfer);
    return out->overflowed ? error_set(err, ERR_LIMIT, "the file would be too long") : ERR_OK;
}
