#include "relay/smarthosts/smarthost.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/cleanup.h"
#include "relay/base/number.h"
#include "relay/base/span.h"
#include "relay/smarthosts/smarthost_options.h"

enum { SMARTHOSTS_MAX = 16, PORT_MAX = 65535, HOST_MAX = 253 };

const char *smarthost_tls_name(enum smarthost_tls tls)
{
    switch (tls) {
    case SMARTHOST_TLS_NONE:
        return "none";
    case SMARTHOST_TLS_STARTTLS:
        return "starttls";
    case SMARTHOST_TLS_IMPLICIT:
        return "implicit";
    }
    return "none";
}

const char *smarthost_driver_name(enum smarthost_driver driver)
{
    switch (driver) {
    case SMARTHOST_ESMTP:
        return "esmtp";
    case SMARTHOST_CURL:
        return "curl";
    case SMARTHOST_FILE:
        return "file";
    }
    return "curl";
}

static bool parse_userinfo(struct span userinfo, struct smarthost *smarthost, struct error *err)
{
    struct span password = userinfo;
    struct span user = span_cut(&password, ':');
    if (user.size == 0)
        return error_set(err, ERR_INPUT, "a password without a user");
    smarthost->user = span_decode(user, "user", err);
    smarthost->password = smarthost->user ? span_decode(password, "password", err) : NULL;
    return smarthost->password != NULL;
}

static bool is_ipv6(const char *host)
{
    struct in6_addr address;
    return inet_pton(AF_INET6, host, &address) == 1;
}

bool smarthost_host_is_valid(const char *host)
{
    size_t size = strlen(host);
    if (size == 0 || size > HOST_MAX || host[0] == '-' || host[0] == '.')
        return false;
    for (size_t i = 0; i < size; i++)
        if (!isalnum((unsigned char)host[i]) && !strchr("-._", host[i]))
            return false;
    return true;
}

// "host", "host:587", "[::1]:25". An absent port leaves 0.
static bool parse_host(struct span text, struct smarthost *smarthost, struct error *err)
{
    struct span host = text, port = {NULL, 0};
    bool bracketed = text.size > 0 && text.at[0] == '[';
    if (bracketed) {
        port = (struct span){text.at + 1, text.size - 1};
        host = span_cut(&port, ']');
        if (!memchr(text.at, ']', text.size) || (port.size > 0 && *port.at != ':'))
            return error_set(err, ERR_INPUT, "the host is none");
        span_cut(&port, ':');
    } else {
        port = text;
        host = span_cut(&port, ':');
    }
    smarthost->host = strndup(host.at, host.size);
    if (!smarthost->host)
        return error_set(err, ERR_TEMPORARY, "no memory");
    if (bracketed ? !is_ipv6(smarthost->host) : !smarthost_host_is_valid(smarthost->host))
        return error_set(err, ERR_INPUT,
                         "the host is none; user and password are percent-encoded before an '@'");
    int64_t number = 0;
    if (port.size > 0 && (!number_parse(port.at, port.size, PORT_MAX, &number) || number == 0))
        return error_set(
            err, ERR_INPUT,
            "the port is not from 1 to %d; in user and password '?', '#', '/', '@' and "
            "':' are percent-encoded",
            PORT_MAX);
    smarthost->port = (uint16_t)number;
    return true;
}

static uint16_t default_port(enum smarthost_tls tls)
{
    switch (tls) {
    case SMARTHOST_TLS_NONE:
        return 25;
    case SMARTHOST_TLS_STARTTLS:
        return 587;
    case SMARTHOST_TLS_IMPLICIT:
        return 465;
    }
    return 25;
}

// rest is what follows "smtp://".
static bool parse_server(struct span rest, enum smarthost_tls tls, struct smarthost *smarthost,
                         struct error *err)
{
    smarthost->tls = tls;
    // RFC 3986 §3.2: the authority ends at the first of these.
    size_t size = 0;
    while (size < rest.size && !strchr("/?#", rest.at[size]))
        size++;
    struct span authority = {rest.at, size};
    struct span query = {rest.at + size, rest.size - size};
    if (memchr(query.at, '#', query.size))
        return error_set(err, ERR_INPUT, "a '#' in it must be written %%23");
    struct span path = span_cut(&query, '?');
    if (path.size > 0 && !span_is(path, "/"))
        return error_set(err, ERR_INPUT,
                         "nothing but '/' follows host and port; a '/' in a password is %%2F");

