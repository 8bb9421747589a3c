// table.h - rows of texts in aligned columns, as wide as they need, and no wider than the terminal.
#ifndef RELAY_CLI_TABLE_H
#define RELAY_CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "relay/cli/terminal.h"

#define TABLE_COLUMNS_MAX 10

struct table_column {
    const char *title;
    bool is_number;    // to the right
    size_t may_shrink; // to so many characters, where the terminal is too narrow; 0: not at all
};

// The first rows are kept until it is known how wide the columns are; those behind them go as they
// come, so that a list may be of any length.
struct table;

// columns is borrowed. Of those that may shrink the widest does so first.
struct table *table_create(const struct table_column *columns, size_t column_count);
// A text for each column, copied; control characters in it are not printed. colour: of the column
// that is coloured, which is the one at colour_column.
void table_add(struct table *table, const char *const *texts, size_t colour_column,
               enum terminal_colour colour);
// Prints what is still kept, and frees it. Without a row nothing is printed. NULL is a no-op.
void table_end(struct table *table);

#endif
