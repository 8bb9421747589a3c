#include "relay/deliverer/settings.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/dots.h"

enum { TIMEOUT_MIN_MS = 10, TIMEOUT_MAX_MS = 3600 * 1000, NAME_MAX_BYTES = 255 };

void settings_finish(struct settings *settings)
{
    if (settings->password)
        explicit_bzero(settings->password, strlen(settings->password));
    free(settings->host);
    free(settings->server_name);
    free(settings->user);
    free(settings->password);
    free(settings->ca_file);
    free(settings->token_file);
    free(settings->dir);
    free(settings->helo);
    *settings = (struct settings){0};
}

// Names go into URLs and commands unescaped. Colons and brackets are for literal addresses.
static bool is_name(const char *name)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_:[]";
    size_t size = name ? strlen(name) : 0;
    return size > 0 && size <= NAME_MAX_BYTES && strspn(name, allowed) == size;
}

static bool is_time(int ms)
{
    return ms >= TIMEOUT_MIN_MS && ms <= TIMEOUT_MAX_MS;
}

static const char *check_auth(const struct settings *settings, const char **ret_what)
{
    bool takes_token = settings->auth == AUTH_XOAUTH2 || settings->auth == AUTH_OAUTHBEARER;
    *ret_what = "needed where there is a user";
    if (settings->user && !settings->password)
        return "password";
    *ret_what = "needed where there is a mechanism";
    if (settings->auth != AUTH_OFFERED && !settings->user)
        return "user";
    *ret_what = takes_token ? "needed by this mechanism" : "not of this mechanism";
    return takes_token == (settings->token_file != NULL) ? NULL : "token_file";
}

static const char *check_smarthost(const struct settings *settings, const char **ret_what)
{
    *ret_what = "not a host name or address";
    if (!is_name(settings->host))
        return "host";
    if (settings->server_name && !is_name(settings->server_name))
        return "server_name";
    if (!is_name(settings->helo))
        return "helo";
    *ret_what = "not a port";
    if (settings->port < 1 || settings->port > 65535)
        return "port";
    return check_auth(settings, ret_what);
}

const char *settings_check(struct settings *settings, const char **ret_what)
{
    *ret_what = "not from 1 to the number of dot marks";
    if (settings->connections < 1 || settings->connections > DOTS_COUNT)
        return "connections";
    *ret_what = "not a positive number";
    if (settings->messages_per_connection < 1)
        return "messages_per_connection";
    *ret_what = "not from 10 ms to an hour";
    if (!is_time(settings->idle_ms))
        return "idle_ms";
    if (!is_time(settings->connect_timeout_ms))
        return "connect_timeout_ms";
    if (!is_time(settings->timeout_ms))
        return "timeout_ms";
    if (settings->driver == DRIVER_FILE) {
        *ret_what = "needed for this driver";
        return settings->dir ? NULL : "dir";
    }
    if (settings->driver == DRIVER_ESMTP && (settings->tls != TLS_NONE || settings->user ||
                                             (settings->host && strchr(settings->host, ':'))))
        settings->driver = DRIVER_CURL;
    return check_smarthost(settings, ret_what);
}
