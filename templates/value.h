// value.h - the values of a payload that a mail repeats, checked before they are.
//
// They come from Kratos, but what Kratos has may be a stranger's: anybody can register under
// any name, and start a flow for anybody's address.
#ifndef TEMPLATES_VALUE_H
#define TEMPLATES_VALUE_H

#include <jansson.h>
#include <stdbool.h>

#define VALUE_CODE_SIZE 33
#define VALUE_HOST_SIZE 256
#define VALUE_NAME_SIZE (64 * 16 + 1) // 64 characters as people count them, with their accents

// True where value is a one-time code: 4 to 32 letters, digits and hyphens, or a whole number
// of as many digits.
bool value_read_code(const json_t *value, char ret_code[VALUE_CODE_SIZE]);

// True where value is an absolute http or https URL of printable ASCII, without user and
// password. *ret_url points into value.
bool value_read_url(const json_t *value, const char **ret_url, char ret_host[VALUE_HOST_SIZE]);

// True where host may stand in a URL: labels of ASCII letters, digits, "-" and "_" between dots
// (names in other scripts are xn--…), also with a dot behind the last; or an IPv6 address in
// brackets.
bool value_is_host(const char *host);

// True where value is fit to be greeted with. Control, bidirectional and invisible characters
// are taken out, but for the joiners that a script or an emoji needs; and what is longer than 64
// characters, or than 96 code points that take space, or piles up more than four accents on one,
// is cut. A name that carries an address, a link, a number or a sentence, and so a stranger's
// message under our letterhead, is no name (name_check.h); nor is what programs write where they
// have none ("null", "[object Object]", "{}"). Nothing behind the cut is looked at, so that it
// cannot hide what is before it. Opens no file.
bool value_read_name(const json_t *value, char ret_name[VALUE_NAME_SIZE]);

#endif
