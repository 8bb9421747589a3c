// Renders mails of each type in each language on trial, and of each type under every other brand:
// a frame that forgets the code is found here, and not by the first person who cannot sign in.
//
// Each is tried twice, with all that can be known and with no more than it needs, so that both
// sides of every section are run. Only what a reader sees counts: mails on trial have no code in
// subject and preheader, whatever their brand wants, and of the HTML the page's text is looked at.
#include <stdio.h>
#include <string.h>

#include "templates/fault.h"
#include "templates/loaded.h"
#include "templates/own_text.h"

#define TRIAL_CODE "7391-TRIAL"
#define TRIAL_OWN "Own words 7391"
#define OWN_WORDS "the words that it was given: see {{own}} in its frame and body"
#define TRIAL_MINUTES 15
#define URL_SIZE 300
#define SEEN_SIZE_MAX (4 * 1024 * 1024)

// A type that no catalog knows.
#define TYPE_OF_KRATOS "?"

struct trial {
    struct renderer *renderer;
    const char *dir;
    const struct brand *brand;
    struct brand closed; // the same, but for the code outside; shares all but its settings
    char url[URL_SIZE];  // one that its mails may have
    struct buffer seen;  // what a reader of the HTML sees
    json_t *found;       // what is reported already, as keys
    json_t *faults;
};

// One mail of a trial.
struct attempt {
    const char *template;
    enum mail_need need;
    const struct catalog *catalog; // NULL: whichever the brand's readers get who wish for none
    bool is_full;                  // with all that can be known
};

// ---- faults ---------------------------------------------------------------------------------

// Once for all mails that have it; the first of them is named.
static void report(struct trial *trial, const struct attempt *attempt, const char *where,
                   const char *what)
{
    json_auto_t *key = json_sprintf("%s: %s", where, what);
    const char *text = json_string_value(key);
    if (text && json_object_get(trial->found, text))
        return;
    if (text)
        json_object_set_new(trial->found, text, json_null()); // else it is told twice
    fault_at(trial->faults, where, 0, "%s (%s%s%s, brand %s)", what, attempt->template,
             attempt->catalog ? " in " : "", attempt->catalog ? attempt->catalog->tag : "",
             trial->brand->id);
}

// The file that mails of the type have in place of a shared one, if there is but one to blame;
// else their folder, or the shared one.
static void find_place(const struct trial *trial, const char *template, const char *file,
                       char ret_where[], size_t size)
{
    const struct frame_set *frames = frames_find(trial->renderer->frames, template);
    const char *kind = strchr(file, '.');
    bool is_of_subject = strncmp(file, "subject.", strlen("subject.")) == 0;
    const char *only = NULL;
    size_t count = 0;
    size_t index;
    const json_t *own;
    json_array_foreach(frames->files, index, own)
    {
        const char *name = json_string_value(own);
        bool is_subject = strncmp(name, "subject.", strlen("subject.")) == 0;
        if (!strstr(name, kind) || is_subject != is_of_subject)
            continue;
        only = name;
        count++;
    }
    snprintf(ret_where, size, "%s/%s%s%s%s", trial->dir, count > 0 ? "types/" : "",
             count > 0 ? frames->type : file, count == 1 ? "/" : "", count == 1 ? only : "");
}

static void fault_in(struct trial *trial, const struct attempt *attempt, const char *file,
                     const char *what, const char *which)
{
    char where[1024];
    char text[URL_SIZE + 200];
    bool is_own = strcmp(which, OWN_WORDS) == 0;
    find_place(trial, is_own ? NULL : attempt->template, file, where, sizeof(where));
    snprintf(text, sizeof(text), "%s comes out %s%s", attempt->template, what, which);
    report(trial, attempt, where, text);
}

// The engine's message begins with the place, "file:line: ".
static void report_render(struct trial *trial, const struct attempt *attempt,
                          const struct error *err)
{
    char place[sizeof(err->message)];
    snprintf(place, sizeof(place), "%s", err->message);
    char *what = err->code == ERR_INPUT ? strstr(place, ": ") : NULL;
    if (what) {
        *what = '\0';
        what += 2;
    }
    report(trial, attempt, what ? place : trial->dir, what ? what : err->message);
}

// What a mail must have, to whoever writes templates.
static const char *describe(const char *must_have)
{
    if (strcmp(must_have, TRIAL_OWN) == 0)
        return OWN_WORDS;
    if (strcmp(must_have, TRIAL_CODE) == 0)
        return "its code: see {{code}} in its frame and body";
    return "its link: see {{link.url}} in its frame and body";
}

// ---- one mail -------------------------------------------------------------------------------

