// strict_mime.c - mails on standard input, what GMime's strict parser makes of each on standard
// output.
//
// A mail comes as its size (32 bits, little endian) and its bytes; the answer is a line of JSON:
//   {"warnings": [{"offset", "code", "item"}], "parts": ["multipart/alternative", "text/plain",
//   ...],
//    "subject", "message_id", "date": seconds since 1970, "texts": ["...", ...],
//    "from", "to", "reply_to": [[display name, address], ...]}
// All three modes of the parser are GMIME_RFC_COMPLIANCE_STRICT, and every warning is reported.
// tests/support/strict_mime.py speaks with it.
#include <gmime/gmime.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define MAIL_MAX (16U * 1024 * 1024)

// Text that a parser took out of a mail may be no UTF-8: then it is null, which no test expects.
static json_t *text_or_null(const char *text)
{
    json_t *value = text ? json_string(text) : NULL;
    return value ? value : json_null();
}

static void set(json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, value) != 0)
        abort();
}

static void append(json_t *array, json_t *value)
{
    if (json_array_append_new(array, value) != 0)
        abort();
}

static void note_warning(gint64 offset, GMimeParserWarning code, const gchar *item,
                         gpointer warnings)
{
    append(warnings, json_pack("{s:I, s:i, s:o}", "offset", (json_int_t)offset, "code", (int)code,
                               "item", text_or_null(item)));
}

static GMimeParserOptions *strict_options(json_t *warnings)
{
    GMimeParserOptions *options = g_mime_parser_options_new();
    g_mime_parser_options_set_address_compliance_mode(options, GMIME_RFC_COMPLIANCE_STRICT);
    g_mime_parser_options_set_parameter_compliance_mode(options, GMIME_RFC_COMPLIANCE_STRICT);
    g_mime_parser_options_set_rfc2047_compliance_mode(options, GMIME_RFC_COMPLIANCE_STRICT);
    g_mime_parser_options_set_allow_addresses_without_domain(options, FALSE);
    g_mime_parser_options_set_warning_callback(options, note_warning, warnings);
    return options;
}

static json_t *addresses(GMimeMessage *message, GMimeAddressType type)
{
    json_t *found = json_array();
    InternetAddressList *list = g_mime_message_get_addresses(message, type);
    for (int i = 0; list && i < internet_address_list_length(list); i++) {
        InternetAddress *address = internet_address_list_get_address(list, i);
        const char *mailbox =
            INTERNET_ADDRESS_IS_MAILBOX(address)
                ? internet_address_mailbox_get_addr(INTERNET_ADDRESS_MAILBOX(address))
                : NULL;
        append(found, json_pack("[o, o]", text_or_null(internet_address_get_name(address)),
                                text_or_null(mailbox)));
    }
    return found;
}

struct walk {
    json_t *parts, *texts;
};

static void note_part(GMimeObject *parent, GMimeObject *part, gpointer data)
{
    (void)parent;
    struct walk *walk = data;
    char *type = g_mime_content_type_get_mime_type(g_mime_object_get_content_type(part));
    append(walk->parts, text_or_null(type));
    g_free(type);
    if (GMIME_IS_TEXT_PART(part)) {
        char *text = g_mime_text_part_get_text(GMIME_TEXT_PART(part));
        append(walk->texts, text_or_null(text));
        g_free(text);
    }
}

static void describe(GMimeMessage *message, json_t *answer)
{
    struct walk walk = {json_array(), json_array()};
    GMimeObject *root = g_mime_message_get_mime_part(message);
    if (root)
        note_part(NULL, root, &walk);
    if (GMIME_IS_MULTIPART(root))
        g_mime_multipart_foreach(GMIME_MULTIPART(root), note_part, &walk);
    GDateTime *date = g_mime_message_get_date(message);
    set(answer, "parts", walk.parts);
    set(answer, "texts", walk.texts);
    set(answer, "subject", text_or_null(g_mime_message_get_subject(message)));
    set(answer, "message_id", text_or_null(g_mime_message_get_message_id(message)));
    set(answer, "date", date ? json_integer(g_date_time_to_unix(date)) : json_null());
    set(answer, "from", addresses(message, GMIME_ADDRESS_TYPE_FROM));
    set(answer, "to", addresses(message, GMIME_ADDRESS_TYPE_TO));
    set(answer, "reply_to", addresses(message, GMIME_ADDRESS_TYPE_REPLY_TO));
}

static json_t *parse(const char *mail, size_t size)
{
    json_t *warnings = json_array();
    GMimeParserOptions *options = strict_options(warnings);
    GMimeStream *stream = g_mime_stream_mem_new_with_buffer(mail, size);
    GMimeParser *parser = g_mime_parser_new_with_stream(stream);
    g_mime_parser_set_format(parser, GMIME_FORMAT_MESSAGE);
    GMimeMessage *message = g_mime_parser_construct_message(parser, options);

    json_t *answer = json_object();
    if (message) {
        describe(message, answer);
        g_object_unref(message);
    }
    set(answer, "warnings", warnings);
    g_object_unref(parser);
    g_object_unref(stream);
    g_mime_parser_options_free(options);
    return answer;
}

// False at the end of the input, or where it is none of ours.
static bool answer_one(void)
{
    unsigned char head[4];
    if (fread(head, sizeof(head), 1, stdin) != 1)
        return false;
    uint32_t size = (uint32_t)head[0] | (uint32_t)head[1] << 8 | (uint32_t)head[2] << 16 |
                    (uint32_t)head[3] << 24;
    char *mail = size > 0 && size <= MAIL_MAX ? malloc(size) : NULL;
    bool ok = mail && fread(mail, size, 1, stdin) == 1;
    if (ok) {
        json_t *answer = parse(mail, size);
        ok = json_dumpf(answer, stdout, JSON_COMPACT | JSON_ENSURE_ASCII) == 0 &&
             putchar('\n') != EOF && fflush(stdout) == 0;
        json_decref(answer);
    }
    free(mail);
    return ok;
}

int main(void)
{
    g_mime_init();
    while (answer_one()) {
    }
    g_mime_shutdown();
    // Cut off in the middle of a mail, or unable to answer: whoever asked must not take it for
    // none.
    return feof(stdin) && !ferror(stdin) && !ferror(stdout) ? EXIT_SUCCESS : EXIT_FAILURE;
}