    const char *at = memrchr(authority.at, '@', authority.size);
    struct span host = authority;
    if (at) {
        struct span userinfo = {authority.at, (size_t)(at - authority.at)};
        host.size -= userinfo.size + 1;
        host.at = at + 1;
        if (!parse_userinfo(userinfo, smarthost, err))
            return false;
    }
    if (!parse_host(host, smarthost, err) || !smarthost_options_parse(query, smarthost, err))
        return false;
    if (smarthost->port == 0)
        smarthost->port = default_port(smarthost->tls);
    bool plain = smarthost->tls == SMARTHOST_TLS_NONE && !smarthost->user;
    smarthost->driver = plain && !is_ipv6(smarthost->host) ? SMARTHOST_ESMTP : SMARTHOST_CURL;
    snprintf(smarthost->name, sizeof(smarthost->name),
             is_ipv6(smarthost->host) ? "[%s]:%u" : "%s:%u", smarthost->host,
             (unsigned)smarthost->port);
    return true;
}

static bool parse_one(struct span uri, struct smarthost *smarthost, struct error *err)
{
    *smarthost = (struct smarthost){.verify = true,
                                    .idle_ms = SMARTHOST_IDLE_MS,
                                    .messages_per_connection = SMARTHOST_MESSAGES};
    if (span_skip(&uri, "smtp://"))
        return parse_server(uri, SMARTHOST_TLS_STARTTLS, smarthost, err);
    if (span_skip(&uri, "smtps://"))
        return parse_server(uri, SMARTHOST_TLS_IMPLICIT, smarthost, err);
    if (!span_skip(&uri, "file:"))
        return error_set(err, ERR_INPUT, "begins with none of smtp://, smtps:// and file:");
    span_skip(&uri, "//");
    if (uri.size == 0)
        return error_set(err, ERR_INPUT, "file: needs a folder");
    smarthost->driver = SMARTHOST_FILE;
    smarthost->dir = strndup(uri.at, uri.size);
    if (!smarthost->dir)
        return error_set(err, ERR_TEMPORARY, "no memory");
    snprintf(smarthost->name, sizeof(smarthost->name), "file");
    return true;
}

static bool has_scheme(const char *text)
{
    struct span rest = {text, strlen(text)};
    return span_skip(&rest, "smtp://") || span_skip(&rest, "smtps://") || span_skip(&rest, "file:");
}

// Takes the first URI of text and moves text behind its separator.
static struct span next_uri(const char **text)
{
    const char *start = *text + strspn(*text, " \t\r\n");
    const char *end = start + strlen(start);
    *text = end;
    for (const char *comma = strchr(start, ','); comma; comma = strchr(comma + 1, ',')) {
        const char *next = comma + 1 + strspn(comma + 1, " \t\r\n");
        if (has_scheme(next)) {
            end = comma;
            *text = next;
            break;
        }
    }
    while (end > start && isspace((unsigned char)end[-1]))
        end--;
    return (struct span){start, (size_t)(end - start)};
}

static bool name_is_taken(const struct smarthost *smarthosts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(smarthosts[i].name, smarthosts[count].name) == 0)
            return true;
    return false;
}

bool smarthosts_parse(const char *text, struct smarthost **ret_smarthosts, size_t *ret_count,
                      struct error *err)
{
    struct smarthost *smarthosts = calloc(SMARTHOSTS_MAX, sizeof(*smarthosts));
    if (!smarthosts)
        return error_set(err, ERR_TEMPORARY, "no memory");
    size_t count = 0;
    do {
        if (count == SMARTHOSTS_MAX) {
            error_set(err, ERR_INPUT, "more than %d smarthosts", SMARTHOSTS_MAX);
            goto fail;
        }
        struct smarthost *smarthost = &smarthosts[count];
        struct span uri = next_uri(&text);
        bool ok = parse_one(uri, smarthost, err);
        smarthost->uri = strndup(uri.at, uri.size);
        if (ok && !smarthost->uri)
            ok = error_set(err, ERR_TEMPORARY, "no memory");
        // Circuits and attempts are told apart by name.
        if (ok && name_is_taken(smarthosts, count))
            ok = error_set(err, ERR_INPUT, "%s is named twice", smarthost->name);
        count++;
        if (!ok) {
            error_prefix(err, "smarthost %zu", count);
            goto fail;
        }
    } while (*text);
    *ret_smarthosts = smarthosts;
    *ret_count = count;
    return true;
fail:
    smarthosts_free(smarthosts, count);
    return false;
}

void smarthosts_free(struct smarthost *smarthosts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        wipe_free(smarthosts[i].uri);
        free(smarthosts[i].host);
        free(smarthosts[i].server_name);
        free(smarthosts[i].user);
        wipe_free(smarthosts[i].password);
        free(smarthosts[i].ca_file);
        free(smarthosts[i].token_file);
        free(smarthosts[i].dir);
    }
    free(smarthosts);
}
