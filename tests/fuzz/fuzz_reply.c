// fuzz_reply.c - any line from a smarthost through reply.h: what leaves is fit to be shown.
#include <ctype.h>
#include <stdio.h>
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

// The letters and digits of a text in lower case, and a bar where something was masked.
static size_t reduce(const char *text, size_t size, char *to)
{
    static const char *const masks[] = {"****", "[address]", "[link]"};
    size_t used = 0;
    for (size_t i = 0; i < size;) {
        size_t length = 0;
        for (size_t k = 0; k < sizeof(masks) / sizeof(masks[0]); k++)
            if (size - i >= strlen(masks[k]) && memcmp(text + i, masks[k], strlen(masks[k])) == 0)
                length = strlen(masks[k]);
        if (length > 0)
            to[used++] = '|';
        else if (isalnum((unsigned char)text[i]))
            to[used++] = (char)tolower((unsigned char)text[i]);
        i += length ? length : 1;
    }
    return used;
}

// However the smarthost has taken it to pieces. Shorter ones are as they are.
static void check_secret(const char *secret, const char *shown)
{
    enum { LOOSE_MIN = 4 };
    char left[REPLY_TEXT_MAX];
    AUTO_FREE char *reduced = malloc(strlen(secret) + 1);
    FUZZ_CHECK(reduced, "there is memory");
    size_t size = reduce(secret, strlen(secret), reduced);
    size_t left_size = reduce(shown, strlen(shown), left);
    FUZZ_CHECK(size < LOOSE_MIN || memchr(reduced, '|', size) ||
                   !memmem(left, left_size, reduced, size),
               "no secret is shown");
}

static void check_reply(const struct reply *reply, const struct mask *mask)
{
    struct reply_shown shown;
    reply_clean(reply, mask, &shown);
    check_text(shown.text);
    FUZZ_CHECK(shown.enhanced[0] == '\0' || strcmp(shown.enhanced, reply->enhanced) == 0,
               "an enhanced code is shown as it is or not at all");
    if (mask->password) {
        char line[REPLY_ENHANCED_SIZE + REPLY_TEXT_MAX + 2];
        snprintf(line, sizeof(line), "%s %s", shown.enhanced, shown.text);
        check_secret(mask->password, shown.text);
        check_secret(mask->password, shown.enhanced);
        // Masked text cannot continue what an enhanced code begins.
        check_secret(mask->password, line);
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
        check_reply(&reply, &(struct mask){0});
    }
    // What is masked is the stranger's own text, in lines; and the first of them in the second,
    // where no smarthost's number makes a longer word of it.
    AUTO_FREE char *text = strndup(line, size);
    FUZZ_CHECK(text, "there is memory");
    memset(&reply, 0, sizeof(reply));
    reply_set_text(&reply, text, strlen(text));
    check_reply(&reply, &(struct mask){.secrets = text, .recipient = text});
    char *rest = strchr(text, '\n');
    if (rest) {
        *rest++ = '\0';
        memset(&reply, 0, sizeof(reply));
        reply_set_text(&reply, rest, strlen(rest));
        check_reply(&reply, &(struct mask){.password = text});
    }
    return 0;
}
