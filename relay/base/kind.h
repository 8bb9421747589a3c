// kind.h - what the relay knows about a type of mail by its name alone.
//
// Lanes and lifetimes are those of design §6; the types are Kratos' (kratos courier/template).
#ifndef RELAY_BASE_KIND_H
#define RELAY_BASE_KIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum kind_lane { KIND_CODE, KIND_NOTICE, KIND_BULK };

struct kind {
    const char *template;
    enum kind_lane lane;
    bool secret; // carries a one-time code or link
};

// The kind of a template's name. One that is not known may carry a code, so it is treated as if
// it did. Never NULL; the struct is constant.
const struct kind *kind_find(const char *template);
// The kinds that are known, one after the other; NULL behind the last.
const struct kind *kind_at(size_t number);

const char *kind_lane_name(enum kind_lane lane);    // "code", "notice", "bulk"
int64_t kind_lane_lifetime_ms(enum kind_lane lane); // where nothing says more

#endif
