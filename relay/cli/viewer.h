// viewer.h - a composer that shows what mails look like; for commands, beside a daemon or without.
//
// Nothing is stored or sent. Call from the main thread (composer_session.h).
#ifndef RELAY_CLI_VIEWER_H
#define RELAY_CLI_VIEWER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "relay/base/buffer.h"
#include "relay/base/error.h"
#include "relay/base/frame.h"
#include "relay/config/config.h"

struct viewer {
    struct child_session *session;
    json_t *known; // types, locales, brands, default_locale: `described` of docs/protocol.md
};

// Starts a composer that has loaded what config names. False: complained of why. To be closed in
// either case.
bool viewer_open(struct viewer *viewer, const struct config *config);
// Ends the composer; what is known stays. To be called before anything is printed: where there is
// no standard output, its number may be that of the composer's socket.
void viewer_end(struct viewer *viewer);
void viewer_close(struct viewer *viewer);

// The lists of `known`, and what each of their members goes by.
enum viewer_list { VIEWER_TYPES, VIEWER_LOCALES, VIEWER_BRANDS };
json_t *viewer_list(const struct viewer *viewer, enum viewer_list list);
const char *viewer_name(const json_t *member, enum viewer_list list);
// The member of that name, or NULL, having complained with the names that there are.
const json_t *viewer_find(const struct viewer *viewer, enum viewer_list list, const char *name);

enum view_part { VIEW_SUBJECT, VIEW_TEXT, VIEW_HTML, VIEW_EML, VIEW_PARTS };

// A mail as it would be. Its blobs are good until the viewer is asked for the next one.
struct view {
    json_t *header;
    const char *park; // why there would be none, and then there are no parts; or NULL
    struct frame_blob parts[VIEW_PARTS];
};
void view_finish(struct view *view);
#define AUTO_VIEW __attribute__((cleanup(view_finish)))

// canonical: JSON. locale, brand: in place of those that the mail would have; or NULL. On failure
// the viewer is of no more use, or what was asked for is not known: err says.
bool viewer_show(struct viewer *viewer, const struct buffer *canonical, const char *locale,
                 const char *brand, struct view *ret_view, struct error *err);

// What a route's normaliser makes of a payload (or, `fallback`, what is made without it): an
// array of MAIL of docs/protocol.md, which the caller json_decref()s, and the blobs that they
// number, as above. ERR_INPUT: nothing could be made of it, and why.
bool viewer_compose(struct viewer *viewer, const char *route, bool fallback,
                    const struct buffer *payload, json_t **ret_mails, struct frame *ret_frame,
                    struct error *err);

#endif
