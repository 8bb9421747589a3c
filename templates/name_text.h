// name_text.h - a person's name as it is read, for those who judge it: of usual width and without
// ligatures, as written and in lower case. For name_check.c and name_address.c.
#ifndef TEMPLATES_NAME_TEXT_H
#define TEMPLATES_NAME_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <unicode/utypes.h>

#define NAME_TEXT_MAX 2048 // code points: some letters are written out as eighteen

struct name_text {
    UChar32 points[NAME_TEXT_MAX]; // NFKC, without joiners and what is not seen
    UChar32 lower[NAME_TEXT_MAX];  // the same, at the same places
    size_t count;
};

struct name_span {
    size_t first, end; // places in a name_text; end: behind the last one
};

// False where it does not fit.
bool name_text_read(const UChar32 *name, size_t count, struct name_text *ret_text);

// What an accent or a sign of a vowel is.
bool name_text_is_mark(UChar32 point);
// True where ASCII stands in the lower case of text at index.
bool name_text_has(const struct name_text *text, size_t index, const char *ascii);

// True for a letter alone, with its marks, of a script that shortens names so; "" is none.
bool name_text_is_initial(const struct name_text *text, struct name_span word);
// True for what people write before a name and often do not part from it: "Dr", "St", "özv".
bool name_text_is_title(const struct name_text *text, struct name_span word);
// True where word, in lower case, is in a list of words with a space on both sides of each.
bool name_text_is_listed(const struct name_text *text, struct name_span word, const char *list);

#endif
