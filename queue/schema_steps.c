// schema_steps.c - the steps of SCHEMA, one file each in queue/schema, as text within the program.
#include "queue/schema.h"

#define EMBED(name, file)                                                                          \
    __asm__(".pushsection .rodata\n"                                                               \
            ".globl " name "\n" name ":\n"                                                         \
            ".incbin \"queue/schema/" file "\"\n"                                                  \
            ".byte 0\n"                                                                            \
            ".popsection\n")

EMBED("schema_0001_first", "0001_first.sql");
EMBED("schema_0002_attempt_connection", "0002_attempt_connection.sql");
EMBED("schema_0003_message_origin", "0003_message_origin.sql");
extern const char schema_0001_first[], schema_0002_attempt_connection[],
    schema_0003_message_origin[];

static const struct schema_step STEPS[] = {
    {"0001_first", schema_0001_first},
    {"0002_attempt_connection", schema_0002_attempt_connection},
    {"0003_message_origin", schema_0003_message_origin},
};

const struct schema SCHEMA = {.steps = STEPS, .count = sizeof(STEPS) / sizeof(STEPS[0])};
