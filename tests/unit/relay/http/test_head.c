// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/http/head.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define HOST "Host: relay\r\n"
#define LINE "POST /kratos/webhook HTTP/1.1\r\n"

// A head as it was received; TEXT() keeps the NULs in it.
struct text {
    const char *bytes;
    size_t size;
};
#define TEXT(literal)                                                                              \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }

// Reads a head as libmicrohttpd 0.9.75 does: each line's end becomes NULs, a name ends at its
// colon and a value at its first NUL.
struct reader {
    struct http_head head;
    char *bytes, *at;
    size_t size;
    struct http_request_line line;
};

static char *next_line(struct reader *reader)
{
    char *line = reader->at;
    char *end = memchr(line, '\n', (size_t)(reader->bytes + reader->size - line));
    assert_non_null(end);
    *end = '\0';
    if (end > line && end[-1] == '\r')
        end[-1] = '\0';
    reader->at = end + 1;
    return line;
}

static void read_line(struct reader *reader)
{
    char *line = next_line(reader);
    size_t size = (size_t)(reader->at - line);
    while (size > 0 && line[size - 1] == '\0')
        size--;
    char *target = memchr(line, ' ', size);
    assert_non_null(target);
    *target++ = '\0';
    while (*target == ' ')
        target++;
    char *version = memrchr(line, ' ', size);
    assert_non_null(version);
    *version++ = '\0';
    reader->line = (struct http_request_line){.method = line,
                                              .version = version,
                                              .target = target,
                                              .target_size = strlen(target),
                                              .target_is_odd = http_head_is_odd_target(target),
                                              .bytes = reader->bytes,
                                              .bytes_size = reader->size};
    target[strcspn(target, "?")] = '\0';
}

struct header {
    char *name, *value;
};

static struct header read_header(struct reader *reader)
{
    char *line = next_line(reader);
    char *colon = strchr(line, ':');
    if (!colon)
        return (struct header){0};
    *colon++ = '\0';
    return (struct header){line, colon + strspn(colon, " \t")};
}

static void take(struct reader *reader, const char *name, const char *value)
{
    if (!name || !value)
        abort();
    http_head_take(&reader->head, name, strlen(name), value, strlen(value));
}

static void reader_init(struct reader *reader, struct text text)
{
    *reader = (struct reader){.size = text.size};
    reader->at = reader->bytes = malloc(text.size);
    assert_non_null(reader->bytes);
    memcpy(reader->bytes, text.bytes, text.size);
}

static bool is_sound(struct text text)
{
    struct reader reader;
    reader_init(&reader, text);
    read_line(&reader);
    http_head_begin(&reader.head, &reader.line);
    struct header header;
    while ((header = read_header(&reader)).name)
        take(&reader, header.name, header.value);
    // The library's size of the head ends where it has found the empty line.
    reader.head.end = reader.at;
    bool sound = http_head_is_sound(&reader.head);
    free(reader.bytes);
    return sound;
}

static void a_plain_head_is_sound(void **state)
{
    (void)state;
    static const struct text texts[] = {
        TEXT(LINE HOST "\r\n"),
        TEXT(LINE HOST "Content-Length: 12\r\nX-Api-Key: k\r\n\r\n"),
        TEXT(LINE "Host:relay\r\nX-Empty:\r\nX-Blank: \t \r\nX-Last: a b\tc \r\n\r\n"),
        TEXT(LINE HOST "Transfer-Encoding: Chunked\r\n\r\n"),
        TEXT("POST /x?a=b&c=d HTTP/1.1\r\n" HOST "\r\n"),
        TEXT("POST / HTTP/1.0\r\n\r\n"),
        TEXT("POST / HTTP/1.1\nHost: relay\nX-Other: a\n\n"), // bare LF: the library takes it
        TEXT(LINE HOST "X-Bytes: \xc3\xa9\xff\r\n\r\n"),
        TEXT(LINE HOST "!#$%&'*+-.^_`|~09azAZ: token\r\n\r\n"),
    };
    for (size_t i = 0; i < COUNT(texts); i++)
        if (!is_sound(texts[i]))
            fail_msg("%s", texts[i].bytes);
}

