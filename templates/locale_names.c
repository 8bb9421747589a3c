#include "templates/locale_names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unicode/uchar.h>
#include <unicode/uloc.h>
#include <unicode/ustring.h>

#define KEY_SIZE 65 // of a wish, folded, with its NUL; what is longer is no wish
#define UTF16_MAX 256

// A folded tag, code or name, and which tag it stands for.
struct entry {
    char key[KEY_SIZE];
    size_t index;
};

struct locale_names {
    struct entry *entries; // by key, ascending
    size_t count;
    size_t capacity;
};

struct slice {
    const char *text;
    size_t size;
};

// ---- folding --------------------------------------------------------------------------------

static bool fold_unicode(struct slice wish, char ret_key[KEY_SIZE])
{
    UErrorCode status = U_ZERO_ERROR;
    UChar text[UTF16_MAX];
    UChar folded[UTF16_MAX];
    int32_t size = 0;
    u_strFromUTF8(text, UTF16_MAX, &size, wish.text, (int32_t)wish.size, &status);
    size = u_strFoldCase(folded, UTF16_MAX, text, size, U_FOLD_CASE_DEFAULT, &status);
    u_strToUTF8(ret_key, KEY_SIZE, NULL, folded, size, &status);
    return U_SUCCESS(status) && status != U_STRING_NOT_TERMINATED_WARNING;
}

// Makes what is the same to people the same: lower case, "-" for "_", no ".UTF-8" or "@euro"
// behind. False where the wish cannot be anything we have.
static bool fold(struct slice wish, char ret_key[KEY_SIZE])
{
    if (wish.size == 0 || wish.size >= KEY_SIZE)
        return false;
    for (size_t i = 0; i < wish.size; i++) {
        char c = wish.text[i];
        if ((unsigned char)c >= 0x80)
            return fold_unicode(wish, ret_key);
        if (c == '.' || c == '@') {
            wish.size = i;
            break;
        }
        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        ret_key[i] = c == '_' ? '-' : c;
    }
    ret_key[wish.size] = '\0';
    return wish.size > 0;
}

// ---- scripts --------------------------------------------------------------------------------

// A tag with the script and the region that most people mean by it ("zh-TW": zh, Hant, TW).
struct likely {
    char language[ULOC_LANG_CAPACITY];
    char script[ULOC_SCRIPT_CAPACITY];
    char region[ULOC_COUNTRY_CAPACITY];
    bool names_region; // the tag itself does
};

// False where ICU knows none, or tag is no tag.
static bool find_likely(const char *tag, struct likely *ret_likely)
{
    UErrorCode status = U_ZERO_ERROR;
    char locale[ULOC_FULLNAME_CAPACITY];
    char full[ULOC_FULLNAME_CAPACITY];
    struct likely likely = {0};
    uloc_forLanguageTag(tag, locale, sizeof(locale), NULL, &status);
    if (U_FAILURE(status) || status == U_STRING_NOT_TERMINATED_WARNING)
        return false;
    if (uloc_getLanguage(locale, likely.language, ULOC_LANG_CAPACITY, &status) <= 0)
        return false; // no language at all is likely to be English
    likely.names_region =
        uloc_getCountry(locale, likely.region, ULOC_COUNTRY_CAPACITY, &status) > 0;
    uloc_addLikelySubtags(locale, full, sizeof(full), &status);
    uloc_getLanguage(full, likely.language, ULOC_LANG_CAPACITY, &status);
    uloc_getScript(full, likely.script, ULOC_SCRIPT_CAPACITY, &status);
    uloc_getCountry(full, likely.region, ULOC_COUNTRY_CAPACITY, &status);
    if (U_FAILURE(status) || status == U_STRING_NOT_TERMINATED_WARNING || !likely.script[0])
        return false;
    *ret_likely = likely;
    return true;
}

// "zh-Hant", or with the region "zh-Hant-TW". Returns its size.
static size_t write_likely(const struct likely *likely, bool with_region, char ret_tag[KEY_SIZE])
{
    return (size_t)snprintf(ret_tag, KEY_SIZE, "%s-%s%s%s", likely->language, likely->script,
                            with_region ? "-" : "", with_region ? likely->region : "");
}

