#include "relay/cli/request.h"

#include <curl/curl.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/buffer.h"
#include "relay/base/cleanup.h"

enum { ANSWER_MAX = 64 * 1024, LIMIT_MS = 30000, REDIRECTIONS_MAX = 3 };

struct cli_client {
    CURL *curl;
    const char *socket_path;
};

struct cli_client *cli_client_create(const char *socket_path, struct error *err)
{
    struct cli_client *client = calloc(1, sizeof(*client));
    curl_global_init(CURL_GLOBAL_DEFAULT);
    if (client)
        client->curl = curl_easy_init();
    if (client && client->curl) {
        client->socket_path = socket_path;
        return client;
    }
    error_set(err, ERR_TEMPORARY, "no memory");
    cli_client_destroy(client);
    return NULL;
}

void cli_client_destroy(struct cli_client *client)
{
    if (!client)
        return;
    curl_easy_cleanup(client->curl);
    curl_global_cleanup();
    free(client);
}

static size_t take_answer(char *data, size_t size, size_t count, void *context)
{
    buffer_append(context, data, size * count);
    return size * count; // what is over the limit is of no interest
}

static bool add_header(struct curl_slist **headers, const char *line)
{
    struct curl_slist *all = curl_slist_append(*headers, line);
    if (all)
        *headers = all;
    return all != NULL;
}

static bool make_headers(const char *key, struct curl_slist **headers)
{
    AUTO_WIPE char *line = NULL;
    if (key && asprintf(&line, "X-Api-Key: %s", key) < 0) {
        line = NULL;
        return false;
    }
    return add_header(headers, "Content-Type: application/json") &&
           (!line || add_header(headers, line));
}

static CURLcode set_options(const struct cli_client *client, const struct cli_request *request,
                            struct curl_slist *headers, struct buffer *answer)
{
    CURL *curl = client->curl;
    long limit_ms = request->has_no_limit ? 0 : request->limit_ms ? request->limit_ms : LIMIT_MS;
    CURLcode rc = CURLE_OK;
    curl_easy_reset(curl); // keeps the connection
#define SET(option, value) (rc = rc != CURLE_OK ? rc : curl_easy_setopt(curl, option, value))
    SET(CURLOPT_URL, request->url);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    // The key is for the relay, not for whatever http_proxy names.
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_UNIX_SOCKET_PATH, client->socket_path);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_TIMEOUT_MS, limit_ms);
    SET(CURLOPT_HTTPHEADER, headers);
    SET(CURLOPT_WRITEFUNCTION, take_answer);
    SET(CURLOPT_WRITEDATA, answer);
    if (request->is_get) {
        SET(CURLOPT_FOLLOWLOCATION, request->key ? 0L : 1L); // it would go along
        SET(CURLOPT_MAXREDIRS, (long)REDIRECTIONS_MAX);
    } else {
        SET(CURLOPT_POST, 1L);
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_size);
        SET(CURLOPT_POSTFIELDS, request->body ? request->body : "");
    }
#undef SET
    return rc;
}

// Link: <https://…/admin/identities?page_token=…>; rel="next", <…>; rel="first" (RFC 8288).
static void find_next(const char *link, struct cli_answer *answer)
{
    for (const char *at = link; (at = strchr(at, '<')); at++) {
        const char *end = strchr(at, '>');
        if (!end)
            return;
        size_t size = (size_t)(end - at - 1), rest = strcspn(end, "<");
        if (size < sizeof(answer->next) && memmem(end, rest, "rel=\"next\"", 10)) {
            memcpy(answer->next, at + 1, size);
            answer->next[size] = '\0';
            return;
        }
    }
}

static void read_answer(CURL *curl, const struct buffer *body, struct cli_answer *ret_answer)
{
    struct curl_header *id = NULL, *link = NULL, *duplicate = NULL;
    *ret_answer = (struct cli_answer){.is_cut = body->failed};
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &ret_answer->status);
    if (curl_easy_header(curl, "X-Message-Id", 0, CURLH_HEADER, -1, &id) == CURLHE_OK)
        snprintf(ret_answer->id, sizeof(ret_answer->id), "%s", id->value);
    ret_answer->is_duplicate =
        curl_easy_header(curl, "X-Duplicate", 0, CURLH_HEADER, -1, &duplicate) == CURLHE_OK;
    for (size_t i = 0; curl_easy_header(curl, "Link", i, CURLH_HEADER, -1, &link) == CURLHE_OK; i++)
        find_next(link->value, ret_answer);
    json_auto_t *error = json_loadb(body->data ? body->data : "", body->size, 0, NULL);
    const char *message = json_string_value(json_object_get(error, "message"));
    snprintf(ret_answer->message, sizeof(ret_answer->message), "%s", message ? message : "");
}

static bool no_answer(CURL *curl, CURLcode code, const char *url, struct error *err)
{
    long os_error = 0;
    curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &os_error);
    enum error_code kind = ERR_IO;
    if (code == CURLE_COULDNT_CONNECT)
        kind = os_error == EACCES || os_error == EPERM ? ERR_PERMANENT : ERR_TEMPORARY;
    return error_set(err, kind, "%s: %s", url, curl_easy_strerror(code));
}

bool cli_request(struct cli_client *client, const struct cli_request *request,
                 struct cli_answer *ret_answer, struct error *err)
{
    AUTO_BUFFER struct buffer body;
    buffer_init(&body, request->answer_max ? request->answer_max : ANSWER_MAX);
    struct curl_slist *headers = NULL;
    CURLcode code = CURLE_OUT_OF_MEMORY;
    if (make_headers(request->key, &headers))
        code = set_options(client, request, headers, &body);
    if (code == CURLE_OK)
        code = curl_easy_perform(client->curl);
    bool ok = code == CURLE_OK || no_answer(client->curl, code, request->url, err);
    if (ok)
        read_answer(client->curl, &body, ret_answer);
    if (ok && request->ret_body)
        *request->ret_body = json_loadb(body.data ? body.data : "", body.size, 0, NULL);
    curl_slist_free_all(headers);
    return ok;
}

bool cli_connect(struct cli_client *client, const struct cli_request *request, struct error *err)
{
    CURLcode code = set_options(client, request, NULL, NULL);
    if (code == CURLE_OK)
        code = curl_easy_setopt(client->curl, CURLOPT_CONNECT_ONLY, 1L);
    if (code == CURLE_OK)
        code = curl_easy_perform(client->curl);
    return code == CURLE_OK || no_answer(client->curl, code, request->url, err);
}
