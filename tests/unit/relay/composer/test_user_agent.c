#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/composer/user_agent.h"

#define WEBKIT "AppleWebKit/537.36 (KHTML, like Gecko) "
#define WEBKIT_APPLE "AppleWebKit/605.1.15 (KHTML, like Gecko) "
#define WINDOWS "Mozilla/5.0 (Windows NT 10.0; Win64; x64) "
#define MAC "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) "
#define LINUX "Mozilla/5.0 (X11; Linux x86_64) "
#define PIXEL "Mozilla/5.0 (Linux; Android 10; K) "
#define IPHONE "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1_2 like Mac OS X) "
#define IPAD "Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) "

static void assert_word(const char *got, const char *want, const char *header)
{
    if ((got == NULL) != (want == NULL) || (got && strcmp(got, want) != 0))
        fail_msg("%s, not %s: %s", got ? got : "NULL", want ? want : "NULL", header);
}

static const struct sample {
    const char *header, *browser, *system;
} BROWSERS[] = {
    {WINDOWS WEBKIT "Chrome/120.0.0.0 Safari/537.36", "Chrome", "Windows"},
    {MAC WEBKIT "Chrome/119.0.0.0 Safari/537.36", "Chrome", "macOS"},
    {LINUX WEBKIT "Chrome/118.0.0.0 Safari/537.36", "Chrome", "Linux"},
    {PIXEL WEBKIT "Chrome/119.0.0.0 Mobile Safari/537.36", "Chrome", "Android"},
    {"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) " WEBKIT "Chrome/119.0.0.0 Safari/537.36", "Chrome",
     "ChromeOS"},
    {"Mozilla/5.0 (Linux; Android 8.0.0; SM-G960F Build/R16NW) " WEBKIT
     "Chrome/62.0.3202.84 Mobile Safari/537.36",
     "Chrome", "Android"},
    {IPHONE WEBKIT_APPLE "CriOS/120.0.6099.50 Mobile/15E148 Safari/604.1", "Chrome", "iPhone"},
    {IPAD WEBKIT_APPLE "CriOS/119.0.6045.109 Mobile/15E148 Safari/604.1", "Chrome", "iPad"},
    {MAC WEBKIT_APPLE "CriOS/119 Version/11.1.1 Safari/605.1.15", "Chrome", "iPad"},
    {LINUX WEBKIT "Ubuntu Chromium/80.0.3987.87 Chrome/80.0.3987.87 Safari/537.36", "Chrome",
     "Linux"},
    {"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:120.0) Gecko/20100101 Firefox/120.0", "Firefox",
     "Windows"},
    {"Mozilla/5.0 (Macintosh; Intel Mac OS X 14.1; rv:109.0) Gecko/20100101 Firefox/119.0",
     "Firefox", "macOS"},
    {"Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/119.0", "Firefox",
     "Linux"},
    {"Mozilla/5.0 (X11; Linux x86_64; rv:102.0) Gecko/20100101 Firefox/102.0", "Firefox", "Linux"},
    {"Mozilla/5.0 (Android 13; Mobile; rv:109.0) Gecko/119.0 Firefox/119.0", "Firefox", "Android"},
    {IPHONE WEBKIT_APPLE "FxiOS/119.0 Mobile/15E148 Safari/605.1.15", "Firefox", "iPhone"},
    {"Mozilla/5.0 (iPad; CPU OS 14_1 like Mac OS X) " WEBKIT_APPLE
     "FxiOS/119.0 Mobile/15E148 Safari/605.1.15",
     "Firefox", "iPad"},
    {WINDOWS WEBKIT "Chrome/119.0.0.0 Safari/537.36 Edg/119.0.2151.58", "Edge", "Windows"},
    {MAC WEBKIT "Chrome/119.0.0.0 Safari/537.36 Edg/119.0.2151.58", "Edge", "macOS"},
    {PIXEL WEBKIT "Chrome/119.0.6045.66 Mobile Safari/537.36 EdgA/118.0.2088.66", "Edge",
     "Android"},
    {IPHONE WEBKIT_APPLE "Version/17.0 EdgiOS/118.0.2088.68 Mobile/15E148 Safari/605.1.15", "Edge",
     "iPhone"},
    {WINDOWS WEBKIT "Chrome/70.0.3538.102 Safari/537.36 Edge/18.19582", "Edge", "Windows"},
    {MAC WEBKIT_APPLE "Version/17.1 Safari/605.1.15", "Safari", "macOS"},
    {IPHONE WEBKIT_APPLE "Version/17.1 Mobile/15E148 Safari/604.1", "Safari", "iPhone"},
    {IPAD WEBKIT_APPLE "Version/16.6 Mobile/15E148 Safari/604.1", "Safari", "iPad"},
    {WINDOWS WEBKIT "Chrome/119.0.0.0 Safari/537.36 OPR/105.0.0.0", "Opera", "Windows"},
    {LINUX WEBKIT "Chrome/119.0.0.0 Safari/537.36 OPR/105.0.0.0", "Opera", "Linux"},
    {PIXEL WEBKIT "Chrome/119.0.6045.66 Mobile Safari/537.36 OPR/76.2.4027.73374", "Opera",
     "Android"},
    {IPHONE WEBKIT_APPLE "Version/17.1 Mobile/15E148 Safari/604.1 OPT/4.3.1", "Opera", "iPhone"},
    {PIXEL WEBKIT "SamsungBrowser/23.0 Chrome/115.0.0.0 Mobile Safari/537.36", "Samsung Internet",
     "Android"},
    {"Mozilla/5.0 (Linux; Android 13; SAMSUNG SM-S918B) " WEBKIT
     "SamsungBrowser/22.0 Chrome/111.0.5563.116 Mobile Safari/537.36",
     "Samsung Internet", "Android"},
    {WINDOWS WEBKIT "Chrome/119.0.0.0 Safari/537.36 Vivaldi/6.4.3160.34", "Vivaldi", "Windows"},
    {WINDOWS WEBKIT "Chrome/116.0.5845.962 YaBrowser/23.9.1.962 Yowser/2.5 Safari/537.36",
     "Yandex Browser", "Windows"},
    {"Mozilla/5.0 (Linux; arm_64; Android 13; SM-G965F) " WEBKIT
     "Chrome/116.0.5845.190 YaBrowser/23.9.4.90.00 Mobile Safari/537.36",
     "Yandex Browser", "Android"},
    {MAC WEBKIT_APPLE "Version/17.1 Safari/605.1.15 Ddg/17.1", "DuckDuckGo", "macOS"},
    {IPHONE WEBKIT_APPLE "Version/17.1 Mobile/15E148 DuckDuckGo/7 Safari/605.1.15", "DuckDuckGo",
     "iPhone"},
};

