#include "relay/composer/mime.h"

#include <gmime/gmime.h>
#include <string.h>
#include <time.h>

#define LINE_COLUMNS 76 // RFC 2047 §2 for lines with encoded words; kept for all
#define PLAIN_WORD_MAX 60
#define SUBJECT_MAX 1000 // bytes; more than any client shows
#define FIXED_HEADERS_MAX 4096

struct mime {
    char domain[ADDRESS_SIZE]; // of Message-IDs
    struct buffer head;        // From, Reply-To and what else never changes
};

// The gate of every header's value: what passes cannot begin a new line.
static bool is_one_line(const char *value)
{
    for (const unsigned char *c = (const unsigned char *)value; *c; c++) {
        if (*c < 0x20 || *c == 0x7f)
            return false;
    }
    return true;
}

// Single words that fold: none that is too long, none that a reader would take for an encoded
// word, no space that folding could lose or heap up.
static bool is_plain(const char *text)
{
    size_t word = 0;
    for (const char *c = text; *c; c++) {
        bool odd_space = *c == ' ' && (c == text || c[1] == ' ' || c[1] == '\0');
        word = *c == ' ' ? 0 : word + 1;
        if ((unsigned char)*c >= 0x7f || word > PLAIN_WORD_MAX || odd_space ||
            (c[0] == '=' && c[1] == '?'))
            return false;
    }
    return true;
}

// Breaks before a space wherever the next word would pass the last column.
static size_t fold_plain(struct buffer *out, const char *text, size_t column)
{
    while (*text) {
        size_t size = 1 + strcspn(text + 1, " ");
        if (*text == ' ' && column + size > LINE_COLUMNS) {
            buffer_puts(out, "\r\n");
            column = 0;
        }
        buffer_append(out, text, size);
        column += size;
        text += size;
    }
    return column;
}

// How much of text fits into max bytes without cutting a character.
static size_t character_end(const char *text, size_t max)
{
    size_t size = strnlen(text, max + 1);
    if (size <= max)
        return size;
    for (size = max; size > 1 && ((unsigned char)text[size] & 0xC0) == 0x80;)
        size--;
    return size;
}

static bool continues_character(char c)
{
    return ((unsigned char)c & 0xC0) == 0x80;
}

// How much of text makes an encoded word of base64 of at most room columns; 0: none. One that
// another follows is of whole groups of three bytes, without "=" at its end: GMime, and who reads
// mail with it, drops all the words behind such a "=" (3.2.13).
static size_t base64_end(const char *text, size_t room)
{
    size_t max = room / 4 * 3;
    size_t size = strnlen(text, max + 1);
    if (size <= max)
        return size;
    for (size = max; size > 0 && continues_character(text[size]);)
        size -= 3;
    return size;
}

// Appends an encoded word of RFC 2047's "Q", at most room columns long, or of one character. Gives
// how much of text is in it.
static size_t put_q_word(struct buffer *out, const char *text, size_t room)
{
    size_t done = 0, columns = 0;
    buffer_puts(out, "=?utf-8?Q?");
    while (text[done]) {
        size_t size = 1;
        while (continues_character(text[done + size]))
            size++;
        // Three columns a byte, also where one would do: it is for a few odd words.
        if (done > 0 && columns + 3 * size > room)
            break;
        for (size_t end = done + size; done < end; done++)
            buffer_printf(out, "=%02X", (unsigned)(unsigned char)text[done]);
        columns += 3 * size;
    }
    buffer_puts(out, "?=");
    return done;
}

// RFC 2047 encoded words, of base64 where it goes, one a line. GMime's own header functions count
// characters where the RFC counts bytes (words of 170 columns), and let a "=?" of the text through
// as it is.
static size_t encode_words(struct buffer *out, const char *text, size_t column)
{
    static const char start[] = "=?utf-8?B?", end[] = "?=";
    for (bool first = true; *text; first = false) {
        if (!first) {
            buffer_puts(out, "\r\n ");
            column = 1;
        }
        size_t room = LINE_COLUMNS - column - (sizeof(start) - 1) - (sizeof(end) - 1);
        size_t begin = out->size;
        size_t size = base64_end(text, room);
        if (size == 0) {
            size = put_q_word(out, text, room);
        } else {
            char *encoded = g_base64_encode((const guchar *)text, size);
            buffer_puts(out, start);
            buffer_puts(out, encoded);
            buffer_puts(out, end);
            g_free(encoded);
        }
        column += out->size - begin;
        text += size;
    }
    return column;
}

static bool put_header(struct buffer *out, const char *name, const char *value, struct error *err)
{
    if (!is_one_line(value))
        return error_set(err, ERR_INPUT, "header %s: holds a control character", name);
    buffer_puts(out, name);
    buffer_puts(out, ": ");
    size_t column = strlen(name) + 2;
    if (is_plain(value))
        fold_plain(out, value, column);
    else
        encode_words(out, value, column);
    buffer_puts(out, "\r\n");
    return true;
}

