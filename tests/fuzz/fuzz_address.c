// fuzz_address.c - any text as a recipient: what is accepted may mean nothing else to SMTP.
#include <string.h>

#include "relay/base/cleanup.h"
#include "relay/composer/address.h"
#include "tests/fuzz/fuzz.h"

#define CANARY "CANARY"

static void check_address(const struct address *address)
{
    size_t size = strnlen(address->text, sizeof(address->text));
    FUZZ_CHECK(size > 2 && size < ADDRESS_SIZE, "an address fits 320 bytes");
    FUZZ_CHECK(!strpbrk(address->text, " \t\r\n<>()[],;:\\\""),
               "no byte of an address means something to SMTP");
    bool ascii = true;
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)address->text[i];
        FUZZ_CHECK(byte > ' ' && byte != 0x7f, "an address has no control character");
        if (byte >= 0x80)
            ascii = false;
        if (i >= address->domain_at)
            FUZZ_CHECK((byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') ||
                           byte == '-' || byte == '.',
                       "a domain is letters, digits, hyphens and dots");
    }
    FUZZ_CHECK(address->domain_at > 1 && address->domain_at < size &&
                   address->text[address->domain_at - 1] == '@',
               "the domain begins behind the @");
    FUZZ_CHECK(!memchr(address->text, '@', address->domain_at - 1), "there is one @");
    FUZZ_CHECK(address->smtputf8 == !ascii, "smtputf8 where it is needed, and only there");
    FUZZ_CHECK(address->text[size - 1] != '.', "a domain does not end with a dot");
}

static void check_again(const struct address *address)
{
    struct address again;
    struct error err;
    FUZZ_CHECK(address_parse(address->text, &again, &err), "what was accepted is accepted again");
    FUZZ_CHECK(strcmp(address->text, again.text) == 0 && address->smtputf8 == again.smtputf8 &&
                   address->domain_at == again.domain_at,
               "and is the same");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_FREE char *text = malloc(size + 1);
    FUZZ_CHECK(text, "there is memory");
    if (size)
        memcpy(text, data, size);
    text[size] = '\0';

    struct error err = {0};
    struct address address;
    struct mailbox named;
    if (address_parse(text, &address, &err)) {
        check_address(&address);
        check_again(&address);
    } else {
        FUZZ_CHECK(err.code == ERR_INPUT && !strstr(err.message, CANARY),
                   "an error does not hold the address");
    }
    if (mailbox_parse(text, &named, &err)) {
        check_address(&named.address);
        FUZZ_CHECK(memchr(named.name, '\0', sizeof(named.name)) &&
                       !strpbrk(named.name, "\r\n\t\x7f"),
                   "a name ends, and holds no control character");
    } else {
        FUZZ_CHECK(err.code == ERR_INPUT && !strstr(err.message, CANARY),
                   "an error does not hold the address");
    }
    return 0;
}
