// `courier-relay send`: posts a payload to a running relay, as Kratos would.
#include <curl/curl.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "relay/base/buffer.h"
#include "relay/base/cleanup.h"
#include "relay/cli.h"

enum { PAYLOAD_MAX = 16 * 1024 * 1024, ANSWER_MAX = 64 * 1024, LIMIT_MS = 30000 };
enum { KEY_FILE_MAX = 64 * 1024, CHUNK = 16 * 1024 };
enum { OPTION_URL = 256, OPTION_KEY_FILE, OPTION_JSON };

static const char help[] =
    "courier-relay send FILE\n"
    "\n"
    "Posts the payload in FILE (-: standard input) to a running relay and prints the message's "
    "id.\n"
    "\n"
    "  --url URL        where to; else /kratos/webhook at RELAY_LISTEN\n"
    "  --key-file F     holds the API key; else the first one in RELAY_API_KEY (or\n"
    "                   RELAY_API_KEY_FILE) that is no digest\n"
    "  --json           print {\"status\": 200, \"id\": \"...\"}\n"
    "  -c, --config F   configuration file; else RELAY_CONFIG\n"
    "  -h, --help       this text\n";

struct arguments {
    const char *config_file, *url, *key_file, *payload_file;
    bool json;
};

static bool read_file(const char *path, struct buffer *bytes)
{
    bool is_stdin = strcmp(path, "-") == 0;
    AUTO_CLOSE int fd = is_stdin ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
    for (ssize_t count = fd < 0 ? -1 : 1; count != 0;) {
        void *to = count < 0 ? NULL : buffer_reserve(bytes, CHUNK);
        if (count < 0 || !to) {
            cli_complain("%s: %s", path, bytes->failed ? "too large" : "cannot be read");
            return false;
        }
        count = read(fd, to, CHUNK);
        if (count > 0)
            buffer_added(bytes, (size_t)count);
    }
    return true;
}

static char *find_url(const struct config *config, const struct arguments *arguments)
{
    if (arguments->url)
        return strdup(arguments->url);
    if (config->listen.port == 0) {
        cli_complain("RELAY_LISTEN takes any free port: say which with --url");
        return NULL;
    }
    // An address to listen on at every interface is none to connect to.
    const char *host = config->listen.host;
    if (!*host || strcmp(host, "0.0.0.0") == 0)
        host = "127.0.0.1";
    else if (strcmp(host, "::") == 0)
        host = "::1";
    bool is_ipv6 = strchr(host, ':') != NULL;
    char *url;
    return asprintf(&url, "http://%s%s%s:%u/kratos/webhook", is_ipv6 ? "[" : "", host,
                    is_ipv6 ? "]" : "", (unsigned)config->listen.port) < 0
               ? NULL
               : url;
}

static char *find_key(const struct config *config, const struct arguments *arguments)
{
    if (arguments->key_file) {
        AUTO_BUFFER struct buffer text;
        buffer_init(&text, KEY_FILE_MAX);
        if (!read_file(arguments->key_file, &text))
            return NULL;
        buffer_putc(&text, '\n');
        return strndup(text.data, strcspn(text.data, "\r\n"));
    }
    if (!config->clear_api_key) {
        cli_complain("RELAY_API_KEY holds no key in the clear: give one with --key-file");
        return NULL;
    }
    return strdup(config->clear_api_key);
}

static size_t take_answer(char *data, size_t size, size_t count, void *context)
{
    buffer_append(context, data, size * count);
    return size * count; // what is over the limit is of no interest
}

static struct curl_slist *make_headers(const char *key)
{
    AUTO_WIPE char *line = NULL;
    if (asprintf(&line, "X-Api-Key: %s", key) < 0) {
        line = NULL;
        return NULL;
    }
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    struct curl_slist *all = headers ? curl_slist_append(headers, line) : NULL;
    if (!all)
        curl_slist_free_all(headers);
    return all;
}

