// queue_command.h - the commands below `courier-relay queue`, and what each is given.
#ifndef RELAY_CLI_QUEUE_COMMAND_H
#define RELAY_CLI_QUEUE_COMMAND_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "queue/queue.h"
#include "relay/cli/terminal.h"
#include "relay/config/config.h"
#include "relay/message_filter.h"

// The command line, checked: as many words and only such options as the command takes.
struct queue_command {
    const struct config *config; // CONFIG_FOR_QUEUE
    const char *name;            // "list"
    char **words;                // behind it
    size_t word_count;
    struct message_filter filter;
    bool json;
    // of acts
    bool all;     // in place of a filter
    bool yes;     // do not ask
    bool dry_run; // only say how many
    const char *note;
};

// Each gives the exit status, having complained where that is not CLI_DONE. What it prints on
// standard output is flushed, and its failure told, by whoever calls it.
int cli_queue_list(const struct queue_command *command);
int cli_queue_show(const struct queue_command *command);
int cli_queue_explain(const struct queue_command *command);
int cli_queue_stats(const struct queue_command *command);
// `retry`, `hold`, `release` and `cancel`, by the command's name. CLI_FAILED: it was not done to
// all that was named. CLI_TRY_AGAIN: no daemon runs.
int cli_queue_act(const struct queue_command *command);
// CLI_FAILED: there is no new key. CLI_TRY_AGAIN: no daemon runs.
int cli_queue_rekey(const struct queue_command *command);
// CLI_FAILED: there is no new file. CLI_TRY_AGAIN: another backup is being made, there is no space,
// or the queue is in use by no daemon that listens.
int cli_queue_backup(const struct queue_command *command);

// CLI_FAILED: something was found. CLI_TRY_AGAIN as above.
int cli_queue_check(const struct queue_command *command);
int cli_queue_export(const struct queue_command *command);

// Has the daemon make a copy of the queue at an absolute path, which it logs as what it is for:
// "backup" or "check". *ret_status is how that went. False, without a word: none runs.
bool queue_command_ask_copy(const char *queue_dir, const char *act, const char *path,
                            int *ret_status);

// The queue, for looking at only. Complains; NULL on failure.
struct queue_reader *queue_command_reader(const struct queue_command *command);

// The filter as the reader's queue understands it; limit: where none was told.
struct queue_filter queue_command_filter(const struct queue_command *command,
                                         struct queue_reader *reader, size_t limit);

// The message that the command names, and its history (an array of message_view_attempt()s, which
// the caller json_decref()s). Complains; false on failure, and where there is no such message.
bool queue_command_load(const struct queue_command *command, struct queue_reader *reader,
                        struct queue_message *ret_message, json_t **ret_history);

// What the running relay says of its smarthosts, an array. NULL: no relay runs, or it is not ours
// to ask. The caller json_decref()s it.
json_t *queue_command_smarthosts(const struct queue_command *command);
// Says below a table for people where nothing can be sent now at all.
void queue_command_tell_standstill(const struct queue_command *command);

// A line of JSON on standard output; false: it could not be made or written.
bool queue_command_print(const json_t *value);

enum terminal_colour queue_command_colour(enum message_state state);

#endif
