// queue_command.h - the commands below `courier-relay queue`, and what each is given.
#ifndef RELAY_CLI_QUEUE_COMMAND_H
#define RELAY_CLI_QUEUE_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "queue/queue.h"
#include "relay/config/config.h"

// The command line, checked: as many words and only such options as the command takes.
struct queue_command {
    const struct config *config; // CONFIG_FOR_QUEUE
    char **words;                // behind the command's name
    size_t word_count;
    struct queue_filter filter; // limit 0: not told
    bool yes;                   // do not ask
    bool json;
};

// Each gives the exit status, having complained where that is not CLI_DONE. What it prints on
// standard output is flushed, and its failure told, by whoever calls it.
int cli_queue_list(const struct queue_command *command);
int cli_queue_show(const struct queue_command *command);
int cli_queue_stats(const struct queue_command *command);
// CLI_FAILED: some were not released. CLI_TRY_AGAIN: no daemon runs.
int cli_queue_release(const struct queue_command *command);
// CLI_FAILED: there is no new key. CLI_TRY_AGAIN: no daemon runs.
int cli_queue_rekey(const struct queue_command *command);
// CLI_FAILED: there is no new file. CLI_TRY_AGAIN: another backup is being made, there is no space,
// or the queue is in use by no daemon that listens.
int cli_queue_backup(const struct queue_command *command);

// CLI_FAILED: something was found. CLI_TRY_AGAIN as above.
int cli_queue_check(const struct queue_command *command);
int cli_queue_export(const struct queue_command *command);

// Has the daemon make a backup at an absolute path; *ret_status is how that went. False, without a
// word: none runs.
bool queue_command_ask_backup(const char *queue_dir, const char *path, int *ret_status);

// The queue, for looking at only. Complains; NULL on failure.
struct queue_reader *queue_command_reader(const struct queue_command *command);

#endif
