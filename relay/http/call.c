#include "relay/http/call.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/span.h"

// The library has cut the query at '&' and '=', and made blanks of '+'; it decodes nothing, as
// server.c has told it.
static enum MHD_Result take(void *context, enum MHD_ValueKind kind, const char *name,
                            size_t name_size, const char *value, size_t value_size)
{
    (void)kind;
    struct http_parameters *parameters = context;
    if (name_size == 0 && !value)
        return MHD_YES; // "?" alone, or "&&"
    if (parameters->count == HTTP_PARAMETERS_MAX) {
        parameters->failed = true;
        return MHD_NO;
    }
    struct error err;
    struct http_parameter *to = &parameters->all[parameters->count++];
    to->name = span_decode((struct span){name, name_size}, "name", &err);
    to->value = span_decode((struct span){value ? value : "", value_size}, "value", &err);
    parameters->failed = !to->name || !to->value;
    return parameters->failed ? MHD_NO : MHD_YES;
}

bool http_parameters_are_too_many(const char *target)
{
    size_t most = 1;
    const char *at = strchr(target, '?');
    for (; at && (at = strchr(at + 1, '&')); most++)
        ;
    return most > HTTP_PARAMETERS_MAX;
}

bool http_parameters_read(struct http_parameters *parameters, struct MHD_Connection *connection)
{
    MHD_get_connection_values_n(connection, MHD_GET_ARGUMENT_KIND, take, parameters);
    return !parameters->failed;
}

void http_parameters_finish(struct http_parameters *parameters)
{
    for (size_t i = 0; i < parameters->count; i++) {
        free(parameters->all[i].name);
        free(parameters->all[i].value);
    }
    *parameters = (struct http_parameters){0};
}
