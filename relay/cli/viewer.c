#include "relay/cli/viewer.h"

#include <string.h>

#include "relay/base/clock.h"
#include "relay/children/composer_session.h"
#include "relay/cli/cli.h"
#include "relay/member_text.h"

// Not a message's, but one that makes a good Message-ID.
#define VIEW_ID "00000000-0000-7000-8000-000000000000"

// As `check` has it: not timed.
enum { ASK_LIMIT_MS = 10000, NAMES_MAX = 64 * 1024 };

static const struct {
    const char *key, *name, *what;
} lists[] = {
    [VIEWER_TYPES] = {"types", "name", "type"},
    [VIEWER_LOCALES] = {"locales", "locale", "locale"},
    [VIEWER_BRANDS] = {"brands", "brand", "brand"},
};

// Asks, and takes the answer where it is of the kind that was hoped for.
static bool ask(struct viewer *viewer, json_t *header, const struct buffer *blob, const char *hoped,
                json_t **ret_answer, struct frame *ret_frame, struct error *err)
{
    if (!header)
        return error_set(err, ERR_TEMPORARY, "no memory");
    json_t *answer = NULL;
    const char *bytes = blob && blob->data ? blob->data : "";
    if (!child_session_ask(viewer->session, header, bytes, blob ? blob->size : 0, ASK_LIMIT_MS,
                           &answer, ret_frame, err))
        return false;
    const char *op = member_text(answer, "op");
    if (op && strcmp(op, hoped) == 0) {
        *ret_answer = answer;
        return true;
    }
    const char *reason = member_text(answer, "reason"), *detail = member_text(answer, "detail");
    bool has_both = reason && detail && strcmp(reason, detail) != 0;
    error_set(err, ERR_INPUT, "%s%s%s", reason ? reason : "it does not say why",
              has_both ? ": " : "", has_both ? detail : "");
    json_decref(answer);
    return false;
}

static bool describe(struct viewer *viewer, struct error *err)
{
    json_auto_t *header = json_pack("{s:s, s:s}", "op", "describe", "id", VIEW_ID);
    struct frame frame;
    return ask(viewer, header, NULL, "described", &viewer->known, &frame, err);
}

bool viewer_open(struct viewer *viewer, const struct config *config)
{
    *viewer = (struct viewer){0};
    json_auto_t *init = composer_init_header(config);
    json_auto_t *ready = NULL;
    unsigned faults;
    viewer->session = cli_start_composer(config, init, &ready, &faults);
    if (!viewer->session)
        return false;
    struct error err = {0};
    if (describe(viewer, &err))
        return true;
    cli_complain("%s: %s", config->composer_path, err.message);
    return false;
}

void viewer_end(struct viewer *viewer)
{
    child_session_destroy(viewer->session);
    viewer->session = NULL;
}

void viewer_close(struct viewer *viewer)
{
    viewer_end(viewer);
    json_decref(viewer->known);
    *viewer = (struct viewer){0};
}

json_t *viewer_list(const struct viewer *viewer, enum viewer_list list)
{
    return json_object_get(viewer->known, lists[list].key);
}

const char *viewer_name(const json_t *member, enum viewer_list list)
{
    const char *name = member_text(member, lists[list].name);
    return name ? name : "";
}

const json_t *viewer_find(const struct viewer *viewer, enum viewer_list list, const char *name)
{
    AUTO_BUFFER struct buffer names;
    buffer_init(&names, NAMES_MAX);
    size_t index;
    const json_t *member;
    json_array_foreach(viewer_list(viewer, list), index, member)
    {
        const char *known = viewer_name(member, list);
        if (strcmp(known, name) == 0)
            return member;
        buffer_printf(&names, "%s%s", index > 0 ? ", " : "", known);
    }
    cli_complain("there is no %s %s; there are: %s", lists[list].what, name,
                 names.data ? names.data : "none");
    return NULL;
}

void view_finish(struct view *view)
{
    json_decref(view->header);
    *view = (struct view){0};
}

bool viewer_show(struct viewer *viewer, const struct buffer *canonical, const char *locale,
                 const char *brand, struct view *ret_view, struct error *err)
{
    json_auto_t *header =
        json_pack("{s:s, s:s, s:i, s:I, s:s?, s:s?}", "op", "preview", "id", VIEW_ID, "elapsed_ms",
                  0, "wall_ms", (json_int_t)clock_wall_ms(), "locale", locale, "brand", brand);
    AUTO_VIEW struct view view = {0};
    struct frame frame = {.blob_count = 0};
    if (!ask(viewer, header, canonical, "previewed", &view.header, &frame, err))
        return false;
    view.park = member_text(view.header, "park");
    if (!view.park && frame.blob_count != VIEW_PARTS)
        return error_set(err, ERR_CORRUPT, "the composer shows %zu parts of a mail",
                         frame.blob_count);
    for (size_t i = 0; !view.park && i < VIEW_PARTS; i++)
        view.parts[i] = frame.blobs[i];
    *ret_view = view;
    view = (struct view){0};
    return true;
}

bool viewer_compose(struct viewer *viewer, const char *route, bool fallback,
                    const struct buffer *payload, json_t **ret_mails, struct frame *ret_frame,
                    struct error *err)
{
    json_auto_t *header = json_pack("{s:s, s:s, s:s, s:b, s:i, s:I}", "op", "compose", "id",
                                    VIEW_ID, "route", route, "fallback", (int)fallback,
                                    "elapsed_ms", 0, "wall_ms", (json_int_t)clock_wall_ms());
    json_auto_t *answer = NULL;
    if (!ask(viewer, header, payload, "composed", &answer, ret_frame, err))
        return false;
    *ret_mails = json_incref(json_object_get(answer, "mails"));
    return json_is_array(*ret_mails) || error_set(err, ERR_CORRUPT, "the composer names no mails");
}
