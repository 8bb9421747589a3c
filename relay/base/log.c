#include "relay/base/log.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "relay/base/buffer.h"
#include "relay/base/clock.h"

enum {
    LINE_MAX_BYTES = 16 * 1024,
    LINE_USUAL_BYTES = 512,
};

// The only file-level variables of the project, but for what is counted (relay/metrics.c): set
// before threads start, then read. Atomic, since a reload sets them while other threads log.
static _Atomic(enum log_format) log_format = LOG_JSON;
static _Atomic(enum log_level) log_least = LOG_INFO;

// A thread's own. A pipe takes so much at once without another's lines in between.
static _Thread_local struct {
    bool on;
    size_t size;
    char text[PIPE_BUF];
} held;

void log_setup(enum log_format format, enum log_level least)
{
    log_format = format;
    log_least = least;
}

static const char *level_name(enum log_level level)
{
    switch (level) {
    case LOG_DEBUG:
        return "debug";
    case LOG_INFO:
    case LOG_AUDIT:
        return "info";
    case LOG_WARNING:
        return "warning";
    case LOG_ERROR:
        return "error";
    }
    return "error";
}

// Length of the UTF-8 sequence at text, or 0 where it is none (RFC 3629).
static size_t utf8_length(const unsigned char *text)
{
    size_t length = text[0] < 0x80                       ? 1
                    : text[0] >= 0xc2 && text[0] <= 0xdf ? 2
                    : text[0] >= 0xe0 && text[0] <= 0xef ? 3
                    : text[0] >= 0xf0 && text[0] <= 0xf4 ? 4
                                                         : 0;
    for (size_t i = 1; i < length; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    if (length == 3 && ((text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xed && text[1] > 0x9f)))
        return 0;
    if (length == 4 && ((text[0] == 0xf0 && text[1] < 0x90) || (text[0] == 0xf4 && text[1] > 0x8f)))
        return 0;
    return length;
}

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

static void put_json_string(struct buffer *line, const char *text)
{
    buffer_putc(line, '"');
    for (const unsigned char *at = (const unsigned char *)text; *at;) {
        size_t plain = 0;
        while (is_plain(at[plain]))
            plain++;
        buffer_append(line, at, plain);
        at += plain;
        size_t length = *at ? utf8_length(at) : 0;
        if (!*at) {
            break;
        } else if (length == 0) {
            buffer_puts(line, "\\ufffd");
            at++;
        } else if (*at == '"' || *at == '\\') {
            buffer_printf(line, "\\%c", *at++);
        } else if (*at < 0x20 || *at == 0x7f) {
            buffer_printf(line, "\\u%04x", *at++);
        } else {
            buffer_append(line, at, length);
            at += length;
        }
    }
    buffer_putc(line, '"');
}

static void put_value(struct buffer *line, const struct log_field *field)
{
    switch (field->kind) {
    case FIELD_STRING:
        put_json_string(line, field->string);
        break;
    case FIELD_INTEGER:
        buffer_printf(line, "%lld", (long long)field->integer);
        break;
    case FIELD_BOOLEAN:
        buffer_puts(line, field->integer ? "true" : "false");
        break;
    }
}

static void put_name(struct buffer *line, const char *name)
{
    bool is_json = log_format == LOG_JSON;
    buffer_puts(line, is_json ? ",\"" : " ");
    buffer_puts(line, name);
    buffer_puts(line, is_json ? "\":" : "=");
}

// One write a line, or for some whole ones, so lines of several threads never mix. A log that
// cannot be written (closed pipe, full disk) must not stop the mail: there is nobody to tell.
static void write_lines(const char *text, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t written = write(STDOUT_FILENO, text + done, size - done);
        if (written <= 0)
            return;
        done += (size_t)written;
    }
}

static void write_held(void)
{
    write_lines(held.text, held.size);
    held.size = 0;
}

void log_hold(void)
{
    held.on = true;
}

void log_release(void)
{
    write_held();
    held.on = false;
}

static void put_line(enum log_level level, const char *text, size_t size)
{
    if (held.size + size > sizeof(held.text))
        write_held();
    if (!held.on || size > sizeof(held.text)) {
        write_lines(text, size);
        return;
    }
    memcpy(held.text + held.size, text, size);
    held.size += size;
    if (level >= LOG_WARNING)
        write_held();
}

void log_event(enum log_level level, const char *event, const struct log_field *fields)
{
    if (level < log_least)
        return;
    char time[CLOCK_RFC3339_SIZE];
    clock_rfc3339(clock_wall_ms(), time);
    AUTO_BUFFER struct buffer line;
    buffer_init(&line, LINE_MAX_BYTES);
    buffer_reserve(&line, LINE_USUAL_BYTES);
    if (log_format == LOG_JSON)
        buffer_printf(&line, "{\"time\":\"%s\",\"level\":\"%s\",\"event\":\"%s\"", time,
                      level_name(level), event);
    else
        buffer_printf(&line, "%s %-7s %s", time, level_name(level), event);
    for (const struct log_field *field = fields; field->name; field++) {
        if (field->kind == FIELD_STRING && !field->string)
            continue;
        put_name(&line, field->name);
        put_value(&line, field);
    }
    buffer_puts(&line, log_format == LOG_JSON ? "}\n" : "\n");
    if (line.failed) {
        buffer_clear(&line);
        buffer_printf(&line, "{\"time\":\"%s\",\"level\":\"error\",\"event\":\"%s\",", time, event);
        buffer_puts(&line, "\"error\":\"the line was too long\"}\n");
    }
    if (line.size > 0) // else there was no memory for it
        put_line(level, line.data, line.size);
}
