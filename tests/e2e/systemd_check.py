#!/usr/bin/python3
"""Runs the shipped units under a real systemd, and restarts, reloads, hangs and kills the relay there.

systemd is process 1 of a container, made of the image that docker_check.py builds; the smarthost is a
server on this machine. While POSTs come in without a pause, no connection may be refused, and every
mail has to arrive. Without Docker it prints that it is skipped.
"""
import json
import pathlib
import platform
import sys
import tempfile
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/support"))

import docker_check  # noqa: E402
import payloads  # noqa: E402
import post_stream  # noqa: E402
import relay as harness  # noqa: E402
import sink as sink_module  # noqa: E402
from commands import run, wait_until  # noqa: E402

IMAGE = "courier-relay:systemd-check"
CONTAINER = "courier-relay-systemd-check"
UNIT = "courier-relay.service"
SOCKETS = ["courier-relay.socket", "courier-relay-admin.socket"]
DOCKERFILE = f"""
FROM {docker_check.IMAGE}
USER root
RUN apt-get update && apt-get install -y --no-install-recommends systemd systemd-sysv
"""
DROP_IN = "keys-by-reload.conf"
NEW_KEY = "systemd-check-new-key-0123456789"
# What systemd needs as process 1. SYS_RESOURCE, which it does not, is not to be had everywhere.
PRIVILEGES = ["--cap-add", "ALL", "--cap-drop", "SYS_RESOURCE",
              *(f"--security-opt={name}=unconfined" for name in ("seccomp", "apparmor", "systempaths")),
              *(f"--tmpfs={folder}" for folder in ("/run", "/run/lock", "/tmp")),
              "-v", "/sys/fs/cgroup:/sys/fs/cgroup:rw", "-e", "container=docker"]

# setrlimit(RLIMIT_MEMLOCK) to what it is, then mlockall(MCL_FUTURE | MCL_ONFAULT): a filter of system calls that
# is in the way refuses either.
PRLIMIT64, MLOCKALL = {"x86_64": (302, 151), "aarch64": (261, 230)}[platform.machine()]
LOCKS_MEMORY = f"""#!/usr/bin/perl
my $limit = "\\0" x 16;
syscall({PRLIMIT64}, 0, 8, 0, $limit) == 0 && syscall({PRLIMIT64}, 0, 8, $limit, 0) == 0 or die "limit: $!";
syscall({MLOCKALL}, 6) == 0 or die "mlockall: $!";"""

# On a machine mounts are shared from the start, which is how a service sees its credentials.
INIT = "mount --make-rshared / && exec /lib/systemd/systemd"


def inside(*command, check=True):
    return run("docker", "exec", CONTAINER, *command, check=check)


def show(name):
    return inside("systemctl", "show", "-P", name, UNIT)


def events():
    lines = inside("journalctl", "-o", "cat", "-u", UNIT).splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


def start_systemd():
    docker_check.build_image()
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / "Dockerfile").write_text(DOCKERFILE)
        run("docker", "build", "-q", "-t", IMAGE, folder)
    run("docker", "rm", "-f", CONTAINER, check=False)
    run("docker", "run", "-d", "--name", CONTAINER, *PRIVILEGES, "--entrypoint", "sh", IMAGE,
        "-c", INIT)
    wait_until(lambda: inside("systemctl", "is-system-running", check=False).endswith("running"),
               "systemd to have started")
    where = json.loads(run("docker", "inspect", CONTAINER))[0]["NetworkSettings"]
    return where["IPAddress"], where["Gateway"]


def put(path, text, mode="0644"):
    inside("sh", "-c", f'mkdir -p "$(dirname {path})" && install -m {mode} /dev/null {path} && '
                       f"printf '%s\\n' \"$1\" >{path}", "sh", text)


def install(sink, gateway):
    """What the README says, but for the programs, which the image has."""
    for name, place in (("courier-relay.service", "/usr/local/lib/systemd/system/"),
                        ("courier-relay.socket", "/usr/local/lib/systemd/system/"),
                        ("courier-relay-admin.socket", "/usr/local/lib/systemd/system/"),
                        ("courier-relay.sysusers", "/usr/local/lib/sysusers.d/courier-relay.conf"),
                        ("relay.jsonnet", "/etc/courier-relay/")):
        inside("mkdir", "-p", place if place.endswith("/") else str(pathlib.Path(place).parent))
        run("docker", "cp", ROOT / "deploy/systemd" / name, f"{CONTAINER}:{place}")
    put("/etc/courier-relay/api-key", harness.API_KEY, "0600")
    put("/etc/courier-relay/smtp-uri", f"smtp://{gateway}:{sink.port}/?disable_starttls=true", "0600")
    # A watchdog that can be waited for; and what the relay locks its memory with, in its confinement, since in
    # here the limit mostly cannot be lifted and it does not come to that.
    put("/usr/local/libexec/locks-memory", LOCKS_MEMORY, "0755")
    put(f"/etc/systemd/system/{UNIT}.d/check.conf",
        "[Service]\nWatchdogSec=3s\nExecStartPre=/usr/local/libexec/locks-memory")
    inside("systemd-sysusers")
    inside("systemctl", "daemon-reload")
    inside("systemctl", "enable", "--now", *SOCKETS, UNIT)


