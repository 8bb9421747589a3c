#include "relay/http/traceparent.h"

#include <string.h>

enum { VERSION = 2, TRACE_ID = TRACE_ID_SIZE - 1, PARENT_ID = 16, FLAGS = 2 };

// So many digits, lower case only (§3.2.2).
static bool take_digits(const char **at, size_t count)
{
    if (strspn(*at, "0123456789abcdef") < count)
        return false;
    *at += count;
    return true;
}

static bool are_zeros(const char *digits, size_t count)
{
    return strspn(digits, "0") >= count;
}

bool traceparent_parse(const char *value, char ret_trace_id[TRACE_ID_SIZE])
{
    const char *at = value, *version = value;
    if (!take_digits(&at, VERSION) || *at++ != '-')
        return false;
    const char *trace_id = at;
    if (!take_digits(&at, TRACE_ID) || *at++ != '-')
        return false;
    const char *parent_id = at;
    if (!take_digits(&at, PARENT_ID) || *at++ != '-' || !take_digits(&at, FLAGS))
        return false;
    // A later version may have more behind it; 00 has not, and ff is none (§3.2.2, §3.2.4).
    bool is_first = strncmp(version, "00", VERSION) == 0;
    if (strncmp(version, "ff", VERSION) == 0 || (*at && (is_first || *at != '-')))
        return false;
    if (are_zeros(trace_id, TRACE_ID) || are_zeros(parent_id, PARENT_ID))
        return false;
    memcpy(ret_trace_id, trace_id, TRACE_ID);
    ret_trace_id[TRACE_ID] = '\0';
    return true;
}