// ---- what we have ---------------------------------------------------------------------------

static int compare_entries(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->key, ((const struct entry *)b)->key);
}

// The first to claim a key keeps it. What cannot be folded could not be wished for either.
static bool add_entry(struct locale_names *names, struct slice name, size_t index)
{
    struct entry entry = {.index = index};
    if (!fold(name, entry.key))
        return true;
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->entries[i].key, entry.key) == 0)
            return true;
    }
    if (names->count == names->capacity) {
        size_t capacity = names->capacity ? names->capacity * 2 : 32;
        struct entry *entries = reallocarray(names->entries, capacity, sizeof(*entries));
        if (!entries)
            return false;
        names->entries = entries;
        names->capacity = capacity;
    }
    names->entries[names->count++] = entry;
    return true;
}

typedef int32_t display_fn(const char *locale, const char *in_locale, UChar *result,
                           int32_t capacity, UErrorCode *status);

static bool add_display_name(struct locale_names *names, display_fn *display, const char *locale,
                             const char *in_locale, size_t index)
{
    UErrorCode status = U_ZERO_ERROR;
    UChar text[UTF16_MAX];
    char name[UTF16_MAX];
    int32_t size = display(locale, in_locale, text, UTF16_MAX, &status);
    u_strToUTF8(name, sizeof(name), &size, text, size, &status);
    if (U_FAILURE(status))
        return true; // a name too long for us is no name that anybody gives
    return add_entry(names, (struct slice){name, (size_t)size}, index);
}

// What else a language is called that no table of ICU's says: ISO 639-2's bibliographic codes,
// codes that were replaced but that systems still give (Java's "iw"), and the Norwegian languages,
// each of which serves who asked for another.
static const struct {
    const char *language; // as ICU writes it
    const char *also;
} ALSO[] = {
    {"bo", "tib"}, {"cs", "cze"}, {"cy", "wel"},  {"de", "ger"}, {"el", "gre"}, {"eu", "baq"},
    {"fa", "per"}, {"fil", "tl"}, {"fil", "tgl"}, {"tl", "fil"}, {"fr", "fre"}, {"he", "iw"},
    {"hy", "arm"}, {"id", "in"},  {"is", "ice"},  {"ka", "geo"}, {"mi", "mao"}, {"mk", "mac"},
    {"ms", "may"}, {"my", "bur"}, {"nb", "no"},   {"nb", "nn"},  {"nl", "dut"}, {"nn", "no"},
    {"nn", "nb"},  {"no", "nb"},  {"no", "nn"},   {"ro", "rum"}, {"sk", "slo"}, {"sq", "alb"},
    {"yi", "ji"},  {"zh", "chi"}, {"zh", "cmn"},
};

static bool add_other_codes(struct locale_names *names, const char *locale, size_t index)
{
    UErrorCode status = U_ZERO_ERROR;
    char language[ULOC_LANG_CAPACITY];
    uloc_getLanguage(locale, language, sizeof(language), &status);
    if (U_FAILURE(status) || status == U_STRING_NOT_TERMINATED_WARNING)
        return true;
    const char *iso3 = uloc_getISO3Language(locale);
    bool added = add_entry(names, (struct slice){iso3, strlen(iso3)}, index);
    for (size_t i = 0; added && i < sizeof(ALSO) / sizeof(ALSO[0]); i++) {
        const char *also = ALSO[i].also;
        if (strcmp(ALSO[i].language, language) == 0)
            added = add_entry(names, (struct slice){also, strlen(also)}, index);
    }
    return added;
}

static bool add_names(struct locale_names *names, const char *tag, size_t index)
{
    UErrorCode status = U_ZERO_ERROR;
    char locale[ULOC_FULLNAME_CAPACITY];
    uloc_forLanguageTag(tag, locale, sizeof(locale), NULL, &status);
    if (U_FAILURE(status) || status == U_STRING_NOT_TERMINATED_WARNING)
        return true;
    // Where there is "pt-BR" but no "pt", it serves "pt" as well: better than the default.
    return add_entry(names, (struct slice){tag, strcspn(tag, "-")}, index) &&
           add_other_codes(names, locale, index) &&
           add_display_name(names, uloc_getDisplayLanguage, locale, "en", index) &&
           add_display_name(names, uloc_getDisplayLanguage, locale, locale, index) &&
           add_display_name(names, uloc_getDisplayName, locale, "en", index) &&
           add_display_name(names, uloc_getDisplayName, locale, locale, index);
}

