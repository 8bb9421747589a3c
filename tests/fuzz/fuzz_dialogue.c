// fuzz_dialogue.c - a talk with a smarthost through dialogue.h, in pieces of any size: what is not
// SMTP is told, what is offered was offered, and no 235 is seen that was not said to AUTH.
//
// An input is pieces: a byte that says what (below) and how long, and so many bytes of it.
#include <string.h>

#include "relay/base/cleanup.h"
#include "relay/deliverer/dialogue.h"
#include "tests/fuzz/fuzz.h"

enum {
    HEARD_KINDS = 5
}; // of each eight pieces so many are heard, the others end or begin something

static const char *const commands[] = {
    "EHLO relay.example.com\r\n",
    "AUTH PLAIN AGEAYg==\r\n",
    "STARTTLS\r\n",
    "MAIL FROM:<a@b.example>\r\n",
    "RCPT TO:<c@d.example>\r\n",
    "DATA\r\n",
    "QUIT\r\n",
};
enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

static void check(const struct dialogue *dialogue)
{
    FUZZ_CHECK(dialogue->line_size <= DIALOGUE_LINE_MAX, "a line is bounded");
    FUZZ_CHECK(dialogue->broken || (dialogue->reply_lines <= DIALOGUE_LINES_MAX &&
                                    dialogue->reply_bytes <= DIALOGUE_REPLY_MAX),
               "a reply is bounded");
    FUZZ_CHECK(!dialogue->answered || (dialogue->reply.code >= 200 && dialogue->reply.code <= 599),
               "an answer has one of SMTP's codes");
    FUZZ_CHECK(memchr(dialogue->reply.text, '\0', sizeof(dialogue->reply.text)), "a text ends");
    FUZZ_CHECK(dialogue->size_limit == 0 || dialogue->offers_size, "a limit is an offer of SIZE");
    FUZZ_CHECK(dialogue->size_limit <= 999999999999999, "a limit is one that can be meant");
}

// The smarthost's bytes.
static void hear(struct dialogue *dialogue, const uint8_t *data, size_t size)
{
    AUTO_FREE char *piece = malloc(size ? size : 1); // of exactly its size
    FUZZ_CHECK(piece, "there is memory");
    if (size)
        memcpy(piece, data, size);
    struct dialogue before = *dialogue;
    bool fine = dialogue_heard(dialogue, piece, size);
    FUZZ_CHECK(fine == !dialogue->broken || dialogue->leaving, "what is broken is told");
    FUZZ_CHECK(!before.broken || dialogue->leaving || !fine, "what is broken stays so");
    FUZZ_CHECK(dialogue->bytes == before.bytes + size, "every byte is counted");
    FUZZ_CHECK(before.authenticated || !dialogue->authenticated || before.stage == STAGE_AUTH,
               "a welcome is one that AUTH was answered with");
    FUZZ_CHECK(!before.pipelined ||
                   (dialogue->stage == before.stage && dialogue->answered == before.answered &&
                    dialogue->replies >= before.replies),
               "what answers pipelined commands is only kept");
    if (before.stage != STAGE_EHLO)
        FUZZ_CHECK(dialogue->offers_size == before.offers_size &&
                       dialogue->offers_smtputf8 == before.offers_smtputf8 &&
                       dialogue->size_limit == before.size_limit,
                   "only EHLO is answered with offers");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dialogue dialogue;
    dialogue_open(&dialogue);
    while (size > 0) {
        unsigned kind = data[0] & 7, number = data[0] >> 3;
        data++;
        size--;
        if (kind < HEARD_KINDS) {
            // Up to 31 bytes, or up to so many times 64.
            size_t length = kind == 0 ? 64 * (size_t)number : number;
            length = length < size ? length : size;
            hear(&dialogue, data, length);
            data += length;
            size -= length;
        } else if (kind == HEARD_KINDS) {
            dialogue_open(&dialogue);
        } else {
            const char *command = commands[number % COMMANDS];
            dialogue.pipelined = kind == 7 && dialogue.stage >= STAGE_MAIL;
            dialogue_sent(&dialogue, command, strlen(command));
        }
        check(&dialogue);
    }
    return 0;
}
