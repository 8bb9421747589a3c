// Which names are greeted, and which are a stranger's message: name_check.h, name_address.h.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <regex.h>

#include "templates/value.h"

#define ZWJ "\u200d"
#define ZWNJ "\u200c"
#define EMOJI_STYLE "\ufe0f"

// NULL where it is no name. Valid until the next call.
static const char *read_name(const char *text)
{
    static char name[VALUE_NAME_SIZE];
    json_auto_t *value = json_string(text);
    assert_non_null(value);
    memset(name, '?', sizeof(name));
    return value_read_name(value, name) ? name : NULL;
}

static void assert_name(const char *text, const char *want)
{
    const char *name = read_name(text);
    if ((name == NULL) != (want == NULL) || (name && strcmp(name, want) != 0))
        fail_msg("\"%s\" is %s, not %s", text, name ? name : "no name", want ? want : "no name");
}

// Each is greeted as it stands here.
static const char *const NAMES[] = {
    "Anna",
    "Zoë O'Hara",
    "Dr. Nagy-Kovács Ágnes",
    "özv. Kiss Béláné",
    "ifj.Szabó Péter", // a title, and no space behind its dot
    "Őrsi Ödön",
    "Müller-Lüdenscheidt",
    "Jürgen von der Lippe",
    "Prof. Dr. h.c. mult. Groß",
    "Prof.Dr.Schmidt",
    "St.John",
    "Ian St. John Smythe",
    "J.R.R. Tolkien",
    "J.Smith",
    "A.P.J.Abdul Kalam",
    "Md.Rahim Uddin",
    "Ma.Teresa Santos",
    "Siva a/l Raju", // "son of", as Malaysia writes it
    "Anand s/o Kumar",
    "José María de la Cruz 3rd",
    "X Æ A-12",
    "Agent 007",
    "Henry Ⅷ",
    "Louis XIV",
    "Sammy Davis, Jr.",
    "D'Angelo",
    "Renée Zellweger",
    "Søren Kierkegaard",
    "Þórður Ægisson",
    "Łukasz Żółć",
    "Dvořák, Antonín",
    "Nguyễn Văn A",
    "Nguye\u0302\u0303n Va\u0306n A", // the same, decomposed
    "ThS.Nguyễn Thị Minh Khai",
    "Ngũgĩ wa Thiong'o",
    "!Xóõ ǀXam",
    "Gal·la Placídia",
    "Иван Сергеевич Тургенев",
    "А.С. Пушкин",
    "С.Пушкин",
    "Ольга",
    "Γιώργος Παπαδόπουλος",
    "عبد الله",
    "محمد بن عبد الرحمن",
    "د.أحمد زويل",    // "Dr.", as Arabic writes it
    "علی" ZWNJ "رضا", // NOLINT: one name
    "משה כהן",
    "בֶּן־גּוּרְיוֹן",
    "李小龙",
    "约翰·史密斯",
    "一二三", // a given name, Hifumi
    "鈴木 一郎",
    "山田太郎",
    "モーニング娘。",
    "김철수",
    "สมชาย ใจดี",
    "राज कुमार",
    "ශ්" ZWJ "රීමාවෝ",
    "தமிழ்ச்செல்வன்",
    "မောင်မောင်",
    "བསྟན་འཛིན་རྒྱ་མཚོ",
    "አበበ ቢቂላ",
    "ქეთევან",
    "Արամ Խաչատրյան",
    "Jennifer Null",
    "Nan Goldin",
    "Nullius",
    "Dot Cotton",
    "Al Com",
    "Anna :)",
    "Anna 😀",
    "👩" ZWJ "💻 Ada",
    "❤" EMOJI_STYLE " Mimi",
    "{{code}}",
    "<b>Zed & \"Co\"",
    // Initials and titles right before a name.
    "J.R.R.Tolkien",
    "Sz.Nagy Gábor",
    "Dr.Nagy",
    "Dr.Ágnes",
    "Dr.Smith",
    "St.Paris",
    "J.Kim",
    "J.Su-Ann Lee",
    "özv.Kiss Béláné",
    "Dipl.-Ing. Karl Huber",
    "Dipl.-Ing.Huber",
    "Prof.dr. Kovács",
    "Prof.Dr.h.c. Groß",
    "Anna Kovács, Ph.D.",
    "Maria d.C. Lopes",
    "Ю.Гагарин",
    "Γ.Παπαδόπουλος",
    "மு.க.ஸ்டாலின்",
    "ดร.สมชาย ใจดี",
    "J. Su",
    "P. Ng",
    "Carl XVI Gustaf.",
    "J.Ö",
    // Signs.
    "Jun. Anna",
    "(Anna)",
    "Anna, Bea & Co",
    "ORaith d/o Muthu",
    "Siti w/o Ahmad",
    ":-) Anna",
    "Gal·la",
    "Anna 3rd",
    "Hans-Joachim Müller-Lüdenscheidt",
    // Numerals that are words.
    "五十嵐 五十六",
    "七五三木",
    "三郎 3",
    // Long ones.
    "José María de la Cruz y de los Santos Reyes",
    "أبو عبد الله محمد بن موسى الخوارزمي",
    "Univ.-Prof. Dr. med. Dr. h.c. Hans-Peter von der Berg",
    "Maria do Carmo dos Santos da Silva",
    "ကြောင့်",
};