def check_unit():
    status = show("StatusText")
    assert status.startswith("takes mail on "), status
    exposure = inside("systemd-analyze", "security", "--no-pager", UNIT).splitlines()[-1]
    confined, = (event for event in events() if event["event"] == "confined")
    for word in ("seccomp", "landlock", "no_capabilities", "no_new_privs"):
        assert word in confined["confinement"], confined
    assert "unconfined" not in confined, confined
    ready = [event for event in events() if event["event"] == "ready"][-1]
    can_lock = inside("sh", "-c", "ulimit -Hl") == "unlimited"
    assert ready["memory"].startswith("locked" if can_lock else "not locked: RLIMIT_MEMLOCK"), ready
    # Who has no key is told so: somebody listens there.
    assert "401" in inside("courier-relay", "health", "--url", "http://127.0.0.1:8081/admin/stats",
                           check=False)
    assert {one["address"] for one in events() if one["event"] == "listening"} >= {"127.0.0.1:8081"}
    print(f"{status}; {exposure.strip('→ ')}; the composer confines itself as well; "
          f"memory: {ready['memory']}")


def check_restarts(stream):
    """Returns once each of them was done under a stream of POSTs."""
    for _ in range(3):
        stream.more(50)
        inside("systemctl", "restart", UNIT)
    stream.more(50)
    inside("systemctl", "reload", UNIT)
    wait_until(lambda: [one for one in events() if one["event"] == "reloaded"], "the reload")
    for signal, what in (("KILL", "the restart after a kill -9"), ("STOP", "the watchdog")):
        stream.more(50)
        before = int(show("NRestarts"))
        inside("systemctl", "kill", "-s", signal, "--kill-who=main", UNIT)
        wait_until(lambda: int(show("NRestarts")) > before and show("ActiveState") == "active", what)
    stream.more(50)


def posts_with(address, key):
    made = json.dumps(payloads.login_code()).encode()
    request = urllib.request.Request(f"http://{address}:8080/kratos/webhook", made,
                                     {"Content-Type": "application/json", "X-Api-Key": key})
    try:
        return urllib.request.urlopen(request, timeout=10).status
    except urllib.error.HTTPError as refusal:
        return refusal.code


def check_keys(address):
    """Another key by a restart, as shipped; and by a reload, with the drop-in."""
    put("/etc/courier-relay/api-key", NEW_KEY, "0600")
    inside("systemctl", "restart", UNIT)
    assert [posts_with(address, key) for key in (NEW_KEY, harness.API_KEY)] == [200, 401]
    run("docker", "cp", ROOT / "deploy/systemd" / DROP_IN, f"{CONTAINER}:/etc/systemd/system/{UNIT}.d/")
    inside("sh", "-c", "cd /etc/courier-relay && chgrp courier-relay api-key smtp-uri && "
                       "chmod 0640 api-key smtp-uri")
    inside("systemctl", "daemon-reload")
    inside("systemctl", "restart", UNIT)
    put("/etc/courier-relay/api-key", harness.API_KEY, "0640 -g courier-relay")
    inside("systemctl", "reload", UNIT)
    wait_until(lambda: posts_with(address, NEW_KEY) == 401, "the new key to have gone")
    assert posts_with(address, harness.API_KEY) == 200
    print("another key: by a restart, or with the drop-in by a reload")


def check(sink, address):
    check_unit()
    with post_stream.Stream(8080, host=address) as stream:
        check_restarts(stream)
    assert stream.refused == 0 and set(stream.answers) == {200}, (stream.refused, stream.answers)
    wait_until(lambda: {mail.recipient for mail in list(sink.accepted)} >= set(stream.accepted),
               "every mail to arrive")
    again = len(sink.accepted) - len(set(stream.accepted))
    print(f"3 restarts, a reload, a kill -9 and a hang: {len(stream.accepted)} mails accepted, each "
          f"arrived, {again} twice; no connection refused, {stream.cut} cut, at most "
          f"{stream.longest_pause_s():.1f} s without an answer")
    check_keys(address)
    inside("systemctl", "stop", *SOCKETS, UNIT)
    assert show("Result") == "success" and show("ExecMainStatus") == "0"


def main():
    reason = docker_check.missing()
    if reason:
        print(f"make systemd-check: skipped: {reason}")
        return 0
    began = time.monotonic()
    try:
        address, gateway = start_systemd()
        with sink_module.Sink(host=gateway) as sink:
            install(sink, gateway)
            check(sink, address)
    except BaseException:
        for whose in (["_PID=1"], ["-u", UNIT]):
            print(inside("journalctl", "-n", "15", "--no-pager", *whose, check=False))
        raise
    finally:
        run("docker", "rm", "-f", CONTAINER, check=False)
    print(f"make systemd-check: passed, {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
