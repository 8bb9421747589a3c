#include "relay/base/kind.h"

#include <string.h>

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS (60 * MINUTE_MS)

static const struct kind kinds[] = {
    {"login_code_valid", KIND_CODE, true},
    {"recovery_code_valid", KIND_CODE, true},
    {"recovery_valid", KIND_CODE, true},
    {"registration_code_valid", KIND_CODE, true},
    {"verification_code_valid", KIND_CODE, true},
    {"verification_valid", KIND_CODE, true},
    // "There is no account here": anybody can have any address sent these, so they are last in
    // line, and unlike notices they may be limited.
    {"recovery_code_invalid", KIND_BULK, false},
    {"recovery_invalid", KIND_BULK, false},
    {"verification_code_invalid", KIND_BULK, false},
    {"verification_invalid", KIND_BULK, false},
    {"authenticator_key_added", KIND_NOTICE, false},
    {"verifiable_address_changed", KIND_NOTICE, false},
};
static const struct kind unknown = {"", KIND_CODE, true};

const struct kind *kind_find(const char *template)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(kinds[i].template, template) == 0)
            return &kinds[i];
    }
    return &unknown;
}

const struct kind *kind_at(size_t number)
{
    return number < sizeof(kinds) / sizeof(kinds[0]) ? &kinds[number] : NULL;
}

const char *kind_lane_name(enum kind_lane lane)
{
    switch (lane) {
    case KIND_CODE:
        return "code";
    case KIND_NOTICE:
        return "notice";
    case KIND_BULK:
        return "bulk";
    }
    return "code";
}

int64_t kind_lane_lifetime_ms(enum kind_lane lane)
{
    switch (lane) {
    case KIND_CODE:
        return HOUR_MS;
    case KIND_NOTICE:
        return 48 * HOUR_MS;
    case KIND_BULK:
        return 24 * HOUR_MS;
    }
    return HOUR_MS;
}
