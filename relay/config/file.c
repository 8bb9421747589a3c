// The configuration file is Jsonnet, which the core does not link: a composer evaluates it.
#include <jansson.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/buffer.h"
#include "relay/base/cleanup.h"
#include "relay/children/composer_session.h"
#include "relay/config/parts.h"

enum {
    FILE_SIZE_MAX = 1024 * 1024,
    EVALUATE_LIMIT_MS = 10000,
    // A running relay composes nothing meanwhile.
    REEVALUATE_LIMIT_MS = 2000,
};

// Evaluates text; imports are relative to the folder of path.
static json_t *evaluate(const char *path, const struct buffer *text, const char *composer_path,
                        int limit_ms, struct error *err)
{
    AUTO_FREE char *for_dir = strdup(path);
    AUTO_FREE char *for_name = strdup(path);
    json_auto_t *header = for_dir && for_name
                              ? json_pack("{s:s, s:s, s:s}", "op", "evaluate", "file",
                                          basename(for_name), "dir", dirname(for_dir))
                              : NULL;
    if (!header) {
        error_set(err, ERR_INPUT, "the file's name is no UTF-8, or there is no memory");
        return NULL;
    }
    struct child_session *session = composer_session_create(composer_path, err);
    json_t *answer = NULL, *document = NULL;
    struct frame frame;
    if (session && child_session_ask(session, header, text->data ? text->data : "", text->size,
                                     limit_ms, &answer, &frame, err)) {
        const char *op = json_string_value(json_object_get(answer, "op"));
        const char *detail = json_string_value(json_object_get(answer, "detail"));
        if (!op || strcmp(op, "evaluated") != 0 || frame.blob_count < 1) {
            error_set(err, ERR_INPUT, "%s", detail ? detail : "cannot be evaluated");
        } else {
            document = json_loadb(frame.blobs[0].data, frame.blobs[0].size, JSON_DECODE_ANY, NULL);
            if (!json_is_object(document)) {
                error_set(err, ERR_INPUT, "is not an object of settings");
                json_decref(document);
                document = NULL;
            }
        }
    }
    json_decref(answer);
    child_session_destroy(session);
    return document;
}

static bool put_scalar(struct buffer *text, const json_t *value)
{
    if (json_is_string(value))
        buffer_puts(text, json_string_value(value));
    else if (json_is_integer(value))
        buffer_printf(text, "%lld", (long long)json_integer_value(value));
    else if (json_is_boolean(value))
        buffer_puts(text, json_is_true(value) ? "true" : "false");
    else
        return false;
    // A NUL would hide what stands behind it.
    return !json_is_string(value) || strlen(json_string_value(value)) == json_string_length(value);
}

// A value as the environment would have it: JSON, or a list joined by commas, an object as
// "key=value".
static char *value_text(const struct setting *setting, json_t *value)
{
    if (setting->json)
        return json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    AUTO_BUFFER struct buffer text;
    buffer_init(&text, FILE_SIZE_MAX);
    bool ok = true;
    size_t index;
    const char *key;
    json_t *item;
    if (json_is_array(value)) {
        json_array_foreach(value, index, item)
        {
            if (index > 0)
                buffer_putc(&text, ',');
            ok = put_scalar(&text, item) && ok;
        }
    } else if (json_is_object(value) && setting->pair) {
        json_object_foreach(value, key, item)
        {
            buffer_printf(&text, "%s%s%c", text.size ? "," : "", key, setting->pair);
            ok = put_scalar(&text, item) && ok;
        }
    } else {
        ok = put_scalar(&text, value);
    }
    return ok && text.data ? buffer_take(&text) : NULL;
}

char *config_beside(const char *file, const char *name)
{
    const char *slash = *name == '/' ? NULL : strrchr(file, '/');
    char *path;
    return asprintf(&path, "%.*s%s", slash ? (int)(slash + 1 - file) : 0, file, name) < 0 ? NULL
                                                                                          : path;
}

// The same for the files of routes; what is no text is left to whoever judges the routes.
static bool put_routes_beside(const char *file, json_t *routes)
{
    static const char *const members[] = {"normaliser", "samples"};
    const char *key;
    json_t *route;
    json_object_foreach(routes, key, route)
    {
        for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
            const json_t *name = json_object_get(route, members[i]);
            const char *text = json_string_value(name);
            if (!text || !*text || strlen(text) != json_string_length(name))
                continue;
            AUTO_FREE char *path = config_beside(file, text);
            if (!path || json_object_set_new(route, members[i], json_string(path)) != 0)
                return false;
        }
    }
    return true;
}

// What the file holds for a setting, as the environment would have it; NULL: there was a fault.
static char *found_text(const char *file, const char *where, const struct setting *setting,
                        bool is_file, enum file_kind kind, json_t *value,
                        struct config_report *report)
{
    if (setting->json && setting->part == PART_NORMALISER && !put_routes_beside(file, value)) {
        report->failed = true;
        return NULL;
    }
    AUTO_WIPE char *text = value_text(setting, value);
    if (!text) {
        config_report_add(report, true, where, "is of the wrong type");
        return NULL;
    }
    char *found = is_file || setting->is_path ? config_beside(file, text) : text;
    if (!found)
        report->failed = true;
    if (found == text)
        text = NULL;
    if (!found || !is_file)
        return found;
    char *secret = config_read_secret(found, where, kind, report);
    free(found);
    return secret;
}

static void take(const char *file, const char *key, json_t *value, struct setting_values *values,
                 struct config_report *report)
{
    AUTO_FREE char *where = NULL;
    if (asprintf(&where, "%s: %s", file, key) < 0) {
        where = NULL;
        report->failed = true;
        return;
    }
    bool is_file = false;
    int place = setting_find(key, &is_file);
    if (place < 0) {
        char nearest[SETTING_VARIABLE_SIZE] = "";
        bool has_nearest = setting_nearest(key, nearest);
        config_report_add(report, !config_only_setting(values->purpose), where,
                          has_nearest ? "is not known; did you mean %s?" : "is not known%s",
                          nearest);
        return;
    }
    if (json_is_null(value) || !setting_values_want(values, place))
        return;
    char *text =
        found_text(file, where, &config_settings[place], is_file, values->kind, value, report);
    setting_values_put(values, place, text, where, report);
}

bool config_read_file(const char *path, const char *composer_path, struct setting_values *values,
                      struct config_report *report)
{
    struct error err = {0};
    AUTO_BUFFER struct buffer text;
    buffer_init(&text, FILE_SIZE_MAX);
    int limit_ms = values->kind == FILE_REGULAR ? REEVALUATE_LIMIT_MS : EVALUATE_LIMIT_MS;
    json_auto_t *document = file_read(path, values->kind, &text, NULL, &err)
                                ? evaluate(path, &text, composer_path, limit_ms, &err)
                                : NULL;
    if (!document) {
        config_report_add(report, true, path, "%s", err.message);
        return false;
    }
    const char *key;
    json_t *value;
    json_object_foreach(document, key, value) take(path, key, value, values, report);
    return true;
}
