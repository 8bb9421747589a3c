// What counts as a link in a text, by what the mail programs of the world make one of.
#include "brand_fixture.h"

#include "templates/text_links.h"

struct link_case {
    const char *text;
    bool want;
};

static void check(void **state, const struct link_case *cases, size_t count)
{
    struct brand_fixture *fixture = *state;
    folder_write(fixture->dir, "brand.json",
                 "{\"name\": \"Acme\", \"link_hosts\": [\"auth.acme.example\", "
                 "\"*.shop.example\", \"10.0.0.1\", \"[2001:db8::1]\"]}");
    brand_fixture_load(fixture);
    brand_fixture_assert_good(fixture);
    const struct brand *brand = brands_at(fixture->brands, 0);
    for (size_t i = 0; i < count; i++)
        if (text_links_lead_only_to(brand, cases[i].text) != cases[i].want)
            fail_msg("%s", cases[i].text);
}

static void reads_addresses_with_a_scheme(void **state)
{
    static const struct link_case cases[] = {
        {"https://auth.acme.example/x?a=b.html&c=2#d", true},
        {"see (HTTP://AUTH.acme.example.:80), or not", true},
        {"https://auth.acme.example:8443/self-service/recovery?flow=1f.html.", true},
        {"URL:https://auth.acme.example", true},
        {"\u70b9\u51fbhttps://auth.acme.example", true},
        {"<https://auth.acme.example/index.html>", true},
        {"\u201ehttps://a.shop.example/index.html\u201c", true},
        {"https://[2001:db8::1]:8443/index.html", true},
        {"https://10.0.0.1/index.html", true},
        {"https://evil.example/x", false},
        {"https://shop.example", false},
        {"https://auth.acme.example.evil.example/", false},
        {"https://auth.acme.example@evil.example/", false},
        {"https://auth.acme.example\\@evil.example/", false},
        {"https://auth.acme.example:x/", false},
        {"https://3232235777/", false},
        {"https://localhost", false},
        {"https://evil\u3002example/", false},
        {"https://[::1]/", false},
        {"https://", false},
        {"://auth.acme.example", false},
        {"htt://auth.acme.example", false},
        {"ftp://auth.acme.example/x", false},
        {"ftp://evil.example/x", false},
        {"acme-app://login", false},
        {"xhttps://auth.acme.example/", false},
        {"s3.https://auth.acme.example/", false},
        {"https://auth.acme.example/?return_to=https://evil.example", false},
        {"https://auth.acme.example/?return_to=https://a.shop.example/index.html", true},
        {"https://auth.acme.example/ and evil.example", false},
        {"https://auth.acme.example/x)evil.example", false},
        {"https://auth.acme.example/x\u3001evil.example", false},
    };
    check(state, cases, sizeof(cases) / sizeof(cases[0]));
}

static void reads_addresses_without_a_scheme(void **state)
{
    static const struct link_case cases[] = {
        {"//auth.acme.example/index.html", true},
        {"//evil.example/x", false},
        {"(//evil/x)", false},
        {"//[::1]/", false},
        {"///evil.example", false},
        {"a//evil.example", false},
        {"either//or, // or", true},
        {"http:/evil.example http:\\\\evil.example", false},
        {"http:evil.example", false},
        {"www.evil.example/x", false},
        {"WWW.evil", false},
        {"www.1.2.3", false},
        {"www. www", true},
        {"www.a.shop.example", true},
    };
    check(state, cases, sizeof(cases) / sizeof(cases[0]));
}

static void reads_names_of_hosts(void **state)
{
    static const struct link_case cases[] = {
        {"evil.example/x", false},
        {"evil.example", false},
        {"visit evil.example.", false},
        {"(evil.example)", false},
        {"_evil.example_", false},
        {"-evil.example", false},
        {"evil.e\u0301x", false},
        {"auth.acme.example- and auth.acme.example -", true},
        {"evil-bank.co.uk:8080/x", false},
        {"t.me/evil", false},
        {"1.2.evil.io", false},
        {"evil.xn--p1ai", false},
        {"b\u00fccher.example", false},
        {"evil.\u0440\u0444", false},
        {"auth.acme.example/index.html", true},
        {"\u201eauth.acme.example\u201c", true},
        {"_auth.acme.example_, auth.acme.example.", true},
        {"auth.acme.example:8443/index.html", true},
        {"auth.acme.example/?to=https://evil.example", false},
        {"auth.acme.example?to=index.html", true},
        {"10.0.0.1/x", true},
        {"10.0.0.2/x", false},
        {"10.0.0.2", false},
    };
    check(state, cases, sizeof(cases) / sizeof(cases[0]));
}

static void leaves_mail_addresses_alone(void **state)
{
    static const struct link_case cases[] = {
        {"write to first.last@evil.example, first.last+tag@evil.example.", true},
        {"mailto:help@evil.example", true},
        {"help@evil.example: hello", true},
        {"help@evil.example/x", false},
        {"help@evil.example:80", false},
        {"evil.example/help@acme.example", false},
        {"evil.example @acme", false},
        {"evil.example@", false},
    };
    check(state, cases, sizeof(cases) / sizeof(cases[0]));
}

static void leaves_other_words_alone(void **state)
{
    static const struct link_case cases[] = {
        {"", true},
        {"Your code is 750046. It is good until 14.05, i.e. 15 minutes; e.g. z.B. 3.5% of it...",
         true},
        {"Wait...what? and/or 24/7, 2026.11.21. v1.2a, Kft.-nek, \u0442.\u0434., a.m./p.m.", true},
        {"1.2.3", true},
        {"1.2.3.4.5", true},
    };
    check(state, cases, sizeof(cases) / sizeof(cases[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BRAND_TEST(reads_addresses_with_a_scheme), BRAND_TEST(reads_addresses_without_a_scheme),
        BRAND_TEST(reads_names_of_hosts),          BRAND_TEST(leaves_mail_addresses_alone),
        BRAND_TEST(leaves_other_words_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
