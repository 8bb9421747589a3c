#include "relay/deliverer/job.h"

#include <stdlib.h>
#include <string.h>

#include "relay/base/cleanup.h"

enum { ADDRESS_MAX = 320, LINE_MAX_BYTES = 998 };

void job_destroy(struct job *job)
{
    if (!job)
        return;
    if (job->body)
        explicit_bzero(job->body, job->body_size);
    free(job->body);
    wipe_free(job->mask);
    free(job->sender);
    free(job->recipient);
    free(job);
}

// UTF-8 passes: whether the smarthost takes it is another matter.
static bool address_is_safe(const char *address)
{
    size_t size = strlen(address);
    const char *at = strrchr(address, '@');
    if (size > ADDRESS_MAX || !at || at == address || at[1] == '\0')
        return false;
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)address[i];
        if (c <= ' ' || c == 0x7f || c == '<' || c == '>')
            return false;
    }
    return true;
}

static const char *body_fault(const char *body, size_t size)
{
    // libesmtp cannot do without the empty line between header and body.
    if (size < 4 || memcmp(body + size - 2, "\r\n", 2) != 0)
        return "the message does not end with CRLF";
    if (!memmem(body, size, "\r\n\r\n", 4))
        return "the message has no empty line behind its header";
    if (memchr(body, '\0', size))
        return "the message has a NUL";
    // There is a CR in what is left, and a byte behind it, since the whole ends with CRLF.
    for (const char *line = body, *end = body + size; line < end;) {
        const char *cr = memchr(line, '\r', (size_t)(end - line));
        size_t length = (size_t)(cr - line);
        if (cr[1] != '\n' || memchr(line, '\n', length))
            return "the message has a bare CR or LF";
        if (length > LINE_MAX_BYTES)
            return "the message has a line over 998 bytes";
        line = cr + 2;
    }
    return NULL;
}

const char *job_fault(const struct job *job, bool *ret_body)
{
    *ret_body = false;
    // The null reverse-path is a valid sender, but not one of ours.
    if (!address_is_safe(job->sender))
        return "the sender's address is not fit for SMTP";
    if (!address_is_safe(job->recipient))
        return "the recipient's address is not fit for SMTP";
    *ret_body = true;
    return body_fault(job->body, job->body_size);
}
