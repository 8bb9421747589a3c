// fuzz_reply.c - any line from a smarthost through reply.h: what leaves is fit to be shown.
#include <ctype.h>
#include <string.h>

#include "relay/base/cleanup.h"
#include "relay/deliverer/reply.h"
#include "tests/fuzz/fuzz.h"

enum { CODE_DIGITS_MIN = 4, CODE_DIGITS_MAX = 8 };

static void check_text(const char text[REPLY_TEXT_MAX + 1])
{
    FUZZ_CHECK(memchr(text, '\0', REPLY_TEXT_MAX + 1), "a text ends within its bound");
    size_t digits = 0;
    for (size_t i = 0;; i++) {
        if (isdigit((unsigned char)text[i])) {
            digits++;
            continue;
        }
        bool cut = !text[i] && i == REPLY_TEXT_MAX; // through a number that was longer
        bool beside_letter = isalpha((unsigned char)text[i]) ||
                             (i > digits && isalpha((unsigned char)text[i - digits - 1]));
        FUZZ_CHECK(cut || beside_letter || digits < CODE_DIGITS_MIN || digits > CODE_DIGITS_MAX,
                   "no number looks like a code");
        digits = 0;
        if (!text[i])
            break;
        FUZZ_CHECK(text[i] >= ' ' && text[i] <= '~', "a text is printable ASCII");
        FUZZ_CHECK(text[i] != '@' && strncmp(text + i, "://", 3) != 0, "no address, no link");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reply reply = {0};
    bool last = false;
    AUTO_FREE char *line = malloc(size ? size : 1); // not NUL-terminated, of exactly its size
    FUZZ_CHECK(line, "there is memory");
    if (size)
        memcpy(line, data, size);
    if (reply_parse_line(line, size, &reply, &last)) {
        FUZZ_CHECK(reply.code >= 200 && reply.code <= 599, "a code is one of SMTP's");
        FUZZ_CHECK(memchr(reply.enhanced, '\0', sizeof(reply.enhanced)), "an enhanced code ends");
        FUZZ_CHECK(!memchr(line, '\0', size), "a NUL is no part of a reply");
        FUZZ_CHECK(strspn(reply.enhanced, "0123456789.") == strlen(reply.enhanced),
                   "an enhanced code is digits and dots");
        char shown[REPLY_TEXT_MAX + 1];
        reply_clean(reply.text, strlen(reply.text), NULL, shown);
        check_text(shown);
    }
    char text[REPLY_TEXT_MAX + 1];
    // What is masked is the stranger's own text, in lines.
    AUTO_FREE char *secrets = strndup(line, size);
    FUZZ_CHECK(secrets, "there is memory");
    reply_clean(line, size, secrets, text);
    check_text(text);
    reply_clean(line, size, NULL, text);
    check_text(text);
    return 0;
}
