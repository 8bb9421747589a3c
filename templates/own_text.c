#include "templates/own_text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "templates/text_layout.h"

#define TAG_NAME_SIZE 12
#define HREF_SIZE 4097

static const char WHITE[] = " \t\r\n\v\f";

// How many bytes at text are a character that is not seen and turns what is around it, or parts
// what looks like one word; 0 where none stands there.
static size_t hidden_size(const char *text, size_t size)
{
    static const char *const hidden[] = {
        "\u200b", "\u202a", "\u202b", "\u202c", "\u202d", "\u202e",
        "\u2066", "\u2067", "\u2068", "\u2069", "\ufeff",
    };
    for (size_t i = 0; size >= 3 && i < sizeof(hidden) / sizeof(hidden[0]); i++) {
        if (memcmp(text, hidden[i], 3) == 0)
            return 3;
    }
    return 0;
}

bool own_text_is_there(const char *text)
{
    size_t size = text ? strlen(text) : 0;
    for (size_t i = 0; i < size;) {
        size_t unseen = text_layout_control(text + i, size - i);
        if (unseen == 0)
            unseen = hidden_size(text + i, size - i);
        if (unseen == 0 && text[i] != ' ')
            return true;
        i += unseen > 0 ? unseen : 1;
    }
    return false;
}

// ---- plain text -----------------------------------------------------------------------------

// Copies a line without control and hidden characters; a tab becomes a space.
static void clean_line(const char *line, size_t size, struct buffer *out)
{
    buffer_clear(out);
    for (size_t i = 0; i < size;) {
        size_t control = text_layout_control(line + i, size - i);
        if (control == 0)
            control = hidden_size(line + i, size - i);
        if (control == 0)
            buffer_putc(out, line[i++]);
        else if (line[i] == '\t')
            buffer_putc(out, ' ');
        i += control;
    }
    while (out->size > 0 && out->data[out->size - 1] == ' ')
        out->data[--out->size] = '\0';
}

void own_text_subject(const char *subject, struct buffer *out)
{
    struct buffer seen AUTO_BUFFER;
    size_t size = strlen(subject);
    buffer_init(&seen, size + 1);
    for (size_t i = 0; i < size;) {
        size_t hidden = hidden_size(subject + i, size - i);
        if (hidden == 0)
            buffer_putc(&seen, subject[i]);
        i += hidden > 0 ? hidden : 1;
    }
    out->failed |= seen.failed;
    text_layout_subject(seen.data, seen.size, out);
}

json_t *own_text_lines(const char *text)
{
    json_t *lines = json_array();
    bool failed = !lines;
    bool blank = false; // a line that waits for another behind it
    struct buffer line AUTO_BUFFER;
    buffer_init(&line, strlen(text));
    while (*text && !failed) {
        size_t size = strcspn(text, "\r\n");
        clean_line(text, size, &line);
        text += size;
        if (text[0] == '\r' && text[1] == '\n')
            text++;
        if (*text)
            text++;
        if (line.size == 0) {
            blank = json_array_size(lines) > 0;
            continue;
        }
        if (blank)
            failed = json_array_append_new(lines, json_pack("{s:s}", "text", "")) != 0;
        blank = false;
        json_t *entry = json_pack("{s:s%}", "text", line.data, line.size);
        failed |= line.failed || json_array_append_new(lines, entry) != 0;
    }
    if (failed) {
        json_decref(lines);
        return NULL;
    }
    return lines;
}

// ---- HTML -----------------------------------------------------------------------------------

static bool begins_tag(const char *text)
{
    return text[0] == '<' && (isalpha((unsigned char)text[1]) || text[1] == '/' || text[1] == '!');
}

bool own_text_is_document(const char *html)
{
    return strcasestr(html, "<html") || strcasestr(html, "<!doctype");
}

