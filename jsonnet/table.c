#include "jsonnet/table.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "jsonnet/payload.h"

#define DIGITS_MAX 18 // of what every double, and every integer, carries
#define OTHERWISE "otherwise"
#define NO_PLACE "that is no path into a payload, such as 'template_data.to'"

enum part {
    PART_TEXT,
    PART_TEXTS,
    PART_NUMBER,
    PART_OBJECT, // of texts
};

static const struct {
    const char *key;
    enum part part;
} PARTS[] = {
    {"accept_language", PART_TEXT}, {"brand", PART_TEXT},
    {"channel", PART_TEXT},         {"data", PART_OBJECT},
    {"default_locale", PART_TEXT},  {"expires_in_minutes", PART_NUMBER},
    {"fallback", PART_OBJECT},      {"identity_id", PART_TEXT},
    {"locales", PART_TEXTS},        {"template", PART_TEXT},
    {"timezone", PART_TEXT},        {"to", PART_TEXT},
    {"user_agent", PART_TEXT},
};

static bool find_part(const char *key, enum part *ret_part)
{
    for (size_t i = 0; i < sizeof(PARTS) / sizeof(PARTS[0]); i++) {
        if (strcmp(PARTS[i].key, key) != 0)
            continue;
        *ret_part = PARTS[i].part;
        return true;
    }
    return false;
}

// ---- checking -------------------------------------------------------------------------------

// A place that is the same for each template.
static bool is_fixed_place(json_t *place)
{
    if (json_is_string(place))
        return true;
    size_t size = json_array_size(place);
    json_t *digits = json_array_get(place, 2);
    return (size == 2 || size == 3) && json_is_string(json_array_get(place, 0)) &&
           json_is_string(json_array_get(place, 1)) &&
           (!digits ||
            (json_integer_value(digits) > 0 && json_integer_value(digits) <= DIGITS_MAX));
}

// The keys that lead to the place are named, since Jsonnet has worked the table out and knows no
// lines any more.
static bool check_place(const char *at, json_t *place, struct error *err)
{
    const char *template;
    json_t *of_template;
    if (!json_is_object(place))
        return is_fixed_place(place) || error_set(err, ERR_INPUT, "%s: " NO_PLACE, at);
    json_object_foreach(place, template, of_template)
    {
        if (!is_fixed_place(of_template))
            return error_set(err, ERR_INPUT, "%s.%s: " NO_PLACE, at, template);
    }
    return true;
}

static bool check_object(const char *key, json_t *places, struct error *err)
{
    const char *name;
    json_t *place;
    if (!json_is_object(places))
        return error_set(err, ERR_INPUT, "%s is no object of paths", key);
    json_object_foreach(places, name, place)
    {
        char at[128];
        snprintf(at, sizeof(at), "%s.%s", key, name);
        if (!check_place(at, place, err))
            return false;
    }
    return true;
}

static bool check_part(const char *key, json_t *place, struct error *err)
{
    enum part part;
    if (!find_part(key, &part))
        return error_set(err, ERR_INPUT, "%s is no key of a mail", key);
    bool is_fit = false;
    switch (part) {
    case PART_OBJECT:
        return check_object(key, place, err);
    case PART_TEXT:
        return check_place(key, place, err);
    case PART_TEXTS:
        is_fit = is_fixed_place(place);
        break;
    case PART_NUMBER:
        is_fit = json_is_string(place);
        break;
    }
    return is_fit || error_set(err, ERR_INPUT, "%s: " NO_PLACE, key);
}

bool table_check(json_t *value, struct error *err)
{
    const char *key;
    json_t *place;
    if (!json_is_object(value))
        return error_set(err, ERR_INPUT, "no object");
    json_object_foreach(value, key, place)
    {
        if (!check_part(key, place, err))
            return false;
    }
    return json_object_get(value, "data") || error_set(err, ERR_INPUT, "data is missing");
}

// ---- looking up -----------------------------------------------------------------------------

struct look_up {
    json_t *document;
    const char *template; // of the mail; NULL: it has none
};

static const char *objects_of(json_t *place)
{
    return json_is_string(place) ? "" : json_string_value(json_array_get(place, 0));
}

static const char *paths_of(json_t *place)
{
    return json_string_value(json_is_string(place) ? place : json_array_get(place, 1));
}

// A new reference, null for nothing.
static json_t *text_of(const struct look_up *look_up, json_t *place)
{
    if (json_is_object(place)) {
        json_t *own = look_up->template ? json_object_get(place, look_up->template) : NULL;
        place = own ? own : json_object_get(place, OTHERWISE);
    }
    json_t *text = place ? payload_text(look_up->document, objects_of(place), paths_of(place),
                                        (int)json_integer_value(json_array_get(place, 2)))
                         : NULL;
    return text ? text : json_null();
}

static json_t *object_of(const struct look_up *look_up, json_t *places)
{
    json_t *object = json_object();
    const char *key;
    json_t *place;
    json_object_foreach(places, key, place)
    {
        if (json_object_set_new_nocheck(object, key, text_of(look_up, place)) != 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

static json_t *part_of(const struct look_up *look_up, const char *key, json_t *place)
{
    json_t *number;
    enum part part;
    if (!find_part(key, &part))
        return json_null();
    switch (part) {
    case PART_TEXT:
        return text_of(look_up, place);
    case PART_TEXTS:
        return payload_texts(look_up->document, objects_of(place), paths_of(place));
    case PART_NUMBER:
        number = payload_number(look_up->document, paths_of(place));
        return number ? json_incref(number) : json_null();
    case PART_OBJECT:
        return object_of(look_up, place);
    }
    return json_null();
}

json_t *table_apply(json_t *table, json_t *document)
{
    struct look_up look_up = {.document = document};
    json_t *place = json_object_get(table, "template");
    json_auto_t *template = place ? text_of(&look_up, place) : NULL;
    look_up.template = json_string_value(template);

    json_t *mail = json_object();
    const char *key;
    json_object_foreach(table, key, place)
    {
        if (json_object_set_new_nocheck(mail, key, part_of(&look_up, key, place)) != 0) {
            json_decref(mail);
            return NULL;
        }
    }
    return mail;
}
