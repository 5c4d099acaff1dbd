/* ISO 20022 camt.053: what the bank says it did, held against the payments. */
#include "base/xml.h"
#include "pay/pay_int.h"

typedef struct {
    PayBooks *books;
    Arena *arena;
    Str file;
    DiagList *diags;
    bool *is_booked; /* by payment */
    PayReconciled result;
} Bank;

/* One movement: an entry of the statement, or a part of one. */
typedef struct {
    Str reference;
    int64_t minor;
    int32_t day;
    bool is_credit;
    uint32_t line;
} Movement;

static const XmlNode *within(const XmlNode *node, const char *path)
{
    Str rest = str_from_c(path);
    Str name;
    while (node != NULL && str_split_next(&rest, '/', &name))
        node = xml_first(node, name);
    return node;
}

static Str text_of(const XmlNode *node, const char *path)
{
    const XmlNode *found = within(node, path);
    return found == NULL ? S("") : str_trim(found->text);
}

static void complain(Bank *bank, const XmlNode *node, const char *what)
{
    diag_addf(bank->diags,
              (Diag){.severity = SEVERITY_ERROR,
                     .rule = S("bank-statement"),
                     .file = bank->file,
                     .line = node == NULL ? 0 : node->line},
              "%s", what);
}

/* The Amt element: an amount of the ledger's currency. */
static bool read_amount(Bank *bank, const XmlNode *node, int64_t *ret_minor)
{
    Currency currency = ledger_currency(bank->books->ledger);
    if (node == NULL)
        return false;
    if (!str_eq(xml_attribute(node, S("Ccy")), str_from_c(currency.code))) {
        complain(bank, node, "an amount that is not in the ledger's currency");
        return false;
    }
    if (!money_parse(str_trim(node->text), currency, ret_minor) || *ret_minor < 0) {
        complain(bank, node, "an amount that is none");
        return false;
    }
    return true;
}

static bool read_direction(Bank *bank, const XmlNode *node, bool *ret_is_credit)
{
    Str text = text_of(node, "CdtDbtInd");
    *ret_is_credit = str_eq(text, S("CRDT"));
    if (*ret_is_credit || str_eq(text, S("DBIT")))
        return true;
    complain(bank, node, "no CdtDbtInd of CRDT or DBIT");
    return false;
}

static void leave(Bank *bank, const Movement *movement, const char *why)
{
    PayBankRow row = {.reference = str_copy(bank->arena, movement->reference),
                      .minor = movement->is_credit ? -movement->minor : movement->minor,
                      .day = movement->day,
                      .text = str_from_c(why),
                      .line = movement->line};
    VEC_PUSH(bank->arena, &bank->result.unmatched, row);
}

/* From clearing:payments to the bank, once a payment. */
static ErrorCode book(Bank *bank, size_t number, const Movement *movement, Error *err)
{
    Ledger *ledger = bank->books->ledger;
    const PayPayment *payment = &bank->books->payments.items[number];
    AccountId clearing;
    AccountId cash;
    Posted posted;
    int32_t month = ledger_month_of_day(movement->day);
    ErrorCode code = ledger_add_account(ledger, S("clearing:payments"), ACCOUNT_ASSET,
                                        S("clearing:payments"), &clearing, err);
    if (code == ERR_OK)
        code =
            ledger_add_account(ledger, S("bank:cash"), ACCOUNT_ASSET, S("bank:cash"), &cash, err);
    if (code == ERR_OK)
        code = pay_open_month(ledger, month, err);
    if (code != ERR_OK)
        return code;
    LedgerLine lines[] = {{clearing, payment->minor}, {cash, -payment->minor}};
    LedgerEntry entry = {.key = str_format(bank->arena, "bank/%.*s", STR_ARG(payment->number)),
                         .day = movement->day,
                         .month = month,
                         .memo = str_format(bank->arena, "payment %.*s on the bank statement",
                                            STR_ARG(payment->number)),
                         .source = {.run = payment->run},
                         .lines = lines,
                         .line_count = COUNT_OF(lines)};
    code = ledger_post(ledger, &entry, &posted, err);
    if (code == ERR_OK) {
        bank->is_booked[number] = true;
        bank->result.matched++;
        bank->result.matched_minor += payment->minor;
    }
    return code;
}

static ErrorCode match(Bank *bank, const Movement *movement, Error *err)
{
    uint64_t number;
    if (movement->reference.len == 0 || str_eq(movement->reference, S("NOTPROVIDED"))) {
        leave(bank, movement, "no end-to-end id");
        return ERR_OK;
    }
    if (!map_find(&bank->books->payment_by_number, movement->reference, &number)) {
        leave(bank, movement, "no payment of this end-to-end id");
        return ERR_OK;
    }
    const PayPayment *payment = &bank->books->payments.items[number];
    if (movement->is_credit) {
        leave(bank, movement, "the bank gave it back");
        return ERR_OK;
    }
    if (movement->minor != payment->minor) {
        leave(bank, movement, "the payment is of another amount");
        return ERR_OK;
    }
    if (bank->is_booked[number]) {
        bank->result.known++;
        return ERR_OK;
    }
    return book(bank, number, movement, err);
}

