#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "jsonnet/normaliser.h"
#include "relay/base/cleanup.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void write_file(const char *dir, const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void remove_tree(const char *dir)
{
    static const char *const names[] = {"conf/sub/c.libsonnet", "conf/sub",  "conf/b.libsonnet",
                                        "conf/key.txt",         "conf/leak", "conf",
                                        "outside.libsonnet",    ""};
    for (size_t i = 0; i < COUNT(names); i++) {
        char path[512];
        snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        assert_int_equal(remove(path), 0);
    }
}

static void evaluates_configuration_with_imports_below_its_folder(void **state)
{
    (void)state;
    char dir[] = "/tmp/test-normaliser-XXXXXX";
    assert_non_null(mkdtemp(dir));
    char conf[64], sub[128], leak[128], outside[128];
    snprintf(conf, sizeof(conf), "%s/conf", dir);
    snprintf(sub, sizeof(sub), "%s/sub", conf);
    snprintf(leak, sizeof(leak), "%s/leak", conf);
    snprintf(outside, sizeof(outside), "import '%s/outside.libsonnet'", dir);
    assert_int_equal(mkdir(conf, 0700), 0);
    assert_int_equal(mkdir(sub, 0700), 0);
    write_file(dir, "outside.libsonnet", "{ outside: true }");
    write_file(conf, "b.libsonnet", "{ b: 1 } + import 'sub/c.libsonnet'");
    write_file(conf, "sub/c.libsonnet", "{ c: importstr '../key.txt' }");
    write_file(conf, "key.txt", "k");
    assert_int_equal(symlink("../outside.libsonnet", leak), 0);

    struct error err;
    AUTO_FREE char *json =
        normaliser_evaluate_config("(import 'b.libsonnet') + { d: 2 }", "r.jsonnet", conf, &err);
    assert_non_null(json);
    json_auto_t *value = json_loads(json, 0, NULL);
    AUTO_FREE char *got = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS);
    assert_string_equal(got, "{\"b\":1,\"c\":\"k\",\"d\":2}");

    const char *const refused[] = {
        "import '../outside.libsonnet'", "import 'leak'",    outside,
        "importstr '/etc/hostname'",     "import 'missing'", "importstr 'sub'"};
    for (size_t i = 0; i < COUNT(refused); i++) {
        assert_null(normaliser_evaluate_config(refused[i], "r.jsonnet", conf, &err));
        assert_int_equal(err.code, ERR_INPUT);
        assert_non_null(strstr(err.message, "r.jsonnet:1:1: couldn't open import"));
    }
    remove_tree(dir);
}

static void names_the_place_of_a_fault_in_a_configuration(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"{\n  a: error 'set smtp_uri',\n}", "r.jsonnet:2:6: set smtp_uri"},
        {"{\n  a: self.b,\n}", "r.jsonnet:2:6: field does not exist: b"},
        {"{\n  a: 1\n  b: 2\n}", "r.jsonnet:3:3: expected a comma before next field."},
        {"{ password 'hunter2' }", "r.jsonnet:1:12: expected token OPERATOR but got a string"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct error err;
        assert_null(normaliser_evaluate_config(cases[i].text, "r.jsonnet", "/", &err));
        assert_int_equal(err.code, ERR_INPUT);
        assert_string_equal(err.message, cases[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(evaluates_configuration_with_imports_below_its_folder),
        cmocka_unit_test(names_the_place_of_a_fault_in_a_configuration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
