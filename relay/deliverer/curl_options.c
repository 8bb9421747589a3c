#include "relay/deliverer/curl_options.h"

#include <stdio.h>
#include <string.h>

enum { URL_SIZE = 1100, MS_PER_S = 1000 };

// smtp://NAME:PORT/HELO, where NAME is what the certificate must say; settings.c has checked
// that nothing in it needs escaping. *ret_connect_to is empty where NAME is also the host.
static void make_url(const struct settings *settings, char url[URL_SIZE],
                     char ret_connect_to[URL_SIZE])
{
    const char *host = settings->host;
    const char *name = settings->server_name ? settings->server_name : host;
    const char *scheme = settings->tls == TLS_IMPLICIT ? "smtps" : "smtp";
    bool host_bare = strchr(host, ':') && host[0] != '[';
    bool name_bare = strchr(name, ':') && name[0] != '[';
    snprintf(url, URL_SIZE, name_bare ? "%s://[%s]:%d/%s" : "%s://%s:%d/%s", scheme, name,
             settings->port, settings->helo);
    ret_connect_to[0] = '\0';
    if (settings->server_name)
        snprintf(ret_connect_to, URL_SIZE, host_bare ? "::[%s]:%d" : "::%s:%d", host,
                 settings->port);
}

static const char *login_options(enum auth_mechanism auth)
{
    switch (auth) {
    case AUTH_OFFERED:
        return "AUTH=PLAIN;AUTH=LOGIN";
    case AUTH_PLAIN:
        return "AUTH=PLAIN";
    case AUTH_LOGIN:
        return "AUTH=LOGIN";
    case AUTH_XOAUTH2:
        return "AUTH=XOAUTH2";
    case AUTH_OAUTHBEARER:
        return "AUTH=OAUTHBEARER";
    }
    return "AUTH=PLAIN;AUTH=LOGIN";
}

CURLcode curl_options_set(CURL *curl, const struct settings *settings,
                          struct curl_slist **ret_connect_to)
{
    char url[URL_SIZE], connect_to[URL_SIZE];
    make_url(settings, url, connect_to);
    bool redirects = connect_to[0] != '\0';
    if (redirects && !(*ret_connect_to = curl_slist_append(NULL, connect_to)))
        return CURLE_OUT_OF_MEMORY;

    CURLcode rc = CURLE_OK;
#define SET(option, value) (rc = rc != CURLE_OK ? rc : curl_easy_setopt(curl, option, value))
    // The limits that count are the pool's and on_progress()'s; these lie beyond them.
    long beyond_ms = settings->timeout_ms + 10L * MS_PER_S;
    SET(CURLOPT_URL, url);
    SET(CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_UPLOAD, 1L);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_QUICK_EXIT, 1L); // do not wait for a resolver that hangs
    SET(CURLOPT_CONNECTTIMEOUT_MS, beyond_ms);
    SET(CURLOPT_SERVER_RESPONSE_TIMEOUT, beyond_ms / MS_PER_S);
    SET(CURLOPT_DNS_CACHE_TIMEOUT, 0L); // a new connection asks where the smarthost is now
    SET(CURLOPT_MAXCONNECTS, 1L);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_SSL_VERIFYPEER, settings->verify ? 1L : 0L);
    SET(CURLOPT_SSL_VERIFYHOST, settings->verify ? 2L : 0L);
    SET(CURLOPT_USE_SSL, (long)(settings->tls == TLS_NONE ? CURLUSESSL_NONE : CURLUSESSL_ALL));
    // Each connection asks whom to trust then: libcurl would remember for a day, and a session that
    // is resumed shows no certificate at all.
    SET(CURLOPT_CA_CACHE_TIMEOUT, 0L);
    SET(CURLOPT_SSL_SESSIONID_CACHE, 0L);
    if (settings->ca_file) {
        SET(CURLOPT_CAINFO, settings->ca_file);
        SET(CURLOPT_CAPATH, NULL); // the system's, which would be trusted beside it
    }
    if (redirects)
        SET(CURLOPT_CONNECT_TO, *ret_connect_to);
    if (settings->user) {
        SET(CURLOPT_USERNAME, settings->user);
        SET(CURLOPT_PASSWORD, settings->password);
        SET(CURLOPT_LOGIN_OPTIONS, login_options(settings->auth));
    }
#undef SET
    return rc;
}
