#include "relay/recipient_name.h"

#include <stdio.h>
#include <string.h>

const char *recipient_name(const struct queue *queue, const char *recipient,
                           char ret_name[RECIPIENT_NAME_SIZE])
{
    const char *at = strrchr(recipient, '@');
    if (!at)
        return NULL;
    uint8_t digest[QUEUE_DIGEST_SIZE];
    queue_digest(queue, "recipient", recipient, strlen(recipient), digest);
    snprintf(ret_name, RECIPIENT_NAME_SIZE, "%02x%02x%02x%02x%s", digest[0], digest[1], digest[2],
             digest[3], at);
    return ret_name;
}
