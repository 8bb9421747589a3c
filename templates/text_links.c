// Mail programs differ in what they make links of, and some know every top-level domain there is.
// What is in doubt counts as a link: a mail that is parked can be seen and released, a link to a
// stranger's host cannot be called back.
#include "templates/text_links.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>
#include <unicode/uchar.h>

#include "relay/base/utf8.h"
#include "templates/value.h"

#define LETTERS_AND_DIGITS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
#define OF_SCHEME LETTERS_AND_DIGITS "+-."
#define OF_LOCAL_PART LETTERS_AND_DIGITS "+-._="
// But for brackets and quotes, which some programs end an address at.
#define OF_ADDRESS LETTERS_AND_DIGITS "-._~:/?#@!$&*+,;=%"
#define BEHIND_AUTHORITY "/?# \t\r\n\v\f\"<>"

// ---- names of hosts -------------------------------------------------------------------------

// Words with dots between them.
struct name {
    size_t size;
    size_t words;
    bool begins_with_www;
    bool is_numbers;   // every word is
    bool ends_in_word; // the last one begins with a letter, and is not an abbreviation's
};

// The size of what a word of a name may consist of, in any script; 0 where text does not begin
// with that.
static size_t word_character(const char *text, bool *ret_is_letter)
{
    uint32_t point = 0;
    size_t size = *text ? utf8_decode(text, strlen(text), &point) : 0;
    UChar32 c = (UChar32)point;
    *ret_is_letter = u_isalpha(c) || (U_GET_GC_MASK(c) & U_GC_M_MASK);
    return *ret_is_letter || u_isdigit(c) || c == '-' || c == '_' ? size : 0;
}

// Adds the word at text, if there is one.
static bool read_word(const char *text, struct name *name)
{
    bool begins_with_letter = false, is_letter;
    size_t characters = 0, size = 0, step;
    for (; (step = word_character(text + size, &is_letter)) > 0; size += step) {
        if (characters++ == 0)
            begins_with_letter = is_letter;
        name->is_numbers = name->is_numbers && isdigit((unsigned char)text[size]);
    }
    if (characters == 0)
        return false;
    name->ends_in_word = begins_with_letter && characters > 1;
    if (name->words++ == 0)
        name->begins_with_www = size == 3 && strncasecmp(text, "www", size) == 0;
    name->size += size;
    return true;
}

static struct name read_name(const char *text)
{
    struct name name = {.is_numbers = true};
    if (!read_word(text, &name))
        return name;
    while (text[name.size] == '.') {
        name.size++;
        if (!read_word(text + name.size, &name)) {
            name.size--; // the dot ends a sentence
            break;
        }
    }
    while (name.size > 0 && text[name.size - 1] == '-')
        name.size--;
    return name;
}

static bool looks_like_host(const struct name *name)
{
    return name->words > 1 &&
           (name->ends_in_word || name->begins_with_www || (name->is_numbers && name->words == 4));
}

static bool is_of_mail_address(const char *text, const char *at, const struct name *name)
{
    const char *behind = at + name->size;
    const char *sign = behind + strspn(behind, OF_LOCAL_PART);
    bool is_letter;
    if (*sign == '@' && word_character(sign + 1, &is_letter))
        return true;
    // With a path it is an address of the web, and what is before the "@" a user's name.
    return at > text && at[-1] == '@' && *behind != '/' &&
           !(*behind == ':' && isdigit((unsigned char)behind[1]));
}

// ---- addresses ------------------------------------------------------------------------------

// The host of an address, of which authority is what stands behind "//". False where it is none
// that can be told for certain: with a user's name before it, or in letters other than ASCII's, of
// which browsers take some for a dot.
static bool read_host(const char *authority, size_t size, char ret_host[VALUE_HOST_SIZE])
{
    // What ends a sentence, or closes a bracket, is not the address'.
    while (size > 0 && strchr(".,;:!?)'*_", authority[size - 1]))
        size--;
    const char *port = authority[0] == '[' ? memchr(authority, ']', size) : authority;
    port = port ? memchr(port, ':', size - (size_t)(port - authority)) : NULL;
    if (port && strspn(port + 1, "0123456789") + 1 == size - (size_t)(port - authority))
        size = (size_t)(port - authority);
    if (size >= VALUE_HOST_SIZE)
        return false;
    memcpy(ret_host, authority, size);
    ret_host[size] = '\0';
    return value_is_host(ret_host);
}

static bool allows(const struct brand *brand, const char *authority, size_t size)
{
    char host[VALUE_HOST_SIZE];
    return read_host(authority, size, host) && brand_allows_host(brand, host);
}

// The end of the address that goes on at text, or the colon of another one inside it.
static const char *skip_address(const char *text)
{
    const char *end = text + strspn(text, OF_ADDRESS);
    const char *inner = memmem(text, (size_t)(end - text), "://", 3);
    return inner ? inner : end;
}

static bool is_web_scheme(const char *text, const char *colon)
{
    const char *begin = colon;
    while (begin > text && strchr(OF_SCHEME, begin[-1]))
        begin--;
    size_t size = (size_t)(colon - begin);
    return (size == 4 && strncasecmp(begin, "http", size) == 0) ||
           (size == 5 && strncasecmp(begin, "https", size) == 0);
}

// Whether *at is where an address with "//" begins: at its colon, or without a scheme.
static bool begins_address(const char *text, const char *at)
{
    if (*at == ':')
        return at[1] == '/' && at[2] == '/';
    bool is_letter;
    return at[0] == '/' && at[1] == '/' && (at[2] == '[' || word_character(at + 2, &is_letter)) &&
           (at == text || !isalnum((unsigned char)at[-1]));
}

// Steps over what is at *at. False: it is a link to elsewhere.
static bool step(const struct brand *brand, const char *text, const char **at)
{
    const char *here = *at;
    if (begins_address(text, here)) {
        bool has_scheme = *here == ':';
        const char *authority = here + (has_scheme ? 3 : 2);
        size_t size = strcspn(authority, BEHIND_AUTHORITY);
        *at = skip_address(authority + size);
        return (!has_scheme || is_web_scheme(text, here)) && allows(brand, authority, size);
    }
    // A hyphen or an underscore begins no host; around one it may mean emphasis.
    struct name name = {0};
    if (!strchr("-_", *here))
        name = read_name(here);
    *at = here + (name.size > 0 ? name.size : 1);
    if (!looks_like_host(&name) || is_of_mail_address(text, here, &name))
        return true;
    if (strchr("/?#:", **at))
        *at = skip_address(*at);
    return allows(brand, here, name.size);
}

bool text_links_lead_only_to(const struct brand *brand, const char *text)
{
    for (const char *at = text; *at;)
        if (!step(brand, text, &at))
            return false;
    return true;
}
