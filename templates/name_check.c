#include "templates/name_check.h"

#include <string.h>
#include <unicode/uchar.h>
#include <unicode/uloc.h>
#include <unicode/unorm2.h>
#include <unicode/ustring.h>

#define DIGITS_MAX 3
#define IDEOGRAPHS_MAX 5 // a given name may be "一二三"
#define FOLDED_MAX 2048
#define WORD_SIZE 24 // of a title or a top-level domain, with its NUL

struct points {
    const UChar32 *points;
    size_t count;
};

// As it would be read: lower case, of usual width, without ligatures and the invisible.
static bool fold(struct points name, UChar32 ret_points[FOLDED_MAX], size_t *ret_count)
{
    size_t ascii = 0;
    while (ascii < name.count && name.points[ascii] < 0x80) {
        ret_points[ascii] = u_tolower(name.points[ascii]);
        ascii++;
    }
    *ret_count = ascii;
    if (ascii == name.count)
        return true;
    UErrorCode status = U_ZERO_ERROR;
    UChar units[FOLDED_MAX];
    UChar folded[FOLDED_MAX];
    int32_t size = 0;
    const UNormalizer2 *normalizer = unorm2_getNFKCCasefoldInstance(&status);
    u_strFromUTF32(units, FOLDED_MAX, &size, name.points, (int32_t)name.count, &status);
    size = unorm2_normalize(normalizer, units, size, folded, FOLDED_MAX, &status);
    u_strToUTF32(ret_points, FOLDED_MAX, &size, folded, size, &status);
    *ret_count = (size_t)size;
    return U_SUCCESS(status);
}

// ---- numbers --------------------------------------------------------------------------------

static bool has_number(struct points name)
{
    size_t digits = 0;
    size_t ideographs = 0;
    for (size_t i = 0; i < name.count; i++) {
        UChar32 point = name.points[i];
        int8_t type = u_charType(point);
        digits += type == U_DECIMAL_DIGIT_NUMBER || type == U_OTHER_NUMBER;
        ideographs += (type == U_OTHER_LETTER || type == U_LETTER_NUMBER) &&
                      u_getNumericValue(point) != U_NO_NUMERIC_VALUE;
    }
    return digits > DIGITS_MAX || ideographs > IDEOGRAPHS_MAX;
}

// ---- addresses ------------------------------------------------------------------------------

static bool has_text(struct points name, const char *text)
{
    size_t size = strlen(text);
    for (size_t i = 0; i + size <= name.count; i++) {
        size_t k = 0;
        while (k < size && name.points[i + k] == (unsigned char)text[k])
            k++;
        if (k == size)
            return true;
    }
    return false;
}

static bool is_dot(UChar32 point)
{
    return point == '.' || point == 0x3002;
}

static bool is_of_word(UChar32 point)
{
    return u_isalnum(point) || point == '-' || point == '_' || (U_GET_GC_MASK(point) & U_GC_M_MASK);
}

// The word of letters and digits from first to before end, in ASCII; "" where it is not, or long.
static void write_word(struct points name, size_t first, size_t end, char ret_word[WORD_SIZE])
{
    ret_word[0] = '\0';
    if (end - first >= WORD_SIZE)
        return;
    for (size_t i = first; i < end; i++) {
        if (name.points[i] >= 0x80) {
            ret_word[0] = '\0';
            return;
        }
        ret_word[i - first] = (char)name.points[i];
        ret_word[i - first + 1] = '\0';
    }
}

static bool is_listed(const char *list, const char *word)
{
    size_t size = strlen(word);
    for (const char *found = strstr(list, word); size && found; found = strstr(found + 1, word)) {
        if (found[-1] == ' ' && found[size] == ' ')
            return true;
    }
    return false;
}

// What people write before a name and often do not part from it.
static bool is_title(const char *word)
{
    static const char titles[] =
        " adv bc capt col da dipl doc dr dra drs eng fco fr gen hj hon ifj ing ir jr judr"
        " lt ma mag md mgr mohd mr mrs ms mudr muh mvdr mx ozv phdr prof rev rndr sgt sk"
        " smt sr sra sri srta st sta ste sto ths ts ";
    return is_listed(titles, word);
}

