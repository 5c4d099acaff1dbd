/* Profiles: YAML to SynthProfile. Every key is one row of a table. */
#include "synth/synth_int.h"

#include <stddef.h>

const Str synth_service_keys[SERVICE_COUNT] = {
#define SERVICE(name, key, class, bill, place) STR_INIT(key),
#include "synth/service.def"
#undef SERVICE
};

const Str synth_ethnic_names[ETHNIC_COUNT] = {
    STR_INIT("white"), STR_INIT("asian"), STR_INIT("black"), STR_INIT("mixed"), STR_INIT("other")};

typedef enum { KEY_NUMBER, KEY_CURVE } KeyKind;

/* A member of a mapping: where it goes, and what it may be. */
typedef struct {
    Str key;
    KeyKind kind;
    size_t offset;
    double least;
    double most;
} Key;

#define NUMBER(text, member, least, most)                                                          \
    {                                                                                              \
        STR_INIT(text), KEY_NUMBER, offsetof(SynthProfile, member), least, most                    \
    }
#define CURVE(text, member, least, most)                                                           \
    {                                                                                              \
        STR_INIT(text), KEY_CURVE, offsetof(SynthProfile, member), least, most                     \
    }

/* clang-format off */
static const Key top_keys[] = {
    NUMBER("persons-per-practice", persons_per_practice, 10, 1e6),
    NUMBER("persons-per-hospital", persons_per_hospital, 100, 1e8),
};
static const Key population_keys[] = {
    NUMBER("women", women, 0, 1),
    CURVE("ages", ages, 0, 1e9),
    NUMBER("births", births, 0, 100),
    CURVE("moves", moves, 0, 1000),
    NUMBER("gap", gap, 0, 1),
    NUMBER("same-fifth", same_fifth, 0, 1),
};
static const Key mortality_keys[] = {
    CURVE("rate", mortality, 0, 1000),
    NUMBER("men", mortality_men, 0.1, 10),
    NUMBER("deprived", mortality_deprived, 0.1, 10),
};
static const Key smoking_keys[] = {
    CURVE("rate", smoking, 0, 1),
    NUMBER("men", smoking_men, 0.1, 10),
    NUMBER("deprived", smoking_deprived, 0.1, 10),
};
static const Key hospital_keys[] = {
    NUMBER("readmission", readmission, 0, 0.6),
    NUMBER("same-day", same_day, 0, 1),
    CURVE("stay", stay, 1, 60),
    NUMBER("excess-day", excess_day, 0, 1e8),
    NUMBER("trim", trim, 1, 365),
    NUMBER("intensive", intensive, 0, 1),
    NUMBER("intensive-day", intensive_day, 0, 1e8),
};
static const Key social_keys[] = {
    CURVE("package", package, 0, 1),
    NUMBER("package-week", package_week, 0, 1e8),
    CURVE("care-home", care_home, 0, 1),
    NUMBER("care-home-week", care_home_week, 0, 1e8),
    NUMBER("carer", carer, 0, 1),
};
static const Key claims_keys[] = {
    CURVE("delay", delay, 0, 1),
    NUMBER("adjusted", adjusted, 0, 0.5),
    NUMBER("reversed", reversed, 0, 0.5),
    NUMBER("denied", denied, 0, 0.5),
};
#undef NUMBER
#undef CURVE
#define NUMBER(text, member, least, most) {STR_INIT(text), KEY_NUMBER, offsetof(ServiceProfile, member), least, most}
static const Key service_keys[] = {
    {STR_INIT("rate"), KEY_CURVE, offsetof(ServiceProfile, rate), 0, 100},
    NUMBER("men", men, 0, 10),
    NUMBER("deprived", deprived, 0.1, 10),
    NUMBER("lasting", lasting, 0, 3),
    NUMBER("yearly", yearly, 0, 3),
    NUMBER("dying", dying, 0, 50),
    NUMBER("price", price, 0, 1e9),
    NUMBER("varies", varies, 0, 2),
};
#undef NUMBER

static const struct {
    Str name;
    const Key *keys;
    size_t count;
} sections[] = {
    {STR_INIT("population"), population_keys, COUNT_OF(population_keys)},
    {STR_INIT("mortality"), mortality_keys, COUNT_OF(mortality_keys)},
    {STR_INIT("smoking"), smoking_keys, COUNT_OF(smoking_keys)},
    {STR_INIT("hospital"), hospital_keys, COUNT_OF(hospital_keys)},
    {STR_INIT("social-care"), social_keys, COUNT_OF(social_keys)},
    {STR_INIT("claims"), claims_keys, COUNT_OF(claims_keys)},
};
/* clang-format on */

