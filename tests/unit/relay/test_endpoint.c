// Unix sockets in a folder. (Addresses of TCP are tested where they are listened on.)
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "relay/endpoint.h"

#define NAME "control.sock"
#define LONG_NAME "a-folder-whose-name-alone-takes-a-good-part-of-what-a-socket's-path-may-have"

struct fixture {
    char top[64];
    int dir_fd; // two long folders below top
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    snprintf(fixture->top, sizeof(fixture->top), "/tmp/endpoint-test-XXXXXX");
    if (!mkdtemp(fixture->top))
        return -1;
    int top_fd = open(fixture->top, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (mkdirat(top_fd, LONG_NAME, 0700) < 0 || mkdirat(top_fd, LONG_NAME "/" LONG_NAME, 0700) < 0)
        return -1;
    fixture->dir_fd = openat(top_fd, LONG_NAME "/" LONG_NAME, O_PATH | O_DIRECTORY | O_CLOEXEC);
    close(top_fd);
    *state = fixture;
    return fixture->dir_fd < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    char path[256];
    unlinkat(fixture->dir_fd, NAME, 0);
    close(fixture->dir_fd);
    snprintf(path, sizeof(path), "%s/" LONG_NAME "/" LONG_NAME, fixture->top);
    rmdir(path);
    snprintf(path, sizeof(path), "%s/" LONG_NAME, fixture->top);
    rmdir(path);
    rmdir(fixture->top);
    free(fixture);
    return 0;
}

static int listen_there(const struct fixture *fixture)
{
    struct error err = {0};
    int fd = endpoint_listen_unix(fixture->dir_fd, NAME, 4, &err);
    if (fd < 0)
        fail_msg("%s", err.message);
    return fd;
}

static int connect_to(const struct fixture *fixture)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char path[ENDPOINT_UNIX_PATH_SIZE];
    endpoint_unix_path(fixture->dir_fd, NAME, path);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int rc = connect(fd, (const struct sockaddr *)&address, sizeof(address));
    close(fd);
    return rc;
}

static void a_socket_is_its_owners_alone_from_the_start(void **state)
{
    const struct fixture *fixture = *state;
    mode_t before = umask(0); // which does not make it wider
    int fd = listen_there(fixture);
    umask(before);
    struct stat status;
    assert_int_equal(fstatat(fixture->dir_fd, NAME, &status, 0), 0);
    assert_true(S_ISSOCK(status.st_mode));
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(connect_to(fixture), 0);
    close(fd);
}

static void one_that_was_left_behind_is_replaced(void **state)
{
    const struct fixture *fixture = *state;
    close(listen_there(fixture));
    assert_int_not_equal(connect_to(fixture), 0);
    int fd = listen_there(fixture);
    assert_int_equal(connect_to(fixture), 0);
    close(fd);
}

static void what_cannot_be_bound_is_told(void **state)
{
    const struct fixture *fixture = *state;
    struct error err = {0};
    assert_int_equal(mkdirat(fixture->dir_fd, NAME, 0700), 0); // no socket, and not removed
    assert_int_equal(endpoint_listen_unix(fixture->dir_fd, NAME, 4, &err), -1);
    assert_int_equal(err.code, ERR_IO);
    assert_int_equal(unlinkat(fixture->dir_fd, NAME, AT_REMOVEDIR), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_socket_is_its_owners_alone_from_the_start, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(one_that_was_left_behind_is_replaced, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_bound_is_told, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("endpoint", tests, NULL, NULL);
}
