// color.h - colours written #rrggbb, and whether one can be read on another.
#ifndef TEMPLATES_COLOR_H
#define TEMPLATES_COLOR_H

#include <stdbool.h>

// What WCAG 2.2, 1.4.3 asks for between a text and what is behind it.
#define COLOR_CONTRAST_MIN 4.5

// True for "#" and six hexadecimal digits.
bool color_is_valid(const char *color);

// The contrast ratio of two valid colours, 1.0 to 21.0, whichever comes first.
// https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio
double color_contrast(const char *one, const char *other);

// "#000000" or "#ffffff", whichever contrasts more with a valid colour: never less than 4.58.
const char *color_black_or_white_on(const char *color);

#endif
