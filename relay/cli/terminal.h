// terminal.h - what the terminal that a command prints to can show, if it is one.
#ifndef RELAY_CLI_TERMINAL_H
#define RELAY_CLI_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

enum terminal_colour {
    TERMINAL_PLAIN,
    TERMINAL_RED,
    TERMINAL_YELLOW,
    TERMINAL_GREEN,
    TERMINAL_DIM
};

// Whether standard output takes colours: a terminal that is not dumb, and no NO_COLOR
// (no-color.org).
bool terminal_has_colour(void);

// What begins and ends a text in that colour; both are empty where has_colour is false, or for
// TERMINAL_PLAIN.
const char *terminal_begin(enum terminal_colour colour, bool has_colour);
const char *terminal_end(enum terminal_colour colour, bool has_colour);

// Of standard output, in columns; 0: it is no terminal, so lines are as long as they are.
size_t terminal_width(void);

#endif
