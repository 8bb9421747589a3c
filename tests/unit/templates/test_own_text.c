#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "templates/own_text.h"

static void splits_lines(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"\n\nUse this code:\r\n\r\n\r\n750046 \t\r\nEnd\n\n",
         "[{\"text\":\"Use this "
         "code:\"},{\"text\":\"\"},{\"text\":\"750046\"},{\"text\":\"End\"}]"},
        {"a\rb\x01\x1b[2Jc\td", "[{\"text\":\"a\"},{\"text\":\"b[2Jc d\"}]"},
        {"a\xc2\x9b"
         "b\u2028c",
         "[{\"text\":\"abc\"}]"},
        {"a\u202e\u200bb\u2066c\u2069\ufeff\n\u202a\u202b\u202c\u202d\u2067\u2068\n\u200e\u2065d",
         "[{\"text\":\"abc\"},{\"text\":\"\"},{\"text\":\"\u200e\u2065d\"}]"},
        {"", "[]"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_auto_t *lines = own_text_lines(cases[i].text);
        char *got = json_dumps(lines, JSON_COMPACT);
        assert_string_equal(got, cases[i].want);
        free(got);
    }
}

static void takes_what_is_hidden_out_of_a_subject(void **state)
{
    (void)state;
    static const struct {
        const char *subject, *want;
    } cases[] = {
        {"Your\r\n code \u202eABC\u202c\u2066 x\u2069", "Your code ABC x"},
        {"\ufeffht\u200btp", "http"},
        {"\u200b \u2068", ""},
        {"", ""},
        {"\u4f60\u597d", "\u4f60\u597d"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buffer out AUTO_BUFFER;
        buffer_init(&out, 1000);
        own_text_subject(cases[i].subject, &out);
        buffer_append(&out, "", 0);
        assert_false(out.failed);
        assert_string_equal(out.data, cases[i].want);
    }
}

static void tells_kinds_of_content(void **state)
{
    (void)state;
    assert_false(own_text_is_there(NULL));
    assert_false(own_text_is_there(" \r\n\t"));
    assert_false(own_text_is_there("\x01 \x7f\xc2\x80"));
    assert_false(own_text_is_there("\u200b\ufeff \u202e"));
    assert_true(own_text_is_there(" x"));
    assert_true(own_text_is_document("\n<!DOCTYPE html><HTML>"));
    assert_false(own_text_is_document("<p>html</p>"));
}

static void takes_only_html_that_makes_its_own_lines(void **state)
{
    (void)state;
    static const struct {
        const char *html;
        bool want;
    } cases[] = {
        {"1 < 2 and 3 <4 <", false},
        {"Hi,\n\nclick <a href=\"https://a.example/\">here</a>\n", false},
        {"<b>Hi</b> <!-- <p> --> <pa> <brr>", false},
        {"<a href=\"/p\">p</a>", false},
        {"1 < 2<br>", true},
        {"1<BR/>2", true},
        {"<P class=x>Hi", true},
        {"<table><tr><td>Hi", true},
        {"<H6>Hi</H6>", true},
        {"<p>Hi</p><script>x</script>", false},
        {"<p>Hi</p><SCRIPT src=x>", false},
        {"<style>p{}</style><p>Hi</p>", true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (own_text_is_laid_out(cases[i].html) != cases[i].want)
            fail_msg("%s", cases[i].html);
    }
}

static void reads_html(void **state)
{
    (void)state;
    static const struct {
        const char *html, *want;
    } cases[] = {
        {"<p>Hi,</p><p>click <a href=\"https://a.example/?a=1&amp;b=2\">here</a>.</p>",
         "Hi,\n\nclick here https://a.example/?a=1&b=2 .\n"},
        {"a &lt;b&gt; &amp;amp; &#8217;&#x1F600;&nbsp;&unknown; &#xD800;&#;x",
         "a <b> &amp; \u2019\U0001f600 &unknown; &#;x"},
        {"<html><head><title>x</title></head><body>a<br/>b<!-- <p>c</p> -->d</body></html>",
         "a\nbd"},
        {"<style>p{}</style>a\n\n  b<script>if (a<b) {}</script>", "a b"},
        {"a<", "a<"},
        {"a<p", "a\n\n"},
        {"a<!-- b", "a"},
        {"<a href=>x</a><a>y</a>", "xy"},
        {"<script>", ""},
        {"<a data-href=\"decoy\" href=\"real\">x</a>", "x real "},
        {"<a title='href=\"decoy\"' HREF = 'real'>x</a>", "x real "},
        {"<a href=\"real\" href=\"decoy\">x</a>", "x real "},
        {"<a href href=\"decoy\">x</a>", "x"},
        {"<a href=https://a.example/?a=1&amp;b=/2 class=c>x</a>", "x https://a.example/?a=1&b=/2 "},
        {"<a/href=real>x</a>", "x real "},
        {"<a =href=decoy\thref=real>x</a>", "x real "},
        {"<a href=\" ht\ntp://a.example \">x</a>", "x http://a.example "},
        {"<a href='a\"b'>x</a>", "x a\"b "},
        {"<a title='x>y'>z</a>", "z"},
        {"<p title=\"x>y\" class='>'>z</p title='>'>", "z\n"},
        {"<a title=x'y>z'</a>", "z'"},
        {"<a title='x>y", ""},
        {"<a href='x", ""},
        {"<abbr href=decoy>x</abbr><a-b href=decoy>y</a-b>", "xy"},
        {"<blockquotes>x<br/>y<blockquote/>z", "x\ny\nz"},
        {"<!--> x <!---> y <!-- ' > -->z<!a'>b", "x y zb"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buffer out AUTO_BUFFER;
        buffer_init(&out, 1000);
        own_text_from_html(cases[i].html, &out);
        buffer_append(&out, "", 0);
        assert_string_equal(out.data, cases[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splits_lines),
        cmocka_unit_test(takes_what_is_hidden_out_of_a_subject),
        cmocka_unit_test(tells_kinds_of_content),
        cmocka_unit_test(takes_only_html_that_makes_its_own_lines),
        cmocka_unit_test(reads_html),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
