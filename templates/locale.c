#include "templates/locale.h"

#include <stdlib.h>
#include <string.h>
#include <unicode/uloc.h>

#include "templates/locale_names.h"

#define WISHES_MAX 16
#define RANGES_MAX 32

struct locale_matcher {
    size_t default_index;
    struct locale_names *names;
};

struct slice {
    const char *text;
    size_t size;
};

struct locale_matcher *locale_matcher_create(const char *const *tags, size_t count,
                                             size_t default_index, struct error *err)
{
    struct locale_names *names = locale_names_create(tags, count, err);
    struct locale_matcher *matcher = names ? malloc(sizeof(*matcher)) : NULL;
    if (!matcher) {
        if (names)
            error_set(err, ERR_TEMPORARY, "out of memory");
        locale_names_destroy(names);
        return NULL;
    }
    *matcher = (struct locale_matcher){.default_index = default_index, .names = names};
    return matcher;
}

void locale_matcher_destroy(struct locale_matcher *matcher)
{
    if (!matcher)
        return;
    locale_names_destroy(matcher->names);
    free(matcher);
}

// ---- what is wished for ---------------------------------------------------------------------

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

// Where the whole is nothing that we have, what is before a bracket, comma or semicolon may be:
// "Deutsch (Schweiz)", or a browser's list where one language was to be: "de-CH,de;q=0.9".
static bool match_wish(const struct locale_matcher *matcher, struct slice wish, size_t *ret_index)
{
    if (locale_names_find(matcher->names, wish.text, wish.size, ret_index))
        return true;
    size_t head_size = 0;
    while (head_size < wish.size && !strchr("(,;", wish.text[head_size]))
        head_size++;
    const struct slice head = trim((struct slice){wish.text, head_size});
    return head_size < wish.size &&
           locale_names_find(matcher->names, head.text, head.size, ret_index);
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
