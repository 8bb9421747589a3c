#include "relay/composer/mime.h"

#include <gmime/gmime.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/utf8.h"
#include "relay/composer/head.h"

#define LINE_COLUMNS 76  // RFC 2045 §6.7
#define SUBJECT_MAX 1000 // bytes; more than any client shows
#define FIXED_HEADERS_MAX 16384
#define ID_MAX 40

struct mime {
    char domain[ADDRESS_SIZE]; // of Message-IDs
    struct buffer head;        // From, Reply-To and what else never changes
};

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

static bool put_fixed(struct mime *mime, const struct mime_sender *sender, struct error *err)
{
    struct buffer *head = &mime->head;
    const struct mailbox *from = &sender->from, *reply_to = &sender->reply_to;
    if (!head_put_mailbox(head, "From", from->name, from->address.text, err))
        return false;
    if (reply_to->address.text[0] &&
        !head_put_mailbox(head, "Reply-To", reply_to->name, reply_to->address.text, err))
        return false;
    // RFC 3834: an automatic message; the second is what Exchange looks at.
    buffer_puts(head, "MIME-Version: 1.0\r\n"
                      "Auto-Submitted: auto-generated\r\n"
                      "X-Auto-Response-Suppress: All\r\n");
    if (head->failed)
        return error_set(err, ERR_INPUT, "mail headers: over %d bytes", FIXED_HEADERS_MAX);
    return true;
}

struct mime *mime_create(const struct mime_sender *sender, struct error *err)
{
    g_mime_init();
    struct mime *mime = calloc(1, sizeof(*mime));
    if (!mime) {
        error_set(err, ERR_TEMPORARY, "mime: no memory");
        return NULL;
    }
    const struct address *from = &sender->from.address;
    memcpy(mime->domain, from->text + from->domain_at, strlen(from->text + from->domain_at) + 1);
    buffer_init(&mime->head, FIXED_HEADERS_MAX);
    if (!put_fixed(mime, sender, err)) {
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
    return size > 0 && size <= ID_MAX && id[size] == '\0';
}

// A subject too long is cut, not refused: Kratos' own may be anything.
static bool put_subject(struct buffer *out, const char *subject, struct error *err)
{
    char shortened[SUBJECT_MAX + 1];
    size_t size = strnlen(subject, SUBJECT_MAX + 1);
    if (size > SUBJECT_MAX)
        for (size = SUBJECT_MAX; size > 0 && utf8_continues(subject[size]);)
            size--;
    memcpy(shortened, subject, size);
    shortened[size] = '\0';
    return head_put_text(out, "Subject", shortened, err);
}

// What differs from mail to mail, and then the operator's own.
static bool put_head(const struct mime *mime, const struct mime_mail *mail, struct buffer *out,
                     struct error *err)
{
    char message_id[ID_MAX + ADDRESS_SIZE + 4];
    snprintf(message_id, sizeof(message_id), "<%s@%s>", mail->id, mime->domain);
    buffer_append(out, mime->head.data, mime->head.size);
    if (!head_put_mailbox(out, "To", "", mail->to, err) || !put_subject(out, mail->subject, err) ||
        !head_put_date(out, "Date", mail->wall_ms, err) ||
        !head_put_verbatim(out, "Message-ID", message_id, err) ||
        !head_put_verbatim(out, "Content-Language", mail->language, err) ||
        // Gmail puts mails of the same subject into one thread, but for those that differ in this.
        !head_put_verbatim(out, "X-Entity-Ref-ID", mail->id, err))
        return false;
    // draft-ietf-mailmaint-expires: from then on a mail program may put it out of sight.
    return (mail->expires_wall_ms <= 0 ||
            head_put_date(out, "Expires", mail->expires_wall_ms, err)) &&
           headers_put(mail->headers, &mail->values, out, err);
}

bool mime_write(const struct mime *mime, const struct mime_mail *mail, struct buffer *out,
                struct error *err)
{
    if (!is_token(mail->id))
        return error_set(err, ERR_INPUT, "mail: the id is no token");
    // No encoding is shorter than the text: growing up to there step by step would copy and
    // wipe it several times over.
    buffer_reserve(out, strlen(mail->text) + strlen(mail->html));
    if (!put_head(mime, mail, out, err))
        return false;
    // "=_" can be in no line of quoted-printable or base64 (RFC 2045 §6.7).
    char boundary[ID_MAX + 4];
    snprintf(boundary, sizeof(boundary), "=_%s", mail->id);
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
