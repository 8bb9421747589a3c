#include "templates/own_text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "templates/text_layout.h"

#define TAG_NAME_SIZE 12
#define HREF_SIZE 4097

static const char WHITE[] = " \t\r\n\v\f";

bool own_text_is_there(const char *text)
{
    size_t size = text ? strlen(text) : 0;
    for (size_t i = 0; i < size;) {
        size_t control = text_layout_control(text + i, size - i);
        if (control == 0 && text[i] != ' ')
            return true;
        i += control > 0 ? control : 1;
    }
    return false;
}

// ---- plain text -----------------------------------------------------------------------------

// Copies a line without control characters; a tab becomes a space.
static void clean_line(const char *line, size_t size, struct buffer *out)
{
    buffer_clear(out);
    for (size_t i = 0; i < size;) {
        size_t control = text_layout_control(line + i, size - i);
        if (control == 0)
            buffer_putc(out, line[i++]);
        else if (line[i] == '\t')
            buffer_putc(out, ' ');
        i += control;
    }
    while (out->size > 0 && out->data[out->size - 1] == ' ')
        out->data[--out->size] = '\0';
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
    char name[TAG_NAME_SIZE]; // lower case, "/p" where it ends
    const char *end;          // behind ">"
};

static struct tag read_tag(const char *text)
{
    struct tag tag = {0};
    const char *end = strchr(text, '>');
    if (strncmp(text, "<!--", 4) == 0) {
        const char *close = strstr(text, "-->");
        end = close ? close + 2 : NULL;
    }
    tag.end = end ? end + 1 : text + strlen(text);
    for (size_t i = 0; i < TAG_NAME_SIZE - 1; i++) {
        unsigned char c = (unsigned char)text[1 + i];
        if (!isalnum(c) && !(c == '/' && i == 0))
            break;
        tag.name[i] = (char)tolower(c);
    }
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

// The address of <a href="...">, entities resolved; empty where it has none.
static void read_href(const char *tag, const char *end, struct buffer *ret_href)
{
    buffer_clear(ret_href);
    const char *href = tag;
    while (href + 6 < end && strncasecmp(href, "href=", 5) != 0)
        href++;
    if (href + 6 >= end || (href[5] != '"' && href[5] != '\''))
        return;
    for (const char *at = href + 6; at < end && *at != href[5];) {
        size_t size = *at == '&' ? put_entity(ret_href, at) : 0;
        if (size == 0)
            buffer_putc(ret_href, *at);
        at += size ? size : 1;
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
                read_href(html, tag.end, &href);
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
