#!/usr/bin/python3
"""Brings the relay of compose.yaml up in Docker, kills it with -9 amid traffic, and finds every mail.

No image can be taken for granted, so the base is made of Debian's packages (bare_debian.sh), Kratos is
played by tests/support/kratos.py, and the sink is a server on this machine. What is built is left in
Docker for the next run; the containers, the network and the volumes are removed. Without Docker it
prints that it is skipped.

With KRATOS_IMAGE in the environment, an image that is on this machine, a real Kratos is tried as well.
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/support"))

import kratos as kratos_module  # noqa: E402
import payloads  # noqa: E402
import real_kratos  # noqa: E402
import sink as sink_module  # noqa: E402
from commands import WAIT_S, run, wait_until  # noqa: E402

IMAGE = "courier-relay:docker-check"
PROJECT = "courier-relay-docker-check"
KRATOS_IMAGE = os.environ.get("KRATOS_IMAGE")
MAILS = 40  # in each of the two phases

# What differs from compose.yaml: the image that was built here, and where the sink is.
OVERRIDE = """
services:{kratos}
  relay:
    image: {image}
    environment:
      RELAY_SMTP_URI: smtp://{gateway}:{sink_port}/?disable_starttls=true
networks:
  default:
    name: {project}
    external: true
"""


def missing():
    """Why this cannot run here, or None."""
    for program in ("docker", "docker-compose"):
        if not shutil.which(program):
            return f"there is no {program}"
    if subprocess.run(["docker", "info"], stdout=subprocess.DEVNULL,
                      stderr=subprocess.DEVNULL).returncode != 0:
        return "no Docker daemon answers"
    return None


def build_image():
    print("making the images: some minutes where nothing of them is there yet", flush=True)
    base = run(ROOT / "tests/e2e/bare_debian.sh").splitlines()[-1]
    with subprocess.Popen(["docker", "build", "--build-arg", f"BASE={base}", "-t", IMAGE, ROOT],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True) as build:
        said = []
        for line in build.stdout:
            said.append(line)
            if re.match(r"Step \d|#\d+ \[", line):  # of the one builder, of the other
                print(line.rstrip(), flush=True)
    if build.returncode != 0:
        raise SystemExit(f"docker build: status {build.returncode}\n{''.join(said[-40:])}")
    sizes = [int(run("docker", "image", "inspect", "-f", "{{.Size}}", name)) / 1e6
             for name in (IMAGE, base)]
    print(f"image: {sizes[0]:.0f} MB, of which the bare Debian is {sizes[1]:.0f} MB; "
          f"both stay for the next run (docker rmi {IMAGE} {base})")


class Relay:
    """compose.yaml's service `relay`, in a folder with secrets of its own."""

    def __init__(self, folder, sink_port, gateway):
        self.folder = folder
        for name in ("compose.yaml", "compose.smarthost.yaml"):
            text = (ROOT / name).read_text()  # this machine's own ports may be in use
            (folder / name).write_text(re.sub(r"127\.0\.0\.1:\d+:", "127.0.0.1::", text))
        shutil.copytree(ROOT / "deploy", folder / "deploy",
                        ignore=shutil.ignore_patterns("secrets"))
        run(folder / "deploy/make_secrets.sh")
        (folder / "override.yaml").write_text(OVERRIDE.format(
            image=IMAGE, gateway=gateway, sink_port=sink_port, project=PROJECT,
            kratos=real_kratos.OVERRIDE.format(image=KRATOS_IMAGE) if KRATOS_IMAGE else ""))
        self.key = (folder / "deploy/secrets/relay-api-key").read_text().strip().split(":", 1)[1]
        self.container = None

    def compose(self, *arguments):
        return run("docker-compose", "-p", PROJECT, "-f", "compose.yaml", "-f", "override.yaml",
                   *arguments, folder=self.folder)

    def up(self):
        self.compose("up", "-d", "--no-build", "relay")
        self.container = self.compose("ps", "-q", "relay")

    def inspect(self, form):
        return run("docker", "inspect", "-f", form, self.container)

    def address(self):
        return self.inspect("{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}")

    def shell(self, script):
        return run("docker", "exec", self.container, "sh", "-c", script)

    def wait_healthy(self):
        wait_until(lambda: self.inspect("{{.State.Health.Status}}") == "healthy",
                   "the container's health check")

    def events(self, name):
        lines = run("docker", "logs", self.container).splitlines()
        return [json.loads(line) for line in lines if f'"event":"{name}"' in line]

    def log(self):
        return run("docker", "logs", "--tail", "20", self.container, check=False)


def check_compose_files(relay):
    """docker-compose reads them, with and without the override for a real smarthost."""
    smarthost = "smtp://user:secret@smtp.acme.example:587/"
    (relay.folder / "deploy/secrets/smtp-uri").write_text(smarthost)
    files = ["-f", "compose.yaml"]
    run("docker-compose", *files, "config", "-q", folder=relay.folder)
    shown = run("docker-compose", *files, "-f", "compose.smarthost.yaml", "config",
                folder=relay.folder)
    assert "RELAY_SMTP_URI_FILE: /run/secrets/smtp-uri" in shown and smarthost not in shown, shown
    print("compose.yaml and compose.smarthost.yaml: well-formed")


