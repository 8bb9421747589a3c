#include "relay/smarthosts/smarthost_options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "relay/base/cleanup.h"
#include "relay/base/number.h"
#include "relay/smarthosts/pace.h"

// What Go's strconv.ParseBool takes, as Kratos uses it; but anything else is a fault here and
// `false` there.
static bool parse_boolean(const char *value, bool *ret_value, struct error *err)
{
    static const char *const yes[] = {"1", "t", "T", "true", "TRUE", "True"};
    static const char *const no[] = {"0", "f", "F", "false", "FALSE", "False"};
    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
        if (strcmp(value, yes[i]) == 0 || strcmp(value, no[i]) == 0) {
            *ret_value = strcmp(value, yes[i]) == 0;
            return true;
        }
    }
    return error_set(err, ERR_INPUT, "neither true nor false");
}

static bool set_disable_starttls(const char *value, struct smarthost *smarthost, struct error *err)
{
    bool disable;
    if (!parse_boolean(value, &disable, err))
        return false;
    // Whoever writes it there takes his mail for one that goes in the clear, or his smarthost for
    // one that wants it so, and that one would not understand the first byte.
    if (disable && smarthost->tls == SMARTHOST_TLS_IMPLICIT)
        return error_set(err, ERR_INPUT,
                         "smtps:// is TLS from its first byte; only smtp:// does without");
    if (disable)
        smarthost->tls = SMARTHOST_TLS_NONE;
    return true;
}

static bool set_skip_ssl_verify(const char *value, struct smarthost *smarthost, struct error *err)
{
    bool skip;
    if (!parse_boolean(value, &skip, err))
        return false;
    smarthost->verify = !skip;
    return true;
}

static bool set_server_name(const char *value, struct smarthost *smarthost, struct error *err)
{
    if (!smarthost_host_is_valid(value))
        return error_set(err, ERR_INPUT, "no host name");
    smarthost->server_name = strdup(value);
    return smarthost->server_name || error_set(err, ERR_TEMPORARY, "no memory");
}

static bool set_path(const char *value, char **ret_path, struct error *err)
{
    if (!*value)
        return error_set(err, ERR_INPUT, "no file name");
    *ret_path = strdup(value);
    return *ret_path || error_set(err, ERR_TEMPORARY, "no memory");
}

static bool set_ca_file(const char *value, struct smarthost *smarthost, struct error *err)
{
    return set_path(value, &smarthost->ca_file, err);
}

static bool set_token_file(const char *value, struct smarthost *smarthost, struct error *err)
{
    return set_path(value, &smarthost->token_file, err);
}

static bool set_auth(const char *value, struct smarthost *smarthost, struct error *err)
{
    static const char *const mechanisms[] = {"plain", "login", "xoauth2", "oauthbearer"};
    for (size_t i = 0; i < sizeof(mechanisms) / sizeof(mechanisms[0]); i++) {
        if (strcasecmp(value, mechanisms[i]) == 0) {
            smarthost->auth = mechanisms[i];
            return true;
        }
    }
    return error_set(err, ERR_INPUT, "none of plain, login, xoauth2 and oauthbearer");
}

static bool set_connections(const char *value, struct smarthost *smarthost, struct error *err)
{
    int64_t count;
    if (!number_parse(value, strlen(value), SMARTHOST_CONNECTIONS_MAX, &count) || count == 0)
        return error_set(err, ERR_INPUT, "not a number from 1 to %d", SMARTHOST_CONNECTIONS_MAX);
    smarthost->connections = (int)count;
    return true;
}

static bool set_idle(const char *value, struct smarthost *smarthost, struct error *err)
{
    int64_t ms;
    if (!duration_parse(value, strlen(value), &ms) || ms < 1000 || ms > 60 * 60 * 1000)
        return error_set(err, ERR_INPUT, "not a time from 1s to 1h");
    smarthost->idle_ms = (int)ms;
    return true;
}

