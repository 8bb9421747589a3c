// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/paths.h"

static char *below(const char *root, const char *name)
{
    char *path = NULL;
    assert_true(asprintf(&path, "%s/%s", root, name) > 0);
    return path;
}

static void change_folders(const char *root, const char *const *names, int (*change)(const char *))
{
    for (size_t i = 0; names[i]; i++) {
        char *path = below(root, names[i]);
        assert_int_equal(change(path), 0);
        free(path);
    }
}

static int make(const char *path)
{
    return mkdir(path, 0700);
}

static void assert_below(const char *got, const char *root, const char *want)
{
    char *path = below(root, want);
    assert_string_equal(got, path);
    free(path);
}

static void finds_an_installed_tree(void **state)
{
    (void)state;
    static const char *const folders[] = {"usr",
                                          "usr/bin",
                                          "usr/share",
                                          "usr/share/courier-relay",
                                          "usr/share/courier-relay/templates",
                                          NULL};
    static const char *const reversed[] = {"usr/share/courier-relay/templates",
                                           "usr/share/courier-relay",
                                           "usr/share",
                                           "usr/bin",
                                           "usr",
                                           NULL};
    char root[] = "/tmp/test_paths.XXXXXX";
    assert_non_null(mkdtemp(root));
    change_folders(root, folders, make);
    char *bin = below(root, "usr/bin");
    struct paths paths;
    struct error err = {0};
    assert_true(paths_find(bin, &paths, &err));
    assert_below(paths.composer, root, "usr/libexec/courier-relay/composer");
    assert_below(paths.deliverer, root, "usr/libexec/courier-relay/deliverer");
    assert_below(paths.templates_dir, root, "usr/share/courier-relay/templates");
    assert_below(paths.normaliser, root, "usr/share/courier-relay/jsonnet/kratos_courier.jsonnet");
    paths_finish(&paths);
    free(bin);
    change_folders(root, reversed, rmdir);
    rmdir(root);
}

static void finds_a_clone(void **state)
{
    (void)state;
    static const char *const folders[] = {"build", "build/release", "build/release/bin", NULL};
    static const char *const reversed[] = {"build/release/bin", "build/release", "build", NULL};
    char root[] = "/tmp/test_paths.XXXXXX";
    assert_non_null(mkdtemp(root));
    change_folders(root, folders, make);
    char *bin = below(root, "build/release/bin");
    struct paths paths;
    struct error err = {0};
    assert_true(paths_find(bin, &paths, &err));
    assert_below(paths.composer, root, "build/release/libexec/courier-relay/composer");
    assert_below(paths.templates_dir, root, "templates");
    assert_below(paths.samples_dir, root, "jsonnet/samples");
    paths_finish(&paths);
    free(bin);
    change_folders(root, reversed, rmdir);
    rmdir(root);
    assert_false(paths_find("/nonexistent/bin", &paths, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_an_installed_tree),
        cmocka_unit_test(finds_a_clone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
