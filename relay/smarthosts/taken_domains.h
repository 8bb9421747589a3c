// taken_domains.h - pure: the recipients' domains that a smarthost, or another beside it, has
// lately taken mail for.
#ifndef RELAY_SMARTHOSTS_TAKEN_DOMAINS_H
#define RELAY_SMARTHOSTS_TAKEN_DOMAINS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TAKEN_DOMAINS 64 // remembered; the one that was taken the longest ago goes first
#define TAKEN_DOMAIN_SIZE 256

struct taken_domains {
    struct {
        char name[TAKEN_DOMAIN_SIZE]; // empty: a free place
        uint64_t turn;                // taken later: a higher one
    } domains[TAKEN_DOMAINS];
    uint64_t turns;
};

// What stands behind the last @; "" without one. Points into recipient.
const char *recipient_domain(const char *recipient);

void taken_domains_add(struct taken_domains *taken, const char *recipient);
bool taken_domains_has(const struct taken_domains *taken, const char *recipient);

#endif
