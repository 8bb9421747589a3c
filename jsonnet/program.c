#include "jsonnet/program.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "jsonnet/std_additions.h"

#define SIZE_MAX_BYTES (64 * 1024 * 1024)

#define STD_BEFORE "local std_of_libjsonnet = std;\nlocal std = std_of_libjsonnet + (\n"
#define STD_BEHIND "\n);\n"

// A text is the body of a function that is called for each payload, so that what it works out
// outside of its own function is worked out anew: were `local to = at('to')` kept from payload to
// payload, one person's code would go to another.
// It stands on lines of its own, so that only line numbers shift.
#define BEFORE_TEXT "local normaliser_%zu() = (\n"
#define BEFORE_TEXT_BREAKS 1
#define BEHIND_TEXT                                                                                \
    "\n);\n"                                                                                       \
    "assert std.native('%s')(%zu) && (std.isFunction(normaliser_%zu()) ||\n"                       \
    "std.native('%s')(%zu, std.toString(normaliser_%zu()))) : 'the normaliser is no function';\n"
#define BEHIND_TEXT_BREAKS 4

// The tail call keeps the stack flat. payload() is evaluated only if the function looks at its
// argument. std.toString of a string would give the bare string, hence the array around it.
static const char loop[] =
    "local loop(emitted) =\n"
    "  if next() then loop(emit(std.toString([normalisers[turn()]()(payload())]))) tailstrict\n"
    "  else null;\n"
    "loop(null)\n";

static int count_breaks(const char *text)
{
    int breaks = 0;
    for (const char *at = text; (at = strchr(at, '\n')); at++)
        breaks++;
    return breaks;
}

bool program_init(struct program *program, const struct normaliser_source *sources, size_t count,
                  struct error *err)
{
    *program = (struct program){.parts = calloc(count, sizeof(*program->parts))};
    buffer_init(&program->text, SIZE_MAX_BYTES);
    if (!program->parts)
        return error_set(err, ERR_TEMPORARY, "no memory for the normalisers");
    if (getrandom(program->secret, sizeof(program->secret), 0) != sizeof(program->secret))
        return error_errno(err, ERR_IO, "getrandom");
    buffer_puts(&program->text, STD_BEFORE);
    buffer_puts(&program->text, std_additions);
    buffer_puts(&program->text, STD_BEHIND);
    int lines = program->text.failed ? 0 : count_breaks(program->text.data); // whole ones
    char begin[PROGRAM_NATIVE_SIZE], native[PROGRAM_NATIVE_SIZE];
    program_native(program, "begin", begin);
    program_native(program, "table", native);
    for (size_t i = 0; i < count; i++) {
        if (strlen(sources[i].text) > NORMALISER_SIZE_MAX)
            return error_set(err, ERR_INPUT, "%s: larger than %d bytes", sources[i].file,
                             NORMALISER_SIZE_MAX);
        struct complaint_part *part = &program->parts[program->part_count++];
        int breaks = count_breaks(sources[i].text);
        *part = (struct complaint_part){sources[i].file, lines + BEFORE_TEXT_BREAKS, breaks + 1};
        buffer_printf(&program->text, BEFORE_TEXT, i);
        buffer_puts(&program->text, sources[i].text);
        buffer_printf(&program->text, BEHIND_TEXT, begin, i, i, native, i, i);
        lines += BEFORE_TEXT_BREAKS + breaks + BEHIND_TEXT_BREAKS;
    }
    buffer_puts(&program->text, "local normalisers = [");
    for (size_t i = 0; i < count; i++)
        buffer_printf(&program->text, "normaliser_%zu,", i);
    buffer_puts(&program->text, "];\n");
    static const char *const natives[] = {"next", "turn", "payload", "emit"};
    for (size_t i = 0; i < sizeof(natives) / sizeof(natives[0]); i++) {
        program_native(program, natives[i], native);
        buffer_printf(&program->text, "local %s = std.native('%s');\n", natives[i], native);
    }
    buffer_puts(&program->text, loop);
    return !program->text.failed || error_set(err, ERR_TEMPORARY, "no memory for the normalisers");
}

void program_native(const struct program *program, const char *name,
                    char ret_native[PROGRAM_NATIVE_SIZE])
{
    snprintf(ret_native, PROGRAM_NATIVE_SIZE, "%s %016" PRIx64 "%016" PRIx64, name,
             program->secret[0], program->secret[1]);
}

void program_finish(struct program *program)
{
    buffer_finish(&program->text);
    free(program->parts);
    *program = (struct program){0};
}
