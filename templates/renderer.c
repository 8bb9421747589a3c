// One mail: the language is chosen, its texts become a view, the view goes through the frames.
// Loading is in renderer_load.c.
#include "templates/renderer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "relay/base/buffer.h"
#include "relay/base/cleanup.h"
#include "templates/loaded.h"
#include "templates/own_text.h"
#include "templates/text_layout.h"

#define OUTPUT_SIZE_MAX (4 * 1024 * 1024) // escaping can make five bytes of one
#define HTML_SIZE_USUAL (12 * 1024)       // taken at once: growing there copies and wipes

bool renderer_knows(const struct renderer *renderer, const char *template)
{
    // All catalogs know the same types.
    return catalog_find_type(renderer->catalogs->items[0], template) != NULL;
}

bool renderer_has_brand(const struct renderer *renderer, const char *name)
{
    return brands_know(renderer->brands, name);
}

bool renderer_check_locale(const struct renderer *renderer, const char *locale, struct error *err)
{
    const struct catalog *catalog = catalogs_find(renderer->catalogs, locale);
    if (!catalog)
        return error_set(err, ERR_INPUT, "there is no catalog locales/%s.json", locale);
    return !catalog_is_variant(catalog) ||
           error_set(err, ERR_INPUT, "%s is for a brand's address to choose; name %s", locale,
                     catalog->language);
}

static const struct view_base *find_base(const struct renderer *renderer, const char *tag)
{
    for (size_t i = 0; i < renderer->catalogs->count; i++) {
        if (strcasecmp(renderer->catalogs->items[i]->tag, tag) == 0)
            return &renderer->bases[i];
    }
    return NULL;
}

// A catalog that was named: a variant as it is, a language as the brand speaks it.
static const struct view_base *find_named(const struct renderer *renderer,
                                          const struct brand *brand, const char *tag)
{
    const struct view_base *base = tag ? find_base(renderer, tag) : NULL;
    for (size_t i = 0; base && i < renderer->catalogs->count; i++) {
        if (renderer->languages[i].bases[BRAND_ADDRESS_OWN] == base)
            return renderer->languages[i].bases[brand->address];
    }
    return base;
}

// Whose wish it is comes first, then how the brand speaks to people in that language.
static const struct view_base *choose_base(const struct renderer *renderer,
                                           const struct brand *brand,
                                           const struct render_request *request,
                                           enum locale_source *ret_source)
{
    const struct view_base *named = find_named(renderer, brand, request->locale);
    if (named)
        return named;
    const struct locale_wishes wishes = {.locales = request->locales,
                                         .accept_language = request->accept_language,
                                         .ui_locales = request->ui_locales,
                                         .default_locale = request->default_locale,
                                         .brand_locale = brand->locale};
    size_t index = locale_match(renderer->matcher, &wishes, ret_source);
    return renderer->languages[index].bases[brand->address];
}

static bool take(struct buffer *buffer, char **ret_text, struct error *err)
{
    *ret_text = buffer_take(buffer);
    if (!*ret_text)
        return error_set(err, ERR_TEMPORARY, "out of memory for a rendered text");
    return true;
}

static void lay_out_subject(const char *text, size_t size, struct buffer *out)
{
    buffer_init(out, OUTPUT_SIZE_MAX);
    text_layout_subject(text, size, out);
}

// Puts what subject.text.mustache makes of the view's subject in its place, so that the page is
// titled the same.
static bool write_subject(const struct template *template, json_t *view, struct error *err)
{
    struct buffer rendered AUTO_BUFFER;
    struct buffer line AUTO_BUFFER;
    buffer_init(&rendered, OUTPUT_SIZE_MAX);
    if (!template_render(template, view, &rendered, err))
        return false;
    lay_out_subject(rendered.data, rendered.size, &line);
    if (line.size == 0 && !line.failed)
        return true; // nothing is no subject
    if (line.failed ||
        json_object_set_new(view, "subject", json_stringn(line.data, line.size)) != 0)
        return error_set(err, ERR_TEMPORARY, "out of memory for a subject");
    return true;
}

static bool render_subject(const struct frame_set *frames, json_t *view, char **ret_subject,
                           struct error *err)
{
    if (frames->subject && !write_subject(frames->subject, view, err))
        return false;
    const json_t *subject = json_object_get(view, "subject");
    struct buffer out AUTO_BUFFER;
    lay_out_subject(json_string_value(subject), json_string_length(subject), &out);
    return take(&out, ret_subject, err);
}

static bool render_text(const struct frame_set *frames, const json_t *view, char **ret_text,
                        struct error *err)
{
    struct buffer rendered AUTO_BUFFER;
    struct buffer out AUTO_BUFFER;
    buffer_init(&rendered, OUTPUT_SIZE_MAX);
    buffer_init(&out, OUTPUT_SIZE_MAX);
    if (!template_render(frames->text, view, &rendered, err))
        return false;
    text_layout_body(rendered.data, rendered.size, &out);
    return take(&out, ret_text, err);
}

static bool render_html(const struct frame_set *frames, const json_t *view, char **ret_html,
                        struct error *err)
{
    const char *own = json_string_value(json_object_get(view, "own_html"));
    struct buffer out AUTO_BUFFER;
    buffer_init(&out, OUTPUT_SIZE_MAX);
    buffer_reserve(&out, HTML_SIZE_USUAL);
    if (own && own_text_is_document(own))
        buffer_puts(&out, own);
    else if (!template_render(frames->html, view, &out, err))
        return false;
    return take(&out, ret_html, err);
}

bool renderer_render(struct renderer *renderer, const struct render_request *request,
                     struct rendered *ret_rendered, enum refusal *ret_refusal, struct error *err)
{
    return renderer_render_as(renderer, brands_find(renderer->brands, request->brand), request,
                              ret_rendered, ret_refusal, err);
}

bool renderer_render_as(struct renderer *renderer, const struct brand *brand,
                        const struct render_request *request, struct rendered *ret_rendered,
                        enum refusal *ret_refusal, struct error *err)
{
    enum locale_source source = LOCALE_BY_DEFAULT;
    const struct view_base *base = choose_base(renderer, brand, request, &source);
    json_t *made = NULL;
    if (!view_create(base, brand, request, &made, ret_refusal, err))
        return false;
    json_auto_t *view = made;
    if (*ret_refusal != REFUSAL_NONE)
        return true;
    struct rendered rendered = {.brand = brand, .locale_source = source};
    snprintf(rendered.locale, sizeof(rendered.locale), "%s", base->catalog->tag);
    snprintf(rendered.language, sizeof(rendered.language), "%s", base->catalog->language);
    // What a type has of its own is written for its texts, and need not know Kratos' own.
    bool is_own = json_object_get(view, "own");
    const struct frame_set *frames =
        frames_find(renderer->frames, is_own ? NULL : request->template);
    if (!render_subject(frames, view, &rendered.subject, err) ||
        !render_text(frames, view, &rendered.text, err) ||
        !render_html(frames, view, &rendered.html, err)) {
        rendered_finish(&rendered);
        return false;
    }
    *ret_rendered = rendered;
    return true;
}

void rendered_finish(struct rendered *rendered)
{
    if (!rendered)
        return;
    wipe_free(rendered->subject);
    wipe_free(rendered->text);
    wipe_free(rendered->html);
    *rendered = (struct rendered){0};
}

size_t renderer_brand_count(const struct renderer *renderer)
{
    return brands_count(renderer->brands);
}

const struct brand *renderer_brand(const struct renderer *renderer, size_t index)
{
    return brands_at(renderer->brands, index);
}
