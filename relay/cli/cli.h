// cli.h - the subcommands of courier-relay, one file each, and what they share.
#ifndef RELAY_CLI_H
#define RELAY_CLI_H

#include <getopt.h>
#include <jansson.h>
#include <stdbool.h>

#include "relay/children/composer_session.h"
#include "relay/config/config.h"

// Exit statuses (design §9). CLI_TRY_AGAIN: another daemon has the queue (serve), or none has it
// (acts on the queue).
enum { CLI_DONE = 0, CLI_FAILED = 1, CLI_USAGE = 2, CLI_TRY_AGAIN = 75 };

// Each takes the arguments from its own name on and returns the exit status.
int cli_check(int argc, char **argv);
int cli_doctor(int argc, char **argv);
int cli_health(int argc, char **argv);
int cli_queue(int argc, char **argv);
int cli_render(int argc, char **argv);
int cli_send(int argc, char **argv);
int cli_smarthosts(int argc, char **argv);
int cli_templates(int argc, char **argv);

// The options that every subcommand takes, to be put into its table.
#define CLI_OPTION_CONFIG 'c'
#define CLI_OPTION_HELP 'h'
#define CLI_COMMON_OPTIONS                                                                         \
    {"config", required_argument, NULL, CLI_OPTION_CONFIG},                                        \
    {                                                                                              \
        "help", no_argument, NULL, CLI_OPTION_HELP                                                 \
    }

// The next option, or -1: the operands begin at optind then, wherever they stood. What is
// unknown was reported on standard error and comes back as '?', to be met by cli_show_help().
int cli_next_option(int argc, char **argv, const struct option *options);
// The same; *ret_index is where a long option stands in options.
int cli_next_option_at(int argc, char **argv, const struct option *options, int *ret_index);

// All of a command line that takes no options but these and no operands: help is printed with a
// table of the settings. False: the command is over, with *ret_status.
bool cli_take_config(int argc, char **argv, const char *command, const char *help,
                     const char **ret_file, int *ret_status);

// Reads the configuration, looks at the files it names (but for CONFIG_FOR_COMMAND,
// CONFIG_FOR_HEALTH and CONFIG_FOR_QUEUE), and prints what is wrong on standard error. Warnings go
// there as well, or into the log (which is set up for it), or nowhere. NULL where there is a fault:
// the status is then CLI_FAILED.
enum cli_warnings { CLI_WARNINGS_NONE, CLI_WARNINGS_PRINT, CLI_WARNINGS_LOG };
struct config *cli_load(const char *file, enum config_purpose purpose, enum cli_warnings warnings);

// Starts a composer and has it load what init (composer_init_header(); NULL: it could not be made)
// names. Complains of every fault, by where the operator set what is at fault; *ret_faults: of how
// many. NULL where there is any. The caller child_session_destroy()s it, and json_decref()s
// *ret_ready, what it answered.
struct child_session *cli_start_composer(const struct config *config, const json_t *init,
                                         json_t **ret_ready, unsigned *ret_faults);
// Complains of each of faults (a composer's: an array of {where, what}).
void cli_complain_of(const struct config *config, const json_t *faults);

// The URL of path at a listener of the relay, for the caller to free. NULL: which port that is
// cannot be known.
char *cli_endpoint_url(const struct endpoint *endpoint, const char *path);
// The same of the mail listener that config names; NULL, and it has complained.
char *cli_listener_url(const struct config *config, const char *path);

// The end of a command that prints. False: not all that was printed could be written, of which it
// complains.
bool cli_finish_output(void);

// Writes what a stranger or an operator chose without control characters: it is not to drive the
// terminal. And only its first character; gives how many bytes that is.
void cli_print_safely(const char *text);
size_t cli_print_character(const char *text);

// "courier-relay: ..." on standard error, without control characters as well.
void cli_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
// How to get help, on standard error; returns CLI_USAGE.
int cli_show_help(const char *command);
// Both.
int cli_usage(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
