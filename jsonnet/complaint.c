#include "jsonnet/complaint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATIC_HEAD "STATIC ERROR: "
#define RUNTIME_HEAD "RUNTIME ERROR: "
#define PLACES_MAX 3
#define LINES_MAX 1000000
#define TRACE_SIZE_MAX 8192 // 20 lines; the message before them can be as long as a payload

struct place {
    int line, column;
};

static bool read_character(const char **text, char c)
{
    if (**text != c)
        return false;
    (*text)++;
    return true;
}

// "LINE:COLUMN"
static bool read_position(const char **text, struct place *ret_place)
{
    char *end;
    long line = strtol(*text, &end, 10);
    if (end == *text || *end != ':' || line < 0 || line > LINES_MAX)
        return false;
    const char *column_text = end + 1;
    long column = strtol(column_text, &end, 10);
    if (end == column_text || column < 0 || column > LINES_MAX)
        return false;
    *ret_place = (struct place){(int)line, (int)column};
    *text = end;
    return true;
}

// Reads the place behind "FILE:" ("3:5", "3:5-20" or "(3:5)-(4:2)") and steps *text over it.
static bool read_place(const char **text, const struct complaint_source *source,
                       struct place *ret_place)
{
    size_t file_size = strlen(source->file);
    if (strncmp(*text, source->file, file_size) != 0 || (*text)[file_size] != ':')
        return false;
    const char *at = *text + file_size + 1;
    struct place place;
    read_character(&at, '(');
    if (!read_position(&at, &place))
        return false;
    at += strspn(at, "0123456789:()-"); // where it ends
    place.line -= source->lines_before;
    *ret_place = place;
    *text = at;
    return true;
}

static const char *runtime_kind(const char *message)
{
    static const struct {
        const char *head, *kind;
    } kinds[] = {
        {"field does not exist", "field does not exist"},
        {"max stack frames exceeded", "max stack frames exceeded"},
        {"binary operator", "binary operator on values of the wrong types"},
        {"unary operator", "unary operator on a value of the wrong type"},
        {"only functions can be called", "only functions can be called"},
        {"too many args", "too many arguments"},
        {"function parameter", "argument missing"},
        {"Builtin function", "standard function called with values of the wrong types"},
        {"length operates on", "std.length of a value of the wrong type"},
        {"condition must be boolean", "condition must be boolean"},
        {"string index must be", "string index must be a number"},
        {"object index must be", "object index must be a string"},
        {"attempted index", "array index must be a number"},
        {"array bounds error", "array index out of bounds"},
        {"duplicate field name", "duplicate field name"},
        {"Object assertion failed", "object assertion failed"},
        {"couldn't open import", "imports are not allowed here"},
        {"couldn't manifest function", "the result holds a function"},
        {"undefined external variable", "there are no external variables"},
        {"division by zero", "division by zero"},
        {"overflow", "number overflow"},
        {"[json.exception", "std.parseJson of what is no JSON"},
        {"the normaliser's result", "the result cannot be written as JSON"},
        {"the normaliser is no function", "a normaliser must be a function of the payload"},
        {"paths must be a string", "paths must be a string"},
    };
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strncmp(message, kinds[i].head, strlen(kinds[i].head)) == 0)
            return kinds[i].kind;
    return "an error was raised, or an assertion failed";
}

// The trace has a line for each place, the innermost first: "\tFILE:3:5-20\tfunction <f>".
static size_t read_trace(const char *text, const struct complaint_source *source,
                         struct place ret_places[PLACES_MAX])
{
    size_t size = strlen(text);
    if (size > TRACE_SIZE_MAX)
        text += size - TRACE_SIZE_MAX;
    size_t count = 0;
    for (const char *at = strstr(text, "\n\t"); at && count < PLACES_MAX; at = strstr(at, "\n\t")) {
        at += 2;
        struct place *place = &ret_places[count];
        if (read_place(&at, source, place) && place->line >= 1 && place->line <= source->lines)
            count++;
    }
    return count;
}

static bool set_runtime(struct error *err, const char *message,
                        const struct complaint_source *source)
{
    char words[200];
    if (source->trusted)
        snprintf(words, sizeof(words), "%.*s", (int)strcspn(message, "\n"), message);
    else
        snprintf(words, sizeof(words), "%s", runtime_kind(message));

    struct place places[PLACES_MAX];
    size_t count = read_trace(message, source, places);
    if (count == 0)
        return error_set(err, ERR_INPUT, "%s: %s", source->file, words);
    char callers[80] = "";
    for (size_t i = 1; i < count; i++) {
        size_t used = strlen(callers);
        snprintf(callers + used, sizeof(callers) - used, "%s%d:%d", i == 1 ? " (from " : ", ",
                 places[i].line, places[i].column);
    }
    return error_set(err, ERR_INPUT, "%s:%d:%d: %s%s%s", source->file, places[0].line,
                     places[0].column, words, callers, count > 1 ? ")" : "");
}

// A string that stands where none may stand could be a password behind a forgotten comma.
static void hide_strings(char *words)
{
    static const char *const kinds[] = {"(STRING_", "(VERBATIM_"};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        char *token = strstr(words, kinds[i]);
        if (token)
            memcpy(token, "a string", sizeof("a string")); // shorter than any such token
    }
}

static bool set_static(struct error *err, const char *message,
                       const struct complaint_source *source)
{
    struct place place = {0};
    bool found = read_place(&message, source, &place);
    if (found)
        message += strspn(message, " ");
    char words[300];
    snprintf(words, sizeof(words), "%.*s", (int)strcspn(message, "\n"), message);
    hide_strings(words);

    if (!found)
        return error_set(err, ERR_INPUT, "%s", words);
    if (place.line < 1 || place.line > source->lines)
        return error_set(err, ERR_INPUT, "%s: at the end of the file: %s", source->file, words);
    return error_set(err, ERR_INPUT, "%s:%d:%d: %s", source->file, place.line, place.column, words);
}

bool complaint_set(struct error *err, const char *text, const struct complaint_source *source)
{
    if (strncmp(text, STATIC_HEAD, strlen(STATIC_HEAD)) == 0)
        return set_static(err, text + strlen(STATIC_HEAD), source);
    if (strncmp(text, RUNTIME_HEAD, strlen(RUNTIME_HEAD)) == 0)
        return set_runtime(err, text + strlen(RUNTIME_HEAD), source);
    return error_set(err, ERR_INPUT, "%s: Jsonnet failed", source->file);
}
