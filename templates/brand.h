// brand.h - the brands that mails go out under: what they are called, look like and link to.
//
// brand.json is the default one; brands/NAME.json are others, and what one of them lacks is
// brand.json's. docs/templates.md lists the keys. Loaded once, read only afterwards.
#ifndef TEMPLATES_BRAND_H
#define TEMPLATES_BRAND_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum brand_address {
    BRAND_ADDRESS_OWN, // the catalog of the language as it is
    BRAND_ADDRESS_FORMAL,
    BRAND_ADDRESS_INFORMAL,
    BRAND_ADDRESS_COUNT, // is none
};

struct brand {
    char *id;                   // "default", or the name of its file without .json
    char *path;                 // of its file, for faults
    const char *name;           // what mails call the service
    const char *from_name;      // From's display name; NULL: mail_from's
    const char *reply_to;       // NULL: mail_reply_to's; its syntax is the composer's to check
    const char *locale;         // for readers without a wish, or NULL; a tag, perhaps of no catalog
    enum brand_address address; // how readers are spoken to
    json_t *view;               // what frames see: id, name, colours, addresses, the operator's own
    json_t *lines;              // in its file, of the keys it has; brand_line_of()
    json_t *settings;           // the file's object on top of brand.json's
};

struct brands;

// Loads dir/brand.json and dir/brands/*.json (that folder may be missing). default_name stands
// in where a brand has no name of its own; or NULL. Everything wrong is appended to faults, and
// what is returned then is good only for finding further ones. NULL, and a fault, where
// brand.json cannot be read or there is no memory.
struct brands *brands_load(const char *dir, const char *default_name, json_t *faults);
void brands_destroy(struct brands *brands); // NULL is a no-op

size_t brands_count(const struct brands *brands); // 1 or more
// The default one is at 0, the others follow by name. Lives as long as brands.
const struct brand *brands_at(const struct brands *brands, size_t index);

// Where in the brand's own file a key stands, for faults; 0 where it has it from elsewhere.
size_t brand_line_of(const struct brand *brand, const char *key);

// The brand with this name or, if there is none, the one that lists it as an OAuth2 client; the
// default one where name is NULL or neither. name is never more than compared.
const struct brand *brands_find(const struct brands *brands, const char *name);

// True where brands_find() finds one by this name.
bool brands_know(const struct brands *brands, const char *name);

// What brands' views can have, as struct template_rules wants it known; the caller owns it. NULL:
// no memory.
json_t *brands_known_names(const struct brands *brands);

// True where a link may lead to host (as value_read_url() gives it): the brand names no hosts,
// or this one. "*.acme.example" is any host below acme.example, at whatever depth, not itself.
bool brand_allows_host(const struct brand *brand, const char *host);
bool brand_names_hosts(const struct brand *brand);

// True where mails of this type may show their code in the subject and the preheader.
bool brand_shows_code(const struct brand *brand, const char *template);

#endif
