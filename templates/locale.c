#include "templates/locale.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unicode/uchar.h>
#include <unicode/uloc.h>
#include <unicode/ustring.h>

#define KEY_SIZE 65 // of a wish, folded, with its NUL; what is longer is no wish
#define WISHES_MAX 16
#define RANGES_MAX 32
#define UTF16_MAX 256

// A folded tag, code or name, and which tag it stands for.
struct entry {
    char key[KEY_SIZE];
    size_t index;
};

struct locale_matcher {
    size_t default_index;
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
static bool add_entry(struct locale_matcher *matcher, struct slice name, size_t index)
{
    struct entry entry = {.index = index};
    if (!fold(name, entry.key))
        return true;
    for (size_t i = 0; i < matcher->count; i++) {
        if (strcmp(matcher->entries[i].key, entry.key) == 0)
            return true;
    }
    if (matcher->count == matcher->capacity) {
        size_t capacity = matcher->capacity ? matcher->capacity * 2 : 32;
        struct entry *entries = reallocarray(matcher->entries, capacity, sizeof(*entries));
        if (!entries)
            return false;
        matcher->entries = entries;
        matcher->capacity = capacity;
    }
    matcher->entries[matcher->count++] = entry;
    return true;
}

typedef int32_t display_fn(const char *locale, const char *in_locale, UChar *result,
                           int32_t capacity, UErrorCode *status);

static bool add_display_name(struct locale_matcher *matcher, display_fn *display,
                             const char *locale, const char *in_locale, size_t index)
{
    UErrorCode status = U_ZERO_ERROR;
    UChar text[UTF16_MAX];
    char name[UTF16_MAX];
    int32_t size = display(locale, in_locale, text, UTF16_MAX, &status);
    u_strToUTF8(name, sizeof(name), &size, text, size, &status);
    if (U_FAILURE(status))
        return true; // a name too long for us is no name that anybody gives
    return add_entry(matcher, (struct slice){name, (size_t)size}, index);
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

static bool add_other_codes(struct locale_matcher *matcher, const char *locale, size_t index)
{
    UErrorCode status = U_ZERO_ERROR;
    char language[ULOC_LANG_CAPACITY];
    uloc_getLanguage(locale, language, sizeof(language), &status);
    if (U_FAILURE(status) || status == U_STRING_NOT_TERMINATED_WARNING)
        return true;
    const char *iso3 = uloc_getISO3Language(locale);
    bool added = add_entry(matcher, (struct slice){iso3, strlen(iso3)}, index);
    for (size_t i = 0; added && i < sizeof(ALSO) / sizeof(ALSO[0]); i++) {
        const char *also = ALSO[i].also;
        if (strcmp(ALSO[i].language, language) == 0)
            added = add_entry(matcher, (struct slice){also, strlen(also)}, index);
    }
    return added;
}

static bool add_names(struct locale_matcher *matcher, const char *tag, size_t index)
{
    UErrorCode status = U_ZERO_ERROR;
    char locale[ULOC_FULLNAME_CAPACITY];
    uloc_forLanguageTag(tag, locale, sizeof(locale), NULL, &status);
    if (U_FAILURE(status) || status == U_STRING_NOT_TERMINATED_WARNING)
        return true;
    // Where there is "pt-BR" but no "pt", it serves "pt" as well: better than the default.
    return add_entry(matcher, (struct slice){tag, strcspn(tag, "-")}, index) &&
           add_other_codes(matcher, locale, index) &&
           add_display_name(matcher, uloc_getDisplayLanguage, locale, "en", index) &&
           add_display_name(matcher, uloc_getDisplayLanguage, locale, locale, index) &&
           add_display_name(matcher, uloc_getDisplayName, locale, "en", index) &&
           add_display_name(matcher, uloc_getDisplayName, locale, locale, index);
}

// Adds what a tag is called with its script, so that "zh-HK" finds "zh-Hant", or "zh-TW" where
// there is only that; only_first: where it is the one of its script, or language, that most people
// mean.
static bool add_likely(struct locale_matcher *matcher, const char *tag, size_t index,
                       bool only_first)
{
    struct likely likely, of_script, of_language;
    char key[KEY_SIZE];
    if (!find_likely(tag, &likely))
        return true;
    struct slice name = {key, write_likely(&likely, likely.names_region, key)};
    if (!add_entry(matcher, name, index))
        return false;
    name.size = write_likely(&likely, false, key);
    bool is_first = find_likely(key, &of_script) && strcmp(of_script.region, likely.region) == 0;
    if ((is_first || !only_first) && !add_entry(matcher, name, index))
        return false;
    bool is_language = is_first && find_likely(likely.language, &of_language) &&
                       strcmp(of_language.script, likely.script) == 0;
    name = (struct slice){likely.language, strlen(likely.language)};
    return !is_language || add_entry(matcher, name, index);
}

struct locale_matcher *locale_matcher_create(const char *const *tags, size_t count,
                                             size_t default_index, struct error *err)
{
    struct locale_matcher *matcher = calloc(1, sizeof(*matcher));
    bool added = matcher != NULL;
    // All tags before any name, so that none loses its own to another's.
    for (size_t i = 0; i < count && added; i++)
        added = add_entry(matcher, (struct slice){tags[i], strlen(tags[i])}, i);
    for (size_t i = 0; i < 2 * count && added; i++)
        added = add_likely(matcher, tags[i % count], i % count, i < count);
    for (size_t i = 0; i < count && added; i++)
        added = add_names(matcher, tags[i], i);
    if (!added) {
        error_set(err, ERR_TEMPORARY, "out of memory");
        locale_matcher_destroy(matcher);
        return NULL;
    }
    matcher->default_index = default_index;
    if (matcher->count > 0)
        qsort(matcher->entries, matcher->count, sizeof(*matcher->entries), compare_entries);
    return matcher;
}

void locale_matcher_destroy(struct locale_matcher *matcher)
{
    if (!matcher)
        return;
    free(matcher->entries);
    free(matcher);
}

// ---- what is wished for ---------------------------------------------------------------------

static bool find(const struct locale_matcher *matcher, const char *key, size_t *ret_index)
{
    size_t low = 0;
    size_t high = matcher->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(key, matcher->entries[middle].key);
        if (order == 0) {
            *ret_index = matcher->entries[middle].index;
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

static struct slice trim(struct slice slice)
{
    while (slice.size > 0 && (slice.text[0] == ' ' || slice.text[0] == '\t')) {
        slice.text++;
        slice.size--;
    }
    while (slice.size > 0 &&
           (slice.text[slice.size - 1] == ' ' || slice.text[slice.size - 1] == '\t'))
        slice.size--;
    return slice;
}

// Before the language alone: who reads "zh-TW" does not read what "zh" is written in.
static bool match_script(const struct locale_matcher *matcher, const char *key, size_t *ret_index)
{
    struct likely likely;
    char full[KEY_SIZE];
    char folded[KEY_SIZE];
    if (!strchr(key, '-') || !find_likely(key, &likely))
        return false;
    for (int with_region = 1; with_region >= 0; with_region--) {
        size_t size = write_likely(&likely, with_region, full);
        struct slice tag = {full, size};
        if (fold(tag, folded) && find(matcher, folded, ret_index))
            return true;
    }
    return false;
}

static bool match_whole(const struct locale_matcher *matcher, struct slice wish, size_t *ret_index)
{
    char key[KEY_SIZE];
    if (!fold(wish, key))
        return false;
    if (find(matcher, key, ret_index) || match_script(matcher, key, ret_index))
        return true;
    while (shorten(key)) {
        if (find(matcher, key, ret_index))
            return true;
    }
    return false;
}

// Where the whole is nothing that we have, what is before a bracket, comma or semicolon may be:
// "Deutsch (Schweiz)", or a browser's list where one language was to be: "de-CH,de;q=0.9".
static bool match_wish(const struct locale_matcher *matcher, struct slice wish, size_t *ret_index)
{
    if (match_whole(matcher, wish, ret_index))
        return true;
    size_t head_size = 0;
    while (head_size < wish.size && !strchr("(,;", wish.text[head_size]))
        head_size++;
    return head_size < wish.size &&
           match_whole(matcher, trim((struct slice){wish.text, head_size}), ret_index);
}

static bool match_list(const struct locale_matcher *matcher, const json_t *locales,
                       size_t *ret_index)
{
    for (size_t i = 0; i < json_array_size(locales) && i < WISHES_MAX; i++) {
        const json_t *wish = json_array_get(locales, i);
        struct slice text = {json_string_value(wish), json_string_length(wish)};
        if (match_wish(matcher, trim(text), ret_index))
            return true;
    }
    return false;
}

// The part of text before the next separator; moves text behind that.
static struct slice next_part(const char **text, char separator)
{
    const char *end = strchrnul(*text, separator);
    struct slice part = {*text, (size_t)(end - *text)};
    *text = *end ? end + 1 : end;
    return trim(part);
}

struct range {
    struct slice tag;
    int weight; // thousandths
};

// "q=0.8" in thousandths; 0 where it is malformed, which drops the range.
static int parse_weight(struct slice text)
{
    if (text.size < 3 || text.size > 7 || (text.text[0] != 'q' && text.text[0] != 'Q') ||
        text.text[1] != '=' || (text.text[2] != '0' && text.text[2] != '1') ||
        (text.size > 3 && text.text[3] != '.'))
        return 0;
    int weight = (text.text[2] - '0') * 1000;
    int unit = 100;
    for (size_t i = 4; i < text.size; i++, unit /= 10) {
        if (text.text[i] < '0' || text.text[i] > '9')
            return 0;
        weight += (text.text[i] - '0') * unit;
    }
    return weight > 1000 ? 1000 : weight;
}

// "*" serves anybody, so it says no more than our default does: it matches no entry and is
// passed over, as RFC 4647 §3.4 wants it.
static size_t parse_ranges(const char *header, struct range ret_ranges[RANGES_MAX])
{
    size_t count = 0;
    while (*header && count < RANGES_MAX) {
        struct slice element = next_part(&header, ',');
        const char *semicolon = memchr(element.text, ';', element.size);
        struct range range = {.tag = element, .weight = 1000};
        if (semicolon) {
            size_t tag_size = (size_t)(semicolon - element.text);
            range.tag = trim((struct slice){element.text, tag_size});
            range.weight =
                parse_weight(trim((struct slice){semicolon + 1, element.size - tag_size - 1}));
        }
        if (range.weight == 0)
            continue;
        size_t at = count++; // best first; those of one weight as they came
        for (; at > 0 && ret_ranges[at - 1].weight < range.weight; at--)
            ret_ranges[at] = ret_ranges[at - 1];
        ret_ranges[at] = range;
    }
    return count;
}

static bool match_header(const struct locale_matcher *matcher, const char *header,
                         size_t *ret_index)
{
    struct range ranges[RANGES_MAX];
    size_t count = parse_ranges(header, ranges);
    for (size_t i = 0; i < count; i++) {
        if (match_wish(matcher, ranges[i].tag, ret_index))
            return true;
    }
    return false;
}

static bool match_words(const struct locale_matcher *matcher, const char *words, size_t *ret_index)
{
    for (size_t i = 0; *words && i < WISHES_MAX; i++) {
        if (match_wish(matcher, next_part(&words, ' '), ret_index))
            return true;
    }
    return false;
}

const char *locale_source_name(enum locale_source source)
{
    static const char *const names[] = {[LOCALE_BY_DEFAULT] = "default",
                                        [LOCALE_BY_BRAND] = "brand",
                                        [LOCALE_BY_PAYLOAD] = "payload",
                                        [LOCALE_BY_ACCEPT_LANGUAGE] = "accept_language",
                                        [LOCALE_BY_REQUEST_URL] = "request_url"};
    return names[source];
}

size_t locale_match(const struct locale_matcher *matcher, const struct locale_wishes *wishes,
                    enum locale_source *ret_source)
{
    size_t index = matcher->default_index;
    enum locale_source source = LOCALE_BY_DEFAULT;
    if (match_list(matcher, wishes->locales, &index))
        source = LOCALE_BY_PAYLOAD;
    else if (wishes->accept_language && match_header(matcher, wishes->accept_language, &index))
        source = LOCALE_BY_ACCEPT_LANGUAGE;
    else if (wishes->ui_locales && match_words(matcher, wishes->ui_locales, &index))
        source = LOCALE_BY_REQUEST_URL;
    else if (wishes->default_locale && match_words(matcher, wishes->default_locale, &index))
        source = LOCALE_BY_DEFAULT;
    else if (wishes->brand_locale && match_words(matcher, wishes->brand_locale, &index))
        source = LOCALE_BY_BRAND;
    if (ret_source)
        *ret_source = source;
    return index;
}

// ---- what ICU knows about a tag -------------------------------------------------------------

bool locale_is_right_to_left(const char *tag)
{
    UErrorCode status = U_ZERO_ERROR;
    char locale[ULOC_FULLNAME_CAPACITY];
    uloc_forLanguageTag(tag, locale, sizeof(locale), NULL, &status);
    return U_SUCCESS(status) && status != U_STRING_NOT_TERMINATED_WARNING &&
           uloc_isRightToLeft(locale);
}
