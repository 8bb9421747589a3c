#include "relay/smarthosts/taken_domains.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

const char *recipient_domain(const char *recipient)
{
    const char *at = strrchr(recipient, '@');
    return at ? at + 1 : "";
}

void taken_domains_add(struct taken_domains *taken, const char *recipient)
{
    const char *name = recipient_domain(recipient);
    size_t best = 0;
    for (size_t i = 0; i < TAKEN_DOMAINS; i++) {
        if (strcasecmp(taken->domains[i].name, name) == 0) {
            best = i;
            break;
        }
        if (taken->domains[i].turn < taken->domains[best].turn)
            best = i;
    }
    snprintf(taken->domains[best].name, TAKEN_DOMAIN_SIZE, "%s", name);
    taken->domains[best].turn = ++taken->turns;
}

bool taken_domains_has(const struct taken_domains *taken, const char *recipient)
{
    const char *name = recipient_domain(recipient);
    if (!*name)
        return false;
    for (size_t i = 0; i < TAKEN_DOMAINS; i++)
        if (strcasecmp(taken->domains[i].name, name) == 0)
            return true;
    return false;
}
