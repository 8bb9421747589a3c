// log.h - one event, one line on standard output: JSON for programs, text for people.
//
// An event is a name of design §9 ("accepted", "sent") and fields. No secret may be a field:
// no code, link, key, body or end user's header; a recipient goes in as its keyed hash and
// domain. Strings are escaped, so a server's reply cannot forge a line.
// Any thread may log: a line is written whole. Only main, http_server and dispatcher do.
#ifndef RELAY_BASE_LOG_H
#define RELAY_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

// LOG_AUDIT: who did what. Called info, and written whatever the least level is.
enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR, LOG_AUDIT };
enum log_format { LOG_JSON, LOG_TEXT };

struct log_field {
    const char *name;
    enum { FIELD_STRING, FIELD_INTEGER, FIELD_BOOLEAN } kind;
    const char *string; // FIELD_STRING; NULL leaves the field out
    int64_t integer;
};

#define LOG_STRING(name_, value_)                                                                  \
    (struct log_field)                                                                             \
    {                                                                                              \
        .name = (name_), .kind = FIELD_STRING, .string = (value_)                                  \
    }
#define LOG_INTEGER(name_, value_)                                                                 \
    (struct log_field)                                                                             \
    {                                                                                              \
        .name = (name_), .kind = FIELD_INTEGER, .integer = (value_)                                \
    }
#define LOG_BOOLEAN(name_, value_)                                                                 \
    (struct log_field)                                                                             \
    {                                                                                              \
        .name = (name_), .kind = FIELD_BOOLEAN, .integer = (value_)                                \
    }

void log_setup(enum log_format format, enum log_level least);

// fields ends at the first one without a name. Prefer LOG().
void log_event(enum log_level level, const char *event, const struct log_field *fields);

// What the calling thread logs from now on comes out at log_release(), in as few writes as it can:
// each wakes whoever reads the log. Sooner where a line is a warning or an error, or there is much
// of it. Not to be held while the thread waits: a process that dies takes what is held with it.
void log_hold(void);
void log_release(void);

// LOG(LOG_INFO, "ready", LOG_STRING("state", "ok"), LOG_INTEGER("n", 3));
#define LOG(level, event, ...)                                                                     \
    log_event(level, event, (const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){.name = 0}})

#endif
