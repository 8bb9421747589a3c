// What works, but should be known at every start.
#include <string.h>
#include <strings.h>

#include "relay/base/clock.h"
#include "relay/base/kind.h"
#include "relay/base/names.h"
#include "relay/config/parts.h"

#define KEY_ENDS_SOON_MS (INT64_C(14) * 24 * 60 * 60 * 1000)
#define CODE_MINUTES 15 // what many a Kratos gives its codes

static void warn_of_keys(const struct config *config, const struct api_keys *keys,
                         const char *setting, struct config_report *report)
{
    const char *where = config_place(config, setting);
    int64_t now_ms = clock_wall_ms();
    struct api_key_entry key;
    for (size_t place = 0; keys && api_keys_at(keys, place, &key); place++) {
        char end[CLOCK_RFC3339_SIZE];
        if (key.is_short)
            config_report_add(report, false, where, "the key %s has fewer than %d characters",
                              key.name, API_KEY_SHORT);
        if (key.not_after_ms == API_KEY_NO_END || key.not_after_ms - now_ms > KEY_ENDS_SOON_MS)
            continue;
        clock_rfc3339(key.not_after_ms, end);
        config_report_add(report, false, where,
                          now_ms > key.not_after_ms ? "the key %s has ended at %s: it is refused"
                                                    : "the key %s ends soon, at %s",
                          key.name, end);
    }
}

static void warn_of_smarthosts(const struct config *config, struct config_report *report)
{
    const char *where = config_place(config, "smtp_uri");
    for (size_t i = 0; i < config->smarthost_count; i++) {
        const struct smarthost *smarthost = &config->smarthosts[i];
        if (smarthost->user && smarthost->tls == SMARTHOST_TLS_NONE)
            config_report_add(report, false, where, "the %s goes to %s in the clear",
                              smarthost->token_file ? "token" : "password", smarthost->name);
        if (!smarthost->verify && smarthost->tls != SMARTHOST_TLS_NONE)
            config_report_add(report, false, where, "the certificate of %s is not checked",
                              smarthost->name);
    }
}

// The type of Kratos' most like this one, or NULL where none is.
static const char *nearest_type(const char *type, bool *ret_known)
{
    const struct kind *kind;
    const char *nearest = NULL;
    size_t best = strlen(type) / 2 + 1; // farther than that is no likeness
    for (size_t i = 0; (kind = kind_at(i)); i++) {
        size_t distance = names_distance(type, kind->template);
        if (distance < best) {
            best = distance;
            nearest = kind->template;
        }
    }
    *ret_known = nearest && strcmp(nearest, type) == 0;
    return nearest;
}

// A payload may name any type, so that one Kratos does not have may be meant so; and further
// routes are there to bring other types.
static void warn_of_types(const struct config *config, struct config_report *report)
{
    for (size_t i = 0; i < config->lifetime_count; i++) {
        bool is_known;
        const char *type = config->lifetimes[i].type;
        const char *nearest = nearest_type(type, &is_known);
        if (!is_known && (nearest || config->route_count == 1))
            config_report_add(report, false, config_place(config, "lifetime"),
                              nearest ? "%s is no type of Kratos'; did you mean %s?"
                                      : "%s is no type of Kratos'%s",
                              type, nearest ? nearest : "");
    }
}

// The margin is taken from every lifetime; what has nothing left is never sent.
static void warn_of_margin(const struct config *config, struct config_report *report)
{
    const char *where = config_place(config, "deadline_margin");
    if (config->deadline_margin_ms >= CODE_MINUTES * INT64_C(60000))
        config_report_add(report, false, where,
                          "is %d minutes or more: a mail that is good for %d minutes is never sent",
                          CODE_MINUTES, CODE_MINUTES);
    for (size_t i = 0; i < config->lifetime_count; i++)
        if (config->deadline_margin_ms >= config->lifetimes[i].ms)
            config_report_add(report, false, where,
                              "is not shorter than the lifetime of %s: such a mail is never sent",
                              config->lifetimes[i].type);
}

// Whichever listens there second cannot. Names are not looked up: the same host is one written the
// same.
static void warn_of_listeners(const struct config *config, struct config_report *report)
{
    const struct endpoint *mail = &config->listen, *admin = &config->admin_listen;
    bool is_same_host = !*mail->host || !*admin->host || strcasecmp(mail->host, admin->host) == 0;
    if (!config->admin_off && is_same_host && mail->port && mail->port == admin->port)
        config_report_add(report, false, config_place(config, "admin_listen"),
                          "has the port of RELAY_LISTEN, so that the relay runs without admin API "
                          "and metrics");
}

void config_warn(const struct config *config, struct config_report *report)
{
    warn_of_listeners(config, report);
    warn_of_keys(config, config->api_keys, "api_key", report);
    warn_of_keys(config, config->admin_keys, "admin_key", report);
    warn_of_smarthosts(config, report);
    warn_of_types(config, report);
    warn_of_margin(config, report);
}
