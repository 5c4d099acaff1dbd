/* The document as a whole: parties, period, attribution, rounding, approval. */
#include "contract/contract_int.h"

#include <stdarg.h>
#include <stdio.h>

/* --- findings and small readers --- */

void contract_refuse(const ContractReader *reader, ContractRefusal refusal, const YamlNode *node,
                     const char *format, ...)
{
    static const Str rules[] = {
#define CONTRACT_REFUSAL(name, rule) STR_INIT(rule),
#include "contract/refusal.def"
#undef CONTRACT_REFUSAL
    };
    char text[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    diag_add(reader->yaml.diags, &(Diag){.severity = SEVERITY_ERROR,
                                         .line = node->line,
                                         .column = node->column,
                                         .rule = rules[refusal],
                                         .file = reader->yaml.file,
                                         .text = str_from_c(text)});
}

bool contract_check_mapping(const ContractReader *reader, const YamlNode *node, const KeyRow *keys,
                            size_t count)
{
    if (node->kind != YAML_MAPPING) {
        yaml_error(&reader->yaml, node, "expected a mapping with \"%.*s\"", STR_ARG(keys[0].name));
        return false;
    }
    Str *names = ARENA_ARRAY(reader->arena, Str, count);
    for (size_t i = 0; i < count; i++)
        names[i] = keys[i].name;
    yaml_check_keys(&reader->yaml, node, names, count);
    for (size_t i = 0; i < count; i++)
        if (keys[i].is_required)
            (void)yaml_get(&reader->yaml, node, keys[i].name);
    return true;
}

size_t contract_words_find(Words words, Str word)
{
    for (size_t i = 0; i < words.count; i++)
        if (str_eq(words.items[i], word))
            return i;
    return SIZE_MAX;
}

Str contract_hint(Arena *arena, Str word, Words words)
{
    const Str *nearest = yaml_nearest_name(word, words.items, words.count);
    if (nearest == NULL)
        return S("");
    return str_format(arena, "; did you mean \"%.*s\"?", STR_ARG(*nearest));
}

bool contract_text(const ContractReader *reader, const YamlNode *node, Str *ret_text)
{
    if (node->kind != YAML_SCALAR || node->text.len == 0) {
        yaml_error(&reader->yaml, node, "expected text");
        return false;
    }
    for (size_t i = 0; i < node->text.len; i++) {
        unsigned char c = (unsigned char)node->text.ptr[i];
        if ((c < ' ' && c != '\n' && c != '\t') || c == 0x7F) {
            contract_refuse(reader, CONTRACT_REFUSAL_TEXT, node,
                            "the text has a control character (byte %u); remove it", (unsigned)c);
            return false;
        }
    }
    *ret_text = node->text;
    return true;
}

bool contract_word(const ContractReader *reader, const YamlNode *node, const char *what,
                   Words words, size_t *ret_index)
{
    Str text;
    if (!contract_text(reader, node, &text))
        return false;
    size_t index = contract_words_find(words, text);
    if (index != SIZE_MAX) {
        *ret_index = index;
        return true;
    }
    StrBuf list;
    strbuf_init(&list, reader->arena, 0);
    for (size_t i = 0; i < words.count; i++)
        strbuf_printf(&list, "%s%.*s", i == 0 ? "" : ", ", STR_ARG(words.items[i]));
    Str shown = str_slice(text, 0, 64);
    contract_refuse(reader, CONTRACT_REFUSAL_WORD_UNKNOWN, node,
                    "unknown %s \"%.*s\"; write one of %.*s", what, STR_ARG(shown),
                    STR_ARG(strbuf_str(&list)));
    return false;
}

bool contract_id(const ContractReader *reader, const YamlNode *node, Str *ret_id)
{
    enum { ID_BYTES_MAX = 64 };
    Str text;
    if (!contract_text(reader, node, &text))
        return false;
    bool ok = text.len <= ID_BYTES_MAX;
    for (size_t i = 0; ok && i < text.len; i++) {
        char c = text.ptr[i];
        bool is_alnum = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        ok = is_alnum || (i > 0 && (c == '-' || c == '.'));
    }
    if (!ok) {
        Str shown = str_slice(text, 0, ID_BYTES_MAX);
        contract_refuse(reader, CONTRACT_REFUSAL_ID_FORM, node,
                        "\"%.*s\" is no id; write lower-case letters, digits, '-' and '.', at most "
                        "%d of them, a letter or digit first",
                        STR_ARG(shown), ID_BYTES_MAX);
        return false;
    }
    *ret_id = text;
    return true;
}

/* The member as text when it is there; a finding when it is of another kind. */
static void member_text(const ContractReader *reader, const YamlNode *mapping, Str key,
                        Str *ret_text)
{
    const YamlNode *node = yaml_find(mapping, key);
    if (node != NULL)
        (void)contract_text(reader, node, ret_text);
}

static bool member_int(const ContractReader *reader, const YamlNode *mapping, Str key,
                       int64_t *ret_value)
{
    return yaml_find(mapping, key) != NULL && yaml_get_int(&reader->yaml, mapping, key, ret_value);
}

/* A member that must be a list with something in it; NULL with a finding if it is not. */
static const YamlNode *member_list(const ContractReader *reader, const YamlNode *mapping, Str key)
{
    if (yaml_find(mapping, key) == NULL)
        return NULL;
    const YamlNode *list = yaml_get_kind(&reader->yaml, mapping, key, YAML_SEQUENCE);
    if (list != NULL && list->count == 0) {
        yaml_error(&reader->yaml, list, "\"%.*s\" is empty", STR_ARG(key));
        return NULL;
    }
    return list;
}

/* --- the parts of a document --- */

static void read_period(ContractReader *reader, const YamlNode *node)
{
    static const KeyRow keys[] = {
#define REQUIRED               true
#define OPTIONAL               false
#define KEY_PERIOD(name, need) {STR_INIT(name), need},
#include "contract/key.def"
#undef KEY_PERIOD
    };
    Contract *contract = reader->contract;
    if (node == NULL || !contract_check_mapping(reader, node, keys, COUNT_OF(keys)))
        return;
    const YamlNode *from = yaml_find(node, S("from"));
    const YamlNode *to = yaml_find(node, S("to"));
    int32_t first;
    int32_t last;
    bool has_both = from != NULL && yaml_get_day(&reader->yaml, node, S("from"), &first);
    if (to == NULL || !yaml_get_day(&reader->yaml, node, S("to"), &last) || !has_both)
        return;
    if (last < first) {
        contract_refuse(reader, CONTRACT_REFUSAL_PERIOD, to,
                        "the period ends on %.*s, before it begins on %.*s; exchange them",
                        STR_ARG(to->text), STR_ARG(from->text));
        return;
    }
    int32_t year;
    int32_t month;
    int32_t day;
    int32_t year_to;
    int32_t month_to;
    day_to_date(first, &year, &month, &day);
    if (day != 1)
        contract_refuse(reader, CONTRACT_REFUSAL_PERIOD, from,
                        "the period begins on %.*s; begin it on the first day of a month",
                        STR_ARG(from->text));
    day_to_date(last, &year_to, &month_to, &day);
    if (day != date_days_in_month(year_to, month_to))
        contract_refuse(reader, CONTRACT_REFUSAL_PERIOD, to,
                        "the period ends on %.*s; end it on the last day of a month",
                        STR_ARG(to->text));
    int32_t months = (year_to - year) * 12 + month_to - month + 1;
    if (months > CONTRACT_PERIOD_MONTHS_MAX) {
        contract_refuse(reader, CONTRACT_REFUSAL_LIMIT, to,
                        "the period has %d months; at most %d are allowed", months,
                        CONTRACT_PERIOD_MONTHS_MAX);
        return;
    }
    contract->first_day = first;
    contract->last_day = last;
    contract->month_count = months;
}

/* A code of the general ledger: goes into exports as it stands. */
static void read_account(const ContractReader *reader, const YamlNode *node, Str *ret_account)
{
    enum { ACCOUNT_BYTES_MAX = 64 };
    Str text;
    if (!contract_text(reader, node, &text))
        return;
    bool ok = text.len <= ACCOUNT_BYTES_MAX;
    for (size_t i = 0; ok && i < text.len; i++) {
        char c = text.ptr[i];
        ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
             memchr("._:/-", c, 5) != NULL;
    }
    if (ok)
        *ret_account = text;
    else
        contract_refuse(reader, CONTRACT_REFUSAL_ACCOUNT, node,
                        "an account is letters, digits and . _ : / -, at most %d of them",
                        ACCOUNT_BYTES_MAX);
}

/* What a payer and a provider are booked under must differ, or an entry would undo itself. */
static void check_account(const ContractReader *reader, const YamlNode *node,
                          const ContractParty *parties, size_t number)
{
    const ContractParty *party = &parties[number];
    for (size_t i = 0; party->account.len > 0 && i < number; i++)
        if (parties[i].role != party->role && str_eq(parties[i].account, party->account)) {
            contract_refuse(reader, CONTRACT_REFUSAL_ACCOUNT, yaml_find(node, S("account")),
                            "\"%.*s\" has the account %.*s too; a payer and a provider need "
                            "different ones",
                            STR_ARG(parties[i].id), STR_ARG(party->account));
            return;
        }
}

static void read_party(ContractReader *reader, const YamlNode *node, ContractParty *party)
{
    static const KeyRow keys[] = {
#define KEY_PARTY(name, need) {STR_INIT(name), need},
#include "contract/key.def"
#undef KEY_PARTY
    };
    static const Str roles[] = {
#define CHOICE_ROLE(name, text, says) STR_INIT(text),
#include "contract/choice.def"
#undef CHOICE_ROLE
    };
    static const Str eaches[] = {
#define CHOICE_EACH(name, text, says) STR_INIT(text),
#include "contract/choice.def"
#undef CHOICE_EACH
    };
    if (!contract_check_mapping(reader, node, keys, COUNT_OF(keys)))
        return;
    const YamlNode *id = yaml_find(node, S("id"));
    if (id != NULL)
        (void)contract_id(reader, id, &party->id);
    member_text(reader, node, S("name"), &party->name);
    const YamlNode *account = yaml_find(node, S("account"));
    if (account != NULL)
        read_account(reader, account, &party->account);
    size_t index;
    const YamlNode *role = yaml_find(node, S("role"));
    if (role != NULL && contract_word(reader, role, "role", WORDS(roles), &index))
        party->role = (PartyRole)index;
    const YamlNode *each = yaml_find(node, S("each"));
    if (each != NULL && contract_word(reader, each, "word", WORDS(eaches), &index))
        party->each = (PartyEach)index;
    if (party->each != EACH_ONE && party->role == PARTY_PAYER)
        contract_refuse(reader, CONTRACT_REFUSAL_PARTY_ROLE, each,
                        "a payer is one party; leave \"each\" out or write role: provider");
}

static void read_parties(ContractReader *reader, const YamlNode *list)
{
    if (list == NULL)
        return;
    if (list->count > CONTRACT_PARTIES_MAX) {
        contract_refuse(reader, CONTRACT_REFUSAL_LIMIT, list, "more than %d parties",
                        CONTRACT_PARTIES_MAX);
        return;
    }
    ContractParty *parties = ARENA_ZARRAY(reader->arena, ContractParty, list->count);
    Map seen;
    map_init(&seen, reader->arena);
    for (size_t i = 0; i < list->count; i++) {
        read_party(reader, &list->items[i], &parties[i]);
        check_account(reader, &list->items[i], parties, i);
        bool is_new = true;
        if (parties[i].id.len > 0)
            (void)map_intern(&seen, parties[i].id, i, &is_new);
        if (!is_new)
            contract_refuse(reader, CONTRACT_REFUSAL_ID_TWICE, yaml_find(&list->items[i], S("id")),
                            "party \"%.*s\" is there twice; give one of them another id",
                            STR_ARG(parties[i].id));
    }
    reader->contract->parties = parties;
    reader->contract->party_count = list->count;
}

/* Without the member: half-even, once a line. */
static void read_rounding(ContractReader *reader, const YamlNode *node)
{
    static const KeyRow keys[] = {
#define KEY_ROUNDING(name, need) {STR_INIT(name), need},
#include "contract/key.def"
#undef KEY_ROUNDING
    };
    static const Str rules[] = {
#define ROUNDING(name, text) STR_INIT(text),
#include "base/rounding.def"
#undef ROUNDING
    };
    static const Str levels[] = {
#define CHOICE_ROUND_AT(name, text, says) STR_INIT(text),
#include "contract/choice.def"
#undef CHOICE_ROUND_AT
    };
    Contract *contract = reader->contract;
    contract->rate_digits = contract->currency.digits;
    if (node == NULL || !contract_check_mapping(reader, node, keys, COUNT_OF(keys)))
        return;
    size_t index;
    const YamlNode *rule = yaml_find(node, S("rule"));
    if (rule != NULL && contract_word(reader, rule, "rounding rule", WORDS(rules), &index))
        contract->rounding = (Rounding)index;
    const YamlNode *level = yaml_find(node, S("at"));
    if (level != NULL && contract_word(reader, level, "level", WORDS(levels), &index))
        contract->round_at = (RoundAt)index;
    int64_t digits;
    if (!member_int(reader, node, S("rate-digits"), &digits))
        return;
    if (digits < contract->currency.digits || digits > DECIMAL_PLACES)
        contract_refuse(reader, CONTRACT_REFUSAL_ROUNDING, yaml_find(node, S("rate-digits")),
                        "rate-digits %lld; write %d to %d", (long long)digits,
                        contract->currency.digits, DECIMAL_PLACES);
    else
        contract->rate_digits = (int32_t)digits;
}

static void read_approval(ContractReader *reader, const YamlNode *node)
{
    static const KeyRow keys[] = {
#define KEY_APPROVAL(name, need) {STR_INIT(name), need},
#include "contract/key.def"
#undef KEY_APPROVAL
    };
    Contract *contract = reader->contract;
    if (node == NULL || !contract_check_mapping(reader, node, keys, COUNT_OF(keys)))
        return;
    member_text(reader, node, S("author"), &contract->author);
    member_text(reader, node, S("reason"), &contract->reason);
    const YamlNode *list = member_list(reader, node, S("approvers"));
    if (list == NULL)
        return;
    Str *approvers = ARENA_ZARRAY(reader->arena, Str, list->count);
    for (size_t i = 0; i < list->count; i++) {
        if (!contract_text(reader, &list->items[i], &approvers[i]))
            continue;
        if (str_eq(approvers[i], contract->author))
            contract_refuse(reader, CONTRACT_REFUSAL_APPROVAL, &list->items[i],
                            "the author cannot approve the contract; name somebody else");
        if (contract_words_find((Words){approvers, i}, approvers[i]) != SIZE_MAX)
            contract_refuse(reader, CONTRACT_REFUSAL_APPROVAL, &list->items[i],
                            "\"%.*s\" approves twice; name each approver once",
                            STR_ARG(approvers[i]));
    }
    contract->approvers = approvers;
    contract->approver_count = list->count;
}

static void read_head(ContractReader *reader, const YamlNode *root)
{
    Contract *contract = reader->contract;
    const YamlNode *id = yaml_find(root, S("contract"));
    if (id != NULL)
        (void)contract_id(reader, id, &contract->id);
    member_text(reader, root, S("title"), &contract->title);
    int64_t version;
    if (member_int(reader, root, S("version"), &version)) {
        if (version < 1 || version > INT32_MAX)
            contract_refuse(reader, CONTRACT_REFUSAL_VERSION, yaml_find(root, S("version")),
                            "version %lld; count versions from 1", (long long)version);
        else
            contract->version = (int32_t)version;
    }
    const YamlNode *currency = yaml_find(root, S("currency"));
    Str code;
    /* Amounts are checked against some digits all the same; ISO 4217's XXX is no currency. */
    contract->currency = (Currency){.code = "XXX", .digits = 2};
    if (currency != NULL && contract_text(reader, currency, &code) &&
        !currency_find(code, &contract->currency))
        contract_refuse(reader, CONTRACT_REFUSAL_CURRENCY_UNKNOWN, currency,
                        "unknown currency \"%.*s\"; write its ISO 4217 code, such as USD or EUR",
                        STR_ARG(str_slice(code, 0, 64)));
}

ErrorCode contract_check(Arena *arena, Str text, Str file, const ContractKnown *known,
                         DiagList *diags, const Contract **ret_contract)
{
    static const KeyRow keys[] = {
#define KEY_CONTRACT(name, need) {STR_INIT(name), need},
#include "contract/key.def"
#undef KEY_CONTRACT
    };
    static const ContractKnown nothing_known = {.has_indicators = false};
    size_t errors = diags->counts[SEVERITY_ERROR];
    YamlNode *root;
    ErrorCode code = yaml_parse(arena, text, file, diags, &root);
    if (code != ERR_OK)
        return code;
    Contract *contract = ARENA_NEW(arena, Contract);
    ContractReader reader = {.yaml = {.arena = arena, .diags = diags, .file = file},
                             .arena = arena,
                             .known = known == NULL ? &nothing_known : known,
                             .contract = contract};
    if (!contract_check_mapping(&reader, root, keys, COUNT_OF(keys)))
        return ERR_DOCUMENT;
    read_head(&reader, root);
    read_period(&reader, yaml_find(root, S("period")));
    read_parties(&reader, member_list(&reader, root, S("parties")));
    const YamlNode *attribution = yaml_find(root, S("attribution"));
    if (attribution != NULL)
        (void)!attribution_rule_parse(&reader.yaml, attribution, &contract->attribution);
    contract->has_attribution = attribution != NULL;
    read_rounding(&reader, yaml_find(root, S("rounding")));
    contract->rate_scale = 1;
    for (int32_t i = 0; i < contract->rate_digits; i++)
        contract->rate_scale *= 10;
    contract_read_dimensions(&reader, yaml_find(root, S("dimensions")));
    contract_read_inputs(&reader, yaml_find(root, S("inputs")));
    contract_read_output(&reader, yaml_find(root, S("output")));
    contract_read_clauses(&reader, member_list(&reader, root, S("clauses")),
                          yaml_find(root, S("values")));
    contract_check_output(&reader, yaml_find(root, S("output")));
    read_approval(&reader, yaml_find(root, S("approval")));
    if (diags->counts[SEVERITY_ERROR] != errors)
        return ERR_DOCUMENT;
    *ret_contract = contract;
    return ERR_OK;
}
