#include "relay/composer/address.h"

#include <string.h>
#include <unicode/uchar.h>
#include <unicode/uidna.h>
#include <unicode/utf8.h>

// RFC 5322 atext, and the dot wherever it stands. The specials ()<>[]:;@\," are not in it.
static const char ATEXT_MARKS[] = "!#$%&'*+/=?^_`{|}~.-";

// A host name by the rules of a browser's or Go's IDNA look-up.
#define DOMAIN_RULES                                                                               \
    (UIDNA_USE_STD3_RULES | UIDNA_CHECK_BIDI | UIDNA_CHECK_CONTEXTJ |                              \
     UIDNA_NONTRANSITIONAL_TO_ASCII)

static bool is_local_character(UChar32 c)
{
    if (c < 0)
        return false; // not UTF-8
    if (c < 0x80)
        return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
               (c != 0 && strchr(ATEXT_MARKS, c));
    // Marks as well as letters: most scripts of India cannot be written without them.
    return (U_GET_GC_MASK(c) & (U_GC_L_MASK | U_GC_M_MASK | U_GC_N_MASK)) != 0;
}

// Every character of an encoded word (RFC 2047) may stand in a local part, but a program that reads
// the header To would see another address in it.
static bool has_encoded_word(const char *local, size_t size)
{
    const char *word = memmem(local, size, "=?", 2);
    return word && memmem(word + 2, size - (size_t)(word + 2 - local), "?=", 2);
}

static bool check_local(const char *local, size_t size, bool *ret_ascii)
{
    if (has_encoded_word(local, size))
        return false;
    *ret_ascii = true;
    int32_t end = (int32_t)size;
    for (int32_t i = 0; i < end;) {
        UChar32 c;
        U8_NEXT((const uint8_t *)local, i, end, c);
        if (!is_local_character(c))
            return false;
        if (c >= 0x80)
            *ret_ascii = false;
    }
    return size > 0;
}

// Constant once it is open; kept for the life of the process.
static const UIDNA *host_names(void)
{
    static UIDNA *idna;
    UErrorCode status = U_ZERO_ERROR;
    if (!idna)
        idna = uidna_openUTS46(DOMAIN_RULES, &status);
    return idna;
}

static bool domain_to_ascii(const char *domain, size_t size, char *to, size_t capacity)
{
    const UIDNA *idna = host_names();
    if (!idna || size == 0)
        return false;
    UErrorCode status = U_ZERO_ERROR;
    UIDNAInfo info = UIDNA_INFO_INITIALIZER;
    int32_t length =
        uidna_nameToASCII_UTF8(idna, domain, (int32_t)size, to, (int32_t)capacity, &info, &status);
    if (!U_SUCCESS(status) || info.errors != 0 || length <= 0 || (size_t)length >= capacity)
        return false;
    // "example.com." is the same host, but not a domain in SMTP's syntax (RFC 5321 §4.1.2). Looked
    // for only now: U+3002 at the end has become such a dot, too.
    if (to[length - 1] == '.')
        to[--length] = '\0';
    return length > 0;
}

static bool parse_bare(const char *text, size_t size, struct address *ret_address,
                       struct error *err)
{
    const char *at = memchr(text, '@', size);
    if (!at)
        return error_set(err, ERR_INPUT, "not a mail address: no @");
    if (size >= ADDRESS_SIZE)
        return error_set(err, ERR_INPUT, "not a mail address: over %d bytes", ADDRESS_SIZE - 1);
    size_t local_size = (size_t)(at - text);
    bool ascii;
    if (!check_local(text, local_size, &ascii))
        return error_set(err, ERR_INPUT, "not a mail address: local part");

    size_t domain_at = local_size + 1;
    struct address address = {.smtputf8 = !ascii, .domain_at = domain_at};
    memcpy(address.text, text, domain_at);
    // A-labels are longer than the letters they stand for, so the size is checked here again.
    if (!domain_to_ascii(at + 1, size - domain_at, address.text + domain_at,
                         sizeof(address.text) - domain_at))
        return error_set(err, ERR_INPUT, "not a mail address: domain");
    *ret_address = address;
    return true;
}

