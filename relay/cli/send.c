// `courier-relay send`: posts a payload to a running relay, as Kratos would.
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/buffer.h"
#include "relay/base/cleanup.h"
#include "relay/base/file.h"
#include "relay/cli/cli.h"
#include "relay/cli/post.h"

enum { PAYLOAD_MAX = 16 * 1024 * 1024, KEY_FILE_MAX = 64 * 1024 };
enum { OPTION_URL = 256, OPTION_KEY_FILE, OPTION_JSON };

static const char help[] =
    "courier-relay send FILE\n"
    "\n"
    "Posts the payload in FILE (-: standard input) to a running relay and prints the message's "
    "id.\n"
    "\n"
    "  --url URL        where to; else the path of Kratos' route at RELAY_LISTEN\n"
    "  --key-file F     holds the bare key; else the first one in RELAY_API_KEY (or\n"
    "                   RELAY_API_KEY_FILE) that is no digest and has not ended\n"
    "  --json           print {\"status\": 200, \"id\": \"...\"}\n"
    "  -c, --config F   configuration file; else RELAY_CONFIG\n"
    "  -h, --help       this text\n";

struct arguments {
    const char *config_file, *url, *key_file, *payload_file;
    bool json;
};

static bool read_file(const char *path, struct buffer *bytes)
{
    struct error err;
    const char *named = strcmp(path, "-") == 0 ? "/dev/stdin" : path;
    if (file_read(named, FILE_OF_ANY_KIND, bytes, NULL, &err))
        return true;
    cli_complain("%s: %s", path, err.message);
    return false;
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
    return asprintf(&url, "http://%s%s%s:%u%s", is_ipv6 ? "[" : "", host, is_ipv6 ? "]" : "",
                    (unsigned)config->listen.port, config->routes[0].path) < 0
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
        cli_complain(
            "RELAY_API_KEY is not set, or holds digests alone: set it to a key, or give one "
            "with --key-file");
        return NULL;
    }
    return strdup(config->clear_api_key);
}

static int report(const struct cli_answer *answer, bool as_json)
{
    const char *id = *answer->id ? answer->id : NULL;
    if (as_json) {
        json_auto_t *line =
            json_pack("{s:I, s:s?}", "status", (json_int_t)answer->status, "id", id);
        if (line)
            json_dumpf(line, stdout, JSON_COMPACT);
        putchar('\n');
    } else if (id) {
        puts(id);
    }
    if (answer->status == 200)
        return fflush(stdout) == 0 ? CLI_DONE : CLI_FAILED;
    cli_complain("refused with %ld%s%s", answer->status, *answer->message ? ": " : "",
                 answer->message);
    return CLI_FAILED;
}

static int post(const char *url, const char *key, const struct buffer *payload, bool as_json)
{
    const struct cli_post request = {
        .url = url, .key = key, .body = payload->data, .body_size = payload->size};
    struct cli_answer answer;
    struct error err = {0};
    struct cli_poster *poster = cli_poster_create(NULL, &err);
    int status = CLI_FAILED;
    if (poster && cli_post(poster, &request, &answer, &err))
        status = report(&answer, as_json);
    else
        cli_complain("%s", err.message);
    cli_poster_destroy(poster);
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
    return post(url, key, &payload, arguments->json);
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