static void check_mail(struct trial *trial, const struct attempt *attempt,
                       const struct rendered *mail, const char *must_have)
{
    if (mail->subject[0] == '\0')
        fault_in(trial, attempt, "subject.text.mustache", "without a subject", "");
    if (strstr(mail->subject, TRIAL_CODE) && !brand_shows_code(trial->brand, attempt->template))
        fault_in(trial, attempt, "subject.text.mustache",
                 "with the code in its subject, against the brand ", trial->brand->id);
    if (!strstr(mail->text, must_have))
        fault_in(trial, attempt, "frame.text.mustache", "in its text without ",
                 describe(must_have));
    if (must_have[0] == '\0')
        return;
    buffer_clear(&trial->seen);
    own_text_from_html(mail->html, &trial->seen);
    buffer_append(&trial->seen, "", 0);
    if (trial->seen.failed || !strstr(trial->seen.data, must_have))
        fault_in(trial, attempt, "frame.html.mustache", "in its HTML without ",
                 describe(must_have));
}

// Frames cannot tell which time there is, but only whether there is one; and a language's first is
// dear. NULL: no memory.
static json_t *make_data(const struct trial *trial, const struct attempt *attempt)
{
    bool has_time = !attempt->catalog || attempt->catalog == trial->renderer->catalogs->items[0];
    if (attempt->is_full)
        return json_pack("{s:s, s:s, s:s, s:s*}", "code", TRIAL_CODE, "url", trial->url, "name",
                         "Anna", "at", has_time ? "2026-01-02T03:04:05Z" : NULL);
    switch (attempt->need) {
    case NEED_CODE:
        return json_pack("{s:s}", "code", TRIAL_CODE);
    case NEED_LINK:
        return json_pack("{s:s}", "url", trial->url);
    case NEED_NOTHING:
        break;
    }
    return json_object();
}

static void try_mail(struct trial *trial, const struct attempt *attempt)
{
    json_auto_t *data = make_data(trial, attempt);
    struct render_request request = {.template = attempt->template,
                                     .data = data,
                                     .locale = attempt->catalog ? attempt->catalog->tag : NULL,
                                     .text = TRIAL_OWN};
    if (attempt->is_full) {
        request.browser = "Firefox";
        request.system = "Windows";
        request.minutes_left = TRIAL_MINUTES;
        request.subject = "Own subject";
        request.html = "<p>" TRIAL_OWN "</p>";
    }
    struct rendered mail;
    struct error err;
    enum refusal refusal;
    if (!renderer_render_as(trial->renderer, &trial->closed, &request, &mail, &refusal, &err)) {
        report_render(trial, attempt, &err);
        return;
    }
    if (refusal != REFUSAL_NONE) {
        report(trial, attempt, trial->dir, "a mail on trial was refused");
        return;
    }
    bool is_ours = renderer_knows(trial->renderer, attempt->template);
    const char *needed = attempt->need == NEED_CODE   ? TRIAL_CODE
                         : attempt->need == NEED_LINK ? trial->url
                                                      : "";
    check_mail(trial, attempt, &mail, is_ours ? needed : TRIAL_OWN);
    rendered_finish(&mail);
}

static void try_both(struct trial *trial, const struct catalog *catalog, const char *template,
                     enum mail_need need)
{
    struct attempt attempt = {
        .template = template, .need = need, .catalog = catalog, .is_full = true};
    try_mail(trial, &attempt);
    attempt.is_full = false;
    try_mail(trial, &attempt);
}

// ---- all of them ----------------------------------------------------------------------------

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

static void try_types(struct trial *trial, const struct catalog *catalog)
{
    const struct catalog *types = trial->renderer->catalogs->items[0]; // as of all catalogs
    for (size_t i = 0; i < types->type_count; i++)
        try_both(trial, catalog, types->types[i].name, types->types[i].need);
}

// The first brand in every language, each as it is; others in their readers' own.
static void try_brand(struct trial *trial, bool is_first)
{
    const struct catalogs *catalogs = trial->renderer->catalogs;
    trial->closed = *trial->brand;
    trial->closed.settings = json_copy(trial->brand->settings);
    if (json_object_set_new(trial->closed.settings, "code_in_subject", json_false()) != 0) {
        fault_at(trial->faults, trial->brand->path, 0, "out of memory");
    } else if (is_first) {
        trial->closed.address = BRAND_ADDRESS_OWN;
        for (size_t i = 0; i < catalogs->count; i++)
            try_types(trial, catalogs->items[i]);
    } else {
        try_types(trial, NULL);
    }
    try_both(trial, NULL, TYPE_OF_KRATOS, NEED_NOTHING);
    json_decref(trial->closed.settings);
}

void renderer_try(struct renderer *renderer, const char *dir, json_t *faults)
{
    struct trial trial = {
        .renderer = renderer, .dir = dir, .found = json_object(), .faults = faults};
    buffer_init(&trial.seen, SEEN_SIZE_MAX);
    for (size_t i = 0; i < brands_count(renderer->brands); i++) {
        trial.brand = brands_at(renderer->brands, i);
        make_url(trial.brand, trial.url);
        try_brand(&trial, i == 0);
    }
    buffer_finish(&trial.seen);
    json_decref(trial.found);
}
