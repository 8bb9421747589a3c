// load - POSTs messages that all differ to a relay, and is the smarthost they arrive at, where it
// is given a port for that: else only their acceptance is measured.
//
// One process, so that the POST, its answer and the arrival are read from one clock. Prints one
// JSON line. Exit status 1 where a message was refused, lost, or came twice.
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/clients.h"
#include "bench/ledger.h"
#include "bench/payload.h"
#include "bench/sink.h"
#include "relay/base/cleanup.h"

enum { ARRIVAL_TIMEOUT_MS = 60000 };

struct options {
    struct clients_plan plan;
    uint16_t sink_port; // 0: nothing arrives
    const char *body;
};

static bool parse(int argc, char **argv, struct options *options)
{
    static const struct option names[] = {
        {"port", required_argument, NULL, 'p'},
        {"sink-port", required_argument, NULL, 's'},
        {"key", required_argument, NULL, 'k'},
        {"body", required_argument, NULL, 'b'},
        {"clients", required_argument, NULL, 'c'},
        {"messages", required_argument, NULL, 'n'},
        {"interval", required_argument, NULL, 'i'},
        {"run", required_argument, NULL, 'r'},
        {0},
    };
    struct clients_plan *plan = &options->plan;
    for (int option; (option = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        unsigned long long number = strtoull(optarg ? optarg : "", NULL, 10);
        switch (option) {
        case 'p':
            plan->port = (uint16_t)number;
            break;
        case 's':
            options->sink_port = (uint16_t)number;
            break;
        case 'k':
            plan->key = optarg;
            break;
        case 'b':
            options->body = optarg;
            break;
        case 'c':
            plan->clients = (size_t)number;
            break;
        case 'n':
            plan->messages = (size_t)number;
            break;
        case 'i':
            plan->interval_ms = (int64_t)number;
            break;
        case 'r':
            plan->run = (unsigned)number;
            break;
        default:
            return false;
        }
    }
    return plan->port && plan->key && options->body && plan->clients && plan->messages;
}

static void print(const struct ledger_result *result, size_t messages, bool arrives)
{
    printf("{\"accept_p50_us\": %.1f, \"accept_p99_us\": %.1f", result->accept_p50_us,
           result->accept_p99_us);
    if (arrives)
        printf(", \"arrive_p50_us\": %.1f, \"arrive_p99_us\": %.1f, \"per_second\": %.0f, "
               "\"lost\": %zu, \"repeated\": %zu",
               result->arrive_p50_us, result->arrive_p99_us,
               result->seconds > 0 ? (double)(messages - result->lost) / result->seconds : 0,
               result->lost, result->repeated);
    puts("}");
}

static bool run(const struct clients_plan *plan, uint16_t sink_port, struct ledger *ledger,
                struct ledger_result *ret_result, struct error *err)
{
    struct sink *sink = sink_port ? sink_start(sink_port, ledger, err) : NULL;
    bool ok = (sink || !sink_port) && clients_run(plan, ledger, err);
    if (ok && sink)
        ledger_wait(ledger, ARRIVAL_TIMEOUT_MS);
    ok = ok && (ledger_sum(ledger, ret_result) || error_set(err, ERR_TEMPORARY, "no memory"));
    sink_stop(sink);
    return ok;
}

static bool measure(const struct options *options, struct error *err)
{
    AUTO_FREE char *pattern = payload_read(options->body, err);
    if (!pattern)
        return false;
    struct clients_plan plan = options->plan;
    plan.pattern = pattern;
    struct ledger *ledger = ledger_create(plan.messages);
    if (!ledger)
        return error_set(err, ERR_TEMPORARY, "no memory");
    struct ledger_result result = {0};
    bool ok = run(&plan, options->sink_port, ledger, &result, err);
    ledger_destroy(ledger);
    if (!ok)
        return false;
    print(&result, plan.messages, options->sink_port != 0);
    return !options->sink_port || (result.lost == 0 && result.repeated == 0) ||
           error_set(err, ERR_TEMPORARY, "messages were lost or repeated");
}

int main(int argc, char **argv)
{
    struct options options = {.plan = {.clients = 1}};
    if (!parse(argc, argv, &options)) {
        fprintf(stderr, "usage: load --port P --key KEY --body FILE --messages N [--sink-port P] "
                        "[--clients N] [--interval MS] [--run N]\n");
        return 2;
    }
    struct error err = {0};
    if (measure(&options, &err))
        return 0;
    fprintf(stderr, "load: %s\n", err.message);
    return 1;
}
