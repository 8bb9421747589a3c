// Settings, and how good the keys are.
#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "relay/cli/doctor.h"

// Fewer different characters than this in a key, and it was typed rather than drawn.
enum { DIFFERENT_MIN = 8 };

static const struct advice fault = {
    "the relay does not start with it, and a reload leaves what was",
    "mend the setting that is named; `courier-relay check` tries again"};
static const struct advice unread = {"more may be wrong", "mend that first, and run this again"};
static const struct advice oddity = {"it works, but is seldom meant",
                                     "README.md, Settings, says what the setting is for"};

static const struct {
    const char *setting;
    struct advice advice;
} warnings[] = {
    {"api_key",
     {"whoever has a key can have mail sent in your name",
      "a new one is made by `openssl rand -hex 32`; docs/operations.md, Keys, says how to change "
      "over, and a file of keys has mode 0600"}},
    {"admin_key",
     {"whoever has it sees to whom mail goes, and may cancel it",
      "a new one is made by `openssl rand -hex 32`; a file of keys has mode 0600"}},
    {"smtp_uri",
     {"who sits between the relay and the smarthost can read the mails and their codes, or the "
      "password",
      "have STARTTLS or smtps:// with a certificate that can be checked: ca_file= names an "
      "authority of your own (docs/operations.md, Smarthosts)"}},
    {"queue_dir",
     {"what Kratos was told 200 for is in this folder, and nowhere else",
      "put the queue's folder on a disk of this machine"}},
    {"lifetime", {"mail may expire before it is sent, or go out too late", "look at the setting"}},
    {"deadline_margin", {"such a mail is never sent", "make it shorter"}},
};

static const struct advice *advice_on(const struct config *config,
                                      const struct config_finding *finding)
{
    if (finding->fault)
        return &fault;
    for (size_t i = 0; config && i < sizeof(warnings) / sizeof(warnings[0]); i++)
        if (strcmp(finding->where, config_place(config, warnings[i].setting)) == 0)
            return &warnings[i].advice;
    return &oddity;
}

void doctor_look_at_settings(struct doctor *doctor, const struct config_report *report)
{
    static const struct advice cut = {"there was no memory for all of it", "run it again"};
    for (size_t i = 0; i < report->count; i++) {
        const struct config_finding *finding = &report->findings[i];
        findings_tell(&doctor->findings, finding->fault ? SEVERITY_ERROR : SEVERITY_WARNING,
                      "settings", advice_on(doctor->config, finding), "%s: %s", finding->where,
                      finding->what);
    }
    if (report->failed)
        findings_tell(&doctor->findings, SEVERITY_ERROR, "settings", &cut, "there may be more");
    else if (report->count == 0)
        findings_tell(&doctor->findings, SEVERITY_FINE, "settings", NULL,
                      "all are read, nothing is wrong");
    if (!doctor->config)
        findings_tell(&doctor->findings, SEVERITY_WARNING, "settings", &unread,
                      "nothing that depends on them was looked at");
}

static bool is_varied(const char *key)
{
    bool seen[256] = {false};
    int different = 0;
    for (; *key; key++) {
        unsigned char c = (unsigned char)tolower((unsigned char)*key);
        different += !seen[c];
        seen[c] = true;
    }
    return different >= DIFFERENT_MIN;
}

void doctor_look_at_keys(struct doctor *doctor)
{
    static const struct advice guessable = {
        "whoever guesses a key can have mail sent in your name",
        "make one by `openssl rand -hex 32`; docs/operations.md, Keys, says how to change over"};
    static const struct advice weak_seal = {
        "the mails on the disk are sealed with it: who can guess it reads their codes",
        "put 64 hexadecimal digits of `openssl rand -hex 32` in front of it, keep the old one "
        "behind a comma, and run `courier-relay queue rekey`"};
    const struct config *config = doctor->config;
    struct api_key_entry key;
    size_t count = 0, shortish = 0;
    while (api_keys_at(config->api_keys, count, &key)) {
        shortish += key.is_short; // of which the settings' warnings tell
        count++;
    }
    if (config->clear_api_key && strlen(config->clear_api_key) >= API_KEY_SHORT &&
        !is_varied(config->clear_api_key))
        findings_tell(&doctor->findings, SEVERITY_WARNING, "keys", &guessable,
                      "the first key that may post has fewer than %d different characters",
                      DIFFERENT_MIN);
    else if (shortish == 0)
        findings_tell(&doctor->findings, SEVERITY_FINE, "keys", NULL,
                      "%zu may post; none that can be seen is short (of a digest nobody can tell)",
                      count);
    if (config->queue_key && !is_varied(config->queue_key))
        findings_tell(&doctor->findings, SEVERITY_WARNING, "keys", &weak_seal,
                      "the queue's key has fewer than %d different digits", DIFFERENT_MIN);
}
