#include "relay/deliverer/amend.h"

#include <string.h>

enum { CODE_SIZE = 3 };

static const char *const hidden[] = {"CHUNKING", "ENHANCEDSTATUSCODES"};
enum { HIDDEN_COUNT = sizeof(hidden) / sizeof(hidden[0]), ALL = (1 << HIDDEN_COUNT) - 1 };

void amend_init(struct amend *amend)
{
    *amend = (struct amend){.matching = ALL};
}

static char upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

// The keyword's last letter is changed, as the one that is surely still in our hands.
static void hide(struct amend *amend, char *at)
{
    size_t index = amend->column - CODE_SIZE - 1;
    char c = upper(*at);
    for (unsigned i = 0; i < HIDDEN_COUNT; i++) {
        size_t length = strlen(hidden[i]);
        if (index >= length || c != hidden[i][index])
            amend->matching &= ~(1U << i);
        else if (index == length - 1 && (amend->matching & (1U << i)))
            *at = 'X';
    }
}

void amend_replies(struct amend *amend, bool offers, char *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (data[i] == '\n') {
            amend_init(amend);
            continue;
        }
        if (amend->column == CODE_SIZE && data[i] == '\r')
            data[i] = ' ';
        else if (offers && amend->column > CODE_SIZE)
            hide(amend, data + i);
        amend->column++;
    }
}
