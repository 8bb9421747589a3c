#include "templates/plural.h"

#include <stdlib.h>
#include <string.h>
#include <unicode/uenum.h>
#include <unicode/uloc.h>
#include <unicode/upluralrules.h>
#include <unicode/ustring.h>

// Rules go by the last two digits, so that no class begins, or ceases to be of one number alone,
// between here and a day's 1440 minutes; asking ICU takes its time.
#define SAMPLE_MAX 200
#define KEYWORD_SIZE 16

struct plural_rules {
    UPluralRules *icu;
    bool exists[PLURAL_COUNT];
    unsigned numbers[PLURAL_COUNT]; // how many of 1 to SAMPLE_MAX; zero minutes are never stated
    bool used[PLURAL_COUNT];
    unsigned char classes[SAMPLE_MAX + 1]; // enum plural: asking ICU each time is slow
};

static const char *const NAMES[PLURAL_COUNT] = {
    [PLURAL_ZERO] = "zero", [PLURAL_ONE] = "one",   [PLURAL_TWO] = "two",
    [PLURAL_FEW] = "few",   [PLURAL_MANY] = "many", [PLURAL_OTHER] = "other",
};

const char *plural_name(enum plural plural)
{
    return NAMES[plural];
}

bool plural_parse(const char *name, enum plural *ret_plural)
{
    for (unsigned i = 0; i < PLURAL_COUNT; i++) {
        if (strcmp(NAMES[i], name) == 0) {
            *ret_plural = (enum plural)i;
            return true;
        }
    }
    return false;
}

static enum plural ask_icu(const UPluralRules *icu, int number)
{
    UErrorCode status = U_ZERO_ERROR;
    UChar keyword[KEYWORD_SIZE];
    char name[KEYWORD_SIZE];
    enum plural plural = PLURAL_OTHER;
    int32_t size = uplrules_select(icu, number, keyword, KEYWORD_SIZE, &status);
    if (U_FAILURE(status) || size >= KEYWORD_SIZE)
        return PLURAL_OTHER;
    u_UCharsToChars(keyword, name, size);
    name[size] = '\0';
    plural_parse(name, &plural);
    return plural;
}

static bool read_keywords(struct plural_rules *rules)
{
    UErrorCode status = U_ZERO_ERROR;
    UEnumeration *keywords = uplrules_getKeywords(rules->icu, &status);
    const char *name;
    while (U_SUCCESS(status) && (name = uenum_next(keywords, NULL, &status)) != NULL) {
        enum plural plural;
        if (plural_parse(name, &plural))
            rules->exists[plural] = true;
    }
    uenum_close(keywords);
    return U_SUCCESS(status);
}

// Of a language that it does not know ICU says that it has the class other alone.
static bool knows_language(const char *locale)
{
    UErrorCode status = U_ZERO_ERROR;
    char language[ULOC_LANG_CAPACITY];
    uloc_getLanguage(locale, language, sizeof(language), &status);
    UEnumeration *known = uloc_openAvailableByType(ULOC_AVAILABLE_WITH_LEGACY_ALIASES, &status);
    const char *name = NULL;
    while (U_SUCCESS(status) && (name = uenum_next(known, NULL, &status)) != NULL) {
        if (strcmp(name, language) == 0)
            break;
    }
    uenum_close(known);
    return name != NULL;
}

struct plural_rules *plural_rules_create(const char *tag, struct error *err)
{
    UErrorCode status = U_ZERO_ERROR;
    char locale[ULOC_FULLNAME_CAPACITY];
    int32_t parsed = 0;
    uloc_forLanguageTag(tag, locale, sizeof(locale), &parsed, &status);
    if (U_FAILURE(status) || status == U_STRING_NOT_TERMINATED_WARNING ||
        (size_t)parsed != strlen(tag)) {
        error_set(err, ERR_INPUT, "%s is not a language tag of BCP 47", tag);
        return NULL;
    }
    if (!knows_language(locale)) {
        error_set(err, ERR_INPUT, "%s is of no language that ICU knows", tag);
        return NULL;
    }

    struct plural_rules *rules = calloc(1, sizeof(*rules));
    if (!rules) {
        error_set(err, ERR_TEMPORARY, "out of memory");
        return NULL;
    }
    rules->icu = uplrules_open(locale, &status);
    if (U_FAILURE(status) || !read_keywords(rules)) {
        error_set(err, ERR_INPUT, "the plural rules of %s: %s", tag, u_errorName(status));
        plural_rules_destroy(rules);
        return NULL;
    }
    for (int number = 0; number <= SAMPLE_MAX; number++) {
        enum plural plural = ask_icu(rules->icu, number);
        rules->classes[number] = (unsigned char)plural;
        rules->used[plural] = true;
        rules->numbers[plural] += number > 0;
    }
    rules->used[PLURAL_OTHER] = true;
    return rules;
}

void plural_rules_destroy(struct plural_rules *rules)
{
    if (!rules)
        return;
    uplrules_close(rules->icu);
    free(rules);
}

enum plural plural_select(const struct plural_rules *rules, int number)
{
    if (number >= 0 && number <= SAMPLE_MAX)
        return (enum plural)rules->classes[number];
    return ask_icu(rules->icu, number);
}

bool plural_is_used(const struct plural_rules *rules, enum plural plural)
{
    return rules->used[plural];
}

bool plural_exists(const struct plural_rules *rules, enum plural plural)
{
    return rules->exists[plural];
}

bool plural_is_single(const struct plural_rules *rules, enum plural plural)
{
    return plural != PLURAL_OTHER && rules->numbers[plural] <= 1;
}
