#include "relay/deliverer/dialogue.h"

#include <string.h>
#include <strings.h>

void dialogue_open(struct dialogue *dialogue)
{
    memset(dialogue, 0, sizeof(*dialogue));
    dialogue->stage = STAGE_CONNECT;
    dialogue->due = 1; // the greeting
}

void dialogue_enter(struct dialogue *dialogue, enum stage stage)
{
    dialogue->stage = stage;
    dialogue->answered = false;
    memset(&dialogue->reply, 0, sizeof(dialogue->reply));
    if (dialogue->pipelined)
        return; // stages and what is heard are not in step
    dialogue->reply_lines = dialogue->reply_bytes = dialogue->line_size = 0;
}

void dialogue_enter_dot(struct dialogue *dialogue)
{
    dialogue_enter(dialogue, STAGE_DOT);
    dialogue->due++;
}

static void forget_offers(struct dialogue *dialogue)
{
    dialogue->offers_size = dialogue->offers_smtputf8 = false;
    dialogue->size_limit = 0;
}

static void count_commands(struct dialogue *dialogue, const char *commands, size_t size)
{
    static const char mail[] = "MAIL ";
    while (size > 0) {
        const char *end = memchr(commands, '\n', size);
        size_t length = end ? (size_t)(end - commands) + 1 : size;
        if (length > strlen(mail) && memcmp(commands, mail, strlen(mail)) == 0)
            dialogue->replies = -dialogue->due;
        dialogue->due += end != NULL;
        commands += length;
        size -= length;
    }
}

void dialogue_sent(struct dialogue *dialogue, const char *command, size_t size)
{
    static const struct {
        const char *verb;
        enum stage stage;
    } verbs[] = {
        {"EHLO ", STAGE_EHLO},  {"HELO ", STAGE_EHLO},      {"STARTTLS\r", STAGE_STARTTLS},
        {"AUTH ", STAGE_AUTH},  {"MAIL FROM:", STAGE_MAIL}, {"RCPT TO:", STAGE_RCPT},
        {"DATA\r", STAGE_DATA},
    };
    if (dialogue->pipelined) {
        count_commands(dialogue, command, size);
        return;
    }
    dialogue->due = 1;
    // Between 334 and 235 go base64 lines, which could look like any verb.
    if (dialogue->stage == STAGE_AUTH && dialogue->answered && dialogue->reply.code == 334) {
        dialogue_enter(dialogue, STAGE_AUTH);
        return;
    }
    if (size >= 5 && strncasecmp(command, "QUIT\r", 5) == 0)
        dialogue->leaving = true;
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        size_t length = strlen(verbs[i].verb);
        if (size >= length && strncasecmp(command, verbs[i].verb, length) == 0) {
            dialogue_enter(dialogue, verbs[i].stage);
            if (verbs[i].stage == STAGE_EHLO)
                forget_offers(dialogue);
            return;
        }
    }
}

// What stands there up to the end of the line; 0 where it is not digits alone, or too many of them
// to mean a limit.
static size_t read_number(const char *at, const char *end)
{
    while (end > at && strchr(" \r\n", end[-1]))
        end--;
    size_t number = 0;
    for (int digits = 0; at < end; at++) {
        if (*at < '0' || *at > '9' || ++digits > 15)
            return 0;
        number = number * 10 + (size_t)(*at - '0');
    }
    return number;
}

// One line of EHLO's answer: "250-SIZE 10240000".
static void note_offer(struct dialogue *dialogue, const char *line, size_t size)
{
    const struct {
        const char *keyword;
        bool *offered;
    } offers[] = {
        {"SIZE", &dialogue->offers_size},
        {"SMTPUTF8", &dialogue->offers_smtputf8},
    };
    if (size < 5)
        return;
    size_t length = 0;
    while (4 + length < size && !strchr(" \r\n=", line[4 + length]))
        length++;
    for (size_t i = 0; i < sizeof(offers) / sizeof(offers[0]); i++) {
        if (length == strlen(offers[i].keyword) &&
            strncasecmp(line + 4, offers[i].keyword, length) == 0)
            *offers[i].offered = true;
    }
    static const char sized[] = "SIZE ";
    if (size > 4 + strlen(sized) && strncasecmp(line + 4, sized, strlen(sized)) == 0)
        dialogue->size_limit = read_number(line + 4 + strlen(sized), line + size);
}

static void answered(struct dialogue *dialogue)
{
    int code = dialogue->first.code;
    dialogue->reply = dialogue->first;
    dialogue->answered = true;
    dialogue->reply_lines = dialogue->reply_bytes = 0;
    if (dialogue->stage == STAGE_AUTH && code == 235)
        dialogue->authenticated = true;
    if (dialogue->stage == STAGE_DATA && code == 354)
        dialogue_enter(dialogue, STAGE_BODY);
}

static void keep_answer(struct dialogue *dialogue)
{
    if (dialogue->replies >= 0 && dialogue->replies < DIALOGUE_ANSWERS_MAX)
        dialogue->answers[dialogue->replies] = dialogue->first;
    dialogue->replies++;
    dialogue->reply_lines = dialogue->reply_bytes = 0;
}

static bool heard_line(struct dialogue *dialogue)
{
    struct reply reply;
    bool last;
    if (dialogue->due == 0) {
        // It has judged the message, and leaves. That changes nothing of the verdict.
        dialogue->leaving =
            dialogue->stage == STAGE_DOT && reply_is_farewell(dialogue->line, dialogue->line_size);
        return dialogue->leaving;
    }
    dialogue->reply_bytes += dialogue->line_size;
    if (dialogue->reply_bytes > DIALOGUE_REPLY_MAX ||
        ++dialogue->reply_lines > DIALOGUE_LINES_MAX ||
        !reply_parse_line(dialogue->line, dialogue->line_size, &reply, &last))
        return false;
    if (dialogue->reply_lines == 1)
        dialogue->first = reply;
    else if (reply.code != dialogue->first.code)
        return false;
    if (dialogue->stage == STAGE_EHLO && !dialogue->pipelined)
        note_offer(dialogue, dialogue->line, dialogue->line_size);
    dialogue->due -= last;
    if (last && dialogue->pipelined)
        keep_answer(dialogue);
    else if (last)
        answered(dialogue);
    return true;
}

bool dialogue_heard(struct dialogue *dialogue, const char *data, size_t size)
{
    dialogue->bytes += size;
    if (dialogue->leaving)
        return true;
    if (dialogue->stage == STAGE_CONNECT)
        dialogue->stage = STAGE_GREETING;
    for (size_t i = 0; i < size && !dialogue->broken && !dialogue->leaving; i++) {
        if (dialogue->line_size == sizeof(dialogue->line)) {
            dialogue->broken = true;
            break;
        }
        dialogue->line[dialogue->line_size++] = data[i];
        if (data[i] == '\n') {
            dialogue->broken = !heard_line(dialogue);
            dialogue->line_size = 0;
        }
    }
    // What seemed an answer may be that to something else.
    if (dialogue->broken && dialogue->reply.code < 400)
        dialogue->answered = false;
    return !dialogue->broken;
}

bool dialogue_is_too_big(const struct dialogue *dialogue, size_t body_size)
{
    return dialogue->size_limit > 0 && body_size > dialogue->size_limit;
}
