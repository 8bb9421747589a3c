#include "templates/view.h"

#include <stdio.h>
#include <string.h>

#include "relay/base/buffer.h"
#include "templates/own_text.h"
#include "templates/text_layout.h"
#include "templates/value.h"

#define TEXT_SIZE_MAX (64 * 1024)
#define OWN_TEXT_SIZE_MAX (1024 * 1024)

// A view while it is made. What could not be added for want of memory shows in failed.
struct draft {
    const struct view_base *base;
    const struct render_request *request;
    const struct catalog_type *type;
    json_t *view;
    struct buffer text; // the text that is being written
    bool failed;

    struct message_values values;
    char code[VALUE_CODE_SIZE];
    char host[VALUE_HOST_SIZE];
    char name[VALUE_NAME_SIZE];
    char minutes[16];
    const char *url; // NULL: no link
};

json_t *view_known_names(json_t *brand)
{
    static const char *const names[] = {
        "lang",      "dir",        "start", "locale", "template", "brand",    "subject",
        "preheader", "code",       "intro", "outro",  "heading",  "greeting", "own_html",
        "not_you",   "code_label", "link",  "url",    "host",     "button",   "hint",
        "expiry",    "footer",     "own",   "text",   "lines",    "context",  "happened",
    };
    json_t *known = json_object();
    bool failed = json_object_update(known, brand) != 0;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        failed |= json_object_set_new(known, names[i], json_null()) != 0;
    if (failed) {
        json_decref(known);
        return NULL;
    }
    return known;
}

// ---- values ---------------------------------------------------------------------------------

static void read_values(struct draft *draft)
{
    const json_t *data = draft->request->data;
    const char **values = draft->values.values;
    values[PLACEHOLDER_BRAND] = json_string_value(json_object_get(draft->base->brand, "name"));
    if (value_read_code(json_object_get(data, "code"), draft->code))
        values[PLACEHOLDER_CODE] = draft->code;
    if (value_read_url(json_object_get(data, "url"), &draft->url, draft->host))
        values[PLACEHOLDER_HOST] = draft->host;
    if (value_read_name(json_object_get(data, "name"), draft->name))
        values[PLACEHOLDER_NAME] = draft->name;
    if (draft->request->minutes_left > 0) {
        snprintf(draft->minutes, sizeof(draft->minutes), "%d", draft->request->minutes_left);
        values[PLACEHOLDER_MINUTES] = draft->minutes;
    }
}

static bool has_what_it_needs(const struct draft *draft)
{
    switch (draft->type->need) {
    case NEED_CODE:
        return draft->values.values[PLACEHOLDER_CODE];
    case NEED_LINK:
        return draft->url;
    case NEED_NOTHING:
        break;
    }
    return true;
}

// ---- adding ---------------------------------------------------------------------------------

static void put(struct draft *draft, json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new_nocheck(object, key, value) != 0)
        draft->failed = true;
}

static void put_string(struct draft *draft, json_t *object, const char *key, const char *text)
{
    put(draft, object, key, json_string_nocheck(text));
}

// Writes a text of the catalog into draft->text. False where the catalog has none, or none
// that this mail can fill.
static bool write_text(struct draft *draft, enum text_key key)
{
    const struct catalog *catalog = draft->base->catalog;
    const struct text *text = catalog_text(catalog, draft->type, key);
    buffer_clear(&draft->text);
    if (!text ||
        !catalog_write(catalog, text, draft->request->minutes_left, &draft->values, &draft->text))
        return false;
    draft->failed |= draft->text.failed;
    return !draft->text.failed;
}

// False where nothing was put, as write_text() says.
static bool put_text(struct draft *draft, json_t *object, const char *key, enum text_key text)
{
    if (!write_text(draft, text))
        return false;
    put(draft, object, key, json_stringn_nocheck(draft->text.data, draft->text.size));
    return true;
}

// ---- the parts of a view --------------------------------------------------------------------

static void put_base(struct draft *draft)
{
    const struct view_base *base = draft->base;
    json_t *view = draft->view;
    put_string(draft, view, "lang", base->catalog->language);
    put_string(draft, view, "locale", base->catalog->tag);
    put_string(draft, view, "template", draft->request->template);
    put_string(draft, view, "dir", base->is_right_to_left ? "rtl" : "ltr");
    put_string(draft, view, "start", base->is_right_to_left ? "right" : "left");
    put(draft, view, "brand", json_incref(base->brand));
    put_text(draft, view, "footer", TEXT_FOOTER);
}

