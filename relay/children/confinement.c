#include "relay/children/confinement.h"

#include <stdio.h>

const char *confinement_text(const json_t *texts, char text[CONFINEMENT_TEXT_SIZE])
{
    text[0] = '\0';
    size_t index, used = 0;
    json_t *one;
    json_array_foreach(texts, index, one)
    {
        const char *word = json_string_value(one);
        if (!word || used >= CONFINEMENT_TEXT_SIZE)
            continue;
        int size =
            snprintf(text + used, CONFINEMENT_TEXT_SIZE - used, "%s%s", used ? ", " : "", word);
        used += size > 0 ? (size_t)size : 0;
    }
    return text;
}
