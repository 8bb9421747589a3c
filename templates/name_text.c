#include "templates/name_text.h"

#include <string.h>
#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/uscript.h>
#include <unicode/ustring.h>
#include <unicode/utf8.h>

#define WORD_SIZE 64 // of what a list may hold, with its NUL

bool name_text_read(const UChar32 *name, size_t count, struct name_text *ret_text)
{
    UErrorCode status = U_ZERO_ERROR;
    UChar units[NAME_TEXT_MAX];
    UChar composed[NAME_TEXT_MAX];
    int32_t size = 0;
    const UNormalizer2 *normalizer = unorm2_getNFKCInstance(&status);
    u_strFromUTF32(units, NAME_TEXT_MAX, &size, name, (int32_t)count, &status);
    size = unorm2_normalize(normalizer, units, size, composed, NAME_TEXT_MAX, &status);
    u_strToUTF32(ret_text->points, NAME_TEXT_MAX, &size, composed, size, &status);
    if (U_FAILURE(status))
        return false;
    ret_text->count = 0;
    for (int32_t i = 0; i < size; i++) {
        UChar32 point = ret_text->points[i];
        if (u_hasBinaryProperty(point, UCHAR_DEFAULT_IGNORABLE_CODE_POINT))
            continue;
        ret_text->points[ret_text->count] = point;
        ret_text->lower[ret_text->count++] = u_tolower(point);
    }
    return true;
}

bool name_text_is_mark(UChar32 point)
{
    return U_GET_GC_MASK(point) & U_GC_M_MASK;
}

bool name_text_has(const struct name_text *text, size_t index, const char *ascii)
{
    for (; *ascii; ascii++, index++) {
        if (index >= text->count || text->lower[index] != (unsigned char)*ascii)
            return false;
    }
    return true;
}

bool name_text_is_initial(const struct name_text *text, struct name_span word)
{
    if (word.first >= word.end || !u_isalpha(text->points[word.first]))
        return false;
    for (size_t i = word.first + 1; i < word.end; i++) {
        if (!name_text_is_mark(text->points[i]))
            return false;
    }
    // One letter of these is a word.
    static const UScriptCode whole[] = {USCRIPT_HAN, USCRIPT_HIRAGANA, USCRIPT_KATAKANA,
                                        USCRIPT_HANGUL, USCRIPT_BOPOMOFO};
    UErrorCode status = U_ZERO_ERROR;
    UScriptCode script = uscript_getScript(text->points[word.first], &status);
    for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++) {
        if (script == whole[i])
            return false;
    }
    return U_SUCCESS(status);
}

bool name_text_is_listed(const struct name_text *text, struct name_span word, const char *list)
{
    char utf8[WORD_SIZE];
    size_t size = 0;
    for (size_t i = word.first; i < word.end; i++) {
        if (size + U8_MAX_LENGTH >= WORD_SIZE)
            return false; // longer than all that are listed
        U8_APPEND_UNSAFE((uint8_t *)utf8, size, (uint32_t)text->lower[i]);
    }
    utf8[size] = '\0';
    for (const char *at = list; size && (at = strstr(at, utf8)); at++) {
        if (at > list && at[-1] == ' ' && at[size] == ' ')
            return true;
    }
    return false;
}

bool name_text_is_title(const struct name_text *text, struct name_span word)
{
    // With them the initials that have two letters: "Gy", "Th", "Yu".
    static const char titles[] =
        " adv assoc bc capt ch chr col cs da dipl doc dott dr dra drs eng engr fco fr gen gy habil"
        " hj hon id ifj ing ir jr judr jun lic lt ma mag maj md med mgr mohd mr mrs ms mudr muh"
        " mult mvdr mx nat ny oec ozv özv ph phdr phil pol prof rer rev rndr sen sgt sk smt sr sra"
        " sri srta st sta ste sto sz th theol ths ts ty univ vet ya ye yu zs др проф св ดร ";
    return name_text_is_listed(text, word, titles);
}
