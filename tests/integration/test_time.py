"""Clocks that lie, machines that start anew with a wrong clock, processes that stand still.

Nothing dead is sent, and nothing alive is dropped beyond what the rule says: within one boot time
is CLOCK_BOOTTIME; across a reboot the wall clock counts, and not where it went backwards.
"""
import contextlib
import os
import pathlib
import signal
import threading
import time

import clocks
import machine as machine_module
import payloads
import pytest
import relay as harness
import sink as sink_module
import smtp_server

HOUR_S, DAY_S, YEAR_S = 3600, 24 * 3600, 365 * 24 * 3600
# What is left of a code of a minute: enough for a busy machine to come to where its test begins.
SHORT_S = 8
SHORT = {"deadline_margin": f"{60 - SHORT_S}s"}


def boot_s():
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def wait_past(moment_s):
    """For a deadline only time can be waited for."""
    time.sleep(max(0, moment_s - boot_s()) + 0.05)


def cpu_s(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rows(relay, **environment):
    text = relay.command("queue", "list", "--json", "--limit", "1000", **environment).stdout
    return {row["id"]: row for row in map(harness.json.loads, text.splitlines())}


def settled(relay, message_id, state):
    harness.wait_until(lambda: relay.state(message_id)["state"] == state, f"{state} on disk")
    return relay.state(message_id)


@pytest.fixture(scope="module", autouse=True)
def clear_up():
    yield
    clocks.WallClock.clear_up()


@pytest.fixture
def wall(tmp_path):
    try:
        return clocks.WallClock(tmp_path)
    except clocks.Unavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture
def closed_sink():
    """A smarthost that is away, until up()."""
    with sink_module.Sink(listening=False) as made:
        yield made


# ---- somebody sets the clock ----------------------------------------------------------------------

@pytest.mark.parametrize("step_s", [HOUR_S, -HOUR_S, 2 * DAY_S, -2 * DAY_S])
def test_the_clock_is_set_while_mail_waits(start_relay, sink, wall, step_s):
    """Deadlines, retries and windows stay as they are; what people see follows the clock."""
    relay = start_relay(sink, build=harness.RELEASE_BUILD, **SHORT)
    relay.prefix = wall.prefix
    first, alive, dead = (payloads.login_code(minutes=minutes) for minutes in (15, 15, 1))
    with relay:
        relay.accept(first)
        sink.wait_for(1)
        sink.rcpt_reply = lambda *_: "451 4.7.1 come again"
        alive_id, dead_at_s = relay.accept(alive), boot_s() + SHORT_S  # or later
        dead_id = relay.accept(dead)
        for one in (alive_id, dead_id):
            relay.wait_for("attempt", id=one, outcome="temporary")
        wall.set(step_s)
        sink.rcpt_reply = lambda _, recipient: \
            "451 4.7.1 come again" if recipient == dead["recipient"] else None
        spent_s, since_s = cpu_s(relay.process.pid), boot_s()
        relay.wait_for("expired", id=dead_id)
        assert boot_s() >= dead_at_s
        # A jump must not make it spin.
        assert cpu_s(relay.process.pid) - spent_s < 0.3 + 0.3 * (boot_s() - since_s)
        sent = relay.wait_for("sent", id=alive_id)
        assert {mail.recipient for mail in sink.mails} == {first["recipient"], alive["recipient"]}
        for known in (first, dead):
            relay.accept(known)
        relay.wait_for("duplicate", count=2)
        shown = rows(relay, **wall.environment)
    mail = sink.mails[-1]
    off_s = mail.parsed["Date"].datetime.timestamp() - mail.wall_s
    assert abs(off_s - step_s) < 60
    assert abs(seconds(sent["time"]) - mail.wall_s - step_s) < 60
    assert abs(seconds(shown[alive_id]["updated_at"]) - mail.wall_s - step_s) < 60


def seconds(text):
    return time.mktime(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone


@pytest.mark.parametrize("step_s", [2 * DAY_S, -2 * DAY_S])
def test_the_clock_is_set_while_the_relay_is_away(start_relay, closed_sink, wall, step_s):
    relay = start_relay(closed_sink, build=harness.RELEASE_BUILD, **SHORT)
    relay.prefix = wall.prefix
    alive, dead = payloads.login_code(minutes=15), payloads.login_code(minutes=1)
    relay.start()
    alive_id = relay.accept(alive)
    dead_id, dead_at_s = relay.accept(dead), boot_s() + SHORT_S
    relay.kill()
    wall.set(step_s)
    wait_past(dead_at_s)
    closed_sink.up()
    relay.start()
    relay.wait_for("sent", id=alive_id)
    settled(relay, dead_id, "expired")
    relay.accept(alive)
    relay.wait_for("duplicate")
    relay.stop()
    assert [mail.recipient for mail in closed_sink.mails] == [alive["recipient"]]


# ---- a reboot -----------------------------------------------------------------------------------

class Computer:
    """A machine with all its clocks: what a relay on it is started behind."""

    def __init__(self, folder):
        try:
            machine_module.require()
            clocks.require_time_namespaces()
            self.wall = clocks.WallClock(folder)
        except (machine_module.Unavailable, clocks.Unavailable) as reason:
            pytest.skip(str(reason))
        self._machine = machine_module.Machine(folder)
        self._boot_s = 0

    def reboot(self, wall_s):
        """Another boot, with CLOCK_BOOTTIME from its beginning, and a wall clock that is off so."""
        self._machine.reboot()
        self._boot_s = 60 - int(boot_s())
        self.wall.set(wall_s)

    def move(self, boot_clock_s):
        """The same boot, seen from a container whose CLOCK_BOOTTIME is off so."""
        self._boot_s = boot_clock_s

    @property
    def prefix(self):
        return [*clocks.boot_clock(self._boot_s), *self._machine.prefix, *self.wall.prefix]


@pytest.fixture
def computer(tmp_path):
    return Computer(tmp_path)


def start_on(computer, relay):
    relay.prefix = computer.prefix
    return relay.start()


@pytest.fixture
def relay_there(start_relay, closed_sink):
    return start_relay(closed_sink, build=harness.RELEASE_BUILD)


def test_a_reboot_counts_the_time_away(computer, relay_there, closed_sink):
    """Ten minutes by the wall clock: a code of five is dead, one of fifteen has five left."""
    relay = start_on(computer, relay_there)
    dead = relay.accept(payloads.login_code(minutes=5))
    alive = relay.accept(payloads.login_code(minutes=15))
    notice = relay.accept(payloads.payload("login_code_invalid", minutes=None))
    relay.stop()
    computer.reboot(600)
    closed_sink.up()
    start_on(computer, relay)
    relay.wait_for("expired", id=dead)
    for one in (alive, notice):
        relay.wait_for("sent", id=one)
    assert not relay.found("clock_doubtful")
    relay.stop()
    mail, = (mail for mail in closed_sink.mails if alive in mail.message_id)
    assert "valid for 5 minutes" in mail.text()
    assert len(closed_sink.mails) == 2


@pytest.mark.parametrize("step_s", [-HOUR_S, -DAY_S, -30 * YEAR_S],
                         ids=["an_hour", "a_day", "a_dead_battery"])
def test_a_clock_that_went_back_over_a_reboot_counts_as_none(computer, relay_there, closed_sink,
                                                             step_s):
    relay = start_on(computer, relay_there)
    made = payloads.login_code(minutes=15)
    alive = relay.accept(made)
    relay.kill()
    computer.reboot(step_s)
    closed_sink.up()
    start_on(computer, relay)
    assert abs(relay.wait_for("clock_doubtful")["away_s"] - step_s) < 60
    relay.wait_for("sent", id=alive)
    relay.accept(made)
    relay.wait_for("duplicate")
    computer.wall.set(0)  # the network's time has come
    late = relay.accept(payloads.login_code(minutes=15))
    relay.wait_for("sent", id=late)
    relay.stop()
    mail = closed_sink.mails[-1]
    assert abs(mail.parsed["Date"].datetime.timestamp() - mail.wall_s) < 60


def test_a_clock_far_ahead_over_a_reboot_ends_what_waited_and_nothing_after(
        computer, relay_there, closed_sink):
    """The rule cannot tell it from a machine that was away so long. What comes then is in time."""
    relay = start_on(computer, relay_there)
    before = relay.accept(payloads.login_code(minutes=15))
    parked = relay.accept({"template_type": "unheard_of"})
    relay.wait_for("parked", id=parked)
    relay.stop()
    computer.reboot(10 * YEAR_S)
    start_on(computer, relay)
    assert relay.wait_for("clock_doubtful")["away_s"] > 9 * YEAR_S
    relay.wait_for("expired", id=before)
    settled(relay, before, "expired")
    assert relay.state(parked)["state"] == "parked"
    code = relay.accept(payloads.login_code(minutes=15))
    relay.wait_for("smarthost_down")
    computer.wall.set(0)
    relay.stop()
    computer.reboot(0)  # with a right clock
    closed_sink.up()
    start_on(computer, relay)
    relay.wait_for("sent", id=code)
    relay.stop()
    assert len(closed_sink.mails) == 1


def test_a_clock_that_was_put_right_just_before_the_power_went(computer, relay_there, closed_sink):
    """With the wrong clock on record, the next start would take decades to have passed."""
    computer.reboot(-30 * YEAR_S)
    relay = start_on(computer, relay_there)
    before = relay.accept(payloads.login_code(minutes=15))
    computer.wall.set(0)
    after = relay.accept(payloads.login_code(minutes=15))
    relay.kill()
    computer.reboot(10)
    closed_sink.up()
    start_on(computer, relay)
    for one in (before, after):
        relay.wait_for("sent", id=one)
    relay.stop()
    assert len(closed_sink.mails) == 2


def test_another_boot_clock_in_the_same_boot_does_not_turn_time_back(start_relay, computer,
                                                                     closed_sink):
    """A container that is started anew in another time namespace, or on a host that was moved."""
    relay = start_relay(closed_sink, build=harness.RELEASE_BUILD, **SHORT)
    computer.move(1000)
    start_on(computer, relay)
    dead, dead_at_s = relay.accept(payloads.login_code(minutes=1)), boot_s() + SHORT_S
    alive = relay.accept(payloads.login_code(minutes=15))
    relay.stop()
    wait_past(dead_at_s)
    computer.move(0)
    closed_sink.up()
    start_on(computer, relay)
    relay.wait_for("sent", id=alive)
    settled(relay, dead, "expired")
    relay.stop()
    assert len(closed_sink.mails) == 1


# ---- processes that stand still -------------------------------------------------------------------

class Hold:
    """A behaviour of the smarthost: it says nothing until it may go on."""

    def __init__(self, text=None, drop=False):
        self.reached, self.go = threading.Event(), threading.Event()
        self.text, self.drop = text, drop

    def __call__(self, connection, ordinary):
        self.reached.set()
        self.go.wait(harness.WAIT_S)
        if self.drop:
            raise smtp_server.Hangup
        connection.say(self.text or ordinary)

    def wait(self):
        assert self.reached.wait(harness.WAIT_S), "the transaction did not come so far"


def state_of(pid):
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


@contextlib.contextmanager
def stopped(pids):
    """SIGSTOP: CLOCK_BOOTTIME runs on, as it does while a machine sleeps."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    for pid in pids:
        harness.wait_until(lambda pid=pid: state_of(pid) == "T", f"{pid} to stand still")
    try:
        yield
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):  # killed while it stood still
                os.kill(pid, signal.SIGCONT)


def has_looked(pid):
    """Waits until a process that goes on again has looked around, and waits for what comes."""
    harness.wait_until(lambda: not harness.alive(pid) or state_of(pid) == "S", f"{pid} to go on")


@pytest.fixture
def server():
    with smtp_server.SmtpServer() as made:
        yield made


def pids_of(relay, names):
    found = [relay.process.pid] if "core" in names else []
    for name in set(names) - {"core"}:
        found += relay.children(name)
    assert len(found) >= len(names)
    return found


BOTH = ("core", "deliverer")
HUNG_AFTER_S = 2  # the core's patience beyond RELAY_TRANSACTION_TIMEOUT


@pytest.mark.parametrize("names", [BOTH, ("deliverer",)], ids="_and_".join)
def test_what_stood_still_before_its_dot_is_not_sent_when_dead(start_relay, server, names):
    hold = Hold()
    server.on("data", hold)
    with start_relay(server, **SHORT) as relay:
        dead, dead_at_s = relay.accept(payloads.login_code(minutes=1)), boot_s() + SHORT_S
        hold.wait()
        with stopped(pids_of(relay, names)):
            wait_past(dead_at_s)
            hold.go.set()
        relay.wait_for("expired", id=dead)
        row = settled(relay, dead, "expired")
        # It did not get there by being tried again.
        assert len(relay.found("attempt", id=dead)) == row["attempts"] == 1
    assert server.messages == [] and server.verbs().count("DATA") == 1


def test_what_went_while_the_core_stood_still_is_sent_once(start_relay, server):
    hold = Hold()
    server.on("data", hold)
    with start_relay(server, **SHORT) as relay:
        made, dead_at_s = relay.accept(payloads.login_code(minutes=1)), boot_s() + SHORT_S
        hold.wait()
        with stopped(pids_of(relay, ["core"])):
            hold.go.set()
            message, = server.wait_for(1)
            wait_past(dead_at_s)
        relay.wait_for("sent", id=made)
        settled(relay, made, "sent")
    assert message.dot_boot_s < dead_at_s and len(server.messages) == 1


@pytest.mark.parametrize("names, limit_s", [(BOTH, 5), (("core",), 5), (("deliverer",), 60)],
                         ids=["both", "core", "deliverer"])
def test_a_verdict_that_came_while_they_stood_still_is_read(start_relay, server, names, limit_s):
    """Beyond the deadline, and beyond what a transaction may take: a copy would be needless.

    Where the deliverer alone stands still for so long the core must take it for hung.
    """
    hold = Hold()
    server.on("dot", hold)
    with start_relay(server, transaction_timeout=f"{limit_s}s", **SHORT) as relay:
        made, dead_at_s = relay.accept(payloads.login_code(minutes=1)), boot_s() + SHORT_S
        hold.wait()
        with stopped(pids_of(relay, names)):
            hold.go.set()
            wait_past(max(dead_at_s, boot_s() + 5 + HUNG_AFTER_S + 0.5))
        relay.wait_for("sent", id=made)
        settled(relay, made, "sent")
    assert len(server.messages) == 1
    assert not relay.found("smarthost_down")


def test_who_wakes_late_gives_the_others_a_moment(start_relay, server):
    """Every limit has passed when they wake, the core first; the verdict comes right after."""
    hold = Hold()
    server.on("dot", hold)
    with start_relay(server, transaction_timeout="5s") as relay:
        made = relay.accept(payloads.login_code())
        hold.wait()
        deliverer, = relay.children("deliverer")
        with stopped([deliverer]):
            with stopped([relay.process.pid]):
                wait_past(boot_s() + 5 + HUNG_AFTER_S + 0.5)
            has_looked(relay.process.pid)
        has_looked(deliverer)
        hold.go.set()
        relay.wait_for("sent", id=made)
        settled(relay, made, "sent")
    assert len(server.messages) == 1


def test_an_outcome_that_nobody_knows_is_not_sent_again_when_dead(start_relay, server):
    hold = Hold(drop=True)
    server.on("dot", hold)
    with start_relay(server, **SHORT) as relay:
        dead, dead_at_s = relay.accept(payloads.login_code(minutes=1)), boot_s() + SHORT_S
        hold.wait()
        with stopped(pids_of(relay, BOTH)):
            wait_past(dead_at_s)
            hold.go.set()
        relay.wait_for("attempt", id=dead, outcome="unknown")
        settled(relay, dead, "expired")
    assert len(server.messages) == 1


def test_a_retry_that_came_due_while_the_core_stood_still_is_not_sent_when_dead(start_relay, sink):
    sink.rcpt_reply = lambda *_: "451 4.7.1 come again"
    with start_relay(sink, **SHORT) as relay:
        dead, dead_at_s = relay.accept(payloads.login_code(minutes=1)), boot_s() + SHORT_S
        code = payloads.login_code(minutes=15)
        alive = relay.accept(code)
        for one in (dead, alive):
            relay.wait_for("attempt", id=one, outcome="temporary")
        with stopped(pids_of(relay, ["core"])):
            # While it is alive it is refused still: a try that was under way is not stopped.
            sink.rcpt_reply = lambda _, recipient: None if boot_s() > dead_at_s or \
                recipient == code["recipient"] else "451 4.7.1 come again"
            wait_past(dead_at_s)
        relay.wait_for("sent", id=alive)
        settled(relay, dead, "expired")
    assert len(sink.mails) == 1


def test_a_composer_that_stood_still_with_the_core_is_not_at_fault(start_relay, sink):
    """Its second would have passed, and the mail would go in Kratos' own words."""
    made = payloads.login_code(language="de")
    with start_relay(sink, build=harness.RELEASE_BUILD) as relay:
        first, = relay.children("composer")
        with stopped([first]):
            message_id = relay.accept(made)
            # Its thread for that was woken before the answer: when it sleeps, the composer was asked.
            harness.wait_until(lambda: harness.all_sleep(relay.process.pid), "it to be asked")
            with stopped([relay.process.pid]):
                wait_past(boot_s() + 2.5)
        relay.wait_for("sent", id=message_id)
        assert first in relay.children("composer")
        assert not relay.found("normaliser_down")
    assert [mail.language for mail in sink.mails if mail.recipient == made["recipient"]] == ["de"]
