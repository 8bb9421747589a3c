"""What a composer can do once it has loaded: compose, and nothing else.

The release build's, as the sanitizers' runtime needs what is taken away here. An intruder is played
by build/X/tests/composer-probe (tests/support/probe.c): the composer itself, which does what a
payload names from within the normaliser. That each act is possible where nothing is in force is
tried as well, so that these tests can fail.
"""
import ctypes
import glob
import json
import os
import pathlib
import re
import signal
import socket
import subprocess

import payloads
import pytest
import relay as harness
from child import Child

PROBE = harness.RELEASE_BUILD / "tests/composer-probe"
COMPOSER = harness.program("composer", harness.RELEASE_BUILD)
MESSAGE_ID = "0193aaaa-bbbb-7ccc-8ddd-eeeeffff0001"
WALL_MS = 1763688000000
SECRET = "750046"

REFUSED = ("open", "write_file", "stat", "mkdir", "list", "own_memory", "map_code", "make_code",
           "prctl", "dumpable", "raise_limit", "inotify", "dup", "terminal", "write_stderr")
DEADLY = ("socket", "connect", "connect_udp", "connect_unix", "connect_abstract", "fork", "clone3",
          "execve", "ptrace", "kill", "tgkill", "read_parent", "bpf", "io_uring", "unshare",
          "shared_memory", "file_in_memory", "pass_descriptor", "setuid")
FOREIGN = ("int80", "x32")  # by the numbers of other architectures
# Root's alone, or forbidden to a container, with or without us.
PRIVILEGED = ("own_memory", "ptrace", "read_parent", "bpf", "io_uring", "shared_memory")

NORMALISER = """function(payload)
  if std.objectHas(payload, 'act') then {
    channel: 'email', template: 'login_code_valid', to: 'a@example.com',
    data: { code: std.native('text')('!' + payload.act) } }"""


def init(normaliser, **changes):
    return {"op": "init", "templates_dir": str(harness.ROOT / "templates"),
            "routes": [{"name": "kratos", "normaliser": str(normaliser), "defaults": None}],
            "default_locale": "en", "timezone": "Europe/Budapest",
            "mail_from": "Acme <no-reply@acme.example>", "reply_to": None, "lifetimes": {},
            **changes}


def compose(child, made, **fields):
    blob = made if isinstance(made, bytes) else payloads.as_bytes(made)
    return child.ask({"op": "compose", "id": MESSAGE_ID, "elapsed_ms": 3, "wall_ms": WALL_MS,
                      "route": "kratos", **fields}, blob)


def kernel_has(name):
    if name == "seccomp":
        actions = pathlib.Path("/proc/sys/kernel/seccomp/actions_avail")
        return actions.exists() and "kill_process" in actions.read_text()
    version = 1  # the flag that asks for it
    return ctypes.CDLL(None).syscall(444, None, 0, version) > 0


def supported(ready, name, version=0):
    """Skips where the kernel under this test has no such protection, and has said so."""
    for item in ready["confinement"]:
        if item.startswith(name):
            if version > int(item.partition("-")[2] or 0):
                pytest.skip(f"this kernel has {item}, {version} is needed")
            return
    why, = (item for item in ready["unconfined"] if item.startswith(name))
    assert not kernel_has(name), f"{why}, which this kernel has"
    pytest.skip(why)


