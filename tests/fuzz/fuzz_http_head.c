// fuzz_http_head.c - a stranger's request head through relay/http/head.h.
//
// Input: a head as it comes from the socket. It is cut into texts in place, as libmicrohttpd does
// (NULs over line ends, the colon and the spaces of the request line), so that what a NUL of the
// client's hides from the texts is hidden here, too. What is then called sound is judged again,
// plainly, from a copy of the bytes; and what is strictly right must be called sound.
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "relay/base/cleanup.h"
#include "relay/http/head.h"
#include "relay/http/traceparent.h"
#include "tests/fuzz/fuzz.h"

enum { LINES_MAX = 64, LINE_SIZE_MAX = 512 };

struct text {
    const char *at;
    size_t size;
};

// A head, as the oracle sees it.
struct plain_head {
    struct text lines[LINES_MAX]; // without their ends; the first is the request line
    size_t count;
    bool strict_ends; // CR LF everywhere
};

static bool has_byte_below(struct text text, unsigned char least, bool tab_allowed)
{
    for (size_t i = 0; i < text.size; i++) {
        unsigned char byte = (unsigned char)text.at[i];
        if ((byte < least && !(byte == '\t' && tab_allowed)) || byte == 0x7f)
            return true;
    }
    return false;
}

// Once the library has cut it, NUL LF looks as CR LF does: it cannot be told apart. Between them
// there may be blanks, which hide nothing. False: there is no such end.
static bool cut_invisible_end(struct text *line)
{
    const char *nul = memchr(line->at, '\0', line->size), *end = line->at + line->size;
    if (!nul)
        return false;
    for (const char *at = nul; at < end; at++)
        if (*at != '\0' && *at != ' ' && *at != '\t' && *at != '\r')
            return false;
    line->size = (size_t)(nul - line->at);
    return true;
}

// Finds the lines up to the empty one. False: there is none, or it is too much for this test.
static bool split_plainly(const char *raw, size_t size, struct plain_head *head)
{
    const char *end = raw + size;
    *head = (struct plain_head){.strict_ends = true};
    for (const char *at = raw; at < end;) {
        const char *feed = memchr(at, '\n', (size_t)(end - at));
        if (!feed)
            return false;
        bool has_cr = feed > at && feed[-1] == '\r';
        struct text line = {at, (size_t)(feed - at) - has_cr};
        bool has_nul = cut_invisible_end(&line);
        head->strict_ends = head->strict_ends && has_cr && !has_nul;
        at = feed + 1;
        if (line.size == 0)
            return at == end && head->count > 0;
        if (head->count == LINES_MAX || line.size > LINE_SIZE_MAX)
            return false;
        if (head->count > 0 && (*line.at == ' ' || *line.at == '\t'))
            return false; // folded: the library moves such lines about
        head->lines[head->count++] = line;
    }
    return false;
}

