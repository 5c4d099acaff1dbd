/*
 * Each thing that can be wrong with a contract: a small change to a good document, and the finding
 * that it gives. A row replaces the first occurrence of `old` by `new`.
 */
#include "base/test.h"
#include "contract/contract.h"

static const char good[] =
    "contract: small\n"
    "title: A small contract\n"
    "version: 1\n"
    "currency: USD\n"
    "period: {from: 2020-01-01, to: 2020-12-31}\n"
    "parties:\n"
    "  - {id: payer, role: payer, name: Payer}\n"
    "  - {id: practices, role: provider, name: P, each: attributed-practice}\n"
    "  - {id: hospital, role: provider, name: Hospital}\n"
    "attribution:\n"
    "  method: plurality-of-encounters\n"
    "  organisation: serviceProvider\n"
    "  months: 24\n"
    "  ties: [latest-encounter, organisation-id]\n"
    "rounding: {rule: half-even, at: line}\n"
    "clauses:\n"
    "  - id: fee\n"
    "    kind: member-month-fee\n"
    "    title: Fee\n"
    "    from: payer\n"
    "    to: practices\n"
    "    members: {alive-on: first-day}\n"
    "    rate:\n"
    "      - {age: {under: 65}, amount: 2.50}\n"
    "      - {age: {from: 65}, amount: 5.00}\n"
    "  - id: quality\n"
    "    kind: indicator-fee\n"
    "    title: Quality\n"
    "    from: payer\n"
    "    to: practices\n"
    "    indicator: [hba1c, pressure]\n"
    "    attributed-on: last-day\n"
    "    amount: 20\n"
    "approval: {author: A, approvers: [B], reason: R}\n";

static const Str indicators[] = {STR_INIT("hba1c"), STR_INIT("pressure"), STR_INIT("statin")};
static const ContractKnown known = {
    .indicators = indicators, .indicator_count = COUNT_OF(indicators), .has_indicators = true};

static Str change(Arena *arena, const char *old, const char *new)
{
    Str text = str_from_c(good);
    Str wanted = str_from_c(old);
    size_t at = str_find(text, wanted);
    CHECK(at != SIZE_MAX);
    Str before = str_slice(text, 0, at);
    Str after = str_slice(text, at + wanted.len, SIZE_MAX);
    return str_format(arena, "%.*s%s%.*s", STR_ARG(before), new, STR_ARG(after));
}

static ErrorCode check(Arena *arena, Str text, DiagList *ret_diags)
{
    diag_init(ret_diags, arena);
    const Contract *contract = NULL;
    ErrorCode code = contract_check(arena, text, S("c.yaml"), &known, ret_diags, &contract);
    CHECK((code == ERR_OK) == (contract != NULL));
    CHECK((code == ERR_OK) == !diag_has_errors(ret_diags));
    return code;
}

static Str findings(Arena *arena, const DiagList *diags)
{
    StrBuf out;
    strbuf_init(&out, arena, 0);
    VEC_FOREACH (Diag, diag, &diags->kept) {
        if (out.len > 0)
            strbuf_add_char(&out, '\n');
        diag_format(diag, &out);
    }
    return strbuf_str(&out);
}

