// wire_fixture.h - a wire whose connection is open, and its message's dot mark as the core sees it.
#ifndef TESTS_UNIT_RELAY_DELIVERER_WIRE_FIXTURE_H
#define TESTS_UNIT_RELAY_DELIVERER_WIRE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay/base/clock.h"
#include "relay/deliverer/wire.h"

struct fixture {
    char dir[40];
    struct dots *core, *dots;
    struct wire wire;
    struct job job;
    int near, far; // of the connection; near is in the library's hands
};

static inline void open_dots(struct fixture *fixture)
{
    struct error err;
    snprintf(fixture->dir, sizeof(fixture->dir), "/tmp/wire-XXXXXX");
    assert_non_null(mkdtemp(fixture->dir));
    fixture->core = dots_open(fixture->dir, 0, &err);
    assert_non_null(fixture->core);
    fixture->dots = dots_map(dots_share(fixture->core, &err), &err);
    assert_non_null(fixture->dots);
    assert_int_equal(dots_assign(fixture->core, "0193"), 0);
}

static inline void open_wire(struct fixture *fixture)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    fixture->near = pair[0];
    fixture->far = pair[1];
    wire_init(&fixture->wire, fixture->dots, 1000);
    fixture->job.deadline_boot_ms = clock_boot_ms() + 60000;
    wire_begin(&fixture->wire, &fixture->job);
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(25), .sin_addr.s_addr = htonl(0xc0000201)};
    assert_true(wire_opened(&fixture->wire, fixture->near, (const struct sockaddr *)&address,
                            sizeof(address)));
}

static inline int set_up_wire(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    open_dots(fixture);
    open_wire(fixture);
    *state = fixture;
    return 0;
}

static inline int tear_down_wire(void **state)
{
    struct fixture *fixture = *state;
    wire_finish(&fixture->wire);
    dots_close(fixture->dots);
    dots_close(fixture->core);
    close(fixture->near);
    close(fixture->far);
    char path[64];
    snprintf(path, sizeof(path), "%s/dots", fixture->dir);
    unlink(path);
    rmdir(fixture->dir);
    free(fixture);
    return 0;
}

static inline enum dot_state mark(const struct fixture *fixture)
{
    struct dot dot;
    dots_get(fixture->core, 0, &dot);
    return dot.state;
}

#endif
