// plural.h - the plural classes of languages, as the CLDR has them (through ICU).
#ifndef TEMPLATES_PLURAL_H
#define TEMPLATES_PLURAL_H

#include <stdbool.h>

#include "relay/base/error.h"

enum plural {
    PLURAL_ZERO,
    PLURAL_ONE,
    PLURAL_TWO,
    PLURAL_FEW,
    PLURAL_MANY,
    PLURAL_OTHER,
};
#define PLURAL_COUNT 6

const char *plural_name(enum plural plural); // "one"
bool plural_parse(const char *name, enum plural *ret_plural);

struct plural_rules;

// The rules for cardinal numbers in the language of a BCP 47 tag. ERR_INPUT: no such language.
struct plural_rules *plural_rules_create(const char *tag, struct error *err);
void plural_rules_destroy(struct plural_rules *rules); // NULL is a no-op

enum plural plural_select(const struct plural_rules *rules, int number);

// Does some number of minutes we may have to state (up to a day's) fall into the class?
// PLURAL_OTHER always counts as used.
bool plural_is_used(const struct plural_rules *rules, enum plural plural);
// Has the language such a class at all, be it for fractions or millions?
bool plural_exists(const struct plural_rules *rules, enum plural plural);
// Is one number alone in the class, so that a text may do without stating it ("one minute")?
bool plural_is_single(const struct plural_rules *rules, enum plural plural);

#endif
