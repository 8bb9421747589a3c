// `courier-relay queue explain`: in sentences, what happened to a message, why it is in its
// language, and what will happen next, and when.
#include <jansson.h>
#include <stdio.h>

#include "relay/cli/cli.h"
#include "relay/cli/explanation.h"
#include "relay/cli/queue_command.h"

static bool print(const struct queue_command *command, const struct queue_message *message,
                  const json_t *sentences)
{
    size_t index;
    json_t *sentence;
    if (command->json) {
        json_auto_t *line = json_pack("{s:s, s:s, s:O}", "id", message->id, "state",
                                      message_state_name(message->state), "sentences", sentences);
        return queue_command_print(line);
    }
    json_array_foreach(sentences, index, sentence)
    {
        cli_print_safely(json_string_value(sentence));
        putchar('\n');
    }
    return true;
}

int cli_queue_explain(const struct queue_command *command)
{
    struct queue_message message;
    json_auto_t *history = NULL;
    struct queue_reader *reader = queue_command_reader(command);
    bool ok = reader && queue_command_load(command, reader, &message, &history);
    if (ok) {
        json_auto_t *smarthosts = queue_command_smarthosts(command);
        json_auto_t *sentences = explanation(reader, &message, history, smarthosts);
        ok = print(command, &message, sentences);
    }
    queue_reader_destroy(reader);
    return ok ? CLI_DONE : CLI_FAILED;
}
