// facts.h - what is known of one mail, checked, and written out for its texts to repeat.
#ifndef TEMPLATES_FACTS_H
#define TEMPLATES_FACTS_H

#include <stdbool.h>

#include "templates/brand.h"
#include "templates/catalog.h"
#include "templates/message.h"
#include "templates/renderer.h"
#include "templates/time_text.h"
#include "templates/value.h"

struct facts {
    // For placeholders. Those that run against the catalog's direction are isolated from it
    // (U+2068, U+2069), but for the code, which is to be copied.
    struct message_values values;

    char code[VALUE_CODE_SIZE]; // empty: there is none
    const char *url;            // of a link that may be shown, or NULL; borrowed
    char host[VALUE_HOST_SIZE];
    bool link_is_forbidden; // there is a link, and to a host that the brand does not allow

    char name[VALUE_NAME_SIZE];
    char minutes[16];
    struct buffer until, time;
    char *isolated[PLACEHOLDER_COUNT];
};

// How the language of a mail is written.
struct facts_writing {
    bool is_right_to_left;
    struct time_text *times;
    const char *zone; // of readers whose own is not known, as zone_resolve() gives it; or NULL
};

// Reads them from request, for a mail of brand. All are borrowed until facts_finish(). False: no
// memory.
bool facts_read(struct facts *facts, const struct render_request *request,
                const struct brand *brand, const struct facts_writing *writing);
void facts_finish(struct facts *facts); // wipes them

#endif