static void put_code_point(struct buffer *out, unsigned long point)
{
    if (point < 0x20 || (point >= 0xd800 && point < 0xe000) || point > 0x10ffff)
        return;
    if (point < 0x80) {
        buffer_putc(out, (char)point);
        return;
    }
    if (point < 0x800) {
        buffer_putc(out, (char)(0xc0 | point >> 6));
    } else {
        if (point < 0x10000) {
            buffer_putc(out, (char)(0xe0 | point >> 12));
        } else {
            buffer_putc(out, (char)(0xf0 | point >> 18));
            buffer_putc(out, (char)(0x80 | (point >> 12 & 0x3f)));
        }
        buffer_putc(out, (char)(0x80 | (point >> 6 & 0x3f)));
    }
    buffer_putc(out, (char)(0x80 | (point & 0x3f)));
}

// Writes the character that the entity at text stands for, and gives the entity's size; 0
// where it is none that we know.
static size_t put_entity(struct buffer *out, const char *text)
{
    static const struct {
        const char *name, *text;
    } entities[] = {{"&amp;", "&"},   {"&lt;", "<"},   {"&gt;", ">"},
                    {"&quot;", "\""}, {"&apos;", "'"}, {"&nbsp;", " "}};
    for (size_t i = 0; i < sizeof(entities) / sizeof(entities[0]); i++) {
        if (strncmp(text, entities[i].name, strlen(entities[i].name)) == 0) {
            buffer_puts(out, entities[i].text);
            return strlen(entities[i].name);
        }
    }
    if (text[1] != '#')
        return 0;
    bool is_hex = text[2] == 'x' || text[2] == 'X';
    const char *digits = text + (is_hex ? 3 : 2);
    char *end;
    unsigned long point = strtoul(digits, &end, is_hex ? 16 : 10);
    if (!isxdigit((unsigned char)*digits) || end == digits || *end != ';')
        return 0;
    put_code_point(out, point);
    return (size_t)(end + 1 - text);
}

struct tag {
    char name[TAG_NAME_SIZE]; // lower case, "/p" where it ends; of a longer one, the beginning
    const char *end;          // behind ">"
    const char *href;         // the value of its attribute, as it is written; or NULL
    size_t href_size;
};

// Passes the value of an attribute that begins at text, which goes to *ret_value without its
// quotes; the result is what is behind. Nothing ends a quoted one but its quote.
static const char *pass_value(const char *text, const char **ret_value, size_t *ret_size)
{
    if (*text == '"' || *text == '\'') {
        const char *end = strchr(text + 1, *text);
        *ret_value = text + 1;
        *ret_size = end ? (size_t)(end - text - 1) : strlen(text + 1);
        return end ? end + 1 : text + strlen(text);
    }
    *ret_value = text;
    *ret_size = strcspn(text, " \t\r\n\f>");
    return text + *ret_size;
}

// Reads the attributes at text as browsers do (HTML Standard, 13.2.5.32-39): a ">" within quotes
// ends no tag, and of two that are called alike the first counts.
static void read_attributes(const char *text, struct tag *ret_tag)
{
    for (;;) {
        text += strspn(text, " \t\r\n\f/");
        if (*text == '\0' || *text == '>')
            break;
        const char *name = text;
        text += 1 + strcspn(text + 1, " \t\r\n\f/>="); // one that begins with "=" is called so
        bool is_href = text - name == 4 && strncasecmp(name, "href", 4) == 0;
        const char *behind = text + strspn(text, " \t\r\n\f");
        const char *value = "";
        size_t size = 0;
        if (*behind == '=') {
            behind++;
            text = pass_value(behind + strspn(behind, " \t\r\n\f"), &value, &size);
        }
        if (is_href && !ret_tag->href) {
            ret_tag->href = value;
            ret_tag->href_size = size;
        }
    }
    ret_tag->end = *text == '>' ? text + 1 : text;
}