static bool set_messages_per_connection(const char *value, struct smarthost *smarthost,
                                        struct error *err)
{
    int64_t count;
    if (!number_parse(value, strlen(value), SMARTHOST_MESSAGES_MAX, &count) || count == 0)
        return error_set(err, ERR_INPUT, "not a number from 1 to %d", SMARTHOST_MESSAGES_MAX);
    smarthost->messages_per_connection = (int)count;
    return true;
}

static bool set_rate(const char *value, struct smarthost *smarthost, struct error *err)
{
    struct rates rates;
    if (!rates_parse(value, &rates, err))
        return false;
    for (size_t i = 0; i < rates.count; i++)
        if (rates.rate[i].count > PACE_COUNT_MAX)
            return error_set(err, ERR_INPUT, "more than %d messages", PACE_COUNT_MAX);
    smarthost->rate = rates;
    return true;
}

static const struct option {
    const char *name;
    bool (*set)(const char *value, struct smarthost *smarthost, struct error *err);
} options[] = {
    {"disable_starttls", set_disable_starttls},
    {"skip_ssl_verify", set_skip_ssl_verify},
    {"server_name", set_server_name},
    {"ca_file", set_ca_file},
    {"auth", set_auth},
    {"token_file", set_token_file},
    {"connections", set_connections},
    {"idle", set_idle},
    {"messages_per_connection", set_messages_per_connection},
    {"rate", set_rate},
};
enum { OPTION_COUNT = sizeof(options) / sizeof(options[0]) };

static bool no_such_option(struct error *err)
{
    char names[256];
    size_t used = 0;
    for (size_t i = 0; i < OPTION_COUNT && used < sizeof(names); i++)
        used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s", i ? ", " : "",
                                 options[i].name);
    return error_set(err, ERR_INPUT, "a parameter is none of %s", names);
}

static bool takes_token(const struct smarthost *smarthost)
{
    const char *auth = smarthost->auth;
    return auth && (strcmp(auth, "xoauth2") == 0 || strcmp(auth, "oauthbearer") == 0);
}

// What each parameter has said goes together.
static bool fit(const struct smarthost *smarthost, struct error *err)
{
    bool verifies = smarthost->verify && smarthost->tls != SMARTHOST_TLS_NONE;
    if (smarthost->ca_file && !verifies)
        return error_set(err, ERR_INPUT, "ca_file: no certificate is checked here");
    if (smarthost->auth && !smarthost->user)
        return error_set(err, ERR_INPUT, "auth: needs a USER before the host");
    if (takes_token(smarthost) && !smarthost->token_file)
        return error_set(err, ERR_INPUT, "auth: %s needs token_file", smarthost->auth);
    if (smarthost->token_file && !takes_token(smarthost))
        return error_set(err, ERR_INPUT, "token_file: needs auth=xoauth2 or auth=oauthbearer");
    if (smarthost->token_file && *smarthost->password)
        return error_set(err, ERR_INPUT, "token_file: stands in place of a password");
    return true;
}

bool smarthost_options_parse(struct span query, struct smarthost *smarthost, struct error *err)
{
    bool seen[OPTION_COUNT] = {false};
    while (query.size > 0) {
        struct span text = span_cut(&query, '&');
        struct span name = span_cut(&text, '=');
        if (name.size == 0)
            continue;
        size_t i = 0;
        while (i < OPTION_COUNT && !span_is(name, options[i].name))
            i++;
        if (i == OPTION_COUNT)
            return no_such_option(err);
        if (seen[i])
            return error_set(err, ERR_INPUT, "%s stands there twice", options[i].name);
        seen[i] = true;
        AUTO_FREE char *value = span_decode(text, options[i].name, err);
        if (!value)
            return false;
        if (!options[i].set(value, smarthost, err))
            return error_prefix(err, "%s", options[i].name);
    }
    return fit(smarthost, err);
}
