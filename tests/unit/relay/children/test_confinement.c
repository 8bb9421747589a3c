// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <string.h>

#include "relay/children/confinement.h"

static void words_become_one_line(void **state)
{
    (void)state;
    char text[CONFINEMENT_TEXT_SIZE];
    json_auto_t *words = json_pack("[s, s, i, s]", "rlimits", "seccomp", 3, "landlock-7");
    json_auto_t *none = json_array();
    assert_string_equal(confinement_text(words, text), "rlimits, seccomp, landlock-7");
    assert_string_equal(confinement_text(none, text), "");
    assert_string_equal(confinement_text(NULL, text), "");
}

static void what_is_too_long_is_cut_off(void **state)
{
    (void)state;
    char text[CONFINEMENT_TEXT_SIZE], word[200];
    memset(word, 'x', sizeof(word) - 1);
    word[sizeof(word) - 1] = '\0';
    json_auto_t *words = json_pack("[s, s, s, s, s]", word, word, word, word, word);
    assert_int_equal(strlen(confinement_text(words, text)), CONFINEMENT_TEXT_SIZE - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_become_one_line),
        cmocka_unit_test(what_is_too_long_is_cut_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