// Not all that there are, for people are called like some ("St.Paris"): countries, and where
// strangers get a name for little or nothing.
static bool is_top_level(const char *word)
{
    static const char others[] =
        " ac academy accountant agency app art asia bank best bet bid bio biz blog"
        " business buzz cash casino cat center chat click cloud club com company credit"
        " cyou date design dev digital download edu email eu faith finance fun fund game"
        " games gov group help icu info ink int io jobs life link live loan lol ltd me"
        " media men mil mobi money monster net network news ninja one online org page"
        " party pay pics plus poker pro review rocks run safe services shop site social"
        " software solutions space store stream studio support surf systems team tech tel"
        " tips today tools top trade travel tv uk video vip wang webcam website wiki win"
        " work works world xxx xyz zip zone ";
    if (strlen(word) == 2) {
        for (const char *const *country = uloc_getISOCountries(); *country; country++) {
            if (u_tolower((*country)[0]) == word[0] && u_tolower((*country)[1]) == word[1])
                return true;
        }
    }
    return is_listed(others, word);
}

// True where what stands around the dot is the name of a host.
static bool is_domain_around(struct points name, size_t dot)
{
    size_t first = dot;
    size_t end = dot + 1;
    size_t letters = 0;
    while (first > 0 && is_of_word(name.points[first - 1]))
        first--;
    for (; end < name.count && is_of_word(name.points[end]); end++)
        letters += u_isalpha(name.points[end]) != 0;
    if (letters < 2)
        return false; // "J.R.R. Tolkien", "Dr. Anna"

    char before[WORD_SIZE] = "", behind[WORD_SIZE] = "";
    write_word(name, first, dot, before);
    write_word(name, dot + 1, end, behind);
    bool is_initial = dot - first == 1 && u_isalpha(name.points[first]);
    return (!is_initial && !is_title(before)) || is_top_level(behind);
}

static bool has_address(struct points name)
{
    static const char *const signs[] = {
        "@",   "://", "//",   "http", "hxxp",  "www",   "xn--",
        "[.]", "(.)", "[at]", "(at)", "[dot]", "(dot)", "mailto:",
    };
    for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
        if (has_text(name, signs[i]))
            return true;
    }
    for (size_t i = 0; i < name.count; i++) {
        if (is_dot(name.points[i]) && is_domain_around(name, i))
            return true;
    }
    return false;
}

// ---- no name at all -------------------------------------------------------------------------

static bool is_word(struct points word, const char *text)
{
    return word.count == strlen(text) && has_text(word, text);
}

// What programs write where they have no name: nobody is to be greeted with "Hello null". In their
// spelling: there are people called Null, and Nan.
static bool has_placeholder(struct points name)
{
    static const char *const words[] = {"null", "undefined", "None", "NaN", "<nil>", "[object"};
    for (size_t first = 0; first < name.count;) {
        struct points word = {name.points + first, 0};
        while (first < name.count && name.points[first] != ' ')
            first++;
        word.count = (size_t)(name.points + first - word.points);
        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
            if (is_word(word, words[i]))
                return true;
        }
        first++;
    }
    return false;
}

// "{}", "42", "-"; an object or array that was made a string; bytes that were no UTF-8, or a NUL.
static bool is_nothing(struct points name)
{
    bool has_letter = false;
    for (size_t i = 0; i < name.count; i++) {
        if (name.points[i] == 0xfffd)
            return true;
        has_letter = has_letter || u_isalpha(name.points[i]) || name.points[i] >= 0x80;
    }
    return !has_letter || name.points[0] == '[' ||
           (name.count > 1 && name.points[0] == '{' && name.points[1] == '"');
}

bool name_check(const UChar32 *name, size_t count)
{
    struct points plain = {name, count};
    UChar32 folded_points[FOLDED_MAX];
    size_t folded_count;
    if (is_nothing(plain) || has_placeholder(plain) || !fold(plain, folded_points, &folded_count))
        return false;
    struct points folded = {folded_points, folded_count};
    return !has_number(folded) && !has_address(folded);
}
