// drain - the smarthost that comes back: listens, waits until so many messages have arrived (those
// that bench/fill.c has put into a queue), and prints how fast they came as one JSON line.
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/ledger.h"
#include "bench/sink.h"

enum { TIMEOUT_MS = 600000 };

static bool drain(uint16_t port, size_t messages, struct error *err)
{
    struct ledger *ledger = ledger_create(messages);
    if (!ledger)
        return error_set(err, ERR_TEMPORARY, "no memory");
    struct sink *sink = sink_start(port, ledger, err);
    struct ledger_result result = {0};
    bool ok = sink != NULL;
    if (ok) {
        ledger_wait(ledger, TIMEOUT_MS);
        ok = ledger_sum(ledger, &result) || error_set(err, ERR_TEMPORARY, "no memory");
    }
    sink_stop(sink);
    ledger_destroy(ledger);
    if (!ok)
        return false;
    printf("{\"seconds\": %.2f, \"per_second\": %.0f, \"lost\": %zu, \"repeated\": %zu}\n",
           result.seconds,
           result.seconds > 0 ? (double)(messages - result.lost) / result.seconds : 0, result.lost,
           result.repeated);
    return (result.lost == 0 && result.repeated == 0) ||
           error_set(err, ERR_TEMPORARY, "messages were lost or repeated");
}

int main(int argc, char **argv)
{
    static const struct option names[] = {
        {"sink-port", required_argument, NULL, 's'},
        {"messages", required_argument, NULL, 'n'},
        {0},
    };
    uint16_t port = 0;
    size_t messages = 0;
    for (int option; (option = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        unsigned long long number = strtoull(optarg ? optarg : "", NULL, 10);
        if (option == 's')
            port = (uint16_t)number;
        else if (option == 'n')
            messages = (size_t)number;
        else
            port = 0, optind = argc;
    }
    if (!port || !messages) {
        fprintf(stderr, "usage: drain --sink-port P --messages N\n");
        return 2;
    }
    struct error err = {0};
    if (drain(port, messages, &err))
        return 0;
    fprintf(stderr, "drain: %s\n", err.message);
    return 1;
}
