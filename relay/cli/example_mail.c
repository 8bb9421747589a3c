#include "relay/cli/example_mail.h"

#include <stdio.h>
#include <string.h>

#include "relay/base/clock.h"

#define FLOW "0f3c2b9e-6a51-4c7e-9d0b-2f8a1c4e7d35"
#define HOST_SIZE 256

static const char user_agent[] = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) "
                                 "Gecko/20100101 Firefox/128.0";

// A host that links may have: the first that the brand names, "*." being any.
static void allowed_host(const json_t *brand, char ret_host[HOST_SIZE])
{
    const json_t *hosts = json_object_get(brand, "link_hosts");
    const char *first = json_string_value(json_array_get(hosts, 0));
    if (!first)
        first = "login.example.com";
    if (strncmp(first, "*.", 2) == 0)
        snprintf(ret_host, HOST_SIZE, "login.%s", first + 2);
    else
        snprintf(ret_host, HOST_SIZE, "%s", first);
}

// Whether mails of the type go to people of whom Kratos knows nothing: they have no account.
static bool is_for_strangers(const char *type, const char *need)
{
    static const char ending[] = "_invalid";
    size_t length = type ? strlen(type) : 0, size = sizeof(ending) - 1;
    return strcmp(need, "nothing") == 0 && length >= size &&
           strcmp(type + length - size, ending) == 0;
}

// What the type needs, as Kratos gives it: with a code goes a link where there is one at all.
static json_t *make_data(const char *type, const char *need, const json_t *brand, const char *at)
{
    if (is_for_strangers(type, need))
        return json_object();

    char host[HOST_SIZE], url[HOST_SIZE + 128];
    allowed_host(brand, host);
    snprintf(url, sizeof(url), "https://%s/self-service/verification?flow=%s&code=482913", host,
             FLOW);
    json_t *data = json_pack("{s:s, s:s}", "name", "Anna Kovács", "at", at);
    if (strcmp(need, "code") == 0)
        json_object_set_new(data, "code", json_string("482913"));
    if (strcmp(need, "nothing") != 0)
        json_object_set_new(data, "url", json_string(url));
    return data;
}

static int append_bytes(const char *data, size_t size, void *buffer)
{
    buffer_append(buffer, data, size);
    return 0;
}

bool example_mail(const json_t *type, const json_t *brand, int64_t wall_ms, struct buffer *out)
{
    const char *name = json_string_value(json_object_get(type, "name"));
    const char *need = json_string_value(json_object_get(type, "need"));
    char at[CLOCK_RFC3339_SIZE];
    clock_rfc3339(wall_ms, at);
    json_auto_t *mail = json_pack(
        "{s:s?, s:s, s:o, s:s, s:i, s:s}", "template", name, "to", "anna.kovacs@example.com",
        "data", make_data(name, need ? need : "nothing", brand, at), "timezone", "Europe/Budapest",
        "expires_in_minutes", 15, "user_agent", user_agent);
    return mail && json_dump_callback(mail, append_bytes, out, JSON_COMPACT) == 0 && !out->failed;
}
