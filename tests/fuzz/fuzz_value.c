// fuzz_value.c - the values of a payload that a mail repeats: a name, a link, a code, a zone, a
// time; and the User-Agent of whoever asked for it.
#include <ctype.h>
#include <string.h>
#include <unicode/uchar.h>
#include <unicode/ustring.h>

#include "relay/base/cleanup.h"
#include "relay/composer/user_agent.h"
#include "templates/time_text.h"
#include "templates/value.h"
#include "templates/zone.h"
#include "tests/fuzz/fuzz.h"

static void check_point(UChar32 point)
{
    FUZZ_CHECK(point >= ' ' && (point < 0x7f || point > 0x9f), "a name has no control character");
    FUZZ_CHECK(point != 0x200b && !(point >= 0x200e && point <= 0x200f) &&
                   !(point >= 0x2028 && point <= 0x202e) && !(point >= 0x2060 && point <= 0x206f),
               "nothing in a name is unseen or turns the direction");
    FUZZ_CHECK(point != '@' && point != 0xff20, "a name is no address");
    FUZZ_CHECK(point != '\\' && point != '?' && point != ';', "a name is no sentence");
}

static void check_name(const json_t *value)
{
    char name[VALUE_NAME_SIZE], again[VALUE_NAME_SIZE];
    UErrorCode status = U_ZERO_ERROR;
    UChar units[VALUE_NAME_SIZE];
    int32_t size = 0, digits = 0;
    if (!value_read_name(value, name))
        return;
    u_strFromUTF8(units, VALUE_NAME_SIZE, &size, name, -1, &status);
    FUZZ_CHECK(U_SUCCESS(status) && size > 0, "a name is text");
    FUZZ_CHECK(units[0] != ' ' && units[size - 1] != ' ' && !strstr(name, "  "),
               "a name has a space between words alone");
    for (int32_t i = 0; i < size; i++) {
        check_point(units[i]);
        digits += u_isdigit(units[i]) != 0;
    }
    FUZZ_CHECK(digits <= 3, "a name has no code");
    for (const char *dot = strstr(name, ".com"); dot; dot = strstr(dot + 1, ".com"))
        FUZZ_CHECK(isalnum((unsigned char)dot[4]) || dot[4] == '-' || (dot[4] & 0x80),
                   "a name is no host's");
    FUZZ_CHECK(u_countChar32(units, size) <= 256 && !strstr(name, "/x"), "a name is no page's");
    json_t *same = json_string(name);
    FUZZ_CHECK(value_read_name(same, again) && strcmp(name, again) == 0, "a name is its own name");
    json_decref(same);
}

static void check_link(const json_t *value)
{
    const char *url;
    char host[VALUE_HOST_SIZE];
    if (!value_read_url(value, &url, host))
        return;
    FUZZ_CHECK(value_is_host(host), "a link has a host");
    FUZZ_CHECK(url == json_string_value(value), "a link is as it was");
    FUZZ_CHECK(strncasecmp(url, "http", 4) == 0, "a link is of the web");
    const char *authority = strstr(url, "//") + 2;
    FUZZ_CHECK(strncmp(authority, host, strlen(host)) == 0, "and its host is the one it leads to");
    FUZZ_CHECK(!memchr(authority, '@', strcspn(authority, "/?#")), "without a user");
}

static void check_zone(const char *text)
{
    char zone[ZONE_NAME_SIZE], again[ZONE_NAME_SIZE];
    if (zone_resolve(text, zone))
        FUZZ_CHECK(zone_resolve(zone, again) && strcmp(zone, again) == 0, "a zone is known");
}

static void check_agent(const char *text)
{
    struct user_agent agent;
    user_agent_read(text, &agent);
    FUZZ_CHECK(user_agent_word(agent.browser) == agent.browser, "a browser is of the table");
    FUZZ_CHECK(user_agent_word(agent.system) == agent.system, "a system is of the table");
}

static void check_time(const char *text)
{
    static struct time_text *writer;
    int64_t wall_ms;
    if (!writer)
        writer = time_text_create("en-GB", NULL);
    if (!time_text_parse(text, &wall_ms))
        return;
    struct buffer out;
    buffer_init(&out, 1024);
    FUZZ_CHECK(writer && time_text_moment(writer, "Etc/UTC", wall_ms, &out), "a time is written");
    buffer_finish(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *value = json_stringn((const char *)data, size);
    if (!value)
        return 0; // no UTF-8, and so nothing that a payload holds
    AUTO_FREE char *text = strndup((const char *)data, size);
    FUZZ_CHECK(text, "there is memory");
    char code[VALUE_CODE_SIZE];
    if (value_read_code(value, code))
        FUZZ_CHECK(strcmp(code, text) == 0 && strlen(code) == size, "a code is as it was");
    check_name(value);
    check_link(value);
    check_zone(text);
    check_agent(text);
    check_time(text);
    json_decref(value);
    return 0;
}