static bool is_token(struct text text)
{
    static const char marks[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    for (size_t i = 0; i < text.size; i++)
        if (!memchr(marks, text.at[i], sizeof(marks) - 1))
            return false;
    return text.size > 0;
}

static struct text name_of(struct text line)
{
    const char *colon = memchr(line.at, ':', line.size);
    return (struct text){line.at, colon ? (size_t)(colon - line.at) : line.size};
}

static struct text value_of(struct text line)
{
    size_t at = name_of(line).size + 1;
    while (at < line.size && (line.at[at] == ' ' || line.at[at] == '\t'))
        at++;
    return (struct text){line.at + at, at < line.size ? line.size - at : 0};
}

static bool equals(struct text text, const char *word)
{
    return text.size == strlen(word) && strncasecmp(text.at, word, text.size) == 0;
}

static size_t count_of(const struct plain_head *head, const char *name, struct text *ret_value)
{
    size_t count = 0;
    for (size_t i = 1; i < head->count; i++) {
        if (!equals(name_of(head->lines[i]), name))
            continue;
        *ret_value = value_of(head->lines[i]);
        count++;
    }
    return count;
}

static bool is_strict_line(struct text line)
{
    struct text value = value_of(line);
    bool ends_in_blank =
        value.size > 0 && (value.at[value.size - 1] == ' ' || value.at[value.size - 1] == '\t');
    return memchr(line.at, ':', line.size) && is_token(name_of(line)) && !ends_in_blank &&
           !has_byte_below(value, ' ', true);
}

static bool is_strict_request(struct text line, bool *ret_old)
{
    static const char *const versions[] = {" HTTP/1.0", " HTTP/1.1"};
    for (size_t i = 0; i < 2; i++) {
        size_t tail = strlen(versions[i]);
        if (line.size < tail || strncmp(line.at + line.size - tail, versions[i], tail) != 0)
            continue;
        struct text rest = {line.at, line.size - tail};
        const char *space = memchr(rest.at, ' ', rest.size);
        if (!space)
            return false;
        struct text method = {rest.at, (size_t)(space - rest.at)};
        struct text target = {space + 1, rest.size - method.size - 1};
        *ret_old = i == 0;
        return is_token(method) && target.size > 0 && !has_byte_below(target, '!', false);
    }
    return false;
}

static bool is_digits(struct text text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.at[i] < '0' || text.at[i] > '9')
            return false;
    return text.size > 0 && text.size <= 18;
}

// Right by the letter of RFC 9112, and nothing that could be read in two ways.
static bool is_strict(const struct plain_head *head)
{
    static const char *const single[] = {"X-Api-Key", "Content-Type", "Content-Encoding"};
    struct text value = {0}, length = {0}, coding = {0};
    bool old = false;
    if (!head->strict_ends || !is_strict_request(head->lines[0], &old))
        return false;
    for (size_t i = 1; i < head->count; i++)
        if (!is_strict_line(head->lines[i]))
            return false;
    for (size_t i = 0; i < sizeof(single) / sizeof(single[0]); i++)
        if (count_of(head, single[i], &value) > 1)
            return false;
    size_t hosts = count_of(head, "Host", &value);
    size_t lengths = count_of(head, "Content-Length", &length);
    size_t codings = count_of(head, "Transfer-Encoding", &coding);
    return hosts <= 1 && (hosts == 1 || old) && lengths + codings <= 1 &&
           (lengths == 0 || is_digits(length)) &&
           (codings == 0 || (!old && equals(coding, "chunked")));
}

static void check_sound(const struct plain_head *plain, const struct http_head *head)
{
    static const char *const single[] = {"X-Api-Key",         "Content-Type",   "Content-Encoding",
                                         "Transfer-Encoding", "Content-Length", "Host"};
    struct text value = {0};
    for (size_t i = 0; i < plain->count; i++) {
        FUZZ_CHECK(!has_byte_below(plain->lines[i], ' ', true), "no control character is let by");
        FUZZ_CHECK(i == 0 || is_token(name_of(plain->lines[i])), "a name is a name");
    }
    for (size_t i = 0; i < sizeof(single) / sizeof(single[0]); i++)
        FUZZ_CHECK(count_of(plain, single[i], &value) <= 1, "nothing that counts stands twice");
    FUZZ_CHECK(count_of(plain, "Host", &value) == 1 || head->is_http_1_0, "there is a Host");
    size_t lengths = count_of(plain, "Content-Length", &value);
    FUZZ_CHECK(lengths == (head->has_length ? 1 : 0), "a length is a length");
    if (lengths > 0)
        FUZZ_CHECK(value.size > 0 && *value.at >= '0' && *value.at <= '9' &&
                       head->length == strtoll(value.at, NULL, 10),
                   "a length is what its digits say");
    size_t codings = count_of(plain, "Transfer-Encoding", &value);
    FUZZ_CHECK(lengths + codings <= 1, "a body ends in one way");
    FUZZ_CHECK(codings == 0 || !head->is_http_1_0, "HTTP/1.0 has no transfer encoding");
    FUZZ_CHECK(codings == 0 || equals(value, "chunked"), "chunked is the only coding");
    size_t keys = count_of(plain, "X-Api-Key", &value);
    FUZZ_CHECK(keys ? head->api_key && head->api_key_size == value.size &&
                          memcmp(head->api_key, value.at, value.size) == 0
                    : !head->api_key,
               "the key is the header's value, whole");
}

