#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "templates/locale.h"

static const char *const TAGS[] = {"ar", "de", "de-x-formal", "en", "hu", "pt-BR", "zh-Hant"};
#define TAG_COUNT (sizeof(TAGS) / sizeof(TAGS[0]))

static int make_matcher(void **state)
{
    *state = locale_matcher_create(TAGS, TAG_COUNT, 3, NULL);
    return *state ? 0 : -1;
}

static int destroy_matcher(void **state)
{
    locale_matcher_destroy(*state);
    return 0;
}

static const char *match_one(const struct locale_matcher *matcher, const char *wish)
{
    json_auto_t *locales = json_pack("[s]", wish);
    const struct locale_wishes wishes = {.locales = locales};
    return TAGS[locale_match(matcher, &wishes, NULL)];
}

static void understands_tags_codes_and_names(void **state)
{
    static const struct {
        const char *wish, *want;
    } cases[] = {
        {"hu", "hu"},
        {"HU", "hu"},
        {"hu-HU", "hu"},
        {"hu_HU", "hu"},
        {"hu_HU.UTF-8", "hu"},
        {"hu@formal", "hu"},
        {" hu\t", "hu"},
        {"hun", "hu"},
        {"magyar", "hu"},
        {"Hungarian", "hu"},
        {"german", "de"},
        {"Deutsch", "de"},
        {"DEUTSCH", "de"},
        {"de-CH", "de"},
        {"de-Latn-CH-1996", "de"},
        {"de-x-formal", "de-x-formal"},
        {"de-x-other", "de"},
        {"de-CH-x-formal", "de"},
        {"pt-BR", "pt-BR"},
        {"pt_br", "pt-BR"},
        {"deu", "de"},
        {"ger", "de"},
        {"GER-ch", "de"},
        {"eng", "en"},
        {"hu-HU.UTF-8", "hu"},
        {"Magyar", "hu"},
        {"HUNGARIAN", "hu"},
        {"Deutsch (Schweiz)", "de"},
        {"German(Switzerland)", "de"},
        {"magyar, angol", "hu"},
        {"de-CH,de;q=0.9,hu;q=0.8", "de"},
        {"pt", "pt-BR"},
        {"Portugu\u00eas", "pt-BR"},
        {"PORTUGU\u00caS", "pt-BR"},
        {"Portuguese (Brazil)", "pt-BR"},
        {"zh-Hant-TW", "zh-Hant"},
        {"\u0627\u0644\u0639\u0631\u0628\u064a\u0629", "ar"},
        {"Arabic", "ar"},
        {"fr", "en"},
        {"", "en"},
        {"*", "en"},
        {"h", "en"},
        {"hux", "en"},
        {"C", "en"},
        {"C.UTF-8", "en"},
        {"POSIX", "en"},
        {"null", "en"},
        {"undefined", "en"},
        {"[object Object]", "en"},
        {"(hu)", "en"},
        {",hu", "en"},
        {"klingon", "en"},
        {"germany", "en"},
        {"../../etc/x", "en"},
        {"hu/../de", "en"},
        {"-", "en"},
        {"--", "en"},
        {"hu\nX", "en"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(match_one(*state, cases[i].wish), cases[i].want);
}

// Codes that systems still give, though another took their place, or that name a kin language.
static void knows_other_codes_of_a_language(void **state)
{
    (void)state;
    static const char *const tags[] = {"en", "cs", "fr", "he", "id", "nb", "zh"};
    static const struct {
        const char *wish;
        size_t want;
    } cases[] = {
        {"cze", 1}, {"ces", 1}, {"fre-CA", 2}, {"fra", 2}, {"iw", 3},     {"iw_IL", 3},
        {"in", 4},  {"no", 5},  {"nn-NO", 5},  {"chi", 6}, {"cmn-CN", 6}, {"nl", 0},
    };
    struct locale_matcher *matcher = locale_matcher_create(tags, 7, 0, NULL);
    assert_non_null(matcher);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_auto_t *locales = json_pack("[s]", cases[i].wish);
        const struct locale_wishes wishes = {.locales = locales};
        assert_int_equal(locale_match(matcher, &wishes, NULL), cases[i].want);
    }
    locale_matcher_destroy(matcher);
}

// Two scripts of one language are two languages to who reads but one of them.
static void finds_the_script_of_a_region(void **state)
{
    (void)state;
    static const struct {
        const char *tags[4];
        const char *wish, *want;
    } cases[] = {
        {{"en", "zh-Hans", "zh-Hant"}, "zh-TW", "zh-Hant"},
        {{"en", "zh-Hans", "zh-Hant"}, "zh_HK.UTF-8", "zh-Hant"},
        {{"en", "zh-Hans", "zh-Hant"}, "zh-MO", "zh-Hant"},
        {{"en", "zh-Hans", "zh-Hant"}, "zh-Hant-HK", "zh-Hant"},
        {{"en", "zh-Hans", "zh-Hant"}, "zh-CN", "zh-Hans"},
        {{"en", "zh-Hans", "zh-Hant"}, "zh-SG", "zh-Hans"},
        {{"en", "zh-Hans", "zh-Hant"}, "zh", "zh-Hans"},
        {{"en", "zh-Hant", "zh-Hans"}, "zh", "zh-Hans"},
        {{"en", "zh", "zh-Hant"}, "zh-TW", "zh-Hant"},
        {{"en", "zh", "zh-Hant"}, "zh-CN", "zh"},
        {{"en", "zh-Hant"}, "zh-CN", "zh-Hant"},
        {{"en", "zh-CN", "zh-HK", "zh-TW"}, "zh-HK", "zh-HK"},
        {{"en", "zh-CN", "zh-HK", "zh-TW"}, "zh-MO", "zh-TW"},
        {{"en", "zh-CN", "zh-HK", "zh-TW"}, "zh-Hant", "zh-TW"},
        {{"en", "zh-CN", "zh-HK", "zh-TW"}, "zh-Hant-HK", "zh-HK"},
        {{"en", "zh-CN", "zh-HK", "zh-TW"}, "zh-Hans-MY", "zh-CN"},
        {{"en", "sr", "sr-Latn"}, "sr-RS", "sr"},
        {{"en", "sr", "sr-Latn"}, "sr-ME", "sr-Latn"},
        {{"en", "sr", "sr-Latn"}, "sr-Latn-RS", "sr-Latn"},
        {{"en", "sr", "sr-Latn"}, "sr-Cyrl-BA", "sr"},
        {{"en", "az-Arab", "az-Latn"}, "az", "az-Latn"},
        {{"en", "az-Arab", "az-Latn"}, "az-IR", "az-Arab"},
        {{"en", "pt", "pt-BR"}, "pt-PT", "pt"},
        {{"en", "pt", "pt-BR"}, "pt-BR", "pt-BR"},
        {{"en", "pt-BR", "pt-PT"}, "pt", "pt-BR"},
        {{"en", "pt-BR", "pt-PT"}, "pt-Latn-PT", "pt-PT"},
        {{"en", "de", "de-CH"}, "de-CH-1996", "de-CH"},
        {{"en", "de", "de-CH"}, "de-AT", "de"},
        {{"en", "nb"}, "no-NO", "nb"},
        {{"en", "no"}, "nb-NO", "no"},
        {{"en", "nb", "no"}, "no-NO", "no"},
        {{"en", "nb", "no"}, "nb_NO", "nb"},
        {{"en", "fil"}, "tl", "fil"},
        {{"en", "fil"}, "tl-PH", "fil"},
        {{"en", "tl"}, "fil-PH", "tl"},
        {{"hu", "en"}, "und-US", "hu"},
        {{"hu", "en"}, "x-y", "hu"},
        {{"hu", "en"}, "-us", "hu"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t count = 0;
        while (count < 4 && cases[i].tags[count])
            count++;
        struct locale_matcher *matcher = locale_matcher_create(cases[i].tags, count, 0, NULL);
        assert_non_null(matcher);
        json_auto_t *locales = json_pack("[s]", cases[i].wish);
        const struct locale_wishes wishes = {.locales = locales};
        const char *got = cases[i].tags[locale_match(matcher, &wishes, NULL)];
        if (strcmp(got, cases[i].want) != 0)
            fail_msg("%zu: %s gets %s, not %s", i, cases[i].wish, got, cases[i].want);
        locale_matcher_destroy(matcher);
    }
}

static void gives_each_of_two_kin_languages_its_own(void **state)
{
    (void)state;
    static const char *const tags[] = {"no", "nn", "nb"};
    struct locale_matcher *matcher = locale_matcher_create(tags, 3, 0, NULL);
    assert_non_null(matcher);
    for (size_t i = 0; i < 3; i++) {
        json_auto_t *locales = json_pack("[s]", tags[i]);
        const struct locale_wishes wishes = {.locales = locales};
        assert_int_equal(locale_match(matcher, &wishes, NULL), i);
    }
    locale_matcher_destroy(matcher);
}

static void takes_garbage_for_no_wish(void **state)
{
    char text[301];
    memset(text, 'h', sizeof(text) - 1);
    text[300] = '\0';
    assert_string_equal(match_one(*state, text), "en");
    memcpy(text, "hu-", 3);
    assert_string_equal(match_one(*state, text), "en");
    json_auto_t *locales = json_pack("[i, n, {}, s]", 1, "hu");
    const struct locale_wishes wishes = {.locales = locales};
    assert_string_equal(TAGS[locale_match(*state, &wishes, NULL)], "hu");
}

static void weighs_the_header(void **state)
{
    static const struct {
        const char *header, *want;
    } cases[] = {
        {"de-CH,de;q=0.9,fr-CH;q=0.7,en;q=0.5", "de"},
        {"fr, hu;q=0.3, de;q=0.31", "de"},
        {"hu;q=0.5,de;q=0.5", "hu"},
        {"hu;q=0,de;q=0.001", "de"},
        {"hu ; q=0.8 , de ; Q=0.9", "de"},
        {"*", "en"},
        {"*, hu;q=0.1", "hu"},
        {"fr, *;q=0.5", "en"},
        {"hu;q=2", "en"},
        {"hu;q=", "en"},
        {"hu;q=0.12345", "en"},
        {"hu;level=1", "en"},
        {",,;,hu", "hu"},
        {"", "en"},
        {"hu;q=1.000", "hu"},
        {"a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,r,s,t,u,v,w,x,y,z,aa,bb,cc,dd,ee,ff,hu", "en"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct locale_wishes wishes = {.accept_language = cases[i].header};
        assert_string_equal(TAGS[locale_match(*state, &wishes, NULL)], cases[i].want);
    }
}

static void asks_in_order_and_says_whom(void **state)
{
    json_auto_t *unknown = json_pack("[s, s]", "tlh", "fr");
    json_auto_t *known = json_pack("[s, s, s]", "fr", "hu", "de");
    const struct {
        struct locale_wishes wishes;
        const char *want, *want_source;
    } cases[] = {
        {{known, "de", "pt-BR ar", "de", "de"}, "hu", "payload"},
        {{unknown, "de", "pt-BR ar", "hu", "hu"}, "de", "accept_language"},
        {{unknown, "fr", "pt-BR ar", "hu", "hu"}, "pt-BR", "request_url"},
        {{unknown, "fr", "fr  ar", "hu", "hu"}, "ar", "request_url"},
        {{unknown, "fr", NULL, "de-AT", "hu"}, "de", "default"},
        {{unknown, "fr", NULL, "fr", "hu"}, "hu", "brand"},
        {{unknown, "fr", NULL, NULL, "hu"}, "hu", "brand"},
        {{unknown, "fr", NULL, "fr", "fr"}, "en", "default"},
        {{NULL, NULL, NULL, NULL, NULL}, "en", "default"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        enum locale_source source;
        assert_string_equal(TAGS[locale_match(*state, &cases[i].wishes, &source)], cases[i].want);
        assert_string_equal(locale_source_name(source), cases[i].want_source);
    }
}

static void knows_directions(void **state)
{
    (void)state;
    assert_true(locale_is_right_to_left("ar"));
    assert_true(locale_is_right_to_left("he-IL"));
    assert_true(locale_is_right_to_left("az-Arab"));
    assert_false(locale_is_right_to_left("hu"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(understands_tags_codes_and_names),
        cmocka_unit_test(knows_other_codes_of_a_language),
        cmocka_unit_test(finds_the_script_of_a_region),
        cmocka_unit_test(gives_each_of_two_kin_languages_its_own),
        cmocka_unit_test(takes_garbage_for_no_wish),
        cmocka_unit_test(weighs_the_header),
        cmocka_unit_test(asks_in_order_and_says_whom),
        cmocka_unit_test(knows_directions),
    };
    return cmocka_run_group_tests(tests, make_matcher, destroy_matcher);
}
