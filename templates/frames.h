// frames.h - the Mustache files that mails are written with: the shared ones, and what single
// types of mail have in their place.
//
// dir/types/TYPE/X.html.mustache stands for dir/X.html.mustache in mails of that type, wherever
// a shared file names X too: a type with such a folder has sets of its own, compiled of the
// shared files with its own among them. Nothing changes after loading.
#ifndef TEMPLATES_FRAMES_H
#define TEMPLATES_FRAMES_H

#include <jansson.h>
#include <stddef.h>

#include "templates/catalog.h"
#include "templates/mustache/template.h"

// What one type of mail is written with.
struct frame_set {
    char *type;                         // NULL: the shared ones
    struct template_set *texts, *htmls; // own the templates
    const struct template *text, *html; // frame.text.mustache, frame.html.mustache
    const struct template *subject;     // NULL: subjects are the catalogs' as they are
    json_t *files;                      // of the type: an array of their names, ascending
};

struct frames {
    struct frame_set *sets; // the shared one, then those of types by their names
    size_t count;
};

// known_names: what frames see (template.h), borrowed only during the call. catalog:
// one that says which types there are, or NULL: not to be checked. Every fault is appended to
// faults; what is returned is good to be used only if there was none. NULL: no memory.
struct frames *frames_load(const char *dir, json_t *known_names, const struct catalog *catalog,
                           json_t *faults);
void frames_destroy(struct frames *frames); // NULL is a no-op

// The type's own, else the shared ones. type may be NULL.
const struct frame_set *frames_find(const struct frames *frames, const char *type);

#endif
