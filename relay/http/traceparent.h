// traceparent.h - pure: which trace a request belongs to (W3C Trace Context, level 1).
#ifndef RELAY_HTTP_TRACEPARENT_H
#define RELAY_HTTP_TRACEPARENT_H

#include <stdbool.h>

#define TRACE_ID_SIZE 33 // 32 hexadecimal digits, with its NUL

// Takes the trace's id out of a header's value. False where it is none, or of a version that must
// not be: who sends it has no trace then, and is served all the same.
bool traceparent_parse(const char *value, char ret_trace_id[TRACE_ID_SIZE]);

#endif
