#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "relay/base/names.h"
#include "relay/config/parts.h"
#include "relay/config/setters.h"

#define SECOND_MS INT64_C(1000)
#define MINUTE_MS (60 * SECOND_MS)
#define DAY_MS (24 * 60 * MINUTE_MS)

const struct setting config_settings[SETTING_COUNT] = {
    {.name = "listen",
     .standard = "0.0.0.0:8080",
     .help = "mail listener, host:port; port 0 takes a free one",
     .part = PART_LISTEN,
     .set = set_listen,
     .offset = offsetof(struct config, listen)},
    {.name = "admin_listen",
     .standard = "127.0.0.1:8081",
     .help = "admin listener, host:port; off: none",
     .set = set_admin_listen,
     .offset = offsetof(struct config, admin_listen)},
    {.name = "api_key",
     .help = "who may post: KEY, or NAME:KEY, NAME2:sha256:HEX;not_after=2027-01-31, ...",
     .needed = true,
     .secret = true,
     .reloads = true,
     .set = set_api_key,
     .pair = ':'},
    {.name = "admin_key",
     .shown = "none",
     .help = "who may look or act there: NAME:read:KEY, NAME2:operate:sha256:HEX, ...",
     .secret = true,
     .reloads = true,
     .set = set_admin_key,
     .pair = ':'},
    {.name = "queue_dir",
     .shown = "$STATE_DIRECTORY, else ./var",
     .help = "the queue's folder, 0700",
     .part = PART_QUEUE,
     .is_path = true,
     .set = set_text,
     .look = look_at_queue_dir,
     .find_standard = find_queue_dir,
     .offset = offsetof(struct config, queue_dir)},
    {.name = "queue_key",
     .shown = "queue.key there, made at first start",
     .help = "what bodies are sealed with: 64 hexadecimal digits; older keys behind it",
     .secret = true,
     .set = set_queue_key,
     .offset = offsetof(struct config, queue_key)},
    {.name = "retention",
     .standard = "30d",
     .help = "how long what has ended is still listed",
     .set = set_duration,
     .offset = offsetof(struct config, retention_ms),
     .least = 60 * MINUTE_MS,
     .most = 365 * DAY_MS},
    {.name = "smtp_uri",
     .help = "smarthosts, best first: smtp://USER:PASSWORD@HOST:587/, smtps://HOST/, file:DIR",
     .needed = true,
     .secret = true,
     .reloads = true,
     .set = set_smtp_uri,
     .look = look_at_smarthosts},
    {.name = "smtp_helo",
     .shown = "the host's name",
     .help = "what EHLO says",
     .reloads = true,
     .set = set_helo,
     .find_standard = find_helo,
     .offset = offsetof(struct config, smtp_helo)},
    {.name = "lifetime",
     .shown = "60m codes and links, 48h notices, 24h rest",
     .help = "how long a mail is good: login_code_valid=15m,recovery_valid=1h; also a cap",
     .part = PART_MAIL,
     .reloads = true,
     .set = set_lifetime,
     .pair = '='},
    {.name = "mail_from",
     .stand_in = "Example <no-reply@example.com>",
     .help = "sender of every mail: Acme <no-reply@acme.example>",
     .part = PART_MAIL,
     .needed = true,
     .reloads = true,
     .set = set_text,
     .offset = offsetof(struct config, mail_from)},
    {.name = "mail_reply_to",
     .shown = "none",
     .help = "where answers go",
     .part = PART_MAIL,
     .reloads = true,
     .set = set_text,
     .offset = offsetof(struct config, reply_to)},
    {.name = "mail_headers",
     .shown = "none",
     .help =
         "further headers: {\"Feedback-ID\": \"{template}:{brand}:kratos:acme\"}; also {locale}, "
         "{id}",
     .part = PART_MAIL,
     .json = true,
     .reloads = true,
     .set = set_object,
     .offset = offsetof(struct config, mail_headers)},
    {.name = "templates_dir",
     .shown = "the shipped ones",
     .help = "folder of templates and catalogs",
     .part = PART_MAIL,
     .is_path = true,
     .reloads = true,
     .set = set_text,
     .look = look_at_templates,
     .find_standard = find_templates_dir,
     .offset = offsetof(struct config, templates_dir)},
    {.name = "normaliser",
     .shown = "the shipped one",
     .help = "Jsonnet file that turns a payload into a mail",
     .part = PART_NORMALISER,
     .is_path = true,
     .reloads = true,
     .set = set_text,
     .look = look_at_normaliser,
     .find_standard = find_normaliser,
     .offset = offsetof(struct config, normaliser)},
    {.name = "routes",
     .shown = "none",
     .help = "further paths: {\"crm\": {\"path\": \"/crm\", \"normaliser\": FILE, \"keys\": [NAME, "
             "...]}}",
     .part = PART_NORMALISER,
     .json = true,
     .reloads = true,
     .look = look_at_routes},
    {.name = "locale",
     .standard = "en",
     .help = "language where none is known",
     .part = PART_MAIL,
     .reloads = true,
     .set = set_text,
     .offset = offsetof(struct config, locale)},
    {.name = "timezone",
     .standard = "UTC",
     .help = "time zone where none is known",
     .part = PART_MAIL,
     .reloads = true,
     .set = set_text,
     .offset = offsetof(struct config, timezone)},
    {.name = "log_format",
     .standard = "json",
     .help = "json, or text for people",
     .set = set_log_format},
    {.name = "log_level",
     .standard = "info",
     .help = "debug, info, warning or error",
     .reloads = true,
     .set = set_log_level},
    {.name = "body_limit",
     .standard = "1048576",
     .help = "largest payload, bytes",
     .set = set_number,
     .offset = offsetof(struct config, body_limit_bytes),
     .least = 1024,
     .most = 8 * 1024 * 1024},
    {.name = "connections",
     .standard = "64",
     .help = "at most so many to one smarthost",
     .reloads = true,
     .set = set_number,
     .offset = offsetof(struct config, connections),
     .least = 1,
     .most = SMARTHOST_CONNECTIONS_MAX},
    {.name = "transaction_timeout",
     .standard = "60s",
     .help = "longest hand-over of one mail",
     .reloads = true,
     .set = set_duration,
     .offset = offsetof(struct config, transaction_timeout_ms),
     .least = SECOND_MS,
     .most = 10 * MINUTE_MS},
    {.name = "deadline_margin",
     .standard = "15s",
     .help = "a code is not sent when it has less left",
     .set = set_duration,
     .offset = offsetof(struct config, deadline_margin_ms),
     .most = 60 * MINUTE_MS},
    {.name = "rate_recipient",
     .standard = "5/1m,20/1h",
     .help = "mails to one recipient and lane, notices aside; what is over waits; or off",
     .set = set_rates,
     .offset = offsetof(struct config, rate_recipient)},
    {.name = "rate_total",
     .standard = "off",
     .help = "mails of one lane to all recipients together, notices aside: 100/1s, or off",
     .set = set_rates,
     .offset = offsetof(struct config, rate_total)},
    {.name = "shutdown_grace",
     .standard = "2s",
     .help = "what is under way gets so long when stopping",
     .set = set_duration,
     .offset = offsetof(struct config, shutdown_grace_ms),
     .most = MINUTE_MS},
};

