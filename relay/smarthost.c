#include "relay/smarthost.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/cleanup.h"
#include "relay/number.h"

enum { SMARTHOSTS_MAX = 16, PORT_MAX = 65535, HOST_MAX = 253 };

// A piece of the text being parsed.
struct span {
    const char *at;
    size_t size;
};

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

static bool span_is(struct span span, const char *text)
{
    return span.size == strlen(text) && memcmp(span.at, text, span.size) == 0;
}

// Cuts span at the first stop, which is dropped; gives what stood before it.
static struct span span_cut(struct span *span, char stop)
{
    const char *at = memchr(span->at, stop, span->size);
    size_t size = at ? (size_t)(at - span->at) : span->size;
    struct span head = {span->at, size};
    size_t skipped = at ? size + 1 : size;
    span->at += skipped;
    span->size -= skipped;
    return head;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

// Percent-decodes. What comes out goes into SMTP commands, so control characters are refused.
static char *decode(struct span span, const char *what, struct error *err)
{
    char *text = malloc(span.size + 1);
    if (!text) {
        error_set(err, ERR_TEMPORARY, "no memory");
        return NULL;
    }
    size_t used = 0;
    for (size_t i = 0; i < span.size; i++) {
        char c = span.at[i];
        if (c == '%') {
            bool whole = i + 2 < span.size;
            int high = whole ? hex_digit(span.at[i + 1]) : -1;
            int low = whole ? hex_digit(span.at[i + 2]) : -1;
            if (high < 0 || low < 0)
                goto bad;
            c = (char)(high * 16 + low);
            i += 2;
        }
        if ((unsigned char)c < 0x20 || c == 0x7f)
            goto bad;
        text[used++] = c;
    }
    text[used] = '\0';
    return text;
bad:
    explicit_bzero(text, used);
    free(text);
    error_set(err, ERR_INPUT,
              "the %s is not percent-encoded rightly: a '%%' is written %%25, '@' %%40, '/' %%2F",
              what);
    return NULL;
}

static bool parse_userinfo(struct span userinfo, struct smarthost *smarthost, struct error *err)
{
    struct span password = userinfo;
    struct span user = span_cut(&password, ':');
    if (user.size == 0)
        return error_set(err, ERR_INPUT, "a password without a user");
    smarthost->user = decode(user, "user", err);
    smarthost->password = smarthost->user ? decode(password, "password", err) : NULL;
    return smarthost->password != NULL;
}

static bool is_ipv6(const char *host)
{
    struct in6_addr address;
    return inet_pton(AF_INET6, host, &address) == 1;
}

static bool host_is_valid(const char *host)
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
    if (bracketed ? !is_ipv6(smarthost->host) : !host_is_valid(smarthost->host))
        return error_set(err, ERR_INPUT,
                         "the host is none; user and password are percent-encoded before an '@'");
    int64_t number = 0;
    if (port.size > 0 && (!number_parse(port.at, port.size, PORT_MAX, &number) || number == 0))
        return error_set(err, ERR_INPUT, "the port is not from 1 to %d", PORT_MAX);
    smarthost->port = (uint16_t)number;
    return true;
}

// What Go's strconv.ParseBool takes, as Kratos uses it; but anything else is a fault here and
// `false` there.
static bool parse_boolean(struct span value, bool *ret_value)
{
    static const char *const yes[] = {"1", "t", "T", "true", "TRUE", "True"};
    static const char *const no[] = {"0", "f", "F", "false", "FALSE", "False"};
    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
        if (span_is(value, yes[i]) || span_is(value, no[i])) {
            *ret_value = span_is(value, yes[i]);
            return true;
        }
    }
    return false;
}

static bool parse_query(struct span query, struct smarthost *smarthost, struct error *err)
{
    while (query.size > 0) {
        struct span value = span_cut(&query, '&');
        struct span name = span_cut(&value, '=');
        bool flag;
        if (span_is(name, "disable_starttls")) {
            if (!parse_boolean(value, &flag))
                return error_set(err, ERR_INPUT, "disable_starttls is neither true nor false");
            if (flag && smarthost->tls == SMARTHOST_TLS_STARTTLS)
                smarthost->tls = SMARTHOST_TLS_NONE;
        } else if (span_is(name, "skip_ssl_verify")) {
            if (!parse_boolean(value, &flag))
                return error_set(err, ERR_INPUT, "skip_ssl_verify is neither true nor false");
            smarthost->verify = !flag;
        } else if (span_is(name, "server_name") && !smarthost->server_name) {
            smarthost->server_name = decode(value, "server_name", err);
            if (!smarthost->server_name)
                return false;
            if (!host_is_valid(smarthost->server_name))
                return error_set(err, ERR_INPUT, "server_name is no host name");
        } else if (name.size > 0) {
            return error_set(err, ERR_INPUT,
                             "a parameter is none of disable_starttls, skip_ssl_verify and "
                             "server_name, or stands there twice");
        }
    }
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
    if (!parse_host(host, smarthost, err) || !parse_query(query, smarthost, err))
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

static bool span_skip(struct span *span, const char *prefix)
{
    size_t size = strlen(prefix);
    if (span->size < size || strncasecmp(span->at, prefix, size) != 0)
        return false;
    span->at += size;
    span->size -= size;
    return true;
}

static bool parse_one(struct span uri, struct smarthost *smarthost, struct error *err)
{
    *smarthost = (struct smarthost){.verify = true};
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
        bool ok = parse_one(next_uri(&text), smarthost, err);
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
        free(smarthosts[i].host);
        free(smarthosts[i].server_name);
        free(smarthosts[i].user);
        wipe_free(smarthosts[i].password);
        free(smarthosts[i].dir);
    }
    free(smarthosts);
}
