// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <string.h>

#include "relay/cli/index_page.h"

#define HOSTILE "<b>\"'&</b>"
#define ESCAPED "&lt;b&gt;&quot;&#39;&amp;&lt;/b&gt;"

static void write_page(struct buffer *page, const struct index_page_mail *mail)
{
    buffer_init(page, 1024 * 1024);
    index_page_begin(page, 1, 1, 1);
    index_page_begin_brand(page, HOSTILE, HOSTILE);
    index_page_locale(page, HOSTILE, HOSTILE, HOSTILE, HOSTILE);
    index_page_end_locales(page);
    index_page_begin_type(page, HOSTILE);
    index_page_mail(page, mail);
    index_page_end_type(page);
    index_page_end_brand(page);
    index_page_end(page);
    assert_false(page->failed);
}

static size_t count_of(const char *text, const char *part)
{
    size_t count = 0;
    for (; (text = strstr(text, part)); text += strlen(part))
        count++;
    return count;
}

static void escapes_every_text(void **state)
{
    (void)state;
    const struct index_page_mail mails[] = {
        {.locale = HOSTILE,
         .language = HOSTILE,
         .dir = HOSTILE,
         .subject = HOSTILE,
         .subject_size = strlen(HOSTILE),
         .path = HOSTILE},
        {.locale = HOSTILE, .language = HOSTILE, .dir = HOSTILE, .path = HOSTILE, .park = HOSTILE},
    };
    // The brand's two, the locale's four, the type; of the mail: locale, language, dir, subject and
    // three paths, or locale and reason.
    static const size_t wanted[] = {7 + 7, 7 + 2};
    for (size_t i = 0; i < sizeof(mails) / sizeof(mails[0]); i++) {
        struct buffer page;
        write_page(&page, &mails[i]);
        assert_null(strstr(page.data, "<b>"));
        assert_null(strstr(page.data, "'&</b>"));
        assert_int_equal(count_of(page.data, ESCAPED), wanted[i]);
        buffer_finish(&page);
    }
}

static void leads_to_a_mails_three_files(void **state)
{
    (void)state;
    const struct index_page_mail mail = {.locale = "hu-x-formal",
                                         .language = "hu",
                                         .dir = "ltr",
                                         .subject = "Kód, cut",
                                         .subject_size = strlen("Kód"),
                                         .path = "acme/hu-x-formal/login_code_valid"};
    struct buffer page;
    write_page(&page, &mail);
    assert_non_null(strstr(page.data,
                           "<td><code class=\"locale\">hu-x-formal</code>"
                           "<a href=\"acme/hu-x-formal/login_code_valid.html\" lang=\"hu\" "
                           "dir=\"ltr\">Kód</a><span class=\"files\">"
                           "<a href=\"acme/hu-x-formal/login_code_valid.txt\">text</a> "
                           "<a href=\"acme/hu-x-formal/login_code_valid.eml\">message</a></span>"));
    buffer_finish(&page);
}

static void says_why_there_is_no_mail(void **state)
{
    (void)state;
    const struct index_page_mail mail = {
        .locale = "hu", .language = "hu", .dir = "ltr", .path = "a/b/c", .park = "no_content"};
    struct buffer page;
    write_page(&page, &mail);
    assert_non_null(strstr(page.data, "no mail: no_content"));
    assert_null(strstr(page.data, "a/b/c"));
    buffer_finish(&page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(escapes_every_text),
        cmocka_unit_test(leads_to_a_mails_three_files),
        cmocka_unit_test(says_why_there_is_no_mail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
