#include "relay/composer/user_agent.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct slice {
    const char *text;
    size_t size;
};

static bool equals(struct slice slice, const char *text)
{
    return strlen(text) == slice.size && memcmp(slice.text, text, slice.size) == 0;
}

static bool begins_with(struct slice slice, const char *text)
{
    size_t size = strlen(text);
    return size <= slice.size && memcmp(slice.text, text, size) == 0;
}

static bool contains(struct slice slice, const char *text)
{
    return memmem(slice.text, slice.size, text, strlen(text)) != NULL;
}

// ---- browsers -------------------------------------------------------------------------------

static const char CHROME[] = "Chrome";
static const char DUCKDUCKGO[] = "DuckDuckGo";
static const char EDGE[] = "Edge";
static const char FIREFOX[] = "Firefox";
static const char OPERA[] = "Opera";
static const char SAFARI[] = "Safari";
static const char SAMSUNG[] = "Samsung Internet";
static const char VIVALDI[] = "Vivaldi";
static const char YANDEX[] = "Yandex Browser";

// What a product in the header says of the browser.
enum evidence {
    NEUTRAL, // many send it
    NAMES,   // the browser, whatever engine it names as well
    ENGINE,  // the browser, where nothing names another
    VERSION, // "Version/17.1", which beside Safari alone means Safari
};

static const struct product {
    const char *name;
    enum evidence evidence;
    const char *browser;
    bool is_of_ios; // never sent by a Mac, though an iPad says it were one
} PRODUCTS[] = {
    {"Mozilla", NEUTRAL, NULL, false},
    {"AppleWebKit", NEUTRAL, NULL, false},
    {"Gecko", NEUTRAL, NULL, false},
    {"Mobile", NEUTRAL, NULL, false},
    {"Ubuntu", NEUTRAL, NULL, false},
    {"Yowser", NEUTRAL, NULL, false},
    {"Version", VERSION, NULL, false},
    {"Safari", ENGINE, SAFARI, false},
    {"Chrome", ENGINE, CHROME, false},
    {"Chromium", NAMES, CHROME, false},
    {"CriOS", NAMES, CHROME, true},
    {"Firefox", NAMES, FIREFOX, false},
    {"FxiOS", NAMES, FIREFOX, true},
    {"Edg", NAMES, EDGE, false},
    {"Edge", NAMES, EDGE, false},
    {"EdgA", NAMES, EDGE, false},
    {"EdgiOS", NAMES, EDGE, true},
    {"OPR", NAMES, OPERA, false},
    {"OPT", NAMES, OPERA, true},
    {"OPX", NAMES, OPERA, true},
    {"OPiOS", NAMES, OPERA, true},
    {"SamsungBrowser", NAMES, SAMSUNG, false},
    {"Vivaldi", NAMES, VIVALDI, false},
    {"YaBrowser", NAMES, YANDEX, false},
    {"DuckDuckGo", NAMES, DUCKDUCKGO, false},
    {"Ddg", NAMES, DUCKDUCKGO, false},
};

static const struct product *find_product(struct slice name)
{
    for (size_t i = 0; i < sizeof(PRODUCTS) / sizeof(PRODUCTS[0]); i++) {
        if (equals(name, PRODUCTS[i].name))
            return &PRODUCTS[i];
    }
    return NULL;
}

// ---- systems --------------------------------------------------------------------------------

static const char IPAD[] = "iPad";
static const char IPHONE[] = "iPhone";
static const char MACOS[] = "macOS";

// By an item of the first comment, "(X11; CrOS x86_64 15633.69.0)". The first row that any item
// begins with counts: Android says that it is Linux as well.
static const struct {
    const char *item, *system;
} SYSTEMS[] = {
    {"Windows Phone", NULL}, {"Windows NT", "Windows"},
    {"iPad", IPAD},          {"iPhone", IPHONE},
    {"iPod", NULL},          {"Macintosh", MACOS},
    {"Android", "Android"},  {"CrOS", "ChromeOS"},
    {"Tizen", NULL},         {"Linux", "Linux"},
};
#define SYSTEM_COUNT (sizeof(SYSTEMS) / sizeof(SYSTEMS[0]))

static struct slice next_item(struct slice *comment)
{
    while (comment->size > 0 && (comment->text[0] == ' ' || comment->text[0] == ';')) {
        comment->text++;
        comment->size--;
    }
    const char *end = memchr(comment->text, ';', comment->size);
    struct slice item = {comment->text, end ? (size_t)(end - comment->text) : comment->size};
    comment->text += item.size;
    comment->size -= item.size;
    return item;
}

