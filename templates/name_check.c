#include "templates/name_check.h"

#include <string.h>
#include <unicode/uchar.h>

#include "templates/name_address.h"
#include "templates/name_text.h"

#define DIGITS_MAX 3
#define IDEOGRAPHS_MAX 5 // numerals that are words, of Chinese: "五十嵐 五十六" is a name
#define IDEOGRAPHS_IN_ROW_MAX 3 // and so is "一二三"
#define WORDS_MAX 6
#define HYPHENS_MAX 4

// ---- numbers --------------------------------------------------------------------------------

// What shows a number without being one to Unicode: dice, dominoes, playing cards, clocks.
static bool is_pictured_number(UChar32 point)
{
    return (point >= 0x2680 && point <= 0x2685) || (point >= 0x1f000 && point <= 0x1f0ff) ||
           (point >= 0x1f550 && point <= 0x1f567) || point == 0x1f51f;
}

static bool has_number(const struct name_text *name)
{
    size_t digits = 0, ideographs = 0, in_row = 0, longest = 0;
    for (size_t i = 0; i < name->count; i++) {
        UChar32 point = name->points[i];
        bool is_number = u_getNumericValue(point) != U_NO_NUMERIC_VALUE;
        bool is_ideograph = is_number && u_charType(point) == U_OTHER_LETTER;
        digits += (is_number && !is_ideograph) || is_pictured_number(point);
        ideographs += is_ideograph;
        in_row = is_ideograph ? in_row + 1 : 0;
        if (in_row > longest)
            longest = in_row;
    }
    return digits + (digits > 0 ? ideographs : 0) > DIGITS_MAX || ideographs > IDEOGRAPHS_MAX ||
           longest > IDEOGRAPHS_IN_ROW_MAX;
}

// ---- sentences ------------------------------------------------------------------------------

static UChar32 point_at(const struct name_text *name, size_t index)
{
    return index < name->count ? name->points[index] : ' ';
}

// "Siva a/l Raju" is the son of Raju, as Malaysia and Singapore write it.
static bool is_kinship(const struct name_text *name, size_t slash)
{
    static const char *const kinships[] = {"a/l", "a/p", "s/o", "d/o", "w/o"};
    if (slash < 2 || name->points[slash - 2] != ' ' || point_at(name, slash + 2) != ' ')
        return false;
    for (size_t i = 0; i < sizeof(kinships) / sizeof(kinships[0]); i++) {
        if (name_text_has(name, slash - 1, kinships[i]))
            return true;
    }
    return false;
}

static bool is_one_of(UChar32 point, const UChar32 *points)
{
    while (*points && *points != point)
        points++;
    return *points != 0;
}

// Signs that stand in sentences and paths, and not in names.
static bool has_sign(const struct name_text *name)
{
    static const UChar32 signs[] = {'?',    0xbf,   0x61f,  0x203d, 0x2753, 0x2754, ';',
                                    0x61b,  0xa1,   0x2755, 0x2757, '\\',   0x2216, 0x29f5,
                                    0x29f9, 0x2044, 0x2215, 0x2571, 0x29f8, 0};
    static const UChar32 colons[] = {':', 0x2d0, 0x589, 0x5c3, 0x2236, 0xa789, 0};
    for (size_t i = 0; i < name->count; i++) {
        UChar32 point = name->points[i];
        UChar32 next = point_at(name, i + 1);
        bool begins_word = i == 0 || name->points[i - 1] == ' ';
        bool is_click = begins_word && u_isalpha(next);                 // "!Xóõ"
        bool is_smile = begins_word && next != ' ' && !u_isalnum(next); // ":)"
        if (is_one_of(point, signs) || (point == '!' && !is_click) ||
            (is_one_of(point, colons) && !is_smile) || (point == '/' && !is_kinship(name, i)))
            return true;
    }
    return false;
}

static bool parts_words(UChar32 point)
{
    static const UChar32 within[] = {'-', '\'', 0x2019, 0xb7, 0xf0b, 0};
    return !is_one_of(point, within) && !u_isalnum(point) && !name_text_is_mark(point);
}

// What does not make a name long: titles, initials, and what stands between its parts.
static bool is_small_word(const struct name_text *name, struct name_span word)
{
    static const char particles[] =
        " a ab abd abu af al am an auf av ben bin bint binti da das de degli dei del della den der"
        " des di do dos du e el ibn i la las le les lo los o san santa ten ter und van vom von y zu"
        " zum zur أبو ابن آل بن بنت عبد בן בת ";
    return name_text_is_initial(name, word) || name_text_is_title(name, word) ||
           name_text_is_listed(name, word, particles);
}

static bool is_long(const struct name_text *name)
{
    size_t words = 0, hyphens = 0;
    for (struct name_span word = {0, 0}; word.first < name->count; word.first = word.end + 1) {
        word.end = word.first;
        while (word.end < name->count && !parts_words(name->points[word.end]))
            hyphens += name->points[word.end++] == '-';
        words += word.end > word.first && !is_small_word(name, word);
    }
    return words > WORDS_MAX || hyphens > HYPHENS_MAX;
}

// ---- no name at all -------------------------------------------------------------------------

struct points {
    const UChar32 *points;
    size_t count;
};

static bool is_word(struct points word, const char *text)
{
    if (word.count != strlen(text))
        return false;
    for (size_t i = 0; i < word.count; i++) {
        if (word.points[i] != (unsigned char)text[i])
            return false;
    }
    return true;
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
        // A sign of a tone alone looks like a dot.
        has_letter |= u_isalpha(name.points[i]) && u_charType(name.points[i]) != U_MODIFIER_LETTER;
    }
    return !has_letter || name.points[0] == '[' ||
           (name.count > 1 && name.points[0] == '{' && name.points[1] == '"');
}

bool name_check(const UChar32 *name, size_t count)
{
    struct points plain = {name, count};
    struct name_text text;
    if (is_nothing(plain) || has_placeholder(plain) || !name_text_read(name, count, &text))
        return false;
    return !has_number(&text) && !has_sign(&text) && !is_long(&text) && !name_has_address(&text);
}