// Finds the address of "name <address>" and the length of the name before it.
static bool split_named(const char *text, const char **ret_start, size_t *ret_size,
                        size_t *ret_name_size)
{
    size_t size = strlen(text);
    const char *open = memrchr(text, '<', size);
    if (!open || text[size - 1] != '>')
        return false;
    *ret_start = open + 1;
    *ret_size = (size_t)(text + size - 1 - *ret_start);
    *ret_name_size = (size_t)(open - text);
    while (*ret_name_size && text[*ret_name_size - 1] == ' ')
        (*ret_name_size)--;
    return true;
}

// Nothing that controls or ends a line: the rest of a name is harmless, as it is encoded. (What
// joins an emoji of several is a format character.)
static bool is_clean(const char *text, size_t size)
{
    int32_t end = (int32_t)size;
    for (int32_t i = 0; i < end;) {
        UChar32 c;
        U8_NEXT((const uint8_t *)text, i, end, c);
        if (c < 0 || (U_GET_GC_MASK(c) & (U_GC_CC_MASK | U_GC_ZL_MASK | U_GC_ZP_MASK)))
            return false;
    }
    return true;
}

static bool is_phrase(const char *text, size_t size)
{
    bool quoted = size >= 2 && text[0] == '"' && text[size - 1] == '"';
    for (size_t i = 0; i < size && !quoted; i++) {
        if (strchr("()<>[]:;@\\,\"", text[i]))
            return false;
    }
    return is_clean(text, size);
}

bool address_parse(const char *text, struct address *ret_address, struct error *err)
{
    const char *start;
    size_t size, name_size;
    if (!split_named(text, &start, &size, &name_size))
        return parse_bare(text, strnlen(text, ADDRESS_SIZE), ret_address, err);
    // A name that looks like an address would be a second one, and one without a name is a path
    // of SMTP, not what a person's address looks like.
    if (name_size == 0 || !is_phrase(text, name_size))
        return error_set(err, ERR_INPUT, "not a mail address: name");
    return parse_bare(start, size, ret_address, err);
}

// A name in quotes loses them, and its \" and \\ become plain.
static bool unquote(const char *text, size_t size, char ret_name[ADDRESS_NAME_SIZE])
{
    bool quoted = size >= 2 && text[0] == '"' && text[size - 1] == '"';
    const char *end = text + size - (quoted ? 1 : 0);
    size_t used = 0;
    for (const char *from = text + (quoted ? 1 : 0); from < end; from++) {
        if (quoted && *from == '\\' && from + 1 < end)
            from++;
        if (used + 1 >= ADDRESS_NAME_SIZE)
            return false;
        ret_name[used++] = *from;
    }
    ret_name[used] = '\0';
    return true;
}

static bool no_name(struct error *err)
{
    return error_set(err, ERR_INPUT, "not a display name of at most %d bytes",
                     ADDRESS_NAME_SIZE - 1);
}

bool mailbox_parse(const char *text, struct mailbox *ret_mailbox, struct error *err)
{
    const char *start;
    size_t size, name_size;
    struct mailbox mailbox = {0};
    if (!split_named(text, &start, &size, &name_size)) {
        if (!parse_bare(text, strnlen(text, ADDRESS_SIZE), &mailbox.address, err))
            return false;
    } else {
        if (!is_clean(text, name_size) || !unquote(text, name_size, mailbox.name))
            return no_name(err);
        if (!parse_bare(start, size, &mailbox.address, err))
            return false;
    }
    *ret_mailbox = mailbox;
    return true;
}

bool mailbox_rename(struct mailbox *mailbox, const char *name, struct error *err)
{
    size_t size = strlen(name);
    if (size >= sizeof(mailbox->name) || !is_clean(name, size))
        return no_name(err);
    memcpy(mailbox->name, name, size + 1);
    return true;
}
