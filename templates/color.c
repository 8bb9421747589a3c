#include "templates/color.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char BLACK[] = "#000000";
static const char WHITE[] = "#ffffff";

bool color_is_valid(const char *color)
{
    return color[0] == '#' && strlen(color) == 7 &&
           strspn(color + 1, "0123456789abcdefABCDEF") == 6;
}

// https://www.w3.org/TR/WCAG22/#dfn-relative-luminance
static double luminance(const char *color)
{
    static const double weights[] = {0.0722, 0.7152, 0.2126}; // blue, green, red
    unsigned long rgb = strtoul(color + 1, NULL, 16);
    double sum = 0;
    for (int i = 0; i < 3; i++, rgb >>= 8) {
        double part = (double)(rgb & 0xff) / 255;
        sum += weights[i] * (part <= 0.04045 ? part / 12.92 : pow((part + 0.055) / 1.055, 2.4));
    }
    return sum;
}

double color_contrast(const char *one, const char *other)
{
    double a = luminance(one);
    double b = luminance(other);
    return (fmax(a, b) + 0.05) / (fmin(a, b) + 0.05);
}

const char *color_black_or_white_on(const char *color)
{
    return color_contrast(WHITE, color) >= color_contrast(BLACK, color) ? WHITE : BLACK;
}