/* clang-format off */
static const struct {
    const char *old;
    const char *new;
    const char *finding; /* the whole of it, or how it begins */
} refusals[] = {
    /* the language */
    {"title: A small", "titel: A small", "c.yaml:1:1: error: missing \"title\""},
    {"version: 1\n", "", "c.yaml:1:1: error: missing \"version\""},
    {"version: 1\n", "version: 1\npartie: x\n", "c.yaml:4:1: error: unknown key \"partie\"; did you mean \"parties\"?"},
    {"version: 1\n", "version: 0\n", "c.yaml:3:10: error: version 0; count versions from 1"},
    {"version: 1\n", "version: one\n", "c.yaml:3:10: error: \"version\": expected a whole number, found \"one\""},
    {"contract: small", "contract: Small One", "c.yaml:1:11: error: \"Small One\" is no id;"},
    {"contract: small", "contract: [", "c.yaml:3:8: error: while parsing a flow sequence"},
    {"title: A small contract", "title: []", "c.yaml:2:8: error: expected text"},
    {"currency: USD", "currency: Dollars", "c.yaml:4:11: error: unknown currency \"Dollars\"; write its ISO 4217 code"},
    {"clauses:\n", "clauses: []\nx:\n", "c.yaml:17:1: error: unknown key \"x\""},
    /* dates */
    {"to: 2020-12-31", "to: 2019-12-31", "c.yaml:5:32: error: the period ends on 2019-12-31, before it begins on 2020-01-01; exchange them"},
    {"from: 2020-01-01", "from: 2020-01-02", "c.yaml:5:16: error: the period begins on 2020-01-02; begin it on the first day of a month"},
    {"to: 2020-12-31", "to: 2020-12-30", "c.yaml:5:32: error: the period ends on 2020-12-30; end it on the last day of a month"},
    {"to: 2020-12-31", "to: 2020-11-31", "c.yaml:5:32: error: \"to\": expected a date (YYYY-MM-DD), found \"2020-11-31\""},
    {"to: 2020-12-31", "to: 2020-11-30", "c.yaml:26:5: error: a clause of kind indicator-fee is settled by the year, and the contract's period has 11 months; make it whole years"},
    {"to: 2020-12-31", "to: 2199-12-31", "c.yaml:5:32: error: the period has 2160 months; at most 1200 are allowed"},
    /* parties */
    {"id: payer, role: payer", "id: payer, role: buyer", "c.yaml:7:23: error: unknown role \"buyer\"; write one of payer, provider"},
    {"name: Payer}", "name: Payer, each: attributed-practice}", "c.yaml:7:49: error: a payer is one party;"},
    {"id: hospital", "id: payer", "c.yaml:9:10: error: party \"payer\" is there twice; give one of them another id"},
    {"from: payer\n", "from: payers\n", "c.yaml:20:11: error: unknown party \"payers\"; did you mean \"payer\"?"},
    {"from: payer\n", "from: practices\n", "c.yaml:20:11: error: \"practices\" is a provider and cannot stand in \"from\"; name a payer there"},
    {"to: practices\n", "to: payer\n", "c.yaml:21:9: error: \"payer\" is a payer and cannot stand in \"to\"; name a provider there"},
    {"to: practices\n", "to: hospital\n", "c.yaml:21:9: error: \"hospital\" has nobody attributed to it;"},
    {"name: Payer}", "name: Payer, account: \"61 00\"}", "c.yaml:7:52: error: an account is letters, digits and"},
    {"name: Payer}", "name: \"Pay\\x07er\"}", "c.yaml:7:36: error: the text has a control character (byte 7); remove it"},
    {"name: Payer}\n  - {", "name: Payer, account: x}\n  - {account: x, ", "c.yaml:8:15: error: \"payer\" has the account x too; a payer and a provider need different ones"},
    /* attribution */
    {"plurality-of-encounters", "voluntary", "c.yaml:11:11: error: unknown word 'voluntary', expected one of: plurality-of-encounters"},
    {"serviceProvider", "performer", "c.yaml:12:17: error: unknown word 'performer', expected one of: serviceProvider"},
    {"months: 24", "months: 0", "c.yaml:13:11: error: looking back 0 months, expected 1 to 120"},
    {"[latest-encounter, organisation-id]", "[latest-encounter]", "c.yaml:14:9: error: ties may remain; end the list with organisation-id"},
    {"[latest-encounter, organisation-id]", "[organisation-id, organisation-id]", "c.yaml:14:27: error: 'organisation-id' is there twice"},
    {"[latest-encounter, organisation-id]", "[]", "c.yaml:14:9: error: ties may remain; end the list with organisation-id"},
    /* rounding */
    {"rule: half-even", "rule: bankers", "c.yaml:15:18: error: unknown rounding rule \"bankers\"; write one of half-even, "},
    {"at: line", "at: clause", "c.yaml:15:33: error: unknown level \"clause\"; write one of line, person"},
    {"at: line", "at: line, rate-digits: 9", "c.yaml:15:52: error: rate-digits 9; write 2 to 8"},
    /* clauses */
    {"kind: member-month-fee", "kind: member-months-fee", "c.yaml:18:11: error: unknown kind \"member-months-fee\"; did you mean \"member-month-fee\"?"},
    {"id: quality", "id: fee", "c.yaml:26:9: error: clause \"fee\" is there twice; give one of them another id"},
    {"    title: Fee\n", "", "c.yaml:17:5: error: missing \"title\""},
    {"    title: Fee\n", "    title: Fee\n    note: x\n", "c.yaml:20:5: error: unknown key \"note\""},
    {"    members: {alive-on: first-day}\n", "", "c.yaml:17:5: error: missing \"members.alive-on\", which a clause of kind member-month-fee needs"},
    {"alive-on: first-day", "alive-at: first-day", "c.yaml:22:15: error: unknown key \"alive-at\"; did you mean \"alive-on\"?"},
    {"alive-on: first-day", "alive-on: monday", "c.yaml:22:25: error: unknown day \"monday\"; write one of first-day, fifteenth, last-day, period-end"},
    {"members: {alive-on: first-day}", "members: first-day", "c.yaml:22:14: error: expected a mapping with \"alive-on\""},
    {"attributed-on: last-day", "attributed-on: fifteenth", "c.yaml:26:5: error: a year has no fifteenth;"},
    {"    amount: 20\n", "    amount: 20\n    rate: 20\n", "c.yaml:33:13: error: \"rate\" and \"amount\" say the same thing; remove one"},
    {"    amount: 20\n", "", "c.yaml:26:5: error: missing \"rate|amount\", which a clause of kind indicator-fee needs"},
    {"[hba1c, pressure]", "[hba1c, presure]", "c.yaml:31:24: error: unknown indicator \"presure\"; did you mean \"pressure\"?"},
    {"[hba1c, pressure]", "[hba1c, hba1c]", "c.yaml:31:24: error: indicator \"hba1c\" is there twice and would be paid twice; remove one"},
    {"[hba1c, pressure]", "[]", "c.yaml:31:16: error: expected an indicator, or a list of them"},
    /* amounts */
    {"amount: 2.50", "amount: -2.50", "c.yaml:24:36: error: amount -2.50 is negative; what is paid back is a clause the other way round"},
    {"amount: 2.50", "amount: 2.505", "c.yaml:24:36: error: amount 2.505 has more than 2 digits behind the point;"},
    {"amount: 2.50", "amount: .inf", "c.yaml:24:36: error: expected an amount such as 2.50, without a currency or exponent"},
    {"amount: 2.50", "amount: 1e3", "c.yaml:24:36: error: expected an amount such as 2.50, without a currency or exponent"},
    {"amount: 2.50", "amount: \"2.50\"", "c.yaml:24:36: error: expected an amount such as 2.50, without a currency or exponent"},
    {"amount: 2.50", "amount: 1000000000.01", "c.yaml:24:36: error: amount 1000000000.01 is more than 1,000,000,000"},
    {", amount: 2.50", "", "c.yaml:24:9: error: missing \"amount\""},
    /* rate tables */
    {"under: 65", "under: 60", "c.yaml:24:7: error: no rate for age 60 to 64; add a cell (amount: 0 where nothing is paid)"},
    {"under: 65", "under: 70", "c.yaml:25:9: error: \"age from 65\" overlaps \"age under 70\" in line 24; a person may be in one cell only"},
    {"under: 65", "from: 5, under: 5", "c.yaml:24:15: error: nobody's age is from 5 and under 5;"},
    {"under: 65", "under: 200", "c.yaml:24:23: error: age 200; write whole years from 0 to 150, or leave \"under\" out"},
    {"under: 65", "below: 65", "c.yaml:24:16: error: unknown key \"below\""},
    {"{under: 65}", "65", "c.yaml:24:15: error: expected a mapping with \"from\""},
    {"under: 65}", "under: 65}, sex: female", "c.yaml:24:7: error: no rate for age under 65, sex unknown and 2 more like it; add a cell"},
    {"under: 65}", "under: 65}, sex: []", "c.yaml:24:33: error: the list is empty; name a value or leave \"sex\" out"},
    {"under: 65}", "under: 65}, sex: woman", "c.yaml:24:33: error: unknown sex \"woman\"; write one of unknown, female, male, other"},
    {"under: 65}", "under: 65}, indicator: hba1c", "c.yaml:24:28: error: unknown key \"indicator\""},
    {"amount: 20\n", "rate: [{indicator: hba1c, amount: 20}]\n", "c.yaml:33:11: error: no rate for indicator pressure; add a cell"},
    {"amount: 20\n", "rate: {indicator: hba1c, amount: 20}\n", "c.yaml:33:11: error: expected an amount, or a list of cells with amounts"},
    /* approval */
    {"approvers: [B]", "approvers: [A]", "c.yaml:34:35: error: the author cannot approve the contract; name somebody else"},
    {"approvers: [B]", "approvers: [B, B]", "c.yaml:34:38: error: \"B\" approves twice; name each approver once"},
    {"approvers: [B]", "approvers: []", "c.yaml:34:34: error: \"approvers\" is empty"},
    {", reason: R", "", "c.yaml:34:11: error: missing \"reason\""},
};
/* clang-format on */

