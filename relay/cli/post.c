#include "relay/cli/post.h"

#include <curl/curl.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/buffer.h"
#include "relay/base/cleanup.h"

enum { ANSWER_MAX = 64 * 1024, LIMIT_MS = 30000 };

struct cli_poster {
    CURL *curl;
    const char *socket_path;
};

struct cli_poster *cli_poster_create(const char *socket_path, struct error *err)
{
    struct cli_poster *poster = calloc(1, sizeof(*poster));
    curl_global_init(CURL_GLOBAL_DEFAULT);
    if (poster)
        poster->curl = curl_easy_init();
    if (poster && poster->curl) {
        poster->socket_path = socket_path;
        return poster;
    }
    error_set(err, ERR_TEMPORARY, "no memory");
    cli_poster_destroy(poster);
    return NULL;
}

void cli_poster_destroy(struct cli_poster *poster)
{
    if (!poster)
        return;
    curl_easy_cleanup(poster->curl);
    curl_global_cleanup();
    free(poster);
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

static bool set_options(const struct cli_poster *poster, const struct cli_post *post,
                        struct curl_slist *headers, struct buffer *answer)
{
    CURL *curl = poster->curl;
    curl_easy_reset(curl); // keeps the connection
    return curl_easy_setopt(curl, CURLOPT_URL, post->url) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           // The key is for the relay, not for whatever http_proxy names.
           curl_easy_setopt(curl, CURLOPT_PROXY, "") == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, poster->socket_path) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, post->has_no_limit ? 0L : (long)LIMIT_MS) ==
               CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_POST, 1L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)post->body_size) ==
               CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_POSTFIELDS, post->body ? post->body : "") == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_answer) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer) == CURLE_OK;
}

static void read_answer(CURL *curl, const struct buffer *body, struct cli_answer *ret_answer)
{
    struct curl_header *id = NULL;
    *ret_answer = (struct cli_answer){0};
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &ret_answer->status);
    if (curl_easy_header(curl, "X-Message-Id", 0, CURLH_HEADER, -1, &id) == CURLHE_OK)
        snprintf(ret_answer->id, sizeof(ret_answer->id), "%s", id->value);
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

bool cli_post(struct cli_poster *poster, const struct cli_post *post, struct cli_answer *ret_answer,
              struct error *err)
{
    AUTO_BUFFER struct buffer body;
    buffer_init(&body, ANSWER_MAX);
    struct curl_slist *headers = NULL;
    CURLcode code = CURLE_OUT_OF_MEMORY;
    if (make_headers(post->key, &headers) && set_options(poster, post, headers, &body))
        code = curl_easy_perform(poster->curl);
    bool ok = code == CURLE_OK || no_answer(poster->curl, code, post->url, err);
    if (ok)
        read_answer(poster->curl, &body, ret_answer);
    if (ok && post->ret_body)
        *post->ret_body = json_loadb(body.data ? body.data : "", body.size, 0, NULL);
    curl_slist_free_all(headers);
    return ok;
}
