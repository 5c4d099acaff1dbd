/* The table of parties. */
#include "base/csv.h"
#include "pay/pay_int.h"

bool pay_iban_is_valid(Str iban)
{
    enum { IBAN_MIN = 15, IBAN_MAX = 34 };
    unsigned rest = 0;
    if (iban.len < IBAN_MIN || iban.len > IBAN_MAX)
        return false;
    /* Country and check digits go to the end; letters are 10 to 35; all of it modulo 97 is 1. */
    for (size_t i = 0; i < iban.len; i++) {
        char c = iban.ptr[(i + 4) % iban.len];
        bool is_letter = c >= 'A' && c <= 'Z';
        bool is_digit = c >= '0' && c <= '9';
        size_t place = (i + 4) % iban.len;
        if ((!is_letter && !is_digit) || (place < 2 && !is_letter) ||
            (place >= 2 && place < 4 && !is_digit))
            return false;
        rest = is_letter ? (rest * 100 + (unsigned)(c - 'A' + 10)) % 97
                         : (rest * 10 + (unsigned)(c - '0')) % 97;
    }
    return rest == 1;
}

typedef struct {
    Arena *arena;
    const CsvTable *table;
    DiagList *diags;
} Reader;

static Str cell(const Reader *reader, const CsvRow *row, const char *name)
{
    size_t column;
    if (!csv_find(reader->table, str_from_c(name), &column))
        return S("");
    return str_copy(reader->arena, str_trim(row->cells[column]));
}

static void complain(const Reader *reader, const CsvRow *row, const char *path, const char *text)
{
    Diag diag = {.severity = SEVERITY_ERROR,
                 .rule = S("pay-party"),
                 .file = reader->table->file,
                 .line = row->line,
                 .path = str_from_c(path),
                 .text = str_from_c(text)};
    diag_add(reader->diags, &diag);
}

static bool all_digits(Str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
    return true;
}

static bool is_bic(Str text)
{
    if (text.len != 8 && text.len != 11)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        bool is_letter = text.ptr[i] >= 'A' && text.ptr[i] <= 'Z';
        bool is_digit = text.ptr[i] >= '0' && text.ptr[i] <= '9';
        if (!is_letter && (i < 6 || !is_digit))
            return false;
    }
    return true;
}

/* Luhn over "80840" and the number (CMS, NPI check digit). */
static bool is_npi(Str text)
{
    if (text.len != 10 || !all_digits(text))
        return false;
    int sum = 24; /* of the prefix 80840 */
    for (size_t i = 0; i < 10; i++) {
        int digit = text.ptr[i] - '0';
        if (i % 2 == 0)
            digit = digit * 2 > 9 ? digit * 2 - 9 : digit * 2;
        sum += digit;
    }
    return sum % 10 == 0;
}

static void check_party(const Reader *reader, const CsvRow *row, const PayParty *party)
{
    if (party->account.len == 0)
        complain(reader, row, "party", "no party");
    if (party->name.len == 0)
        complain(reader, row, "name", "no name");
    if (party->name.len > 140)
        complain(reader, row, "name", "longer than 140 bytes");
    if (party->iban.len > 0 && !pay_iban_is_valid(party->iban))
        complain(reader, row, "iban", "no IBAN: its form or its check digits are wrong");
    if (party->bic.len > 0 && !is_bic(party->bic))
        complain(reader, row, "bic", "no BIC: 8 or 11 capital letters and digits");
    if (party->npi.len > 0 && !is_npi(party->npi))
        complain(reader, row, "npi", "no NPI: 10 digits with the check digit");
    if (party->routing.len > 0 && (party->routing.len != 9 || !all_digits(party->routing)))
        complain(reader, row, "routing", "no routing number: 9 digits");
    if (party->tax_id.len > 0 && (party->tax_id.len != 9 || !all_digits(party->tax_id)))
        complain(reader, row, "tax_id", "no tax id: 9 digits");
}

ErrorCode pay_read_parties(Arena *arena, Str text, Str file, DiagList *diags,
                           PayParties *ret_parties)
{
    CsvTable table;
    size_t column;
    Reader reader = {.arena = arena, .table = &table, .diags = diags};
    size_t errors = diags->counts[SEVERITY_ERROR];
    *ret_parties = (PayParties){0};
    if (!csv_parse(arena, text, file, diags, &table) ||
        !csv_require(&table, S("party"), diags, &column) ||
        !csv_require(&table, S("name"), diags, &column))
        return ERR_DOCUMENT;
    Map seen;
    map_init(&seen, arena);
    for (size_t i = 0; i < table.row_count; i++) {
        const CsvRow *row = &table.rows[i];
        PayParty party = {.account = cell(&reader, row, "party"),
                          .name = cell(&reader, row, "name"),
                          .iban = cell(&reader, row, "iban"),
                          .bic = cell(&reader, row, "bic"),
                          .account_number = cell(&reader, row, "account_number"),
                          .routing = cell(&reader, row, "routing"),
                          .npi = cell(&reader, row, "npi"),
                          .tax_id = cell(&reader, row, "tax_id"),
                          .street = cell(&reader, row, "street"),
                          .city = cell(&reader, row, "city"),
                          .state = cell(&reader, row, "state"),
                          .postcode = cell(&reader, row, "postcode"),
                          .line = row->line};
        bool is_new;
        check_party(&reader, row, &party);
        (void)map_intern(&seen, party.account, i, &is_new);
        if (!is_new)
            complain(&reader, row, "party", "a party twice");
        VEC_PUSH(arena, ret_parties, party);
    }
    return diags->counts[SEVERITY_ERROR] == errors ? ERR_OK : ERR_DOCUMENT;
}