def check_confinement(relay):
    status = dict(line.split(":\t", 1) for line in relay.shell(
        'cat "/proc/$(pidof courier-relay)/status"').splitlines() if ":\t" in line)
    assert status["Uid"].split() == ["65532"] * 4, status["Uid"]
    for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[name], 16) == 0, (name, status[name])
    assert status["NoNewPrivs"].strip() == "1" and status["Seccomp"].strip() == "2"
    refused = relay.shell("for folder in / /tmp /etc /usr /run; do "
                          "touch $folder/x 2>/dev/null && echo $folder; done; true")
    assert refused == "", f"{refused} can be written to"
    confined, = relay.events("confined")
    assert "seccomp" in confined["confinement"] and "unconfined" not in confined, confined
    print("user 65532, no capabilities, no new privileges, a read-only root, a confined composer")


def check_admin(relay):
    """The admin API, and the metrics, with the key that make_secrets.sh has made."""
    key = (relay.folder / "deploy/secrets/relay-admin-key").read_text().strip().split(":")[2]
    for path, wanted in (("/admin/stats", b'"'), ("/metrics", b"courier_relay_")):
        request = urllib.request.Request(f"http://{relay.address()}:8081{path}",
                                         headers={"Authorization": f"Bearer {key}"})
        with urllib.request.urlopen(request, timeout=WAIT_S) as answer:
            assert wanted in answer.read(), path
    print("admin API and metrics answer")


def check_orphans(relay):
    """Whoever is process 1 reaps what loses its parent."""
    relay.shell("for i in 1 2 3 4 5; do (sleep 0.1 &) ; done")
    time.sleep(0.5)
    states = relay.shell("cat /proc/[0-9]*/status | grep ^State")
    assert "Z" not in states, states
    print("orphans are reaped")


def check_kill(relay, sink, kratos):
    """Two phases: the kill finds mail that waits, then mail on its way."""
    sink.down()
    waiting = [kratos.queue(payloads.login_code()) for _ in range(MAILS)]
    wait_until(lambda: all(one.status == "sent" for one in waiting), "the relay to accept them")
    run("docker", "kill", "-s", "KILL", relay.container)
    sink.up()
    under_way = [kratos.queue(payloads.login_code()) for _ in range(MAILS)]
    run("docker", "start", relay.container)
    kratos.host = relay.address()
    wait_until(lambda: under_way[MAILS // 4].status == "sent", "mail to go again")
    run("docker", "kill", "-s", "KILL", relay.container)
    run("docker", "start", relay.container)
    kratos.host = relay.address()
    wait_until(lambda: not kratos.with_status("queued"), "Kratos' table to be empty")
    assert not kratos.with_status("abandoned"), f"{len(kratos.with_status('abandoned'))} abandoned"

    wanted = {message.payload["recipient"]: payloads.code_of(message.payload)
              for message in waiting + under_way}
    wait_until(lambda: {mail.recipient for mail in list(sink.accepted)} >= set(wanted),
               "every mail to arrive")
    for mail in sink.accepted:
        assert wanted[mail.recipient] in mail.text(), f"{mail.recipient} has another's code"
    again = len(sink.accepted) - len(wanted)
    print(f"{len(wanted)} mails, killed twice with -9: {len(wanted)} arrived, {again} of them twice; "
          f"{len(kratos.refusals)} POSTs had to be repeated")


def check_stop(relay):
    began = time.monotonic()
    run("docker", "stop", relay.container)
    status = relay.inspect("{{.State.ExitCode}}")
    assert status == "0", f"stopped with {status}\n{relay.log()}"
    print(f"docker stop: status 0 after {time.monotonic() - began:.1f} s")


def network_gateway():
    run("docker", "network", "create", PROJECT)
    shown = json.loads(run("docker", "network", "inspect", PROJECT))
    return shown[0]["IPAM"]["Config"][0]["Gateway"]


def clean():
    """Of a run that was cut off as well."""
    mine = f"label=com.docker.compose.project={PROJECT}"
    for kind, remove in (("container", ["rm", "-f", "-v"]), ("volume", ["rm"])):
        all_of_them = ["-a"] if kind == "container" else []
        names = run("docker", kind, "ls", "-q", *all_of_them, "--filter", mine).split()
        if names:
            run("docker", kind, *remove, *names)
    run("docker", "network", "rm", PROJECT, check=False)


def main():
    reason = missing()
    if reason:
        print(f"make docker-check: skipped: {reason}")
        return 0
    build_image()
    relay = None
    with tempfile.TemporaryDirectory(prefix="docker-check-") as folder:
        clean()
        try:
            gateway = network_gateway()
            with sink_module.Sink(host=gateway) as sink:
                relay = Relay(pathlib.Path(folder), sink.port, gateway)
                check_compose_files(relay)
                relay.up()
                relay.wait_healthy()
                check_confinement(relay)
                check_admin(relay)
                check_orphans(relay)
                with kratos_module.Kratos(relay.address(), 8080, relay.key) as kratos:
                    check_kill(relay, sink, kratos)
                if KRATOS_IMAGE:
                    real_kratos.check(relay, sink)
                check_stop(relay)
        except BaseException:
            if relay and relay.container:
                print(relay.log())
            raise
        finally:
            clean()
    print("make docker-check: passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
