/* Parties, and bank statements that are wrong in every way that is looked for. */
#include "pay_helper.h"

TEST(ibans_are_checked)
{
    static const struct {
        const char *iban;
        bool want;
    } rows[] = {
        {"GB82WEST12345698765432", true},
        {"DE89370400440532013000", true},
        {"NO9386011117947", true},
        {"MT84MALT011000012345MTLCAST001S", true},
        {"DE88370400440532013000", false},
        {"DE89370400440532013001", false},
        {"DE89370400440532O13000", false},
        {"8937DE0400440532013000", false},
        {"", false},
        {"DE89", false},
        {"gb82west12345698765432", false},
        {"GB82WEST12345698765432GB82WEST12345", false},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        CHECK_ROW(rows[i].iban, pay_iban_is_valid(str_from_c(rows[i].iban)), rows[i].want);
}

TEST(what_is_wrong_with_a_party_is_told)
{
    static const struct {
        const char *row;
        const char *text;
        size_t errors;
    } rows[] = {
        {"fine",
         "party,name,iban,bic,npi,routing,tax_id\np,N,GB82WEST12345698765432,"
         "INGDDEFFXXX,1234567893,021000021,123456789\n",
         0},
        {"no name column", "party\np\n", 1},
        {"all wrong",
         "party,name,iban,bic,npi,routing,tax_id\n,,GB83WEST12345698765432,ing,"
         "1234567890,02100002,12345678x\n",
         7},
        {"twice", "party,name\np,N\np,M\n", 1},
        {"a row too short", "party,name\np\nq,M\n", 1},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        DiagList diags;
        PayParties parties;
        diag_init(&diags, arena);
        ErrorCode code =
            pay_read_parties(arena, str_from_c(rows[i].text), S("p.csv"), &diags, &parties);
        CHECK_ROW(rows[i].row, code == ERR_OK, rows[i].errors == 0);
        CHECK_ROW(rows[i].row, diags.counts[SEVERITY_ERROR], rows[i].errors);
    }
}

/* --- statements --- */

static Ledger *paid_ledger(Arena *arena)
{
    Ledger *ledger = helper_open(S(":memory:"));
    helper_owe(ledger, arena, "a", 1, 1000);
    helper_owe(ledger, arena, "b", 1, 250);
    (void)helper_issue(arena, ledger);
    helper_approve_all(arena, ledger);
    CHECK_INT(helper_pay(arena, ledger, "r").paid_minor, 1250);
    return ledger;
}

static Str statement(Arena *arena, const char *closing, const char *entries)
{
    return str_format(
        arena,
        "<Document><BkToCstmrStmt><Stmt>"
        "<Bal><Tp><CdOrPrtry><Cd>OPBD</Cd></CdOrPrtry></Tp><Amt Ccy='USD'>100.00</Amt>"
        "<CdtDbtInd>CRDT</CdtDbtInd></Bal>"
        "<Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp><Amt Ccy='USD'>%s</Amt>"
        "<CdtDbtInd>CRDT</CdtDbtInd></Bal>%s</Stmt></BkToCstmrStmt></Document>",
        closing, entries);
}

#define ENTRY(amount, direction, id)                                                               \
    "<Ntry><Amt Ccy='USD'>" amount "</Amt><CdtDbtInd>" direction "</CdtDbtInd><Sts>BOOK</Sts>"     \
    "<BookgDt><Dt>2021-01-11</Dt></BookgDt><NtryDtls><TxDtls><Refs><EndToEndId>" id                \
    "</EndToEndId></Refs></TxDtls></NtryDtls></Ntry>"

TEST(movements_are_matched_by_reference_and_amount)
{
    static const struct {
        const char *row;
        const char *closing;
        const char *entries;
        ErrorCode want;
        int matched;
        int unmatched;
        int outstanding;
    } rows[] = {
        /* clang-format off */
        {"one of two",       "90.00",  ENTRY("10.00", "DBIT", "PMT-000001"), ERR_OK, 1, 0, 1},
        {"both",             "87.50",  ENTRY("10.00", "DBIT", "PMT-000001") ENTRY("2.50", "DBIT", "PMT-000002"), ERR_OK, 2, 0, 0},
        {"another amount",   "90.01",  ENTRY("9.99", "DBIT", "PMT-000001"), ERR_OK, 0, 1, 2},
        {"nobody's",         "90.00",  ENTRY("10.00", "DBIT", "PMT-9"), ERR_OK, 0, 1, 2},
        {"no reference",     "90.00",  ENTRY("10.00", "DBIT", "NOTPROVIDED"), ERR_OK, 0, 1, 2},
        {"given back",       "110.00", ENTRY("10.00", "CRDT", "PMT-000001"), ERR_OK, 0, 1, 2},
        {"nothing moved",    "100.00", "", ERR_OK, 0, 0, 2},
        {"pending",          "100.00", "<Ntry><Amt Ccy='USD'>1.00</Amt><CdtDbtInd>DBIT</CdtDbtInd><Sts><Cd>PDNG</Cd></Sts></Ntry>", ERR_OK, 0, 0, 2},
        {"balances differ",  "90.01",  ENTRY("10.00", "DBIT", "PMT-000001"), ERR_DOCUMENT, 0, 0, 0},
        {"amount no amount", "90.00",  ENTRY("ten", "DBIT", "PMT-000001"), ERR_DOCUMENT, 0, 0, 0},
        {"direction",        "90.00",  ENTRY("10.00", "OUT", "PMT-000001"), ERR_DOCUMENT, 0, 0, 0},
        {"no day",           "99.00",  "<Ntry><Amt Ccy='USD'>1.00</Amt><CdtDbtInd>DBIT</CdtDbtInd><Sts>BOOK</Sts></Ntry>", ERR_DOCUMENT, 0, 0, 0},
        {"another currency", "99.00",  "<Ntry><Amt Ccy='EUR'>1.00</Amt><CdtDbtInd>DBIT</CdtDbtInd><Sts>BOOK</Sts></Ntry>", ERR_DOCUMENT, 0, 0, 0},
        /* clang-format on */
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        Error err = {0};
        DiagList diags;
        PayReconciled done = {0};
        Ledger *ledger = paid_ledger(arena);
        PayBooks books = helper_books(arena, ledger);
        diag_init(&diags, arena);
        Str text = statement(arena, rows[i].closing, rows[i].entries);
        CHECK_ROW(rows[i].row, pay_reconcile(&books, text, S("s.xml"), &diags, &done, &err),
                  rows[i].want);
        CHECK_ROW(rows[i].row, done.matched, rows[i].matched);
        CHECK_ROW(rows[i].row, done.unmatched.count, rows[i].unmatched);
        CHECK_ROW(rows[i].row, done.outstanding.count, rows[i].outstanding);
        int64_t moved = done.matched_minor;
        CHECK_ROW(rows[i].row, helper_balance(ledger, "clearing:payments"), moved - 1250);
        CHECK_ROW(rows[i].row, helper_balance(ledger, "bank:cash"), -moved);
        /* The same statement again books nothing. */
        if (rows[i].want == ERR_OK) {
            books = helper_books(arena, ledger);
            CHECK_OK(pay_reconcile(&books, text, S("s.xml"), &diags, &done, &err), &err);
            CHECK_ROW(rows[i].row, done.matched, 0);
            CHECK_ROW(rows[i].row, done.known, rows[i].matched);
        }
        ledger_close(ledger);
    }
}

TEST(what_is_no_statement_is_refused)
{
    static const char *const rows[] = {
        "", "<a/>", "<Document><BkToCstmrStmt/></Document>",
        "<Document><BkToCstmrStmt><Stmt/></BkToCstmrStmt></Document>", "<Document>"};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        Error err = {0};
        DiagList diags;
        PayReconciled done = {0};
        Ledger *ledger = paid_ledger(arena);
        PayBooks books = helper_books(arena, ledger);
        diag_init(&diags, arena);
        CHECK_ROW(rows[i],
                  pay_reconcile(&books, str_from_c(rows[i]), S("s.xml"), &diags, &done, &err),
                  ERR_DOCUMENT);
        CHECK(diag_has_errors(&diags));
        ledger_close(ledger);
    }
}
