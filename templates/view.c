#include "templates/view.h"

#include <string.h>

#include "relay/base/buffer.h"
#include "templates/own_text.h"
#include "templates/text_layout.h"
#include "templates/text_links.h"

#define TEXT_SIZE_MAX (64 * 1024)
#define OWN_TEXT_SIZE_MAX (1024 * 1024)

// A view while it is made. What could not be added for want of memory shows in failed.
struct draft {
    const struct view_base *base;
    const struct brand *brand;
    const struct render_request *request;
    const struct catalog_type *type; // NULL: not one of ours
    struct facts facts;
    json_t *view;
    struct buffer text; // the text that is being written
    bool failed;
};

json_t *view_known_names(json_t *brand_names)
{
    static const char *const names[] = {
        "lang",    "dir",        "start",   "locale", "template", "subject",  "preheader",
        "code",    "intro",      "outro",   "footer", "heading",  "greeting", "own_html",
        "not_you", "code_label", "context", "expiry", "happened",
    };
    json_t *known = json_pack("{s:{s:n, s:n, s:n, s:n}, s:{s:[{s:n}]}, s:O}", "link", "url", "host",
                              "button", "hint", "own", "lines", "text", "brand", brand_names);
    bool failed = !known;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        failed |= json_object_set_new(known, names[i], json_null()) != 0;
    if (failed) {
        json_decref(known);
        return NULL;
    }
    return known;
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
    if (!text || !catalog_write(catalog, text, draft->request->minutes_left, &draft->facts.values,
                                &draft->text))
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
    put_string(draft, view, "dir", base->writing.is_right_to_left ? "rtl" : "ltr");
    put_string(draft, view, "start", base->writing.is_right_to_left ? "right" : "left");
    put(draft, view, "brand", json_incref(draft->brand->view));
    put_text(draft, view, "footer", TEXT_FOOTER);
}

// Without words for the button the catalog does not want the link in this type of mail.
static bool shows_link(const struct draft *draft)
{
    return draft->facts.url && catalog_text(draft->base->catalog, draft->type, TEXT_BUTTON);
}

static void put_link(struct draft *draft)
{
    json_t *link = json_object();
    put_string(draft, link, "url", draft->facts.url);
    put_string(draft, link, "host", draft->facts.host);
    put_text(draft, link, "button", TEXT_BUTTON);
    put_text(draft, link, "hint", TEXT_LINK_HINT);
    put(draft, draft->view, "link", link);
}

// The first of two texts that this mail can fill; the second is the one that needs less.
static void put_either(struct draft *draft, const char *key, enum text_key first,
                       enum text_key second)
{
    if (!put_text(draft, draft->view, key, first))
        put_text(draft, draft->view, key, second);
}

// What a locked phone shows.
static void put_outside(struct draft *draft)
{
    bool shows_code =
        draft->type->need == NEED_CODE && brand_shows_code(draft->brand, draft->type->name);
    put_either(draft, "subject", shows_code ? TEXT_SUBJECT_CODE : TEXT_SUBJECT, TEXT_SUBJECT);
    put_either(draft, "preheader", shows_code ? TEXT_PREHEADER_CODE : TEXT_PREHEADER,
               TEXT_PREHEADER);
}

// How long it is valid, where that is known; until when, where the reader's clock is as well.
static void put_expiry(struct draft *draft)
{
    const char *const *values = draft->facts.values.values;
    bool has_code = draft->type->need == NEED_CODE;
    if (!values[PLACEHOLDER_MINUTES] || (!has_code && !shows_link(draft)))
        return;
    if (has_code)
        put_either(draft, "expiry", TEXT_EXPIRY_CODE_UNTIL, TEXT_EXPIRY_CODE);
    else
        put_either(draft, "expiry", TEXT_EXPIRY_LINK_UNTIL, TEXT_EXPIRY_LINK);
}

// What asked for the mail; or when that was done of which it tells.
static void put_circumstances(struct draft *draft)
{
    const char *const *values = draft->facts.values.values;
    if (draft->type->need == NEED_NOTHING)
        put_text(draft, draft->view, "happened", TEXT_HAPPENED);
    else if (values[PLACEHOLDER_BROWSER] && values[PLACEHOLDER_SYSTEM])
        put_either(draft, "context", TEXT_CONTEXT_TIME, TEXT_CONTEXT);
}

static void put_texts(struct draft *draft)
{
    json_t *view = draft->view;
    put_outside(draft);
    put_either(draft, "greeting", TEXT_GREETING, TEXT_GREETING_NAMELESS);
    put_text(draft, view, "heading", TEXT_HEADING);
    put_text(draft, view, "intro", TEXT_INTRO);
    put_text(draft, view, "outro", TEXT_OUTRO);
    put_text(draft, view, "not_you", TEXT_NOT_YOU);
    put_circumstances(draft);
    if (draft->type->need == NEED_CODE) {
        put_string(draft, view, "code", draft->facts.code);
        put_text(draft, view, "code_label", TEXT_CODE_LABEL);
    }
    if (shows_link(draft))
        put_link(draft);
    put_expiry(draft);
}

// ---- Kratos' own words ----------------------------------------------------------------------

// The subject as one line, in draft->text until the next is made.
static const char *read_own_subject(struct draft *draft)
{
    buffer_clear(&draft->text);
    own_text_subject(draft->request->subject, &draft->text);
    buffer_append(&draft->text, "", 0);
    draft->failed |= draft->text.failed;
    return draft->text.failed ? "" : draft->text.data;
}

