// member_text.h - the texts in the JSON objects that processes send each other.
#ifndef RELAY_MEMBER_TEXT_H
#define RELAY_MEMBER_TEXT_H

#include <jansson.h>

// The member of that name, borrowed; otherwise where there is none, or it is no text.
static inline const char *member_text_or(const json_t *object, const char *name,
                                         const char *otherwise)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : otherwise;
}

static inline const char *member_text(const json_t *object, const char *name)
{
    return member_text_or(object, name, NULL);
}

#endif