class Intruder:
    """The probe, with things around it to lay hands on."""

    def __init__(self, folder):
        self.listener = socket.create_server(("127.0.0.1", 0))
        port = self.listener.getsockname()[1]
        self.others = []
        for path in (str(folder / "socket"), f"\0courier-probe-{port}"):
            other = socket.socket(socket.AF_UNIX)
            other.bind(path)
            other.listen()
            self.others.append(other)
        self.bystander = subprocess.Popen(["sleep", "600"])
        self.children = []
        self.own_memory = ctypes.create_string_buffer(b"what a core has in its memory")
        self.environment = {
            "PROBE_DIR": str(folder), "PROBE_PORT": str(port),
            "PROBE_TARGET": str(self.bystander.pid),
            "PROBE_ADDRESS": hex(ctypes.addressof(self.own_memory))}
        self.normaliser = folder / "normaliser.jsonnet"
        self.normaliser.write_text(NORMALISER)

    def start(self, layers=None):
        """A probe; layers: what is left of its protections (None: all of them)."""
        assert PROBE.exists(), f"not built: make BUILD={harness.RELEASE_BUILD} probe"
        environment = dict(self.environment)
        if layers is not None:
            environment["PROBE_LAYERS"] = layers
        child = Child(str(PROBE), env=environment, stderr=subprocess.DEVNULL)
        self.children.append(child)
        ready, _ = child.ask(init(self.normaliser))
        assert ready["op"] == "ready", ready
        return child, ready

    def try_act(self, act, layers=None, needs=None):
        """What came of it: done, an errno's name, "exit N" or a signal's name.

        needs: skip where the kernel has no such protection, or only an older one ("landlock", 4).
        """
        child, ready = self.start(layers)
        if needs:
            supported(ready, *needs)
        answer = compose(child, {"act": act})
        if answer is None:
            status = child.close()
            return signal.Signals(-status).name if status < 0 else f"exit {status}"
        header, blobs = answer
        assert header["op"] == "composed", header
        assert child.close() == 0
        return json.loads(blobs[header["mails"][0]["canonical"]])["data"]["code"]

    def close(self):
        for child in self.children:
            child.close()
        self.bystander.kill()
        self.bystander.wait()
        for each in (self.listener, *self.others):
            each.close()


@pytest.fixture
def intruder(tmp_path):
    made = Intruder(tmp_path)
    yield made
    made.close()


def test_says_what_is_in_force(intruder):
    child, ready = intruder.start()
    assert {"no_output", "rlimits", "no_capabilities", "no_new_privs", "not_dumpable"} <= set(
        ready["confinement"])
    told = [*ready["confinement"], *ready["unconfined"]]
    for name in ("landlock", "seccomp"):
        assert any(item.startswith(name) for item in told), ready
    assert child.close() == 0


@pytest.mark.parametrize("act", REFUSED)
def test_what_a_library_may_try_fails(intruder, act):
    assert intruder.try_act(act, needs=["seccomp"]) == "EPERM"


@pytest.mark.parametrize("act", [*DEADLY, *FOREIGN])
def test_what_an_intruder_tries_is_its_end(intruder, act):
    if act in FOREIGN and os.uname().machine != "x86_64":
        pytest.skip(f"{act} is of x86-64")
    assert intruder.try_act(act, needs=["seccomp"]) == "SIGSYS"


@pytest.mark.parametrize("act", [*REFUSED, *DEADLY])
def test_without_confinement_it_can_be_done(intruder, act):
    found = intruder.try_act(act, layers="none")
    if act in PRIVILEGED and found in ("EPERM", "EACCES", "ENOSYS", "SIGSYS"):
        pytest.skip(f"{act} gives {found} here without our doing")
    assert found == ("exit 77" if act == "execve" else "done")


@pytest.mark.parametrize("act, abi, wanted", [
    ("open", 1, "EACCES"), ("write_file", 1, "EACCES"), ("mkdir", 1, "EACCES"),
    ("list", 1, "EACCES"), ("own_memory", 1, "EACCES"), ("ptrace", 1, "EPERM"),
    ("read_parent", 1, "EPERM"), ("connect", 4, "EACCES"), ("connect_abstract", 6, "EPERM"),
    ("kill", 6, "EPERM")])
def test_landlock_alone(intruder, act, abi, wanted):
    assert intruder.try_act(act, "landlock", needs=["landlock", abi]) == wanted


@pytest.mark.parametrize("act", ["open", "write_file", "list", "dup", "socket", "inotify"])
def test_limits_alone_leave_no_descriptor(intruder, act):
    assert intruder.try_act(act, "rlimits") == "EMFILE"


@pytest.mark.parametrize("layers, missing", [
    ("seccomp rlimits", ["landlock: not in this kernel"]),
    ("landlock rlimits", ["seccomp: Operation not permitted"]),
    ("rlimits", ["landlock: not in this kernel", "seccomp: Operation not permitted"])])