static void what_can_be_read_in_two_ways_is_not(void **state)
{
    (void)state;
    static const struct text texts[] = {
        TEXT(LINE "\r\n"),
        TEXT(LINE HOST HOST "\r\n"),
        TEXT(LINE HOST "Content-Length: 1\r\ncontent-length: 1\r\n\r\n"),
        TEXT(LINE HOST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"),
        TEXT(LINE HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"),
        TEXT(LINE HOST "Transfer-Encoding: gzip\r\n\r\n"),
        TEXT("POST / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"),
        TEXT(LINE HOST "Content-Length: +1\r\n\r\n"),
        TEXT(LINE HOST "Content-Length: 0x1\r\n\r\n"),
        TEXT(LINE HOST "Content-Length: 1, 1\r\n\r\n"),
        TEXT(LINE HOST "Content-Length: 9223372036854775808\r\n\r\n"),
        TEXT(LINE HOST "X-Api-Key: a\r\nX-API-KEY: a\r\n\r\n"),
        TEXT(LINE HOST "Content-Type: a\r\nContent-Type: a\r\n\r\n"),
        TEXT(LINE HOST "Content-Encoding: a\r\nContent-Encoding: a\r\n\r\n"),
        TEXT(LINE HOST "X-Other: a\x01\r\n\r\n"),
        TEXT(LINE HOST "X-Other: a\rb\r\n\r\n"),
        TEXT(LINE HOST "X-Other: a\x7f\r\n\r\n"),
        TEXT(LINE HOST "X-Other : a\r\n\r\n"),
        TEXT(LINE HOST ": a\r\n\r\n"),
        TEXT(LINE HOST "X(: a\r\n\r\n"),
        TEXT(LINE HOST "X-\xc3\xa9: a\r\n\r\n"),
        TEXT("POST / HTTP/1.2\r\n" HOST "\r\n"),
        TEXT("POST / http/1.1\r\n" HOST "\r\n"),
        TEXT("POST  / HTTP/1.1\r\n" HOST "\r\n"),
        TEXT("POST /  HTTP/1.1\r\n" HOST "\r\n"),
        TEXT("POST / b HTTP/1.1\r\n" HOST "\r\n"),
        TEXT("POST /\x01 HTTP/1.1\r\n" HOST "\r\n"),
        TEXT("POST /?\x01 HTTP/1.1\r\n" HOST "\r\n"),
        TEXT("P(ST / HTTP/1.1\r\n" HOST "\r\n"),
    };
    for (size_t i = 0; i < COUNT(texts); i++)
        if (is_sound(texts[i]))
            fail_msg("%s", texts[i].bytes);
}

static void nothing_hides_behind_a_nul(void **state)
{
    (void)state;
    static const struct text texts[] = {
        TEXT(LINE HOST "X-Api-Key: good\0junk\r\nX-Last: a\r\n\r\n"),
        TEXT(LINE HOST "X-Last: a\r\nX-Api-Key: good\0junk\r\n\r\n"),
        TEXT(LINE HOST "X-Api-Key: good\0\r\n\r\n"),
        TEXT(LINE HOST "X-Api-Key:\0good\r\n\r\n"),
        TEXT(LINE HOST "X-Other: a\0b: c\r\nX-Last: a\r\n\r\n"),
        TEXT(LINE "Host: relay\0\r\nX-Last: a\r\n\r\n"),
        TEXT("POST /a\0b HTTP/1.1\r\n" HOST "\r\n"),
        TEXT("POST /a\0 HTTP/1.1\r\n" HOST "\r\n"),
        TEXT("POST /a?b\0c HTTP/1.1\r\n" HOST "\r\n"),
        TEXT("PO\0ST /a HTTP/1.1\r\n" HOST "\r\n"),
    };
    for (size_t i = 0; i < COUNT(texts); i++)
        if (is_sound(texts[i]))
            fail_msg("case %zu: %s", i, texts[i].bytes);
}

static void a_line_that_begins_with_nul_is_no_empty_line(void **state)
{
    (void)state;
    struct reader reader;
    static const struct text text = TEXT(LINE HOST "\0x: y\r\n");
    reader_init(&reader, text);
    read_line(&reader);
    http_head_begin(&reader.head, &reader.line);
    struct header host = read_header(&reader);
    take(&reader, host.name, host.value);
    next_line(&reader); // where the library sees the head's end
    assert_false(http_head_is_sound(&reader.head));
    free(reader.bytes);
}

static void a_name_that_was_moved_was_folded(void **state)
{
    (void)state;
    struct reader reader;
    static const struct text text = TEXT(LINE HOST "X-Other: a\r\n\r\n");
    reader_init(&reader, text);
    read_line(&reader);
    http_head_begin(&reader.head, &reader.line);
    struct header header = read_header(&reader);
    take(&reader, header.name, header.value);
    header = read_header(&reader);
    take(&reader, "X-Otherb", header.value); // the rest of the fold joins the name, elsewhere
    assert_false(http_head_is_sound(&reader.head));
    free(reader.bytes);
}

// A library that cuts otherwise, or copies, must not turn every request away.
static void bytes_that_are_not_those_of_the_texts_are_not_judged(void **state)
{
    (void)state;
    static const char junk[] = "other bytes altogether";
    const struct http_request_line lines[] = {
        {.method = "POST", .version = "HTTP/1.1", .target = "/x", .target_size = 2},
        {.method = "POST", .version = "HTTP/1.1", .bytes = junk, .bytes_size = sizeof(junk)},
    };
    for (size_t i = 0; i < COUNT(lines); i++) {
        struct http_head head;
        http_head_begin(&head, &lines[i]);
        http_head_take(&head, "Host", 4, "relay", 5);
        http_head_take(&head, "X-Api-Key", 9, "k", 1);
        assert_true(http_head_is_sound(&head));
        assert_string_equal(head.api_key, "k");
    }
    // Headers elsewhere than the line, and out of order.
    static const char cut[] = "POST\0/x\0HTTP/1.1\0\nA\0 a\0\nB\0 b\0\n\0\n";
    const struct http_request_line line = {.method = cut,
                                           .version = cut + 8,
                                           .target = cut + 5,
                                           .target_size = 2,
                                           .bytes = cut,
                                           .bytes_size = sizeof(cut) - 1};
    struct http_head head;
    http_head_begin(&head, &line);
    http_head_take(&head, "Host", 4, "relay", 5);
    http_head_take(&head, cut + 18, 1, cut + 21, 1);
    assert_true(http_head_is_sound(&head));

    // One that leaves the LF where it was is understood.
    http_head_begin(&head, &line);
    http_head_take(&head, cut + 18, 1, cut + 21, 1);
    http_head_take(&head, cut + 24, 1, cut + 27, 1);
    assert_non_null(head.at);
    http_head_take(&head, "Host", 4, "relay", 5);
    assert_true(http_head_is_sound(&head));
}

static void tells_json_from_what_only_looks_like_it(void **state)
{
    (void)state;
    static const struct {
        const char *type, *encoding;
        bool is_json;
    } cases[] = {
        {"application/json", NULL, true},
        {"Application/JSON; charset=utf-8", NULL, true},
        {"application/json ;x", "identity", true},
        {"application/json", "gzip", false},
        {"application/jsonx", NULL, false},
        {"application/json-patch+json", NULL, false},
        {"text/json", NULL, false},
        {"", NULL, false},
        {NULL, NULL, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct http_head head = {.content_type = cases[i].type,
                                       .content_encoding = cases[i].encoding};
        if (http_head_is_json(&head) != cases[i].is_json)
            fail_msg("%s %s", cases[i].type, cases[i].encoding);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_head_is_sound),
        cmocka_unit_test(what_can_be_read_in_two_ways_is_not),
        cmocka_unit_test(nothing_hides_behind_a_nul),
        cmocka_unit_test(a_line_that_begins_with_nul_is_no_empty_line),
        cmocka_unit_test(a_name_that_was_moved_was_folded),
        cmocka_unit_test(bytes_that_are_not_those_of_the_texts_are_not_judged),
        cmocka_unit_test(tells_json_from_what_only_looks_like_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