static void tells_browser_and_system(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(BROWSERS) / sizeof(BROWSERS[0]); i++) {
        struct user_agent agent;
        user_agent_read(BROWSERS[i].header, &agent);
        assert_word(agent.browser, BROWSERS[i].browser, BROWSERS[i].header);
        assert_word(agent.system, BROWSERS[i].system, BROWSERS[i].header);
    }
}

static void names_no_browser_where_there_is_another_or_none(void **state)
{
    (void)state;
    static const struct {
        const char *header, *system;
    } cases[] = {
        {NULL, NULL},
        {"", NULL},
        {"-", NULL},
        {"curl/8.4.0", NULL},
        {"Wget/1.21.3", NULL},
        {"Go-http-client/1.1", NULL},
        {"python-requests/2.31.0", NULL},
        {"okhttp/4.12.0", NULL},
        {"axios/1.6.2", NULL},
        {"node", NULL},
        {"Dart/3.1 (dart:io)", NULL},
        {"PostmanRuntime/7.35.0", NULL},
        {"Homassy/42 CFNetwork/1410.0.3 Darwin/22.6.0", NULL},
        {"Expo/2.30.1 CFNetwork/1485 Darwin/23.1.0", NULL},
        {"Dalvik/2.1.0 (Linux; U; Android 13; Pixel 7 Build/TQ3A.230901.001)", "Android"},
        {"Shop/3.1 (iPhone; iOS 17.1; Scale/3.00)", "iPhone"},
        {"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", NULL},
        {"Mozilla/5.0 " WEBKIT "Chrome/119.0.0.0 Safari/537.36", NULL},
        {"Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingbot/2.0; "
         "+http://www.bing.com/bingbot.htm) Chrome/103.0.5060.134 Safari/537.36",
         NULL},
        {PIXEL WEBKIT "Chrome/119.0.0.0 Mobile Safari/537.36 (compatible; Googlebot/2.1; "
                      "+http://www.google.com/bot.html)",
         "Android"},
        {LINUX WEBKIT "HeadlessChrome/119.0.0.0 Safari/537.36", "Linux"},
        {WINDOWS WEBKIT "Chrome/119.0.0.0 Safari/537.36 Chrome-Lighthouse", "Windows"},
        {WINDOWS WEBKIT "Chrome/118.0.5993.159 Electron/27.1.3 Safari/537.36", "Windows"},
        {WINDOWS WEBKIT "Whale/3.23.214.10 Chrome/118.0.0.0 Safari/537.36", "Windows"},
        {"Mozilla/5.0 (Linux; Android 13; Pixel 7 Build/TQ3A.230901.001; wv) " WEBKIT
         "Version/4.0 Chrome/119.0.6045.66 Mobile Safari/537.36",
         "Android"},
        {"Mozilla/5.0 (Linux; Android 4.4.2; GT-I9505) " WEBKIT
         "Version/4.0 Chrome/30.0.0.0 Mobile Safari/537.36",
         "Android"},
        {"Mozilla/5.0 (Linux; U; Android 4.0.3; de-de; HTC) AppleWebKit/534.30 (KHTML, like "
         "Gecko) Version/4.0 Mobile Safari/534.30",
         "Android"},
        {"Mozilla/5.0 (Linux; Android 13; Pixel 7; wv) " WEBKIT
         "Chrome/119.0.6045.66 Mobile Safari/537.36",
         "Android"},
        {"Mozilla/5.0 (compatible; Windows NT 10.0) Gecko/20100101 Firefox/120.0", "Windows"},
        {IPHONE WEBKIT_APPLE "Mobile/15E148", "iPhone"},
        {IPHONE WEBKIT_APPLE "Mobile/15E148 Safari/604.1", "iPhone"},
        {IPHONE WEBKIT_APPLE "Mobile/15E148 [FBAN/FBIOS;FBAV/440.0.0.0.0;FBDV/iPhone14,5]",
         "iPhone"},
        {IPHONE WEBKIT_APPLE "Mobile/21B101 Instagram 308.0.2.18.106 (iPhone14,5; iOS 17_1_2)",
         "iPhone"},
        {IPHONE WEBKIT_APPLE "GSA/290.0.580888402 Mobile/15E148 Safari/604.1", "iPhone"},
        {LINUX WEBKIT_APPLE "Version/16.0 Safari/605.1.15", "Linux"}, // GNOME Web
        {WINDOWS "Gecko/20100101 Goanna/6.5 Firefox/102.0 PaleMoon/32.5.0", "Windows"},
        {"Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko", "Windows"},
        {"Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1)", "Windows"},
        {"Opera/9.80 (Android; Opera Mini/36.2/191.273; U; en) Presto/2.12.423 Version/12.16",
         "Android"},
        {"Mozilla/5.0 (Windows Phone 10.0; Android 6.0.1; Microsoft; Lumia 950) " WEBKIT
         "Chrome/52.0.2743.116 Mobile Safari/537.36 Edge/15.14977 Trident",
         NULL},
        {"Mozilla/5.0 (Mobile; Nokia_8110_4G; rv:48.0) Gecko/48.0 Firefox/48.0 KAIOS/2.5", NULL},
        {"Mozilla/5.0 (SMART-TV; Linux; Tizen 6.0) " WEBKIT "76.0.3809.146/6.0 TV Safari/537.36",
         NULL},
        {"Mozilla/5.0 (iPod touch; CPU iPhone OS 15_7 like Mac OS X) " WEBKIT_APPLE "Mobile", NULL},
        {WINDOWS WEBKIT "Chrome/119.0.0.0 Safari/537.36 OPR/105.0.0.0 Edg/119.0", "Windows"},
        {" Mozilla/5.0 (Windows NT 10.0) Gecko/20100101 Firefox/120.0", "Windows"},
        {"Mozilla/5.0 (Windows NT 10.0) Gecko/20100101 Firefox/120.0 <script>", "Windows"},
        {"Mozilla/5.0 (Windows NT 10.0) Gecko/20100101 firefox/120.0", "Windows"},
        {"Mozilla/5.0 (Windows NT 10.0) Gecko/20100101 Firefoxy/120.0", "Windows"},
        {"Mozilla/5.0 (Windows NT 10.0) Gecko/20100101 Firefox/120.0 (", "Windows"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct user_agent agent = {"x", "x"};
        user_agent_read(cases[i].header, &agent);
        const char *header = cases[i].header ? cases[i].header : "NULL";
        assert_word(agent.browser, NULL, header);
        assert_word(agent.system, cases[i].system, header);
    }
}

static void reads_any_bytes(void **state)
{
    (void)state;
    static const char *const headers[] = {
        "(",
        ")",
        "((((",
        "))))",
        "(;;;;)",
        "(a(b)c",
        "/",
        "//",
        "Mozilla/5.0 (",
        "Mozilla/5.0 ()",
        "Mozilla/5.0 (;",
        "Mozilla/5.0 (Windows NT",
        "\xff\xfe\x01\x7f",
        "Mozilla/5.0 (\xff; \xc3) \xe2\x82/ \r\n\t Firefox/1",
    };
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        // In memory of just that size, so that a byte too far is found.
        char *copy = strdup(headers[i]);
        struct user_agent agent;
        user_agent_read(copy, &agent);
        assert_word(agent.browser, NULL, headers[i]);
        free(copy);
    }
}

