#include "jsonnet/complaint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATIC_HEAD "STATIC ERROR: "
#define RUNTIME_HEAD "RUNTIME ERROR: "
#define PLACES_MAX 3
#define LINES_MAX 1000000
#define TRACED_MAX 99999    // a line or column of more digits could be somebody's code
#define TRACE_SIZE_MAX 8192 // 20 lines; the message before them can be as long as a payload

struct place {
    const struct complaint_part *part; // NULL: in front of all of them
    int line, column;                  // of the part's text; line 0: behind it, but not in the next
};

static bool read_character(const char **text, char c)
{
    if (**text != c)
        return false;
    (*text)++;
    return true;
}

// "LINE:COLUMN", of the program
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
    *ret_place = (struct place){.line = (int)line, .column = (int)column};
    *text = end;
    return true;
}

static struct place place_in_part(struct place place, const struct complaint_source *source)
{
    struct place found = {.column = place.column};
    for (size_t i = 0; i < source->part_count; i++) {
        const struct complaint_part *part = &source->parts[i];
        if (place.line <= part->lines_before)
            break;
        int line = place.line - part->lines_before;
        found.part = part;
        found.line = line <= part->lines ? line : 0;
    }
    return found;
}

// Reads the place behind "NAME:" ("3:5", "3:5-20" or "(3:5)-(4:2)"), which is one of the program,
// and steps *text over it.
static bool read_place(const char **text, const struct complaint_source *source,
                       struct place *ret_place)
{
    size_t name_size = strlen(source->name);
    if (strncmp(*text, source->name, name_size) != 0 || (*text)[name_size] != ':')
        return false;
    const char *at = *text + name_size + 1;
    struct place place;
    read_character(&at, '(');
    if (!read_position(&at, &place))
        return false;
    at += strspn(at, "0123456789:()-"); // where it ends
    *ret_place = place;
    *text = at;
    return true;
}

static bool is_in_text(const struct place *place, const char *text)
{
    for (int line = 1; line < place->line; line++) {
        text = strchr(text, '\n');
        if (!text)
            return false;
        text++;
    }
    // The end of a line counts as a column of it.
    return place->line > 0 && place->column > 0 && (size_t)place->column <= strcspn(text, "\n") + 1;
}

// Reads what stands between the tabs of a line of the trace.
static bool read_traced(const char *text, const struct complaint_source *source,
                        struct place *ret_place)
{
    const char *at = text;
    struct place place;
    if (!read_place(&at, source, &place) || *at != '\t')
        return false;
    char words[32]; // as libjsonnet writes it, and not "000123"
    size_t skip = strlen(source->name) + 1;
    int size = snprintf(words, sizeof(words), "%d:%d", place.line, place.column);
    skip += text[skip] == '(';
    if (place.line > TRACED_MAX || place.column > TRACED_MAX || !source->text ||
        !is_in_text(&place, source->text) || strncmp(text + skip, words, (size_t)size) != 0)
        return false;
    *ret_place = place_in_part(place, source);
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
        {"the result is too large", "the result is larger than 2 MiB"},
        {"the normaliser is no function",
         "a normaliser must be a function of the payload, or a table"},
        {"the normaliser's table", "a table that is at fault"},
        {"paths must be a string", "paths must be a string"},
        {"native extensions can only take", "a native takes no arrays, objects and functions"},
        {"Comparison requires matching types", "comparison of values of different types"},
        {"not a number", "not a number"},
        {"std: wrong type", "standard function called with values of the wrong types"},
        {"std: empty array", "standard function called with an empty array"},
        {"std: no integer", "standard function called with a number that is no integer"},
        {"std: out of range", "standard function called with a value out of range"},
        {"std: too large", "standard function called with too large a text"},
        {"std: sha3", "std.sha3 is not to be had here"},
    };
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strncmp(message, kinds[i].head, strlen(kinds[i].head)) == 0)
            return kinds[i].kind;
    return "an error was raised, or an assertion failed";
}

// The trace has a line for each place, the innermost first: "\tNAME:3:5-20\tfunction <f>". Gives
// those in the files' texts; *ret_ours is the part that the innermost of ours stands behind.
static size_t read_trace(const char *text, const struct complaint_source *source,
                         struct place ret_places[PLACES_MAX],
                         const struct complaint_part **ret_ours)
{
    size_t size = strlen(text);
    if (size > TRACE_SIZE_MAX)
        text += size - TRACE_SIZE_MAX;
    size_t count = 0;
    *ret_ours = NULL;
    for (const char *at = strstr(text, "\n\t"); at && count < PLACES_MAX; at = strstr(at, "\n\t")) {
        at += 2;
        struct place *place = &ret_places[count];
        if (!read_traced(at, source, place) || !place->part)
            continue;
        if (place->line > 0)
            count++;
        else if (!*ret_ours)
            *ret_ours = place->part;
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
    const struct complaint_part *ours;
    size_t count = read_trace(message, source, places, &ours);
    if (count == 0 && source->at_work < source->part_count)
        ours = &source->parts[source->at_work];
    if (count == 0)
        return error_set(err, ERR_INPUT, "%s: %s", ours ? ours->file : source->name, words);
    char callers[80] = "";
    for (size_t i = 1; i < count; i++) {
        size_t used = strlen(callers);
        snprintf(callers + used, sizeof(callers) - used, "%s%d:%d", i == 1 ? " (from " : ", ",
                 places[i].line, places[i].column);
    }
    return error_set(err, ERR_INPUT, "%s:%d:%d: %s%s%s", places[0].part->file, places[0].line,
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
    if (found) {
        place = place_in_part(place, source);
        message += strspn(message, " ");
    }
    char words[300];
    snprintf(words, sizeof(words), "%.*s", (int)strcspn(message, "\n"), message);
    hide_strings(words);

    if (!found || !place.part)
        return error_set(err, ERR_INPUT, "%s", words);
    const char *file = place.part->file;
    if (place.line == 0)
        return error_set(err, ERR_INPUT, "%s: at the end of the file: %s", file, words);
    return error_set(err, ERR_INPUT, "%s:%d:%d: %s", file, place.line, place.column, words);
}

bool complaint_set(struct error *err, const char *text, const struct complaint_source *source)
{
    if (strncmp(text, STATIC_HEAD, strlen(STATIC_HEAD)) == 0)
        return set_static(err, text + strlen(STATIC_HEAD), source);
    if (strncmp(text, RUNTIME_HEAD, strlen(RUNTIME_HEAD)) == 0)
        return set_runtime(err, text + strlen(RUNTIME_HEAD), source);
    return error_set(err, ERR_INPUT, "%s: Jsonnet failed", source->name);
}
