#include "relay/cli/terminal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

bool terminal_has_colour(void)
{
    const char *no_colour = getenv("NO_COLOR"), *kind = getenv("TERM");
    return isatty(STDOUT_FILENO) && !(no_colour && *no_colour) && kind && *kind &&
           strcmp(kind, "dumb") != 0;
}

const char *terminal_begin(enum terminal_colour colour, bool has_colour)
{
    static const char *const codes[] = {
        [TERMINAL_PLAIN] = "",         [TERMINAL_RED] = "\033[31m", [TERMINAL_YELLOW] = "\033[33m",
        [TERMINAL_GREEN] = "\033[32m", [TERMINAL_DIM] = "\033[2m",
    };
    return has_colour ? codes[colour] : "";
}

const char *terminal_end(enum terminal_colour colour, bool has_colour)
{
    return has_colour && colour != TERMINAL_PLAIN ? "\033[0m" : "";
}

size_t terminal_width(void)
{
    struct winsize size;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}