def test_what_a_kernel_has_not_is_told_and_mail_is_composed(intruder, layers, missing):
    intruder.normaliser = harness.ROOT / "jsonnet/kratos_courier.jsonnet"
    child, ready = intruder.start(layers)
    for item in missing:
        assert item in ready["unconfined"], ready
    header, _ = compose(child, payloads.login_code())
    assert header["mails"][0]["park"] is None
    assert child.close() == 0


# ---- an operator's normaliser ------------------------------------------------------------------

@pytest.fixture
def confined(tmp_path):
    """The shipped composer, with a normaliser of the test's, and its standard output and error."""
    started = []

    def start(text=None, **options):
        path = harness.ROOT / "jsonnet/kratos_courier.jsonnet"
        if text is not None:
            path = tmp_path / "normaliser.jsonnet"
            path.write_text(text)
        with open(tmp_path / "said", "ab") as said:
            child = Child(str(COMPOSER), stdout=said, stderr=said, **options)
        started.append(child)
        ready, _ = child.ask(init(path))
        assert ready["op"] == "ready", ready
        return child, ready
    yield start
    for child in started:
        child.socket.close()
        child.process.kill()
        child.process.wait()


@pytest.mark.parametrize("attempt", [
    "import '/etc/passwd'", "importstr '/etc/passwd'", "importstr '../../../../etc/passwd'",
    "std.native('open')('/etc/passwd')", "std.native('exec')('true')"])
def test_a_normaliser_has_no_files(confined, attempt):
    child, _ = confined("function(payload) if std.objectHas(payload, 'go') then "
                        f"{{ channel: 'email', subject: {attempt} }}")
    header, _ = compose(child, {"go": SECRET})
    assert (header["op"], header["reason"]) == ("failed", "normaliser_failed")
    assert "root:" not in json.dumps(header)
    header, _ = compose(child, {"other": 1})
    assert header["op"] == "composed"


def test_what_a_normaliser_traces_is_read_by_nobody(confined, tmp_path):
    child, _ = confined("function(payload) std.trace('code ' + std.toString(payload), null)")
    header, _ = compose(child, {"code": SECRET})
    assert header["op"] == "composed"
    assert child.close() == 0
    assert (tmp_path / "said").read_bytes() == b""


def test_a_normaliser_that_eats_the_memory_ends_by_abort(confined, tmp_path):
    child, _ = confined("function(payload) if std.objectHas(payload, 'go') then\n"
                        "local grow(text) = grow(text + text) tailstrict; grow(payload.go)")
    assert compose(child, {"go": SECRET * 4}) is None
    assert child.close() == -signal.SIGABRT
    assert (tmp_path / "said").read_bytes() == b""


# ---- seen from outside -------------------------------------------------------------------------

def proc(pid, name):
    return pathlib.Path(f"/proc/{pid}/{name}").read_text()


def check_process(pid, ready):
    status = dict(line.split(":\t", 1) for line in proc(pid, "status").splitlines())
    assert status["NoNewPrivs"] == "1" and status["Threads"] == "1"
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0
    if "seccomp" in ready["confinement"]:
        assert status["Seccomp"] == "2"
    limits = {name: (soft, hard) for name, soft, hard in
              re.findall(r"^(Max [a-z ]+?) {2,}(\S+) +(\S+)", proc(pid, "limits"), re.M)}
    for name in ("open files", "file size", "processes", "core file size", "locked memory",
                 "msgqueue size"):
        assert limits[f"Max {name}"] == ("0", "0"), name
    assert limits["Max address space"] == (str(512 * 1024 * 1024),) * 2
    descriptors = {int(entry.name): os.readlink(entry)
                   for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir()}
    assert descriptors.pop(3).startswith("socket:")
    assert descriptors == dict.fromkeys((0, 1, 2), "/dev/null")


def test_a_composer_seen_from_outside(confined):
    child, ready = confined()
    if os.geteuid() != 0:
        pytest.skip("only root may look into what is not dumpable")
    check_process(child.process.pid, ready)


