// renderer.h - a template's name and variables in, a localized mail's texts out.
//
// Loads everything at renderer_load(): Mustache files compiled, catalogs checked against each
// other. After that no file is touched and nothing but memory is used. One thread.
#ifndef TEMPLATES_RENDERER_H
#define TEMPLATES_RENDERER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "relay/base/error.h"
#include "templates/brand.h"
#include "templates/locale.h"

#define RENDERER_LOCALE_SIZE 65

struct renderer;

// Loads dir (*.mustache, locales/*.json, brand.json, brands/*.json). Every fault found is appended
// to faults (a JSON array) as {"where": "file:line" or "file: key", "what": "..."}; NULL is
// returned if there was any. default_locale must be one of the catalogs; timezone
// is one that zone_resolve() knows; "UTC" says nothing of readers' clocks. brand_name is what a
// brand is called that has no name; or NULL.
struct renderer *renderer_load(const char *dir, const char *default_locale, const char *timezone,
                               const char *brand_name, json_t *faults);
void renderer_destroy(struct renderer *renderer); // NULL is a no-op

// True where dir has texts of its own for this type of mail ("login_code_valid").
bool renderer_knows(const struct renderer *renderer, const char *template);

// True where a brand has this name, or lists it as an OAuth2 client.
bool renderer_has_brand(const struct renderer *renderer, const char *name);

// True where locale may be named as a default: it is a language's catalog. ERR_INPUT where it is
// none, or a variant, which only a brand's address chooses.
bool renderer_check_locale(const struct renderer *renderer, const char *locale, struct error *err);

// What is loaded, as `described` of docs/protocol.md has it: types, locales, brands (the default
// one first) and default_locale. The caller json_decref()s it. NULL: no memory.
json_t *renderer_describe(const struct renderer *renderer);

struct render_request {
    const char *template;
    const json_t *data;                // what templates see: code, url, name ...; borrowed
    const json_t *locales;             // array of wishes, best first, or NULL
    const char *accept_language;       // or NULL
    const char *ui_locales;            // from the request's URL, space separated, or NULL
    const char *default_locale;        // goes before the brand's and the loaded default, or NULL
    const char *timezone;              // IANA, ICU or .NET name, or NULL
    const char *brand;                 // a brand's name or an OAuth2 client's id, or NULL
    const char *locale;                // for previews: a language whatever anybody wishes, as the
                                       // brand speaks it, or a variant; NULL, or one we do not
                                       // have: as they wish
    const char *browser, *system;      // that asked for the mail, fixed words; or NULL
    int minutes_left;                  // 0: not known, and the text states none
    int64_t received_wall_ms;          // when the mail was asked for
    int64_t expires_wall_ms;           // 0: not known
    const char *subject, *text, *html; // Kratos' own rendering, each may be NULL
};

struct rendered {
    char locale[RENDERER_LOCALE_SIZE];   // the tag of the catalog chosen: "hu-x-formal"
    enum locale_source locale_source;    // who wished for it; of one that was named, the default
    char language[RENDERER_LOCALE_SIZE]; // BCP 47, for Content-Language: "hu"
    const struct brand *brand;           // lives as long as the renderer
    char *subject;                       // one line
    char *text;                          // LF line ends
    char *html;
};

// Why a mail is not put into words, and never will be with these templates.
enum refusal {
    REFUSAL_NONE,
    REFUSAL_NO_CONTENT,       // there are neither texts of ours that can be filled nor Kratos' own
    REFUSAL_LINK_NOT_ALLOWED, // its link leads to a host that the brand does not name
};

// A template that dir has no texts for, or whose code or link is missing, uses Kratos' own
// subject, text and html in our frame. A mail with a code goes without a link that is not allowed.
// True: *ret_refusal is REFUSAL_NONE, and the caller rendered_finish()es *ret_rendered; or it says
// why there is nothing. False: ERR_INPUT, a frame is at fault, and the message begins with its
// place as "file:line: "; ERR_TEMPORARY, no memory.
bool renderer_render(struct renderer *renderer, const struct render_request *request,
                     struct rendered *ret_rendered, enum refusal *ret_refusal, struct error *err);
void rendered_finish(struct rendered *rendered);

size_t renderer_brand_count(const struct renderer *renderer);
const struct brand *renderer_brand(const struct renderer *renderer, size_t index); // 0: default

#endif