TEST(good_document_is_a_contract)
{
    DiagList diags;
    CHECK_INT(check(arena, str_from_c(good), &diags), ERR_OK);
    CHECK_STR(findings(arena, &diags), S(""));
}

TEST(each_fault_is_found_at_its_place)
{
    for (size_t i = 0; i < COUNT_OF(refusals); i++) {
        DiagList diags;
        Str text = change(arena, refusals[i].old, refusals[i].new);
        CHECK_ROW(refusals[i].new, check(arena, text, &diags), ERR_DOCUMENT);
        Str found = findings(arena, &diags);
        Str wanted = str_from_c(refusals[i].finding);
        /* The finding is among them, at the beginning of a line. */
        size_t at = str_find(found, wanted);
        if (at == SIZE_MAX || (at > 0 && found.ptr[at - 1] != '\n'))
            CHECK_ROW_STR(refusals[i].new, found, wanted);
    }
}

TEST(all_faults_are_found_in_one_run)
{
    static const char *const changes[][2] = {
        {"currency: USD", "currency: ZZZ"},   {"months: 24", "months: 999"},
        {"amount: 2.50", "amount: -1"},       {"under: 65", "under: 60"},
        {"from: payer\n", "from: nobody\n"},  {"pressure]", "pressures]"},
        {"approvers: [B]", "approvers: [A]"}, {"version: 1\n", "version: 1\nnote: x\n"},
    };
    Str text = str_from_c(good);
    for (size_t i = 0; i < COUNT_OF(changes); i++) {
        size_t at = str_find(text, str_from_c(changes[i][0]));
        Str before = str_slice(text, 0, at);
        Str after = str_slice(text, at + strlen(changes[i][0]), SIZE_MAX);
        text = str_format(arena, "%.*s%s%.*s", STR_ARG(before), changes[i][1], STR_ARG(after));
    }
    DiagList diags;
    CHECK_INT(check(arena, text, &diags), ERR_DOCUMENT);
    CHECK_INT(diags.counts[SEVERITY_ERROR], COUNT_OF(changes));
}

/* Nothing that is no YAML, or too deep, gets further than a finding. */
TEST(bytes_that_are_no_document_are_findings)
{
    static const char *const texts[] = {"",
                                        "\t",
                                        "- a\n",
                                        "contract",
                                        "\xff\xfe",
                                        "a: &x 1\nb: *x\n",
                                        "contract: {a: {b: {c: [[[[]]]]}}}\n"};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        DiagList diags;
        CHECK_ROW(texts[i], check(arena, str_from_c(texts[i]), &diags), ERR_DOCUMENT);
    }
}

TEST(every_kind_of_the_table_can_be_read)
{
    size_t count;
    const ClauseKind *kinds = contract_kinds(&count);
    CHECK(count >= 2);
    for (size_t i = 0; i < count; i++) {
        Str text = change(arena, "kind: member-month-fee",
                          str_to_c(arena, str_format(arena, "kind: %.*s", STR_ARG(kinds[i].name))));
        DiagList diags;
        /* Parameters without a reader would stop the process here. */
        (void)check(arena, text, &diags);
        CHECK(contract_find_kind(kinds[i].name) == &kinds[i]);
    }
}
