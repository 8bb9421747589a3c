// fuzz_mime.c - any names, subjects, texts and headers of an operator's own through mime.h.
//
// Input: name '\n' subject '\x01' text '\x01' html '\x01' recipient '\x01' language '\x01' header
// '\x01' its text '\x01' template '\x01' brand; what is empty, or no recipient, is an ordinary one.
// What comes out must be lines of SMTP and headers that are ours, whatever went in.
#include <string.h>

#include "relay/base/cleanup.h"
#include "relay/composer/mime.h"
#include "tests/fuzz/fuzz.h"

#define OUT_MAX (1024 * 1024)
#define LINE_MAX_SIZE 998 // RFC 5322 §2.1.1
#define SEPARATOR '\x01'

static const char *const ours[] = {
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
    "X-Auto-Response-Suppress:",
    "X-Entity-Ref-ID:",
    "Expires:",
};

// own: the name of the operator's, or NULL.
static bool is_header(const char *line, size_t size, const char *own)
{
    size_t own_size = own ? strlen(own) : 0;
    if (own && size > own_size && strncmp(line, own, own_size) == 0 && line[own_size] == ':')
        return true;
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
        size_t length = strlen(ours[i]);
        if (size > length && strncmp(line, ours[i], length) == 0)
            return true;
    }
    return false;
}

static void check_line(const char *line, size_t size)
{
    FUZZ_CHECK(size <= LINE_MAX_SIZE, "no line is too long for SMTP");
    FUZZ_CHECK(!memchr(line, '\r', size) && !memchr(line, '\0', size),
               "CR stands before LF only, NUL nowhere");
    FUZZ_CHECK(size == 0 || line[0] != '.', "no line can be SMTP's end");
}

static void check_ascii(const char *line, size_t size)
{
    for (size_t i = 0; i < size; i++)
        FUZZ_CHECK((unsigned char)line[i] < 0x80, "every byte is ASCII");
}

// recipient: as it is to stand in the mail, alone allowed to be other than ASCII.
static void check_head_line(const char *line, size_t size, const char *recipient, const char *own)
{
    if (line[0] == ' ' || line[0] == '\t') {
        FUZZ_CHECK(strspn(line, " \t") < size, "no line of a header is empty");
        return;
    }
    FUZZ_CHECK(is_header(line, size, own), "every header is one of ours");
    if (strncmp(line, "To: ", 4) == 0)
        FUZZ_CHECK(size == 4 + strlen(recipient) && memcmp(line + 4, recipient, size - 4) == 0,
                   "it goes to its recipient");
}

static void check_mail(const char *mail, size_t size, const char *recipient, const char *own)
{
    bool in_head = true;
    size_t subjects = 0, recipients = 0;
    for (const char *at = mail, *end = mail + size; at < end;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        FUZZ_CHECK(stop && stop > at && stop[-1] == '\r', "every line ends in CR LF");
        size_t line_size = (size_t)(stop - 1 - at);
        bool is_to = in_head && line_size > 4 && strncmp(at, "To: ", 4) == 0;
        check_line(at, line_size);
        if (!is_to)
            check_ascii(at, line_size);
        if (in_head && line_size > 0)
            check_head_line(at, line_size, recipient, own);
        subjects += in_head && strncmp(at, "Subject:", 8) == 0;
        recipients += is_to;
        in_head = in_head && line_size > 0;
        at = stop + 1;
    }
    FUZZ_CHECK(!in_head && subjects == 1 && recipients == 1,
               "there is one head with one subject and one recipient");
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

static const char *take_or(char **rest, const char *otherwise)
{
    const char *text = take(rest, SEPARATOR);
    return *text ? text : otherwise;
}

// What composer_create() and letter_write() do with an operator's texts.
static struct mime *create(const char *name)
{
    struct mime_sender sender = {0};
    struct error err;
    if (!mailbox_parse("Acme <no-reply@acme.example>", &sender.from, &err) ||
        !mailbox_parse("help@acme.example", &sender.reply_to, &err) ||
        !mailbox_rename(&sender.from, name, &err) || !mailbox_rename(&sender.reply_to, name, &err))
        return NULL;
    return mime_create(&sender, &err);
}

static void try_mail(const struct mime *mime, char *rest, const char *subject)
{
    const char *text = take(&rest, SEPARATOR), *html = take(&rest, SEPARATOR);
    struct address to = {.text = "zoe@example.com"};
    struct error err;
    address_parse(take(&rest, SEPARATOR), &to, &err);
    const char *language = take_or(&rest, "en");
    const char *own = take_or(&rest, "X-Own"), *own_text = take_or(&rest, "{template}:{brand}");
    const char *template = take_or(&rest, "login_code_valid"), *brand = take_or(&rest, "default");

    json_auto_t *faults = json_array();
    json_auto_t *object = json_pack("{s:s}", own, own_text); // NULL where that is no UTF-8
    struct headers *headers = headers_create(object, faults);
    const struct mime_mail mail = {
        .id = "0193c8f0-0000-7000-8000-000000000001",
        .wall_ms = INT64_C(1763688000000),
        .expires_wall_ms = INT64_C(1763688900000),
        .to = to.text,
        .subject = subject,
        .language = language,
        .text = text,
        .html = html,
        .headers = headers,
        .values = {template, brand, "hu", "0193c8f0-0000-7000-8000-000000000001"},
    };
    AUTO_BUFFER struct buffer out;
    buffer_init(&out, OUT_MAX);
    if (mime_write(mime, &mail, &out, &err))
        check_mail(out.data, out.size, to.text, headers ? own : NULL);
    headers_destroy(headers);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_FREE char *input = malloc(size + 1);
    FUZZ_CHECK(input, "there is memory");
    if (size)
        memcpy(input, data, size);
    input[size] = '\0';
    char *rest = input;
    const char *name = take(&rest, '\n'), *subject = take(&rest, SEPARATOR);
    struct mime *mime = create(name);
    if (mime)
        try_mail(mime, rest, subject);
    mime_destroy(mime);
    return 0;
}
