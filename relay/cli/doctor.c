// `courier-relay doctor`: what is wrong, or will be, here and around: not whether it would start,
// which `check` says, but whether mail would arrive.
#include "relay/cli/doctor.h"

#include <stdio.h>
#include <string.h>

#include "relay/base/clock.h"
#include "relay/cli/cli.h"
#include "relay/cli/terminal.h"
#include "relay/config/look.h"

enum { OPTION_JSON = 256, OPTION_KRATOS };

static const char help[] =
    "courier-relay doctor [--json] [--kratos URL]\n"
    "\n"
    "Looks at all that mail needs to arrive, and says of each fault why it matters and what to "
    "do:\n"
    "settings and keys, the queue's folder and its file system (20 times 4 kB are written and "
    "synced\n"
    "there), free space, the clock, templates and normalisers, each smarthost (name, connection, "
    "TLS\n"
    "and its certificates, what it offers, user and password; no mail is sent), and the relay "
    "that\n"
    "runs on this queue, if one does. Nothing is changed. Run it as the relay's user, with its\n"
    "settings.\n"
    "\n"
    "--kratos also looks at Kratos: mail that it has given up or forgotten, mail that it does not\n"
    "hand over, and people whose data are too large to be mailed (of the first 10000).\n"
    "\n"
    "Exit status 0: nothing is wrong, or only warnings; 1: there is an error; 2: wrong usage.\n"
    "\n"
    "  --kratos URL     Kratos' admin address, as in http://kratos:4434\n"
    "  --json           one finding a line: severity (fine, warning, error), subject, what, why,\n"
    "                   what_to_do\n"
    "  -c, --config F   configuration file; else RELAY_CONFIG\n"
    "  -h, --help       this text\n";

static void look(struct doctor *doctor, const char *config_file)
{
    doctor->wall_ahead_ms = clock_wall_ahead_ms();
    struct config_report report;
    struct config *config = config_load(config_file, CONFIG_FOR_RELAY, &report);
    if (config)
        config_look(config, false, &report);
    doctor->config = config;
    doctor_look_at_settings(doctor, &report);
    config_report_finish(&report);
    if (config) {
        doctor_look_at_keys(doctor);
        doctor_look_at_folder(doctor);
    }
    if (config) {
        doctor_look_at_mails(doctor);
        doctor_look_at_smarthosts(doctor);
        doctor_look_at_relay(doctor);
    }
    doctor_look_at_clock(doctor); // whose steps are seen if it has been a while
    if (doctor->kratos)
        doctor_look_at_kratos(doctor);
    config_destroy(config);
}

static int run(struct doctor *doctor, const char *config_file)
{
    doctor->findings.has_colour = terminal_has_colour();
    look(doctor, config_file);
    unsigned errors = doctor->findings.counts[SEVERITY_ERROR];
    unsigned warnings = doctor->findings.counts[SEVERITY_WARNING];
    if (!doctor->findings.json)
        printf("%u error%s, %u warning%s\n", errors, errors == 1 ? "" : "s", warnings,
               warnings == 1 ? "" : "s");
    if (doctor->findings.failed)
        cli_complain("a finding could not be printed");
    return cli_finish_output() && !doctor->findings.failed && errors == 0 ? CLI_DONE : CLI_FAILED;
}

// A password would be in the process list, and in what is found.
static bool take_kratos(char *url, struct doctor *doctor)
{
    bool is_http = strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0;
    if (!is_http || strpbrk(url, "@?# "))
        return false;
    for (size_t size = strlen(url); size > 0 && url[size - 1] == '/'; size--)
        url[size - 1] = '\0';
    doctor->kratos = url;
    return true;
}

int cli_doctor(int argc, char **argv)
{
    static const struct option options[] = {CLI_COMMON_OPTIONS,
                                            {"json", no_argument, NULL, OPTION_JSON},
                                            {"kratos", required_argument, NULL, OPTION_KRATOS},
                                            {NULL, 0, NULL, 0}};
    struct doctor doctor = {0};
    const char *config_file = NULL;
    for (int option; (option = cli_next_option(argc, argv, options)) != -1;) {
        switch (option) {
        case CLI_OPTION_CONFIG:
            config_file = optarg;
            break;
        case CLI_OPTION_HELP:
            fputs(help, stdout);
            return CLI_DONE;
        case OPTION_JSON:
            doctor.findings.json = true;
            break;
        case OPTION_KRATOS:
            if (!take_kratos(optarg, &doctor))
                return cli_usage("doctor", "--kratos is not as in http://kratos:4434: an address "
                                           "without user, password and query");
            break;
        default:
            return cli_show_help("doctor");
        }
    }
    if (optind < argc)
        return cli_usage("doctor", "%s is too much", argv[optind]);
    return run(&doctor, config_file);
}