static struct tag read_tag(const char *text)
{
    struct tag tag = {0};
    if (text[1] == '!') {
        bool is_comment = strncmp(text, "<!--", 4) == 0;
        const char *end = is_comment ? strstr(text + 2, "-->") : strchr(text, '>');
        tag.end = end ? end + (is_comment ? 3 : 1) : text + strlen(text);
        return tag;
    }
    size_t size = 1 + strcspn(text + 1, " \t\r\n\f>");
    const char *slash = size > 2 ? memchr(text + 2, '/', size - 2) : NULL;
    if (slash)
        size = (size_t)(slash - text);
    for (size_t i = 1; i < size && i < TAG_NAME_SIZE; i++)
        tag.name[i - 1] = (char)tolower((unsigned char)text[i]);
    read_attributes(text + size, &tag);
    return tag;
}

static bool is_one_of(const char *name, const char *const *names)
{
    for (; *names; names++) {
        if (strcmp(name, *names) == 0)
            return true;
    }
    return false;
}

// What begins a line of its own, or ends one.
static const char *const BLOCKS[] = {
    "br",  "p",   "/p",  "div", "/div", "hr",  "h1",  "h2",    "h3",         "h4",
    "h5",  "h6",  "/h1", "/h2", "/h3",  "/h4", "/h5", "/h6",   "ul",         "ol",
    "/ul", "/ol", "li",  "/li", "tr",   "/tr", "pre", "table", "blockquote", NULL};

bool own_text_is_laid_out(const char *html)
{
    if (strcasestr(html, "<script"))
        return false;
    for (const char *at = html; (at = strchr(at, '<'));) {
        if (!begins_tag(at)) {
            at++;
            continue;
        }
        struct tag tag = read_tag(at);
        if (is_one_of(tag.name, BLOCKS))
            return true;
        at = tag.end;
    }
    return false;
}

// The address of a link, entities resolved, without what browsers take out; empty where it has
// none.
static void read_href(const struct tag *tag, struct buffer *ret_href)
{
    buffer_clear(ret_href);
    for (size_t i = 0; i < tag->href_size;) {
        size_t size = tag->href[i] == '&' ? put_entity(ret_href, tag->href + i) : 0;
        if (size == 0 && !strchr(WHITE, tag->href[i]))
            buffer_putc(ret_href, tag->href[i]);
        i += size ? size : 1;
    }
}

// Writes a line break, or a space, unless there is one.
static void put_white(struct buffer *out, char white)
{
    if (out->failed || out->size == 0 || out->data[out->size - 1] == '\n')
        return;
    if (out->data[out->size - 1] == ' ') {
        out->data[out->size - 1] = white;
        return;
    }
    buffer_putc(out, white);
}

void own_text_from_html(const char *html, struct buffer *out)
{
    static const char *const unseen[] = {"style", "script", "head", "title", NULL};
    struct buffer href AUTO_BUFFER;
    buffer_init(&href, HREF_SIZE);
    while (*html && !out->failed) {
        if (begins_tag(html)) {
            struct tag tag = read_tag(html);
            if (is_one_of(tag.name, BLOCKS))
                put_white(out, '\n');
            if (strcmp(tag.name, "p") == 0 && out->size > 0)
                buffer_putc(out, '\n');
            if (strcmp(tag.name, "a") == 0)
                read_href(&tag, &href);
            if (strcmp(tag.name, "/a") == 0 && href.size > 0 && !href.failed) {
                buffer_printf(out, " %s ", href.data);
                buffer_clear(&href);
            }
            html = tag.end;
            if (is_one_of(tag.name, unseen)) {
                char close[TAG_NAME_SIZE + 2] = "</";
                memcpy(close + 2, tag.name, strlen(tag.name));
                const char *end = strcasestr(html, close);
                html = end ? end : html + strlen(html);
            }
            continue;
        }
        size_t size = *html == '&' ? put_entity(out, html) : 0;
        if (size == 0 && strchr(WHITE, *html))
            put_white(out, ' ');
        else if (size == 0)
            buffer_putc(out, *html);
        html += size ? size : 1;
    }
}
