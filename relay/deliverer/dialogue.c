#include "relay/deliverer/dialogue.h"

#include <string.h>
#include <strings.h>

void dialogue_open(struct dialogue *dialogue)
{
    memset(dialogue, 0, sizeof(*dialogue));
    dialogue->stage = STAGE_CONNECT;
}

void dialogue_enter(struct dialogue *dialogue, enum stage stage)
{
    dialogue->stage = stage;
    dialogue->answered = false;
    memset(&dialogue->reply, 0, sizeof(dialogue->reply));
    if (dialogue->deaf)
        return; // stages and what is heard are not in step
    dialogue->reply_lines = dialogue->reply_bytes = dialogue->line_size = 0;
}

static void forget_offers(struct dialogue *dialogue)
{
    dialogue->offers_size = dialogue->offers_smtputf8 = dialogue->offers_chunking = false;
    dialogue->size_limit = 0;
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

// The digits from at on; 0 where they are too many to mean a limit.
static size_t read_number(const char *at, const char *end)
{
    size_t number = 0;
    for (int digits = 0; at < end && *at >= '0' && *at <= '9'; at++) {
        if (++digits > 15)
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
        {"CHUNKING", &dialogue->offers_chunking},
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

static void answered(struct dialogue *dialogue, int code)
{
    dialogue->reply = dialogue->first;
    dialogue->reply.code = code;
    dialogue->answered = true;
    dialogue->reply_lines = dialogue->reply_bytes = 0;
    if (dialogue->stage == STAGE_AUTH && code == 235)
        dialogue->authenticated = true;
    if (dialogue->stage == STAGE_DATA && code == 354)
        dialogue_enter(dialogue, STAGE_BODY);
}

static bool heard_line(struct dialogue *dialogue)
{
    struct reply reply;
    bool last;
    dialogue->reply_bytes += dialogue->line_size;
    if (dialogue->reply_bytes > DIALOGUE_REPLY_MAX ||
        ++dialogue->reply_lines > DIALOGUE_LINES_MAX ||
        !reply_parse_line(dialogue->line, dialogue->line_size, &reply, &last))
        return false;
    if (dialogue->reply_lines == 1)
        dialogue->first = reply;
    if (dialogue->stage == STAGE_EHLO && !dialogue->deaf)
        note_offer(dialogue, dialogue->line, dialogue->line_size);
    if (last && dialogue->deaf) {
        dialogue->replies++;
        dialogue->reply_lines = dialogue->reply_bytes = 0;
    } else if (last) {
        answered(dialogue, reply.code);
    }
    return true;
}

bool dialogue_heard(struct dialogue *dialogue, const char *data, size_t size)
{
    dialogue->bytes += size;
    if (dialogue->leaving)
        return true;
    if (dialogue->stage == STAGE_CONNECT)
        dialogue->stage = STAGE_GREETING;
    for (size_t i = 0; i < size && !dialogue->broken; i++) {
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
    return !dialogue->broken;
}