void setting_variable(const struct setting *setting, char ret_variable[SETTING_VARIABLE_SIZE])
{
    snprintf(ret_variable, SETTING_VARIABLE_SIZE, "RELAY_%s", setting->name);
    for (char *at = ret_variable; *at; at++)
        *at = (char)toupper((unsigned char)*at);
}

int setting_find(const char *name, bool *ret_is_file)
{
    for (int i = 0; i < SETTING_COUNT; i++) {
        const struct setting *setting = &config_settings[i];
        size_t size = strlen(setting->name);
        if (strncmp(name, setting->name, size) != 0)
            continue;
        bool is_file = setting->secret && strcmp(name + size, "_file") == 0;
        if (name[size] != '\0' && !is_file)
            continue;
        *ret_is_file = is_file;
        return i;
    }
    return -1;
}

bool setting_nearest(const char *name, char ret_nearest[SETTING_VARIABLE_SIZE])
{
    if (strncasecmp(name, "RELAY_", 6) == 0) // the variable's name, where the file's is meant
        name += 6;
    size_t none = strlen(name) / 2 + 1, best = none; // farther than that is no likeness
    for (size_t i = 0; i < 2 * (size_t)SETTING_COUNT; i++) {
        const struct setting *setting = &config_settings[i / 2];
        char known[SETTING_VARIABLE_SIZE];
        if (i % 2 == 1 && !setting->secret)
            continue;
        snprintf(known, sizeof(known), "%s%s", setting->name, i % 2 == 1 ? "_file" : "");
        size_t distance = names_distance(name, known);
        if (distance < best) {
            best = distance;
            memcpy(ret_nearest, known, sizeof(known));
        }
    }
    return best < none;
}
