// fuzz_mime.c - any subject, sender's name and texts through mime.h.
//
// Input: name '\n' subject '\x01' text '\x01' html. What comes out must be lines of SMTP and
// headers that are ours, whatever went in.
#include <string.h>

#include "relay/composer/mime.h"
#include "tests/fuzz/fuzz.h"

#define OUT_MAX (1024 * 1024)
#define LINE_MAX_SIZE 998 // RFC 5322 §2.1.1
#define SEPARATOR '\x01'

static const char *const headers[] = {
    "Date:",
    "From:",
    "To:",
    "Reply-To:",
    "Subject:",
    "Message-ID:",
    "MIME-Version:",
    "Content-Type:",
    "Content-Transfer-Encoding:",
    "Auto-Submitted:",
    "Content-Language:",
};

static bool is_header(const char *line, size_t size)
{
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        size_t length = strlen(headers[i]);
        if (size > length && strncmp(line, headers[i], length) == 0)
            return true;
    }
    return size > 2 && strncmp(line, "X-", 2) == 0;
}

static void check_line(const char *line, size_t size, bool in_head)
{
    FUZZ_CHECK(size <= LINE_MAX_SIZE, "no line is too long for SMTP");
    FUZZ_CHECK(!memchr(line, '\r', size) && !memchr(line, '\0', size),
               "CR stands before LF only, NUL nowhere");
    for (size_t i = 0; i < size; i++)
        FUZZ_CHECK((unsigned char)line[i] < 0x80, "every byte is ASCII");
    FUZZ_CHECK(size == 0 || line[0] != '.', "no line can be SMTP's end");
    if (in_head && size > 0 && line[0] != ' ' && line[0] != '\t')
        FUZZ_CHECK(is_header(line, size), "every header is one of ours");
}

static void check_mail(const char *mail, size_t size)
{
    bool in_head = true;
    size_t subjects = 0;
    for (const char *at = mail, *end = mail + size; at < end;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        FUZZ_CHECK(stop && stop > at && stop[-1] == '\r', "every line ends in CR LF");
        check_line(at, (size_t)(stop - 1 - at), in_head);
        subjects += in_head && strncmp(at, "Subject:", 8) == 0;
        in_head = in_head && stop - 1 > at;
        at = stop + 1;
    }
    FUZZ_CHECK(!in_head && subjects == 1, "there is one head with one subject");
}

// The text before the next separator, NUL-terminated in place.
static char *take(char **rest, char separator)
{
    char *text = *rest, *stop = strchr(text, separator);
    *rest = stop ? stop + 1 : text + strlen(text);
    if (stop)
        *stop = '\0';
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct address from = {.text = "no-reply@acme.example", .domain_at = 9};
    struct error err;
    char *input = malloc(size + 1), *rest = input;
    FUZZ_CHECK(input, "there is memory");
    if (size)
        memcpy(input, data, size);
    input[size] = '\0';
    const char *name = take(&rest, '\n'), *subject = take(&rest, SEPARATOR);
    const char *text = take(&rest, SEPARATOR), *html = rest;

    struct mime *mime = mime_create(&from, name, NULL, &err);
    if (mime) {
        const struct mime_mail mail = {.id = "0193c8f0-0000-7000-8000-000000000001",
                                       .wall_ms = INT64_C(1763688000000),
                                       .to = "zoe@example.com",
                                       .subject = subject,
                                       .locale = "en",
                                       .text = text,
                                       .html = html};
        AUTO_BUFFER struct buffer out;
        buffer_init(&out, OUT_MAX);
        if (mime_write(mime, &mail, &out, &err))
            check_mail(out.data, out.size);
        mime_destroy(mime);
    }
    free(input);
    return 0;
}
