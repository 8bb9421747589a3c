// complaint.h - libjsonnet's error text, made fit for a log.
//
// A runtime error may quote what it was about (`error 'bad: ' + value`, an unknown key), so for
// a normaliser only the kind of error, one of a fixed list, and the places in its file are kept.
// What Jsonnet says about a text that does not compile is kept, less the strings it quotes.
#ifndef JSONNET_COMPLAINT_H
#define JSONNET_COMPLAINT_H

#include <stdbool.h>

#include "relay/base/error.h"

struct complaint_source {
    const char *file;
    int lines_before; // of ours, in front of the file's text
    int lines;        // of the file's text; what is named beyond is ours
    bool trusted;     // the operator's own values only: a runtime error's first line is kept
};

// Fills *err (ERR_INPUT) with "FILE:LINE:COLUMN: what" and returns false.
bool complaint_set(struct error *err, const char *text, const struct complaint_source *source);

#endif