// Addresses and other tokens: never encoded, never folded.
static bool put_verbatim(struct buffer *out, const char *name, const char *value, struct error *err)
{
    if (!is_one_line(value))
        return error_set(err, ERR_INPUT, "header %s: holds a control character", name);
    buffer_puts(out, name);
    buffer_puts(out, ": ");
    buffer_puts(out, value);
    buffer_puts(out, "\r\n");
    return true;
}

static bool is_atext(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

// A plain name as atoms, or where it is no mere sequence of them as a quoted string. (GMime's
// quoting leaves a name alone that holds nothing special but quotes.)
static size_t put_phrase(struct buffer *out, const char *name, size_t column)
{
    char quoted[2 * ADDRESS_NAME_SIZE + 2];
    size_t used = 0;
    bool is_atoms = true;
    quoted[used++] = '"';
    for (const char *c = name; *c && used + 4 < sizeof(quoted); c++) {
        is_atoms = is_atoms && (*c == ' ' || is_atext(*c));
        if (*c == '"' || *c == '\\')
            quoted[used++] = '\\';
        quoted[used++] = *c;
    }
    quoted[used++] = '"';
    quoted[used] = '\0';
    return fold_plain(out, is_atoms ? name : quoted, column);
}

static bool put_mailbox(struct buffer *out, const char *header, const char *name,
                        const char *address, struct error *err)
{
    if (!*name)
        return put_verbatim(out, header, address, err);
    if (!is_one_line(name) || !is_one_line(address))
        return error_set(err, ERR_INPUT, "header %s: holds a control character", header);
    buffer_printf(out, "%s: ", header);
    size_t column = strlen(header) + 2;
    column = is_plain(name) ? put_phrase(out, name, column) : encode_words(out, name, column);
    buffer_puts(out, column + strlen(address) + 3 > LINE_COLUMNS ? "\r\n <" : " <");
    buffer_puts(out, address);
    buffer_puts(out, ">\r\n");
    return true;
}

static bool put_date(struct buffer *out, int64_t wall_ms, struct error *err)
{
    char text[64];
    struct tm utc;
    time_t seconds = (time_t)(wall_ms / 1000);
    // English names: no part of this program calls setlocale().
    if (!gmtime_r(&seconds, &utc) ||
        strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S +0000", &utc) == 0)
        return error_set(err, ERR_INPUT, "header Date: no such time");
    return put_verbatim(out, "Date", text, err);
}

// Copies text with every LF as CRLF; CRs of its own are dropped, since a lone one is no line end.
static void put_crlf(struct buffer *out, const char *text)
{
    while (*text) {
        size_t size = strcspn(text, "\r\n");
        buffer_append(out, text, size);
        text += size;
        if (*text == '\n')
            buffer_append(out, "\r\n", 2);
        if (*text)
            text++;
    }
}

// The same for quoted-printable, where a line may not begin with a dot: alone it would end the
// mail for SMTP. Where "=2E" makes a line too long, it gets a soft end.
static void put_quoted_printable(struct buffer *out, const char *text)
{
    while (*text) {
        size_t size = strcspn(text, "\n");
        while (*text == '.') {
            bool fits = size + 2 <= LINE_COLUMNS;
            buffer_puts(out, fits ? "=2E" : "=2E=\r\n");
            text++;
            size--;
            if (fits)
                break;
        }
        buffer_append(out, text, size);
        text += size;
        if (*text == '\n') {
            buffer_append(out, "\r\n", 2);
            text++;
        }
    }
}

static bool put_part(struct buffer *out, const char *type, const char *boundary, const char *text,
                     struct error *err)
{
    size_t size = strlen(text);
    GMimeContentEncoding encoding = g_mime_utils_best_encoding((const unsigned char *)text, size);
    // Not by buffer_printf(): these few lines would be a tenth of a mail's time.
    const char *const head[] = {"--",
                                boundary,
                                "\r\nContent-Type: ",
                                type,
                                "; charset=utf-8\r\nContent-Transfer-Encoding: ",
                                g_mime_content_encoding_to_string(encoding),
                                "\r\n\r\n"};
    for (size_t i = 0; i < sizeof(head) / sizeof(head[0]); i++)
        buffer_puts(out, head[i]);

    // base64 carries its line ends inside, and those of a text are CRLF (RFC 2045 §6.8).
    AUTO_BUFFER struct buffer canonical;
    buffer_init(&canonical, out->limit_bytes);
    if (encoding == GMIME_CONTENT_ENCODING_BASE64) {
        put_crlf(&canonical, text);
        if (canonical.failed) {
            out->failed = true; // the encoded form is no shorter
            return error_set(err, ERR_INPUT, "mail: over %zu bytes", out->limit_bytes);
        }
        text = canonical.data;
        size = canonical.size;
    }

    GMimeEncoding encoder;
    g_mime_encoding_init_encode(&encoder, encoding);
    AUTO_BUFFER struct buffer encoded;
    size_t room = g_mime_encoding_outlen(&encoder, size);
    buffer_init(&encoded, room);
    char *to = buffer_reserve(&encoded, room);
    if (!to)
        return error_set(err, ERR_TEMPORARY, "mail: no memory");
    buffer_added(&encoded, g_mime_encoding_flush(&encoder, text, size, to));

    if (encoding == GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE)
        put_quoted_printable(out, encoded.data);
    else
        put_crlf(out, encoded.data);
    if (encoded.size == 0 || encoded.data[encoded.size - 1] != '\n')
        buffer_puts(out, "\r\n");
    return true;
}

static bool put_fixed(struct mime *mime, const struct address *from, const char *from_name,
                      const char *reply_to, struct error *err)
{
    struct buffer *head = &mime->head;
    if (!put_mailbox(head, "From", from_name, from->text, err))
        return false;
    if (reply_to) {
        char name[ADDRESS_NAME_SIZE];
        struct address address;
        if (!address_parse_named(reply_to, name, &address, err))
            return false;
        if (!put_mailbox(head, "Reply-To", name, address.text, err))
            return false;
    }
    // RFC 3834: an automatic message; the second is what Exchange looks at.
    buffer_puts(head, "MIME-Version: 1.0\r\n"
                      "Auto-Submitted: auto-generated\r\n"
                      "X-Auto-Response-Suppress: All\r\n");
    if (head->failed)
        return error_set(err, ERR_INPUT, "mail headers: over %d bytes", FIXED_HEADERS_MAX);
    return true;
}

struct mime *mime_create(const struct address *from, const char *from_name, const char *reply_to,
                         struct error *err)
{
    g_mime_init();
    struct mime *mime = calloc(1, sizeof(*mime));
    if (!mime) {
        error_set(err, ERR_TEMPORARY, "mime: no memory");
        return NULL;
    }
    memcpy(mime->domain, from->text + from->domain_at, strlen(from->text + from->domain_at) + 1);
    buffer_init(&mime->head, FIXED_HEADERS_MAX);
    if (!put_fixed(mime, from, from_name, reply_to, err)) {
        mime_destroy(mime);
        return NULL;
    }
    return mime;
}

void mime_destroy(struct mime *mime)
{
    if (!mime)
        return;
    buffer_finish(&mime->head);
    free(mime);
}

// The id is ours, but it becomes syntax: only letters, digits and hyphens.
static bool is_token(const char *id)
{
    size_t size = strspn(id, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-");
    return size > 0 && size <= 40 && id[size] == '\0';
}

// A subject too long is cut, not refused: Kratos' own may be anything.
static bool put_subject(struct buffer *out, const char *subject, struct error *err)
{
    char shortened[SUBJECT_MAX + 1];
    size_t size = character_end(subject, SUBJECT_MAX);
    memcpy(shortened, subject, size);
    shortened[size] = '\0';
    return put_header(out, "Subject", shortened, err);
}

bool mime_write(const struct mime *mime, const struct mime_mail *mail, struct buffer *out,
                struct error *err)
{
    if (!is_token(mail->id))
        return error_set(err, ERR_INPUT, "mail: the id is no token");
    // "=_" can be in no line of quoted-printable or base64 (RFC 2045 §6.7).
    char boundary[64], message_id[ADDRESS_SIZE + 64];
    snprintf(boundary, sizeof(boundary), "=_%s", mail->id);
    snprintf(message_id, sizeof(message_id), "<%s@%s>", mail->id, mime->domain);

    // No encoding is shorter than the text: growing up to there step by step would copy and
    // wipe it several times over.
    buffer_reserve(out, strlen(mail->text) + strlen(mail->html));
    buffer_append(out, mime->head.data, mime->head.size);
    if (!put_verbatim(out, "To", mail->to, err) || !put_subject(out, mail->subject, err) ||
        !put_date(out, mail->wall_ms, err) || !put_verbatim(out, "Message-ID", message_id, err) ||
        !put_verbatim(out, "Content-Language", mail->locale, err))
        return false;
    buffer_printf(out, "Content-Type: multipart/alternative;\r\n boundary=\"%s\"\r\n\r\n",
                  boundary);
    if (!put_part(out, "text/plain", boundary, mail->text, err) ||
        !put_part(out, "text/html", boundary, mail->html, err))
        return false;
    buffer_printf(out, "--%s--\r\n", boundary);
    if (out->failed)
        return error_set(err, ERR_INPUT, "mail: over %zu bytes", out->limit_bytes);
    return true;
}