static const char *find_system(struct slice comment)
{
    size_t best = SYSTEM_COUNT;
    for (struct slice item = next_item(&comment); item.size > 0; item = next_item(&comment)) {
        for (size_t i = 0; i < best; i++) {
            if (begins_with(item, SYSTEMS[i].item))
                best = i;
        }
    }
    return best < SYSTEM_COUNT ? SYSTEMS[best].system : NULL;
}

// ---- a header -------------------------------------------------------------------------------

// What was found so far.
struct reading {
    const char *named, *engine; // browsers
    bool has_version, has_ios, has_comment;
    bool is_odd; // something that no browser of the table sends
    const char *system;
};

static void read_product(struct reading *reading, struct slice word)
{
    const char *slash = memchr(word.text, '/', word.size);
    struct slice name = {word.text, slash ? (size_t)(slash - word.text) : word.size};
    const struct product *product = find_product(name);
    if (!product) {
        reading->is_odd = true;
        return;
    }
    reading->has_ios |= product->is_of_ios;
    switch (product->evidence) {
    case NEUTRAL:
        break;
    case VERSION:
        reading->has_version = true;
        break;
    case NAMES:
        if (reading->named && reading->named != product->browser)
            reading->is_odd = true;
        reading->named = product->browser;
        break;
    case ENGINE:
        if (reading->engine != CHROME) // which adds "Safari/537.36"
            reading->engine = product->browser;
        break;
    }
}

static void read_comment(struct reading *reading, struct slice comment)
{
    if (!reading->has_comment) {
        reading->has_comment = true;
        reading->system = find_system(comment);
        // "wv": shown within an app. "compatible": another program that wants Netscape's pages.
        if (contains(comment, "; wv") || contains(comment, "compatible"))
            reading->is_odd = true;
    } else if (!equals(comment, "KHTML, like Gecko")) {
        reading->is_odd = true;
    }
}

static size_t comment_size(const char *text)
{
    size_t depth = 1;
    size_t size = 0;
    for (; text[size]; size++) {
        depth += text[size] == '(';
        depth -= text[size] == ')';
        if (depth == 0)
            break;
    }
    return size;
}

static void read_all(struct reading *reading, const char *header)
{
    while (*header) {
        if (*header == ' ') {
            header++;
        } else if (*header == '(') {
            struct slice comment = {header + 1, comment_size(header + 1)};
            read_comment(reading, comment);
            header = comment.text + comment.size;
            header += *header == ')';
        } else {
            struct slice word = {header, strcspn(header, " (")};
            read_product(reading, word);
            header += word.size;
        }
    }
}

static const char *choose_browser(const struct reading *reading)
{
    if (reading->is_odd)
        return NULL;
    if (reading->named)
        return reading->named;
    // Chrome within an app of old Androids says "Version/4.0".
    if (reading->engine == CHROME)
        return reading->has_version ? NULL : CHROME;
    // Others than Apple have its engine; and apps on Apple's systems, which say no version.
    bool is_apple =
        reading->system == MACOS || reading->system == IPHONE || reading->system == IPAD;
    return reading->engine == SAFARI && reading->has_version && is_apple ? SAFARI : NULL;
}

void user_agent_read(const char *header, struct user_agent *ret_agent)
{
    struct reading reading = {0};
    if (header && strnlen(header, USER_AGENT_SIZE_MAX + 1) <= USER_AGENT_SIZE_MAX)
        read_all(&reading, header);
    bool is_browser = header && strncmp(header, "Mozilla/5.0 (", 13) == 0;
    ret_agent->browser = is_browser ? choose_browser(&reading) : NULL;
    ret_agent->system = reading.system == MACOS && reading.has_ios ? IPAD : reading.system;
}

const char *user_agent_word(const char *text)
{
    if (!text)
        return NULL;
    for (size_t i = 0; i < sizeof(PRODUCTS) / sizeof(PRODUCTS[0]); i++) {
        if (PRODUCTS[i].browser && strcmp(PRODUCTS[i].browser, text) == 0)
            return PRODUCTS[i].browser;
    }
    for (size_t i = 0; i < SYSTEM_COUNT; i++) {
        if (SYSTEMS[i].system && strcmp(SYSTEMS[i].system, text) == 0)
            return SYSTEMS[i].system;
    }
    return NULL;
}