def test_the_daemons_composer_seen_from_outside(start_relay, sink):
    with start_relay(sink, build=harness.RELEASE_BUILD) as relay:
        relay.accept(payloads.login_code())
        sink.wait_for(1)
        pids = relay.children("composer")
        assert pids
        told = relay.wait_for("confined")
        in_force = told["confinement"].split(", ")
        assert {"rlimits", "no_capabilities", "no_new_privs", "not_dumpable"} <= set(in_force)
        assert "seccomp" in in_force or not kernel_has("seccomp")
        assert "landlock" in told["confinement"] or not kernel_has("landlock")
        if os.geteuid() != 0:
            pytest.skip("only root may look into what is not dumpable")
        for pid in pids:
            check_process(pid, {"confinement": in_force})


def test_its_memory_is_not_its_owners_to_read(confined):
    """What is not dumpable belongs to root, whoever runs it."""
    options = {}
    if os.geteuid() == 0:
        options = {"user": 65534, "group": 65534, "extra_groups": []}
        needed = [COMPOSER, harness.ROOT / "templates", *COMPOSER.parents, *harness.ROOT.parents]
        if not all(path.stat().st_mode & 0o001 for path in needed):
            pytest.skip("nobody may not run this build")
    child, _ = confined(**options)
    pid = child.process.pid
    assert os.stat(f"/proc/{pid}/mem").st_uid == 0
    assert re.search(r"^Uid:\t(\d+)", proc(pid, "status"), re.M).group(1) != "0"
    if options:
        looked = subprocess.run(["cat", f"/proc/{pid}/environ"], **options, check=False,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        assert looked.returncode != 0


# ---- no mail is lost to it ---------------------------------------------------------------------

def sample_set():
    """Every kind of payload that is kept, and every type in languages known and unknown."""
    found = [pathlib.Path(path).read_bytes()
             for pattern in ("jsonnet/samples/*.json", "../shared/kratos-payloads/**/*.json")
             for path in sorted(glob.glob(str(harness.ROOT / pattern), recursive=True))]
    for language in ("en", "hu", "de", "fr", "ar", "x" * 100):
        for template in ("login_code_valid", "recovery_valid", "recovery_code_invalid",
                         "verifiable_address_changed", "brand_new"):
            found.append(payloads.as_bytes(payloads.payload(
                template, "zoë@bücher.example", language=language,
                data={"login_code": SECRET, "changed_at": "2026-07-20T10:00:00Z"},
                headers={"Accept-Language": [language], "User-Agent": ["Firefox/140"]})))
    return [*found, b"", b"{", b"\xff\xfe", b"[]", b'{"a":1e999}']


def without_times(header):
    for name in ("normaliser_us", "compose_us"):
        header.pop(name, None)


def answers(program, directory, blobs):
    """What a composer makes of each: by the normaliser, by the fallback, and from the queue."""
    child = Child(str(program))
    ready, _ = child.ask(init(harness.ROOT / "jsonnet/kratos_courier.jsonnet"))
    found = []
    for blob in blobs:
        for fallback in (False, True):
            header, parts = compose(child, blob, fallback=fallback)
            without_times(header)
            found.append((header, parts))
            for mail in header.get("mails", []):
                if mail["canonical"] is not None:
                    header, parts = child.ask(
                        {"op": "render", "id": MESSAGE_ID, "elapsed_ms": 65000,
                         "wall_ms": WALL_MS}, parts[mail["canonical"]])
                    without_times(header)
                    found.append((header, parts))
                    break
    assert child.close() == 0
    return ready, found


def test_a_confined_composer_writes_the_same_bytes(tmp_path):
    blobs = sample_set()
    assert len(blobs) > 50
    ready, confined = answers(COMPOSER, tmp_path, blobs)
    supported(ready, "seccomp")
    ready, free = answers(harness.program("composer"), tmp_path, blobs)
    if "seccomp" in ready["confinement"]:
        pytest.skip("there is no build without the filter to compare with")
    assert len(confined) == len(free)
    for one, other in zip(confined, free):
        assert one == other
    assert sum(header["op"] == "composed" for header, _ in confined) > 2 * len(blobs)
