// complaint.h - libjsonnet's error text, made fit for a log.
//
// A runtime error may quote what it was about (`error 'bad: ' + value`, an unknown key), so for
// a normaliser only the kind of error, one of a fixed list, and the places in its file are kept.
// What is quoted can look like such a place: a number is only taken for one where it is one, and is
// too short for a code.
// What Jsonnet says about a text that does not compile is kept, less the strings it quotes.
#ifndef JSONNET_COMPLAINT_H
#define JSONNET_COMPLAINT_H

#include <stdbool.h>
#include <stddef.h>

#include "relay/base/error.h"

// Where a file's text stands in a program. What stands between one and the next is ours, and
// counts as the end of the former.
struct complaint_part {
    const char *file;
    int lines_before; // in the program
    int lines;
};

struct complaint_source {
    const char *name; // what libjsonnet was told that the program is called
    const char *text; // the program; NULL: only what does not compile is complained about
    const struct complaint_part *parts;
    size_t part_count; // > 0
    size_t at_work;    // the part to blame where no place in any is named; part_count: none is
    bool trusted;      // the operator's own values only: a runtime error's first line is kept
};

// Fills *err (ERR_INPUT) with "FILE:LINE:COLUMN: what" and returns false.
bool complaint_set(struct error *err, const char *text, const struct complaint_source *source);

#endif
