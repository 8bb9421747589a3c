// fuzz_query.c - any text as a link whose `flow` is looked for.
#include <ctype.h>
#include <string.h>

#include "relay/base/cleanup.h"
#include "relay/composer/query.h"
#include "tests/fuzz/fuzz.h"

enum { SIZE_LARGE = 4096 };

// What was found, encoded as strictly as can be, must be found again.
static void check_again(const char *value)
{
    static const char hex[] = "0123456789ABCDEF";
    char url[3 * SIZE_LARGE + 64] = "https://x/?a=b&flow=";
    size_t used = strlen(url);
    for (const unsigned char *at = (const unsigned char *)value; *at; at++) {
        url[used++] = '%';
        url[used++] = hex[*at >> 4];
        url[used++] = hex[*at & 15];
    }
    memcpy(url + used, "#flow=other", sizeof("#flow=other"));
    char again[SIZE_LARGE];
    FUZZ_CHECK(query_value(url, "flow", again, sizeof(again)) && strcmp(again, value) == 0,
               "a value survives being encoded");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_FREE char *url = malloc(size + 1);
    FUZZ_CHECK(url, "there is memory");
    if (size)
        memcpy(url, data, size);
    url[size] = '\0';

    // Of exactly the size that is said, for ASan's sake.
    for (size_t room = 1; room <= SIZE_LARGE; room *= 16) {
        AUTO_FREE char *value = malloc(room);
        FUZZ_CHECK(value, "there is memory");
        if (!query_value(url, "flow", value, room))
            continue;
        FUZZ_CHECK(*value && memchr(value, '\0', room), "a value is not empty, and ends");
        for (const char *at = value; *at; at++)
            FUZZ_CHECK(!iscntrl((unsigned char)*at), "a value holds no control character");
        const char *question = strchr(url, '?');
        FUZZ_CHECK(question && strstr(question, "flow="), "what is found stands in the query");
        check_again(value);
    }
    FUZZ_CHECK(!query_value(NULL, "flow", url, size), "no link has no value");
    return 0;
}
