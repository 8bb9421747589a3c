// doctor.h - `courier-relay doctor`: what is looked at, a file each. How it is told: findings.h.
#ifndef RELAY_CLI_DOCTOR_H
#define RELAY_CLI_DOCTOR_H

#include <stdint.h>

#include "relay/cli/findings.h"
#include "relay/cli/request.h"
#include "relay/config/config.h"

struct doctor {
    const struct config *config; // CONFIG_FOR_RELAY
    const char *kratos;          // its admin address, without a slash at its end; NULL: none told
    bool kratos_reads_little;    // its buffers are of 64 kB for what comes back, too
    int64_t wall_ahead_ms;       // clock_wall_ahead_ms() when it began
    struct findings findings;
};

// Each tells what it finds.
void doctor_look_at_settings(struct doctor *doctor, const struct config_report *report);
void doctor_look_at_keys(struct doctor *doctor);
void doctor_look_at_folder(struct doctor *doctor);
void doctor_look_at_clock(struct doctor *doctor);
void doctor_look_at_mails(struct doctor *doctor);
void doctor_look_at_smarthosts(struct doctor *doctor);
void doctor_look_at_relay(struct doctor *doctor);
void doctor_look_at_kratos(struct doctor *doctor);
void doctor_look_at_identities(struct doctor *doctor, struct cli_client *client);

#endif
