#include "relay/cli/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/utf8.h"
#include "relay/cli/cli.h"

enum { KEPT_MAX = 200, GAP = 2 };

struct row {
    char *texts[TABLE_COLUMNS_MAX];
    size_t colour_column;
    enum terminal_colour colour;
};

struct table {
    const struct table_column *columns;
    size_t column_count;
    size_t widths[TABLE_COLUMNS_MAX];
    bool has_colour;
    bool is_laid_out;
    struct row kept[KEPT_MAX];
    size_t kept_count;
};

// In characters. One that takes two columns of a terminal counts as one.
static size_t width_of(const char *text)
{
    size_t width = 0;
    uint32_t point;
    for (; *text; width++)
        text += utf8_decode(text, strlen(text), &point);
    return width;
}

struct table *table_create(const struct table_column *columns, size_t column_count)
{
    struct table *table = calloc(1, sizeof(*table));
    if (!table)
        abort();
    table->columns = columns;
    table->column_count = column_count;
    table->has_colour = terminal_has_colour();
    for (size_t i = 0; i < column_count; i++)
        table->widths[i] = width_of(columns[i].title);
    return table;
}

static size_t line_width(const struct table *table)
{
    size_t width = 0;
    for (size_t i = 0; i < table->column_count; i++)
        width += table->widths[i] + (i > 0 ? GAP : 0);
    return width;
}

// NULL: none may shrink further.
static size_t *widest_that_shrinks(struct table *table)
{
    size_t *widest = NULL;
    for (size_t i = 0; i < table->column_count; i++) {
        size_t least = table->columns[i].may_shrink;
        if (least > 0 && table->widths[i] > least && (!widest || table->widths[i] > *widest))
            widest = &table->widths[i];
    }
    return widest;
}

static void lay_out(struct table *table)
{
    for (size_t row = 0; row < table->kept_count; row++)
        for (size_t i = 0; i < table->column_count; i++) {
            size_t width = width_of(table->kept[row].texts[i]);
            if (width > table->widths[i])
                table->widths[i] = width;
        }
    size_t room = terminal_width();
    size_t *widest;
    while (room > 0 && line_width(table) > room && (widest = widest_that_shrinks(table)))
        (*widest)--;
    table->is_laid_out = true;
}

// At most width characters; what is cut off is told by an ellipsis.
static void print_cut(const char *text, size_t width, bool may_cut)
{
    bool is_cut = may_cut && width_of(text) > width;
    for (size_t count = is_cut ? width - 1 : SIZE_MAX; *text && count > 0; count--)
        text += cli_print_character(text);
    if (is_cut)
        fputs("…", stdout);
}

static void pad(size_t count)
{
    while (count-- > 0)
        putchar(' ');
}

static void print_row(const struct table *table, const struct row *row)
{
    for (size_t i = 0; i < table->column_count; i++) {
        const struct table_column *column = &table->columns[i];
        enum terminal_colour colour = i == row->colour_column ? row->colour : TERMINAL_PLAIN;
        size_t width = width_of(row->texts[i]);
        size_t blanks = width < table->widths[i] ? table->widths[i] - width : 0;
        pad((i > 0 ? GAP : 0) + (column->is_number ? blanks : 0));
        fputs(terminal_begin(colour, table->has_colour), stdout);
        print_cut(row->texts[i], table->widths[i], column->may_shrink > 0 && terminal_width() > 0);
        fputs(terminal_end(colour, table->has_colour), stdout);
        if (!column->is_number && i + 1 < table->column_count)
            pad(blanks);
    }
    putchar('\n');
}

static void finish_row(const struct table *table, struct row *row)
{
    for (size_t i = 0; i < table->column_count; i++)
        free(row->texts[i]);
}

static void print_kept(struct table *table)
{
    struct row titles = {.colour = TERMINAL_PLAIN};
    lay_out(table);
    for (size_t i = 0; i < table->column_count; i++)
        titles.texts[i] = strdup(table->columns[i].title);
    print_row(table, &titles);
    finish_row(table, &titles);
    for (size_t i = 0; i < table->kept_count; i++) {
        print_row(table, &table->kept[i]);
        finish_row(table, &table->kept[i]);
    }
    table->kept_count = 0;
}

void table_add(struct table *table, const char *const *texts, size_t colour_column,
               enum terminal_colour colour)
{
    struct row row = {.colour_column = colour_column, .colour = colour};
    for (size_t i = 0; i < table->column_count; i++)
        if (!(row.texts[i] = strdup(texts[i])))
            abort();
    if (!table->is_laid_out) {
        table->kept[table->kept_count++] = row;
        if (table->kept_count == KEPT_MAX)
            print_kept(table);
        return;
    }
    print_row(table, &row);
    finish_row(table, &row);
}

void table_end(struct table *table)
{
    if (!table)
        return;
    if (!table->is_laid_out && table->kept_count > 0)
        print_kept(table);
    free(table);
}
