// Which domains are remembered as taken.
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <stdio.h>

#include "relay/smarthosts/taken_domains.h"

static void knows_a_domain_whatever_its_case_and_its_user(void **state)
{
    (void)state;
    struct taken_domains taken = {0};
    assert_false(taken_domains_has(&taken, "a@good.test"));
    taken_domains_add(&taken, "\"a@b\"@Good.Test");
    assert_true(taken_domains_has(&taken, "other@good.test"));
    assert_false(taken_domains_has(&taken, "a@ood.test"));
    assert_false(taken_domains_has(&taken, "nobody"));
    taken_domains_add(&taken, "nobody");
    assert_false(taken_domains_has(&taken, "nobody"));
}

static void forgets_the_one_that_was_taken_longest_ago(void **state)
{
    (void)state;
    struct taken_domains taken = {0};
    char recipient[32];
    taken_domains_add(&taken, "a@first.test");
    taken_domains_add(&taken, "a@second.test");
    for (int i = 0; i < TAKEN_DOMAINS - 2; i++) {
        snprintf(recipient, sizeof(recipient), "a@d%d.test", i);
        taken_domains_add(&taken, recipient);
    }
    taken_domains_add(&taken, "b@first.test");
    taken_domains_add(&taken, "a@new.test");
    assert_true(taken_domains_has(&taken, "a@first.test"));
    assert_true(taken_domains_has(&taken, "a@new.test"));
    assert_false(taken_domains_has(&taken, "a@second.test"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_a_domain_whatever_its_case_and_its_user),
        cmocka_unit_test(forgets_the_one_that_was_taken_longest_ago),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
