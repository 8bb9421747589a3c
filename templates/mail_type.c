#include "templates/mail_type.h"

#include <stddef.h>
#include <string.h>

// The first suffix that fits counts. Kratos names its types so:
// https://www.ory.sh/docs/kratos/emails-sms/custom-email-templates
static const struct {
    const char *suffix;
    enum mail_need need;
} NEEDS[] = {
    {"_code_valid", NEED_CODE}, // login, registration, verification, recovery
    {"_valid", NEED_LINK},      // verification, recovery
};

enum mail_need mail_type_need(const char *template)
{
    size_t size = strlen(template);
    for (size_t i = 0; i < sizeof(NEEDS) / sizeof(NEEDS[0]); i++) {
        size_t suffix_size = strlen(NEEDS[i].suffix);
        if (size > suffix_size && strcmp(template + size - suffix_size, NEEDS[i].suffix) == 0)
            return NEEDS[i].need;
    }
    return NEED_NOTHING;
}
