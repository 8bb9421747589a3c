// `courier-relay send`: posts a payload to a running relay, as Kratos would.
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/buffer.h"
#include "relay/base/cleanup.h"
#include "relay/base/file.h"
#include "relay/cli/cli.h"
#include "relay/cli/request.h"

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
    "  --json           print {\"status\": 200, \"id\": \"...\", \"duplicate\": false}\n"
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
    return cli_listener_url(config, config->routes[0].path);
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
        json_auto_t *line = json_pack("{s:I, s:s?, s:b}", "status", (json_int_t)answer->status,
                                      "id", id, "duplicate", (int)answer->is_duplicate);
        if (line)
            json_dumpf(line, stdout, JSON_COMPACT);
        putchar('\n');
    } else if (id) {
        cli_print_safely(id); // whoever answers at that URL chose it
        putchar('\n');
    }
    if (answer->status == 200 && answer->is_duplicate && !as_json)
        cli_complain("that is the mail above, posted before: it is not sent again");
    if (answer->status == 200)
        return fflush(stdout) == 0 ? CLI_DONE : CLI_FAILED;
    cli_complain("refused with %ld%s%s", answer->status, *answer->message ? ": " : "",
                 answer->message);
    return CLI_FAILED;
}

// RELAY_API_KEY_FILE may hold NAME:KEY, and is what one has at hand.
static void explain_refusal(const struct cli_answer *answer, const struct arguments *arguments,
                            const char *key)
{
    if (answer->status == 401 && arguments->key_file && strchr(key, ':'))
        cli_complain("%s must hold the bare key: no name and ':' in front of it, and nothing "
                     "behind it",
                     arguments->key_file);
}

static int post(const char *url, const char *key, const struct buffer *payload,
                const struct arguments *arguments)
{
    const struct cli_request request = {
        .url = url, .key = key, .body = payload->data, .body_size = payload->size};
    struct cli_answer answer;
    struct error err = {0};
    struct cli_client *client = cli_client_create(NULL, &err);
    int status = CLI_FAILED;
    if (client && cli_request(client, &request, &answer, &err)) {
        status = report(&answer, arguments->json);
        explain_refusal(&answer, arguments, key);
    } else {
        cli_complain("%s", err.message);
    }
    cli_client_destroy(client);
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
    return post(url, key, &payload, arguments);
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