// Kratos puts the code into the subject of all mails with one, whatever the brand wants there.
static bool put_kratos_subject(struct draft *draft)
{
    const char *template = draft->request->template;
    const char *subject = draft->request->subject;
    if (!subject ||
        (mail_type_need(template) == NEED_CODE && !brand_shows_code(draft->brand, template)))
        return false;
    const char *line = read_own_subject(draft);
    if (*line)
        put(draft, draft->view, "subject", json_string(line));
    return *line;
}

// A type of ours has a subject that needs nothing but the brand, unless it is a link's.
static bool put_subject_of_type(struct draft *draft)
{
    draft->type = catalog_find_type(draft->base->catalog, draft->request->template);
    bool is_put = draft->type && put_text(draft, draft->view, "subject", TEXT_SUBJECT);
    draft->type = NULL;
    return is_put;
}

static void put_own_subject(struct draft *draft)
{
    if (!put_kratos_subject(draft) && !put_subject_of_type(draft) &&
        !put_text(draft, draft->view, "subject", TEXT_SUBJECT_OWN))
        put_string(draft, draft->view, "subject", draft->brand->name);
}

// The text to be shown: Kratos' plain one, or what a reader of its HTML would see, written into
// from_html. NULL: no memory.
static const char *choose_own_text(const struct render_request *request, struct buffer *from_html)
{
    if (own_text_is_there(request->text))
        return request->text;
    own_text_from_html(request->html, from_html);
    buffer_append(from_html, "", 0);
    return from_html->failed ? NULL : from_html->data;
}

// Looked at as they will be shown, so that nothing that is taken out can hide a link.
static bool may_show(struct draft *draft, const json_t *lines)
{
    if (!brand_names_hosts(draft->brand))
        return true;
    size_t i;
    const json_t *line;
    json_array_foreach(lines, i, line)
    {
        const char *text = json_string_value(json_object_get(line, "text"));
        if (!text_links_lead_only_to(draft->brand, text))
            return false;
    }
    return !draft->request->subject ||
           text_links_lead_only_to(draft->brand, read_own_subject(draft));
}

static enum refusal put_own(struct draft *draft)
{
    const struct render_request *request = draft->request;
    struct buffer from_html AUTO_BUFFER;
    buffer_init(&from_html, OWN_TEXT_SIZE_MAX);
    const char *text = choose_own_text(request, &from_html);
    if (!text) {
        draft->failed = true;
        return REFUSAL_NONE;
    }
    json_t *own = json_object();
    json_t *lines = own_text_lines(text);
    put(draft, own, "lines", lines);
    put(draft, draft->view, "own", own);
    if (draft->failed)
        return REFUSAL_NONE;
    if (!may_show(draft, lines))
        return REFUSAL_LINK_NOT_ALLOWED;
    // HTML has too many ways to hide a link in.
    if (!brand_names_hosts(draft->brand) && own_text_is_there(request->html) &&
        own_text_is_laid_out(request->html))
        put(draft, draft->view, "own_html", json_string(request->html));
    put_own_subject(draft);
    return REFUSAL_NONE;
}

// ---- all of it ------------------------------------------------------------------------------

static bool has_what_it_needs(const struct draft *draft)
{
    switch (draft->type->need) {
    case NEED_CODE:
        return draft->facts.values.values[PLACEHOLDER_CODE];
    case NEED_LINK:
        return draft->facts.url;
    case NEED_NOTHING:
        break;
    }
    return true;
}

// Whether our texts say it, or Kratos' own do; or neither can.
static enum refusal choose_texts(struct draft *draft)
{
    const struct render_request *request = draft->request;
    draft->type = catalog_find_type(draft->base->catalog, request->template);
    if (draft->type && has_what_it_needs(draft))
        return REFUSAL_NONE;
    // Kratos' own text would lead where ours may not.
    if (draft->type && draft->type->need == NEED_LINK && draft->facts.link_is_forbidden)
        return REFUSAL_LINK_NOT_ALLOWED;
    draft->type = NULL;
    if (own_text_is_there(request->text) || own_text_is_there(request->html))
        return REFUSAL_NONE;
    return REFUSAL_NO_CONTENT;
}

static enum refusal fill(struct draft *draft)
{
    enum refusal refusal = choose_texts(draft);
    if (refusal != REFUSAL_NONE)
        return refusal;
    put_base(draft);
    if (!draft->type)
        return put_own(draft);
    put_texts(draft);
    return REFUSAL_NONE;
}

bool view_create(const struct view_base *base, const struct brand *brand,
                 const struct render_request *request, json_t **ret_view, enum refusal *ret_refusal,
                 struct error *err)
{
    struct draft draft = {.base = base, .brand = brand, .request = request};
    if (!facts_read(&draft.facts, request, brand, &base->writing))
        return error_set(err, ERR_TEMPORARY, "out of memory for what the mail says");
    draft.view = json_object();
    buffer_init(&draft.text, TEXT_SIZE_MAX);
    enum refusal refusal = fill(&draft);
    buffer_finish(&draft.text);
    facts_finish(&draft.facts);
    if (draft.failed || refusal != REFUSAL_NONE)
        json_decref(draft.view);
    if (draft.failed)
        return error_set(err, ERR_TEMPORARY, "out of memory for what the mail says");
    *ret_view = refusal == REFUSAL_NONE ? draft.view : NULL;
    *ret_refusal = refusal;
    return true;
}