/* A scalar as a number within its bounds. */
static bool read_number(const YamlReader *reader, const YamlNode *node, const Key *key,
                        double *ret_value)
{
    Decimal decimal;
    if (node->kind != YAML_SCALAR || node->is_quoted || !decimal_parse(node->text, &decimal)) {
        yaml_error(reader, node, "%.*s: expected a number", STR_ARG(key->key));
        return false;
    }
    double value = decimal_to_double(decimal);
    if (value < key->least || value > key->most) {
        yaml_error(reader, node, "%.*s: %.*s is not from %g to %g", STR_ARG(key->key),
                   STR_ARG(node->text), key->least, key->most);
        return false;
    }
    *ret_value = value;
    return true;
}

/* [[age, value], ...] to a value for every age. */
static bool read_curve(const YamlReader *reader, const YamlNode *node, const Key *key,
                       double *ret_curve)
{
    static const Key age_key = {STR_INIT("age"), KEY_NUMBER, 0, 0, AGE_LIMIT - 1};
    double age_before = -1;
    double value_before = 0;
    if (node->kind != YAML_SEQUENCE || node->count == 0) {
        yaml_error(reader, node, "%.*s: expected pairs [[age, value], ...]", STR_ARG(key->key));
        return false;
    }
    for (size_t i = 0; i < node->count; i++) {
        const YamlNode *pair = &node->items[i];
        double age;
        double value;
        if (pair->kind != YAML_SEQUENCE || pair->count != 2) {
            yaml_error(reader, pair, "%.*s: expected a pair [age, value]", STR_ARG(key->key));
            return false;
        }
        if (!read_number(reader, &pair->items[0], &age_key, &age) ||
            !read_number(reader, &pair->items[1], key, &value))
            return false;
        if (age <= age_before) {
            yaml_error(reader, pair, "%.*s: ages must ascend", STR_ARG(key->key));
            return false;
        }
        for (int a = (int)age_before + 1; a < AGE_LIMIT && (a <= age || i + 1 == node->count); a++)
            ret_curve[a] =
                i == 0 || a >= age
                    ? value
                    : value_before + (value - value_before) * (a - age_before) / (age - age_before);
        age_before = floor(age);
        value_before = value;
    }
    return true;
}

static bool read_keys(const YamlReader *reader, const YamlNode *mapping, const Key *keys,
                      size_t count, void *to)
{
    bool is_good = true;
    for (size_t i = 0; i < count; i++) {
        const YamlNode *node = yaml_get(reader, mapping, keys[i].key);
        double *value = (double *)(void *)((char *)to + keys[i].offset);
        if (node == NULL)
            is_good = false;
        else if (keys[i].kind == KEY_NUMBER)
            is_good &= read_number(reader, node, &keys[i], value);
        else
            is_good &= read_curve(reader, node, &keys[i], value);
    }
    return is_good;
}

static void check_keys(const YamlReader *reader, const YamlNode *mapping, const Key *keys,
                       size_t count, Str also)
{
    Str names[16];
    ASSERT(count < COUNT_OF(names));
    for (size_t i = 0; i < count; i++)
        names[i] = keys[i].key;
    names[count] = also;
    yaml_check_keys(reader, mapping, names, count + !str_is_empty(also));
}

static bool read_ethnic(const YamlReader *reader, const YamlNode *population, SynthProfile *profile)
{
    static const Key part = {STR_INIT("ethnic-groups"), KEY_NUMBER, 0, 0, 1};
    const YamlNode *groups = yaml_get_kind(reader, population, S("ethnic-groups"), YAML_MAPPING);
    double sum = 0;
    if (groups == NULL)
        return false;
    yaml_check_keys(reader, groups, synth_ethnic_names, ETHNIC_COUNT);
    for (size_t i = 0; i < ETHNIC_COUNT; i++) {
        const YamlNode *node = yaml_find(groups, synth_ethnic_names[i]);
        if (node != NULL && !read_number(reader, node, &part, &profile->ethnic[i]))
            return false;
        sum += profile->ethnic[i];
    }
    if (fabs(sum - 1) > 0.001) {
        yaml_error(reader, groups, "ethnic-groups: parts come to %g, not to 1", sum);
        return false;
    }
    return true;
}