static bool set_options(CURL *curl, const char *url, struct curl_slist *headers,
                        const struct buffer *payload, struct buffer *answer)
{
    return curl_easy_setopt(curl, CURLOPT_URL, url) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           // The key is for the relay, not for whatever http_proxy names.
           curl_easy_setopt(curl, CURLOPT_PROXY, "") == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)LIMIT_MS) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_POST, 1L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)payload->size) ==
               CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_POSTFIELDS, payload->data ? payload->data : "") ==
               CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_answer) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer) == CURLE_OK;
}

static int report(CURL *curl, const struct buffer *answer, bool as_json)
{
    long status = 0;
    struct curl_header *id = NULL;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    if (curl_easy_header(curl, "X-Message-Id", 0, CURLH_HEADER, -1, &id) != CURLHE_OK)
        id = NULL;
    if (as_json) {
        json_auto_t *line =
            json_pack("{s:I, s:s?}", "status", (json_int_t)status, "id", id ? id->value : NULL);
        if (line)
            json_dumpf(line, stdout, JSON_COMPACT);
        putchar('\n');
    } else if (id) {
        puts(id->value);
    }
    if (status == 200)
        return fflush(stdout) == 0 ? CLI_DONE : CLI_FAILED;
    json_auto_t *error = json_loadb(answer->data ? answer->data : "", answer->size, 0, NULL);
    const char *message = json_string_value(json_object_get(error, "message"));
    cli_complain("refused with %ld%s%s", status, message ? ": " : "", message ? message : "");
    return CLI_FAILED;
}

static int post(const char *url, const char *key, const struct buffer *payload, bool as_json)
{
    AUTO_BUFFER struct buffer answer;
    buffer_init(&answer, ANSWER_MAX);
    CURL *curl = curl_easy_init();
    struct curl_slist *headers = make_headers(key);
    int status = CLI_FAILED;
    CURLcode code = CURLE_OUT_OF_MEMORY;
    if (curl && headers && set_options(curl, url, headers, payload, &answer))
        code = curl_easy_perform(curl);
    if (code == CURLE_OK)
        status = report(curl, &answer, as_json);
    else
        cli_complain("%s: %s", url, curl_easy_strerror(code));
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    return status;
}

static int run(const struct arguments *arguments)
{
    struct config *config = cli_load(arguments->config_file, CONFIG_FOR_COMMAND, CLI_WARNINGS_NONE);
    if (!config)
        return CLI_FAILED;
    AUTO_FREE char *url = find_url(config, arguments);
    AUTO_WIPE char *key = url ? find_key(config, arguments) : NULL;
    config_destroy(config);
    AUTO_BUFFER struct buffer payload;
    buffer_init(&payload, PAYLOAD_MAX);
    if (!key || !read_file(arguments->payload_file, &payload))
        return CLI_FAILED;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int status = post(url, key, &payload, arguments->json);
    curl_global_cleanup();
    return status;
}

int cli_send(int argc, char **argv)
{
    static const struct option options[] = {
        CLI_COMMON_OPTIONS,
        {"url", required_argument, NULL, OPTION_URL},
        {"key-file", required_argument, NULL, OPTION_KEY_FILE},
        {"json", no_argument, NULL, OPTION_JSON},
        {NULL, 0, NULL, 0},
    };
    struct arguments arguments = {0};
    for (int option; (option = cli_next_option(argc, argv, options)) != -1;) {
        switch (option) {
        case CLI_OPTION_CONFIG:
            arguments.config_file = optarg;
            break;
        case CLI_OPTION_HELP:
            fputs(help, stdout);
            return CLI_DONE;
        case OPTION_URL:
            arguments.url = optarg;
            break;
        case OPTION_KEY_FILE:
            arguments.key_file = optarg;
            break;
        case OPTION_JSON:
            arguments.json = true;
            break;
        default:
            return cli_show_help("send");
        }
    }
    if (optind + 1 != argc)
        return cli_usage("send", "needs one file");
    arguments.payload_file = argv[optind];
    return run(&arguments);
}