// Cuts the request line as the library does. False: it would have refused it.
static bool begin(struct http_head *head, char *raw, size_t size)
{
    struct http_request_line line = {.method = raw, .bytes = raw, .bytes_size = size};
    char *feed = memchr(raw, '\n', size), *space = memchr(raw, ' ', (size_t)(feed - raw));
    char *end = feed > raw && feed[-1] == '\r' ? feed - 1 : feed;
    if (!space)
        return false;
    char *last = end - 1;
    while (last > space && *last != ' ')
        last--;
    if (last == space)
        return false;
    memset(end, '\0', (size_t)(feed + 1 - end));
    *last = '\0';
    line.version = last + 1;
    *space = '\0';
    line.target = space + 1;
    line.target_size = strlen(line.target);
    line.target_is_odd = http_head_is_odd_target(line.target);
    char *query = strchr(space + 1, '?');
    if (query)
        *query = '\0';
    http_head_begin(head, &line);
    return true;
}

static bool take_lines(struct http_head *head, char *raw, size_t size,
                       const struct plain_head *plain, const char *copy)
{
    raw[size - 1] = '\0'; // the empty line's end
    if (raw[size - 2] == '\r')
        raw[size - 2] = '\0';
    for (size_t i = 1; i < plain->count; i++) {
        char *line = raw + (plain->lines[i].at - copy);
        char *feed = memchr(line, '\n', size - (size_t)(line - raw));
        if (feed[-1] == '\r')
            feed[-1] = '\0';
        *feed = '\0';
        char *colon = strchr(line, ':');
        if (!colon)
            return false;
        *colon = '\0';
        char *value = colon + 1;
        while (*value == ' ' || *value == '\t')
            value++;
        http_head_take(head, line, strlen(line), value, strlen(value));
    }
    return true;
}

// What goes into the log and the queue is 32 hexadecimal digits, whatever was sent.
static void check_trace(const struct http_head *head)
{
    char id[TRACE_ID_SIZE];
    if (!head->traceparent || !traceparent_parse(head->traceparent, id))
        return;
    FUZZ_CHECK(strlen(id) == TRACE_ID_SIZE - 1 && id[strspn(id, "0123456789abcdef")] == '\0',
               "a trace's id is digits");
    FUZZ_CHECK(strncmp(head->traceparent + 3, id, TRACE_ID_SIZE - 1) == 0, "and the header's");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *copy = (const char *)data;
    struct plain_head plain;
    struct http_head head;
    if (!split_plainly(copy, size, &plain))
        return 0;
    AUTO_FREE char *raw = malloc(size); // of exactly its size, and cut in place
    FUZZ_CHECK(raw, "there is memory");
    memcpy(raw, data, size);
    bool strict = is_strict(&plain);
    if (!begin(&head, raw, size) || !take_lines(&head, raw, size, &plain, copy)) {
        FUZZ_CHECK(!strict, "what is right is not refused");
        return 0;
    }
    if (http_head_is_sound(&head)) {
        check_sound(&plain, &head);
        check_trace(&head);
        FUZZ_CHECK(!http_head_is_json(&head) ||
                       strncasecmp(head.content_type, "application/json", 16) == 0,
                   "JSON is application/json");
    } else {
        FUZZ_CHECK(!strict, "what is right is called sound");
    }
    return 0;
}
