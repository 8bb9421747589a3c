// Renders a mail of each type in each language on trial, and one of each type under every other
// brand: a frame that forgets the code is found here, and not by the first person who cannot
// sign in.
#include <stdio.h>
#include <string.h>

#include "templates/fault.h"
#include "templates/loaded.h"

#define TRIAL_CODE "7391-TRIAL"
#define TRIAL_OWN "Own words 7391"
#define URL_SIZE 300

// A link that mails of the brand may have.
static void make_url(const struct brand *brand, char ret_url[URL_SIZE])
{
    const json_t *hosts = json_object_get(brand->settings, "link_hosts");
    const char *host = json_string_value(json_array_get(hosts, 0));
    bool is_wild = host && host[0] == '*';
    snprintf(ret_url, URL_SIZE, "https://%s%s/verify/7391", is_wild ? "trial" : "",
             !host     ? "trial.example"
             : is_wild ? host + 1
                       : host);
}

// Where a type's mails are written: what is wrong with them is wrong there.
static void fault_in(const struct renderer *renderer, const char *template, const char *file,
                     const char *what, const char *which, json_t *faults)
{
    const struct frame_set *frames = frames_find(renderer->frames, template);
    char where[300];
    snprintf(where, sizeof(where), "%s%s", frames->type ? "types/" : "",
             frames->type ? frames->type : file);
    fault_at(faults, where, 0, "%s comes out %s%s", template, what, which);
}

static void check_mail(const struct renderer *renderer, const struct rendered *mail,
                       const char *template, const char *must_have, json_t *faults)
{
    if (mail->subject[0] == '\0')
        fault_in(renderer, template, "subject.text.mustache", "without a subject", "", faults);
    if (strstr(mail->subject, TRIAL_CODE) && !brand_shows_code(mail->brand, template))
        fault_in(renderer, template, "subject.text.mustache",
                 "with the code in its subject, against the brand ", mail->brand->id, faults);
    if (!strstr(mail->text, must_have))
        fault_in(renderer, template, "frame.text.mustache", "in its text without ", must_have,
                 faults);
    if (!strstr(mail->html, must_have))
        fault_in(renderer, template, "frame.html.mustache", "in its HTML without ", must_have,
                 faults);
}

// catalog: NULL: whichever the brand's readers get who wish for none.
static void try_mail(struct renderer *renderer, const struct brand *brand,
                     const struct catalog *catalog, const char *template, enum mail_need need,
                     json_t *faults)
{
    char url[URL_SIZE];
    make_url(brand, url);
    json_auto_t *data = json_pack("{s:s, s:s}", "code", TRIAL_CODE, "url", url);
    const struct render_request request = {.template = template,
                                           .data = data,
                                           .brand = brand->id,
                                           .locale = catalog ? catalog->tag : NULL,
                                           .text = TRIAL_OWN};
    struct rendered mail;
    struct error err;
    if (!renderer_render(renderer, &request, &mail, &err)) {
        fault_at(faults, catalog ? catalog->path : brand->path, 0, "%s cannot be rendered: %s",
                 template, err.message);
        return;
    }
    const char *must_have = need == NEED_CODE ? TRIAL_CODE : need == NEED_LINK ? url : "";
    check_mail(renderer, &mail, template,
               catalog_find_type(renderer->catalogs->items[0], template) ? must_have : TRIAL_OWN,
               faults);
    rendered_finish(&mail);
}

void renderer_try(struct renderer *renderer, json_t *faults)
{
    const struct catalogs *catalogs = renderer->catalogs;
    const struct brand *first = brands_at(renderer->brands, 0);
    for (size_t i = 0; i < catalogs->count; i++) {
        const struct catalog *catalog = catalogs->items[i];
        for (size_t k = 0; k < catalog->type_count; k++)
            try_mail(renderer, first, catalog, catalog->types[k].name, catalog->types[k].need,
                     faults);
    }
    // Of a type that no catalog knows: Kratos' own words.
    try_mail(renderer, first, NULL, "?", NEED_NOTHING, faults);

    const struct catalog *catalog = catalogs->items[0];
    for (size_t i = 1; i < brands_count(renderer->brands); i++) {
        for (size_t k = 0; k < catalog->type_count; k++)
            try_mail(renderer, brands_at(renderer->brands, i), NULL, catalog->types[k].name,
                     catalog->types[k].need, faults);
    }
}