// Adds what a tag is called with its script, so that "zh-HK" finds "zh-Hant", or "zh-TW" where
// there is only that; only_first: where it is the one of its script, or language, that most people
// mean.
static bool add_likely(struct locale_names *names, const char *tag, size_t index, bool only_first)
{
    struct likely likely, of_script, of_language;
    char key[KEY_SIZE];
    if (!find_likely(tag, &likely))
        return true;
    struct slice name = {key, write_likely(&likely, likely.names_region, key)};
    if (!add_entry(names, name, index))
        return false;
    name.size = write_likely(&likely, false, key);
    bool is_first = find_likely(key, &of_script) && strcmp(of_script.region, likely.region) == 0;
    if ((is_first || !only_first) && !add_entry(names, name, index))
        return false;
    bool is_language = is_first && find_likely(likely.language, &of_language) &&
                       strcmp(of_language.script, likely.script) == 0;
    name = (struct slice){likely.language, strlen(likely.language)};
    return !is_language || add_entry(names, name, index);
}

struct locale_names *locale_names_create(const char *const *tags, size_t count, struct error *err)
{
    struct locale_names *names = calloc(1, sizeof(*names));
    bool added = names != NULL;
    // All tags before any name, so that none loses its own to another's.
    for (size_t i = 0; i < count && added; i++)
        added = add_entry(names, (struct slice){tags[i], strlen(tags[i])}, i);
    for (size_t i = 0; i < 2 * count && added; i++)
        added = add_likely(names, tags[i % count], i % count, i < count);
    for (size_t i = 0; i < count && added; i++)
        added = add_names(names, tags[i], i);
    if (!added) {
        error_set(err, ERR_TEMPORARY, "out of memory");
        locale_names_destroy(names);
        return NULL;
    }
    if (names->count > 0)
        qsort(names->entries, names->count, sizeof(*names->entries), compare_entries);
    return names;
}

void locale_names_destroy(struct locale_names *names)
{
    if (!names)
        return;
    free(names->entries);
    free(names);
}

// ---- what is wished for ---------------------------------------------------------------------

static bool find(const struct locale_names *names, const char *key, size_t *ret_index)
{
    size_t low = 0;
    size_t high = names->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(key, names->entries[middle].key);
        if (order == 0) {
            *ret_index = names->entries[middle].index;
            return true;
        }
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return false;
}

// Cuts the last subtag off, and a single letter that then stands at the end ("de-x-formal",
// "de"). False when there is but one left, or key is no tag.
static bool shorten(char *key)
{
    if (strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(key))
        return false;
    char *dash = strrchr(key, '-');
    if (!dash)
        return false;
    if (dash - key >= 2 && dash[-2] == '-')
        dash -= 2;
    *dash = '\0';
    return true;
}

// Before the language alone: who reads "zh-TW" does not read what "zh" is written in.
static bool match_script(const struct locale_names *names, const char *key, size_t *ret_index)
{
    struct likely likely;
    char full[KEY_SIZE];
    char folded[KEY_SIZE];
    if (!strchr(key, '-') || !find_likely(key, &likely))
        return false;
    for (int with_region = 1; with_region >= 0; with_region--) {
        size_t size = write_likely(&likely, with_region, full);
        struct slice tag = {full, size};
        if (fold(tag, folded) && find(names, folded, ret_index))
            return true;
    }
    return false;
}

bool locale_names_find(const struct locale_names *names, const char *wish, size_t size,
                       size_t *ret_index)
{
    char key[KEY_SIZE];
    if (!fold((struct slice){wish, size}, key))
        return false;
    if (find(names, key, ret_index) || match_script(names, key, ret_index))
        return true;
    while (shorten(key)) {
        if (find(names, key, ret_index))
            return true;
    }
    return false;
}