static void keeps_what_people_are_called(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++)
        assert_name(NAMES[i], NAMES[i]);
}

static const char *const NO_NAMES[] = {
    "Click http://a",
    "hxxp evil",
    "HTTPS",
    "//evil",
    "ftp://evil",
    "mailto:evil",
    "WWW.a",
    "www\u200b.a",
    "www evil example",
    "a@b",
    "a\uff20b",
    "a\ufe6bb",
    "evil (at) example",
    "evil(at)example",
    "visit evil.example",
    "Win at EVIL.COM now",
    "evil\u200b.com",
    "evil.\u200bcom",
    "evil .com",
    ".com",
    "evil\u3002example",
    "evil\uff0eexample",
    "evil\uff61example",
    "evil\u2024com",
    "ｅｖｉｌ．ｃｏｍ",
    "\u24d4\u24e5\u24d8\u24db.\u24d2\u24de\u24dc",
    "\U0001d41e\U0001d42f\U0001d422\U0001d425.com",
    "evil[.]com",
    "evil(.)com",
    "evil [dot] com",
    "xn--evil-example",
    "кто.рф",
    "例子.中国公司",
    "evil.co.uk",
    "evil-bank.example",
    "evil_bank.example",
    "evil1.example",
    "ev\u0301il.example",
    "St.Com",
    "Dr.online",
    "md.xyz",
    "t.me/evil",
    "T.Co",
    "x.com",
    "M.Li", // greeted without a name: m.li may be somebody's site
    "Nguyen.Van",
    "Bank.Support Team",
    "your code 1234",
    "123456",
    "1 2 3 4 5 6",
    "12-34",
    "12/34",
    "1.2.3.4",
    "1a2b3c4d",
    "Call +36 1 234 5678",
    "Anna 1987",
    "12\u200b34",
    "\uff11\uff12\uff13\uff14",
    "\u0661\u0662\u0663\u0664 \u0639\u0644\u064a",
    "\u06f1\u06f2\u06f3\u06f4",
    "\u0967\u0968\u0969\u096a \u0930\u093e\u091c",
    "\u0e51\u0e52\u0e53\u0e54",
    "\U0001d7cf\U0001d7d0\U0001d7d1\U0001d7d2",
    "\u2460\u2461\u2462\u2463",
    "\u2776\u2777\u2778\u2779",
    "\u00b9\u00b2\u00b3\u2074",
    "1" EMOJI_STYLE "\u20e3"
    "2" EMOJI_STYLE "\u20e3"
    "3" EMOJI_STYLE "\u20e3"
    "4",
    "\u4e00\u4e8c\u4e09\u56db\u4e94\u516d",
    "\u3007\u4e00\u4e8c \u4e09\u56db\u4e94",
    " \u200b ",
    "\u0301",
    "null",
    "null null",
    "Anna undefined",
    "None",
    "NaN",
    "<nil>",
    "[object Object]",
    "{}",
    "[]",
    "{\"first\":\"Anna\"}",
    "[\"Anna\"]",
    "0",
    "42",
    "Zo\ufffd",
    "-",
    "...",
    "",
    // Hosts whose names begin like people's.
    "Locked! Fix: acme.u.rest/reset",
    "visit acme.u.rest/reset",
    "visit acme.u.rest",
    "paypal.a.cfd",
    "secure-login.x.bond",
    "acme.x.su",
    "login.a.b.sbs",
    "acme.\u00e9.sbs",
    "j.su",
    "j.su Support",
    "J.SU",
    "j.su-",
    "j.su_x",
    "j.su's",
    "see (j.su)",
    "a.mov",
    "A.Mov",
    "dr.su",
    "Dr.Su",
    "gen.bond",
    "Gen.Bond",
    "st.rest",
    "St.Rest",
    "Dipl.Ing",
    "j.r.r.tolkien",
    "st.john",
    "evil.x",
    "evil.example.c",
    "Ink.U.Nagy",
    "a.\u4e2d\u56fd",
    "\u4f8b.\u4e2d\u56fd",
    "p.\u0440\u0444",
    "P.\u0420\u0424",
    "\u043f.\u0440\u0444",
    "\u041f.\u0420\u0444",
    "\u041f.\u043e\u043d\u043b\u0430\u0439\u043d",
    "Dr.\u0441om",
    "\u062f.\u0645\u0635\u0631",
    "\u0e14\u0e23.\u0e44\u0e17\u0e22",
    "\U0001f600.ws",
    // What is seen as a dot.
    "evil\ua4f8com",
    "evil\u06d4com",
    "evil\u0702com",
    "evil\U0001d16dcom",
    "evil\ua60ecom",
    "evil\u00b7com",
    "evil\u2022com",
    "evil\u30fbcom",
    "evil\u0660com",
    "j\u00b7su",
    "mal\u00b7com",
    "\ua4f8\ua4f8",
    // Paths.
    "J.R.R./x",
    "J.Smith/reset",
    "reset/now",
    "a/l",
    "a/lx Raju",
    "\\\\evil\\share",
    "\\",
    "evil\uff0fx",
    "evil\u2215x",
    "evil\uff3cx",
    // Sentences.
    "Account locked! Reply with your password to unlock it today",
    "Account locked Reply with your password to unlock it today",
    "Account-locked-reply-with-your-password",
    "Locked!",
    "Locked\uff01",
    "Locked?",
    "\u00bfLocked",
    "Locked; call",
    "Locked\uff1a call",
    "Fix: Anna",
    "Fix : Anna",
    "Anna ;)",
    "Fix:",
    // Numbers in other clothes.
    "\u4e00\u4e8c\u4e09\u56db\u4e94678",
    "\u4e00\u4e8c\u4e0978",
    "\u4e00\u4e8c\u4e09\u56db",
    "\u4e00 \u4e8c \u4e09 \u56db \u4e94 \u516d",
    "Anna \u2680\u2681\u2682\u2683\u2684\u2685",
    "Anna \u3021\u3022\u3023\u3024",
    "Anna \u1369\u136a\u136b\u136c",
    "Anna \U0001f550\U0001f551\U0001f552\U0001f553",
    "Anna \U0001f0a1\U0001f0a2\U0001f0a3\U0001f0a4",
    "Anna \u00bd\u00bd",
    // No letter.
    "\U0001d159",
    "\u2014\u2014\u2014",
    "\u00b7",
    "\U0001f600",
    "\U0001f468\u200d\U0001f680",
};