static ErrorCode read_entry(Bank *bank, const XmlNode *entry, int64_t *sum, Error *err)
{
    Movement movement = {.line = entry->line};
    Str day = text_of(entry, "BookgDt/Dt");
    ErrorCode code = ERR_OK;
    int64_t parts = 0;
    size_t part_count = 0;
    int64_t whole;
    if (day.len == 0)
        day = str_slice(text_of(entry, "BookgDt/DtTm"), 0, 10);
    bool is_read = read_amount(bank, xml_first(entry, S("Amt")), &whole) &&
                   read_direction(bank, entry, &movement.is_credit);
    if (!is_read)
        return ERR_OK;
    Str status = text_of(entry, "Sts/Cd");
    if (status.len == 0)
        status = text_of(entry, "Sts");
    if (!str_eq(status, S("BOOK")))
        return ERR_OK; /* pending or for information: it comes again when it is booked */
    *sum += movement.is_credit ? whole : -whole;
    if (!day_parse(day, &movement.day)) {
        complain(bank, entry, "no booking date");
        return ERR_OK;
    }
    for (const XmlNode *details = xml_first(entry, S("NtryDtls")); details != NULL;
         details = xml_next(details, S("NtryDtls"))) {
        for (const XmlNode *part = xml_first(details, S("TxDtls")); code == ERR_OK && part != NULL;
             part = xml_next(part, S("TxDtls"))) {
            const XmlNode *own = xml_first(part, S("Amt"));
            if (own == NULL)
                own = within(part, "AmtDtls/TxAmt/Amt");
            movement.minor = whole;
            movement.line = part->line;
            movement.reference = text_of(part, "Refs/EndToEndId");
            if (own != NULL && !read_amount(bank, own, &movement.minor))
                continue;
            parts += movement.minor;
            part_count++;
            code = match(bank, &movement, err);
        }
    }
    if (part_count == 0) {
        movement.minor = whole;
        leave(bank, &movement, "no end-to-end id");
    } else if (parts != whole) {
        complain(bank, entry, "the parts of an entry do not sum to its amount");
    }
    return code;
}

/* The booked balance of that code, with its sign. */
static bool read_balance(Bank *bank, const XmlNode *statement, const char *code, int64_t *ret_minor)
{
    for (const XmlNode *balance = xml_first(statement, S("Bal")); balance != NULL;
         balance = xml_next(balance, S("Bal"))) {
        bool is_credit;
        if (!str_eq(text_of(balance, "Tp/CdOrPrtry/Cd"), str_from_c(code)))
            continue;
        if (!read_amount(bank, xml_first(balance, S("Amt")), ret_minor) ||
            !read_direction(bank, balance, &is_credit))
            return false;
        *ret_minor = is_credit ? *ret_minor : -*ret_minor;
        return true;
    }
    return false;
}

static ErrorCode read_statement(Bank *bank, const XmlNode *statement, Error *err)
{
    int64_t sum = 0;
    int64_t opening;
    int64_t closing;
    ErrorCode code = ERR_OK;
    for (const XmlNode *entry = xml_first(statement, S("Ntry")); code == ERR_OK && entry != NULL;
         entry = xml_next(entry, S("Ntry")))
        code = read_entry(bank, entry, &sum, err);
    if (!read_balance(bank, statement, "OPBD", &opening) ||
        !read_balance(bank, statement, "CLBD", &closing))
        complain(bank, statement, "no opening (OPBD) and closing (CLBD) balance");
    else if ((__int128)opening + sum != closing)
        complain(bank, statement, "the closing balance is not the opening one and the entries");
    return code;
}

static ErrorCode find_booked(Bank *bank, Error *err)
{
    ErrorCode code = ERR_OK;
    bank->is_booked = ARENA_ZARRAY(bank->arena, bool, bank->books->payments.count + 1);
    for (size_t i = 0; code == ERR_OK && i < bank->books->payments.count; i++) {
        EntryId entry = 0;
        Str key =
            str_format(bank->arena, "bank/%.*s", STR_ARG(bank->books->payments.items[i].number));
        code = ledger_find_key(bank->books->ledger, key, &entry, err);
        bank->is_booked[i] = entry != 0 || bank->books->payments.items[i].minor == 0;
    }
    return code;
}

ErrorCode pay_reconcile(PayBooks *books, Str text, Str file, DiagList *diags,
                        PayReconciled *ret_reconciled, Error *err)
{
    Bank bank = {.books = books, .arena = books->arena, .file = file, .diags = diags};
    size_t errors = diags->counts[SEVERITY_ERROR];
    XmlNode *root;
    if (!xml_parse(books->arena, text, file, diags, &root))
        return diag_to_error(diags, err);
    const XmlNode *message = xml_first(root, S("BkToCstmrStmt"));
    if (message == NULL || xml_first(message, S("Stmt")) == NULL) {
        complain(&bank, root, "no BkToCstmrStmt with a Stmt: it is no camt.053");
        return diag_to_error(diags, err);
    }
    ErrorCode code = ledger_begin(books->ledger, err);
    if (code != ERR_OK)
        return code;
    code = find_booked(&bank, err);
    for (const XmlNode *statement = xml_first(message, S("Stmt"));
         code == ERR_OK && statement != NULL; statement = xml_next(statement, S("Stmt")))
        code = read_statement(&bank, statement, err);
    if (code == ERR_OK && diags->counts[SEVERITY_ERROR] != errors)
        code = diag_to_error(diags, err); /* nothing is booked from a statement that is wrong */
    code = pay_end_batch(books->ledger, code, err);
    if (code != ERR_OK)
        return code;
    for (size_t i = 0; i < books->payments.count; i++)
        if (!bank.is_booked[i])
            VEC_PUSH(books->arena, &bank.result.outstanding, i);
    *ret_reconciled = bank.result;
    return ERR_OK;
}
