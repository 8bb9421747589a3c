#include "relay/cli/payload_mail.h"

#include <string.h>

#include "relay/base/file.h"
#include "relay/cli/cli.h"
#include "relay/member_text.h"

enum { PAYLOAD_MAX = 8 * 1024 * 1024 }; // the most that RELAY_BODY_LIMIT allows

// All that came of a payload.
struct made {
    json_t *mails;
    struct frame frame;
};

// Appends the mail's blob, where it has one.
static int take(const struct payload_choice *choice, const struct made *made, const json_t *mail,
                struct buffer *canonical)
{
    const json_t *blob = json_object_get(mail, "canonical");
    if (!json_is_integer(blob)) {
        const char *park = member_text(mail, "park"), *detail = member_text(mail, "detail");
        cli_complain("%s would be parked: %s%s%s", choice->file, park ? park : "unparseable",
                     detail ? ": " : "", detail ? detail : "");
        return CLI_FAILED;
    }
    size_t number = (size_t)json_integer_value(blob);
    if (number < made->frame.blob_count)
        buffer_append(canonical, made->frame.blobs[number].data, made->frame.blobs[number].size);
    if (canonical->size > 0 && !canonical->failed)
        return CLI_DONE;
    cli_complain("%s: the composer gives no mail, or there is no memory", choice->file);
    return CLI_FAILED;
}

static int choose(const struct payload_choice *choice, const struct made *made,
                  struct buffer *canonical)
{
    size_t count = json_array_size(made->mails);
    if (count == 0) {
        cli_complain("%s: there is nothing to send", choice->file);
        return CLI_FAILED;
    }
    if (choice->index > count || (choice->index == 0 && count > 1))
        return cli_usage("render", "%s makes %zu mail%s: say which with --index", choice->file,
                         count, count == 1 ? "" : "s");
    const json_t *mail = json_array_get(made->mails, choice->index > 0 ? choice->index - 1 : 0);
    const char *type = member_text(mail, "template");
    if (choice->type && type && strcmp(choice->type, type) != 0)
        return cli_usage("render", "--type is %s, and %s is %s", choice->type, choice->file, type);
    return take(choice, made, mail, canonical);
}

// As the daemon does: what the normaliser makes no mail of is tried without it.
static bool compose(struct viewer *viewer, const struct payload_choice *choice,
                    const struct buffer *payload, struct made *made)
{
    struct error err = {0};
    bool is_composed =
        viewer_compose(viewer, choice->route, false, payload, &made->mails, &made->frame, &err);
    if (!is_composed && err.code != ERR_INPUT) {
        cli_complain("%s", err.message);
        return false;
    }
    const json_t *first = json_array_get(made->mails, 0);
    const char *park = member_text(first, "park"), *detail = member_text(first, "detail");
    if (is_composed && (!park || json_array_size(made->mails) > 1))
        return true;
    cli_complain("%s: %s%s%s; trying without the normaliser", choice->file,
                 is_composed ? park : err.message, detail ? ": " : "", detail ? detail : "");
    json_decref(made->mails);
    made->mails = NULL;
    if (viewer_compose(viewer, choice->route, true, payload, &made->mails, &made->frame, &err))
        return true;
    cli_complain("%s: %s", choice->file, err.message);
    return false;
}

int payload_mail(struct viewer *viewer, const struct payload_choice *choice,
                 struct buffer *canonical)
{
    AUTO_BUFFER struct buffer payload;
    buffer_init(&payload, PAYLOAD_MAX);
    struct error err;
    const char *path = strcmp(choice->file, "-") == 0 ? "/dev/stdin" : choice->file;
    if (!file_read(path, FILE_OF_ANY_KIND, &payload, NULL, &err)) {
        cli_complain("%s: %s", choice->file, err.message);
        return CLI_FAILED;
    }
    struct made made = {0};
    int status = CLI_FAILED;
    if (compose(viewer, choice, &payload, &made))
        status = choose(choice, &made, canonical);
    json_decref(made.mails);
    return status;
}