static void tells_nothing_of_what_is_too_long(void **state)
{
    (void)state;
    static const char start[] = "Mozilla/5.0 (Windows NT 10.0; ";
    static const char end[] = ") Gecko/20100101 Firefox/120.0";
    char header[USER_AGENT_SIZE_MAX + 2];
    for (size_t size = USER_AGENT_SIZE_MAX; size <= USER_AGENT_SIZE_MAX + 1; size++) {
        memset(header, 'x', size);
        memcpy(header, start, sizeof(start) - 1);
        memcpy(header + size - strlen(end), end, strlen(end) + 1);
        struct user_agent agent;
        user_agent_read(header, &agent);
        bool fits = size == USER_AGENT_SIZE_MAX;
        assert_word(agent.browser, fits ? "Firefox" : NULL, "a long one");
        assert_word(agent.system, fits ? "Windows" : NULL, "a long one");
    }
}

static void knows_its_own_words_alone(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(BROWSERS) / sizeof(BROWSERS[0]); i++) {
        struct user_agent agent;
        user_agent_read(BROWSERS[i].header, &agent);
        char *browser = strdup(agent.browser);
        char *system = strdup(agent.system);
        assert_string_equal(user_agent_word(browser), browser);
        assert_string_equal(user_agent_word(system), system);
        assert_ptr_not_equal(user_agent_word(browser), browser);
        assert_ptr_not_equal(user_agent_word(system), system);
        free(browser);
        free(system);
    }
    static const char *const others[] = {"",        "firefox",    "Firefox ", "Fire", "CriOS",
                                         "Mozilla", "Windows NT", "Gecko",    "<b>"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_null(user_agent_word(others[i]));
    assert_null(user_agent_word(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_browser_and_system),
        cmocka_unit_test(names_no_browser_where_there_is_another_or_none),
        cmocka_unit_test(reads_any_bytes),
        cmocka_unit_test(tells_nothing_of_what_is_too_long),
        cmocka_unit_test(knows_its_own_words_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