static void refuses_links_addresses_and_codes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(NO_NAMES) / sizeof(NO_NAMES[0]); i++)
        assert_name(NO_NAMES[i], NULL);
    char name[VALUE_NAME_SIZE];
    json_auto_t *number = json_integer(7);
    assert_false(value_read_name(number, name));
    assert_false(value_read_name(NULL, name));
}

// ---- at random ------------------------------------------------------------------------------

static regex_t compile(const char *pattern)
{
    regex_t regex;
    assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
    return regex;
}

static bool matches(const char *text, const regex_t *regex)
{
    return regexec(regex, text, 0, NULL, 0) == 0;
}

// What no name may have, and what each may: told apart by patterns instead of by our tables.
static void agrees_with_patterns_on_names_put_together_at_random(void **state)
{
    (void)state;
    static const char *const pieces[] = {
        ".", ".", ".", ".", " ",  " ",  "-",   "/",    "J",    "R",    "Dr",   "St",    "x",
        "u", "a", "j", "é", "su", "SU", "com", "rest", "evil", "acme", "John", "Smith", "Nagy"};
    static const char *const forbidden[] = {
        "\\.(su|SU|com|rest)([^[:alpha:]\u00e9-]|$)",     // a top-level domain
        "(evil|acme|com|rest|John|Smith|Nagy)\\.[^. /-]", // no initial before a dot
        "(^|[ /.])[JRxuaj]\\.(evil|acme)([ ./]|$)",       // not as names are written
        "[^ ]/",
        "[^/]/[^/]",
        "//",
        "/$"};
    static const char plain[] =
        "^((Dr|St)\\. ?)?(([JR]\\.)* ?)(John|Smith|Nagy)( |-)(John|Smith|Nagy)$";
    enum { FORBIDDEN = sizeof(forbidden) / sizeof(forbidden[0]) };
    regex_t forbidden_regex[FORBIDDEN], plain_regex = compile(plain);
    for (size_t i = 0; i < FORBIDDEN; i++)
        forbidden_regex[i] = compile(forbidden[i]);
    uint32_t seed = 20261121;
    size_t kept = 0;
    for (int round = 0; round < 100000; round++) {
        char text[64] = "";
        size_t size = 0;
        for (uint32_t count = 1 + (seed >> 8) % 7; count > 0; count--) {
            seed = seed * 1664525 + 1013904223;
            const char *piece = pieces[(seed >> 16) % (sizeof(pieces) / sizeof(pieces[0]))];
            size += (size_t)snprintf(text + size, sizeof(text) - size, "%s", piece);
        }
        bool is_name = read_name(text);
        kept += is_name;
        for (size_t i = 0; is_name && i < FORBIDDEN; i++) {
            if (matches(text, &forbidden_regex[i]))
                fail_msg("\"%s\" is no name: %s", text, forbidden[i]);
        }
        if (!is_name && matches(text, &plain_regex))
            fail_msg("\"%s\" is a name", text);
    }
    for (size_t i = 0; i < FORBIDDEN; i++)
        regfree(&forbidden_regex[i]);
    regfree(&plain_regex);
    assert_in_range(kept, 1000, 90000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_what_people_are_called),
        cmocka_unit_test(refuses_links_addresses_and_codes),
        cmocka_unit_test(agrees_with_patterns_on_names_put_together_at_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