// Without words for the button the catalog does not want the link in this type of mail.
static bool shows_link(const struct draft *draft)
{
    return draft->url && catalog_text(draft->base->catalog, draft->type, TEXT_BUTTON);
}

static void put_link(struct draft *draft)
{
    json_t *link = json_object();
    put_string(draft, link, "url", draft->url);
    put_string(draft, link, "host", draft->host);
    put_text(draft, link, "button", TEXT_BUTTON);
    put_text(draft, link, "hint", TEXT_LINK_HINT);
    put(draft, draft->view, "link", link);
}

static void put_texts(struct draft *draft)
{
    json_t *view = draft->view;
    const char *const *values = draft->values.values;
    bool has_code = draft->type->need == NEED_CODE;
    if (!has_code || !put_text(draft, view, "subject", TEXT_SUBJECT_CODE))
        put_text(draft, view, "subject", TEXT_SUBJECT);
    if (!has_code || !put_text(draft, view, "preheader", TEXT_PREHEADER_CODE))
        put_text(draft, view, "preheader", TEXT_PREHEADER);
    put_text(draft, view, "heading", TEXT_HEADING);
    put_text(draft, view, "intro", TEXT_INTRO);
    put_text(draft, view, "outro", TEXT_OUTRO);
    put_text(draft, view, "not_you", TEXT_NOT_YOU);

    bool greets_by_name = values[PLACEHOLDER_NAME] && write_text(draft, TEXT_GREETING);
    if (greets_by_name || write_text(draft, TEXT_GREETING_NAMELESS))
        put(draft, view, "greeting", json_stringn_nocheck(draft->text.data, draft->text.size));

    if (has_code) {
        put_string(draft, view, "code", draft->code);
        put_text(draft, view, "code_label", TEXT_CODE_LABEL);
    }
    if (shows_link(draft))
        put_link(draft);
    if (values[PLACEHOLDER_MINUTES] && (has_code || shows_link(draft)))
        put_text(draft, view, "expiry", has_code ? TEXT_EXPIRY_CODE : TEXT_EXPIRY_LINK);
}

static void put_own_subject(struct draft *draft)
{
    const char *subject = draft->request->subject;
    const struct catalog *catalog = draft->base->catalog;
    buffer_clear(&draft->text);
    if (own_text_is_there(subject))
        text_layout_subject(subject, strlen(subject), &draft->text);
    else if (!catalog_text(catalog, NULL, TEXT_SUBJECT_OWN) || !write_text(draft, TEXT_SUBJECT_OWN))
        buffer_puts(&draft->text, draft->values.values[PLACEHOLDER_BRAND]);
    buffer_append(&draft->text, "", 0); // so that data is there for an empty one
    draft->failed |= draft->text.failed;
    if (!draft->text.failed)
        put(draft, draft->view, "subject", json_stringn(draft->text.data, draft->text.size));
}

static void put_own(struct draft *draft)
{
    const struct render_request *request = draft->request;
    struct buffer from_html AUTO_BUFFER;
    buffer_init(&from_html, OWN_TEXT_SIZE_MAX);
    const char *text = request->text;
    if (!own_text_is_there(text)) {
        own_text_from_html(request->html, &from_html);
        buffer_append(&from_html, "", 0);
        draft->failed |= from_html.failed;
        text = from_html.data;
    }
    if (draft->failed)
        return;
    json_t *own = json_object();
    put(draft, own, "lines", own_text_lines(text));
    put(draft, draft->view, "own", own);
    if (own_text_is_there(request->html) && own_text_is_laid_out(request->html))
        put(draft, draft->view, "own_html", json_string(request->html));
    put_own_subject(draft);
}

json_t *view_create(const struct view_base *base, const struct render_request *request,
                    struct error *err)
{
    struct draft draft = {.base = base, .request = request};
    draft.type = catalog_find_type(base->catalog, request->template);
    read_values(&draft);
    if (draft.type && !has_what_it_needs(&draft))
        draft.type = NULL;
    if (!draft.type && !own_text_is_there(request->text) && !own_text_is_there(request->html)) {
        error_set(err, ERR_INPUT, "no_content");
        return NULL;
    }

    draft.view = json_object();
    buffer_init(&draft.text, TEXT_SIZE_MAX);
    put_base(&draft);
    if (draft.type)
        put_texts(&draft);
    else
        put_own(&draft);
    buffer_finish(&draft.text);
    explicit_bzero(draft.code, sizeof(draft.code));
    if (draft.failed) {
        json_decref(draft.view);
        error_set(err, ERR_TEMPORARY, "out of memory for what the mail says");
        return NULL;
    }
    return draft.view;
}