static bool read_services(const YamlReader *reader, const YamlNode *root, SynthProfile *profile)
{
    const YamlNode *services = yaml_get_kind(reader, root, S("services"), YAML_MAPPING);
    bool is_good = true;
    if (services == NULL)
        return false;
    yaml_check_keys(reader, services, synth_service_keys, SERVICE_COUNT);
    for (size_t i = 0; i < SERVICE_COUNT; i++) {
        const YamlNode *service =
            yaml_get_kind(reader, services, synth_service_keys[i], YAML_MAPPING);
        if (service == NULL) {
            is_good = false;
            continue;
        }
        check_keys(reader, service, service_keys, COUNT_OF(service_keys), S(""));
        is_good &=
            read_keys(reader, service, service_keys, COUNT_OF(service_keys), &profile->services[i]);
    }
    return is_good;
}

static bool read_sections(const YamlReader *reader, const YamlNode *root, SynthProfile *profile)
{
    bool is_good = true;
    for (size_t i = 0; i < COUNT_OF(sections); i++) {
        const YamlNode *section = yaml_get_kind(reader, root, sections[i].name, YAML_MAPPING);
        if (section == NULL) {
            is_good = false;
            continue;
        }
        bool is_population = str_eq(sections[i].name, S("population"));
        check_keys(reader, section, sections[i].keys, sections[i].count,
                   is_population ? S("ethnic-groups") : S(""));
        is_good &= read_keys(reader, section, sections[i].keys, sections[i].count, profile);
        if (is_population)
            is_good &= read_ethnic(reader, section, profile);
    }
    return is_good;
}

static bool read_head(const YamlReader *reader, const YamlNode *root, SynthProfile *profile)
{
    bool is_good = yaml_get_text(reader, root, S("profile"), &profile->name);
    is_good &= yaml_get_text(reader, root, S("title"), &profile->title);
    is_good &= yaml_get_text(reader, root, S("currency"), &profile->currency);
    is_good &= yaml_get_day(reader, root, S("start"), &profile->start);
    if (!is_good)
        return false;
    bool is_code = profile->currency.len == 3;
    for (size_t i = 0; i < profile->currency.len; i++)
        is_code &= profile->currency.ptr[i] >= 'A' && profile->currency.ptr[i] <= 'Z';
    if (!is_code) {
        yaml_error(reader, yaml_find(root, S("currency")),
                   "currency: expected three capital letters");
        return false;
    }
    int32_t year;
    int32_t month;
    int32_t day;
    day_to_date(profile->start, &year, &month, &day);
    if (year < 1900 || year > 2200) {
        yaml_error(reader, yaml_find(root, S("start")),
                   "start: expected a day of the years 1900 to 2200");
        return false;
    }
    return true;
}

static bool check_ages(const YamlReader *reader, const YamlNode *root, const SynthProfile *profile)
{
    double sum = 0;
    for (size_t age = 0; age < AGE_LIMIT; age++)
        sum += profile->ages[age];
    if (sum > 0)
        return true;
    yaml_error(reader, yaml_find(root, S("population")), "ages: all are 0");
    return false;
}

bool synth_profile_parse(Arena *arena, Str text, Str file, DiagList *diags,
                         SynthProfile **ret_profile)
{
    static const Str names[] = {STR_INIT("profile"),
                                STR_INIT("title"),
                                STR_INIT("currency"),
                                STR_INIT("start"),
                                STR_INIT("persons-per-practice"),
                                STR_INIT("persons-per-hospital"),
                                STR_INIT("population"),
                                STR_INIT("mortality"),
                                STR_INIT("smoking"),
                                STR_INIT("services"),
                                STR_INIT("hospital"),
                                STR_INIT("social-care"),
                                STR_INIT("claims")};
    YamlNode *root;
    YamlReader reader = {.arena = arena, .diags = diags, .file = file};
    SynthProfile *profile = ARENA_NEW(arena, SynthProfile);
    if (yaml_parse(arena, text, file, diags, &root) != ERR_OK)
        return false;
    if (root->kind != YAML_MAPPING) {
        yaml_error(&reader, root, "expected a profile: keys and values");
        return false;
    }
    yaml_check_keys(&reader, root, names, COUNT_OF(names));
    bool is_good = read_head(&reader, root, profile);
    is_good &= read_keys(&reader, root, top_keys, COUNT_OF(top_keys), profile);
    is_good &= read_sections(&reader, root, profile);
    is_good &= read_services(&reader, root, profile);
    is_good = is_good && check_ages(&reader, root, profile);
    Str conditions;
    is_good = synth_file_find(S("conditions.tsv"), &conditions) &&
              synth_conditions_read(arena, conditions, S("conditions.tsv"), diags, profile) &&
              is_good;
    *ret_profile = profile;
    return is_good && !diag_has_errors(diags);
}
