"""When a smarthost is not used any more, and when again: session faults, suspicious refusals,
deliverers that die, the next in order, and an operator's pause."""
import contextlib
import functools
import json
import os
import signal
import threading

import payloads
import pytest
import relay as harness
from smtp_server import Hangup, SmtpServer, hang, reply

DENIED = "554 5.7.1 Relay access denied"


class Smarthost(SmtpServer):
    """Refuses RCPT (or what `denies_at` says) for the domains in `denies`; None: for all."""

    def __init__(self, driver):
        # The relay takes libesmtp where there is no AUTH, else libcurl.
        self.driver = driver
        super().__init__(auth=["PLAIN"] if driver == "curl" else ())
        self.denies, self.denies_at = set(), "rcpt"
        self.refused = []
        self.before_refusal = lambda again: None  # called with whether it has refused that address
        for stage in ("rcpt", "data"):
            self.on(stage, functools.partial(self._judge, stage))

    def _judge(self, stage, connection, ordinary):
        line = next(line for number, line in reversed(self.commands)
                    if number == connection.number and line.upper().startswith("RCPT"))
        address = line[line.index("<") + 1:line.index(">")]
        if stage == self.denies_at and self._denies(address):
            self.before_refusal(address in self.refused)
        if stage == self.denies_at and self._denies(address):
            self.note(lambda: self.refused.append(address))
            connection.say(DENIED)
        else:
            connection.say(ordinary)

    def _denies(self, address):
        return self.denies is None or address.partition("@")[2] in self.denies

    @property
    def uri(self):
        user = f"{self.user}:{self.password}@" if self.driver == "curl" else ""
        return f"smtp://{user}127.0.0.1:{self.port}/?disable_starttls=true"

    @property
    def name(self):
        return f"127.0.0.1:{self.port}"


@pytest.fixture(params=["esmtp", "curl"])
def make_smarthost(request):
    with contextlib.ExitStack() as all_made:
        yield lambda: all_made.enter_context(Smarthost(request.param))


def code_for(domain):
    return payloads.login_code(payloads.unique_recipient().replace("example.com", domain))


def rows(relay, ids):
    return [row for row in relay.queue_list("--limit", "1000") if row["id"] in ids]


# ---- suspicious refusals ------------------------------------------------------------------------

@pytest.mark.parametrize("stage", ["rcpt", "data"])
def test_relaying_denied_kills_no_mail(make_smarthost, start_relay, stage):
    """A relay whose address is not allowed any more: the mail waits until it is again, and goes
    though nothing new comes."""
    smarthost = make_smarthost()
    smarthost.denies, smarthost.denies_at = None, stage
    with start_relay(None, smtp_uri=smarthost.uri) as relay:
        ids = [relay.accept(code_for(f"{letter}.test")) for letter in "aabbc"]
        down = relay.wait_for("smarthost_down", reason="suspicious", level="error")
        assert "Relay access denied" in down["error"]
        harness.wait_until(  # at one look: one or another is a probe all the while
            lambda: {(row["reason"], row["state"], row["attempts"]) for row in rows(relay, ids)} ==
            {("suspect", "queued", 0)}, "each one to be refused")
        smarthost.denies = set()
        relay.wait_for("smarthost_up", reason="suspicious", smarthost=smarthost.name)
        for one in ids:
            relay.wait_for("sent", id=one)
        assert {(row["state"], row["attempts"]) for row in rows(relay, ids)} == {("sent", 1)}
        assert not relay.found("failed")


def test_one_recipient_that_is_denied_holds_nobody_up(make_smarthost, start_relay):
    smarthost, passed = make_smarthost(), threading.Event()
    smarthost.denies = {"poison.test"}
    smarthost.before_refusal = lambda again: not again or passed.wait(harness.WAIT_S)
    with start_relay(None, smtp_uri=smarthost.uri) as relay:
        poison = relay.accept(code_for("poison.test"))
        attempt = relay.wait_for("attempt", id=poison, outcome="suspect")
        assert (attempt["reply_code"], attempt["enhanced_code"]) == (554, "5.7.1")
        good = [relay.accept(code_for("good.test")) for _ in range(3)]
        for one in good:
            relay.wait_for("sent", id=one)
        passed.set()
        relay.wait_for("failed", id=poison, reason="rejected")
        assert not relay.found("smarthost_down")
    assert len(smarthost.refused) == 2  # once more, after others had passed


def test_however_many_strangers_are_denied_nobody_waits_for_them(make_smarthost, start_relay):
    """Domains that it relays for nobody to, one after the other: what it takes goes on."""
    smarthost, mended = make_smarthost(), threading.Event()
    smarthost.denies = {f"stranger-{number}.test" for number in range(12)}
    # Who was denied comes again in two seconds, and is denied for good where others have passed.
    smarthost.before_refusal = lambda again: not again or mended.wait(harness.WAIT_S)
    with start_relay(None, smtp_uri=smarthost.uri) as relay:
        relay.wait_for("sent", id=relay.accept(code_for("good.test")))
        denied = [relay.accept(code_for(domain)) for domain in smarthost.denies]
        for one in denied:
            relay.wait_for("attempt", id=one, outcome="suspect")
        relay.wait_for("sent", id=relay.accept(code_for("new.test")))
        assert not relay.found("smarthost_down")
        kept = rows(relay, denied)
        assert {(row["state"], row["reason"]) for row in kept} <= {("queued", "suspect"),
                                                                   ("sending", "suspect")}
        assert any(row["attempts"] > 0 for row in kept)  # they go further and further apart
        smarthost.denies = set()
        mended.set()
        for one in denied:
            relay.wait_for("sent", id=one)


def test_a_poisonous_message_does_not_hold_an_open_circuit(make_smarthost, start_relay):
    """The smarthost is mended, but for one: what arrives then is the probe, not that one."""
    smarthost = make_smarthost()
    smarthost.denies = None
    with start_relay(None, smtp_uri=smarthost.uri) as relay:
        held = [relay.accept(code_for(domain)) for domain in ("a.test", "b.test", "b.test")]
        relay.wait_for("smarthost_down", reason="suspicious")
        poison = relay.accept(code_for("poison.test"))
        relay.wait_for("attempt", id=poison, outcome="suspect")
        smarthost.denies = {"poison.test"}
        good = [relay.accept(code_for("good.test")) for _ in range(5)]
        for one in held + good:
            relay.wait_for("sent", id=one)
        relay.wait_for("failed", id=poison, reason="rejected")
        assert len(relay.found("smarthost_up")) == 1
        assert not relay.found("failed", id=held[0])


def test_most_refused_after_the_dot_keeps_the_rest(make_smarthost, start_relay):
    """A quota: ten end as they always did, then the smarthost is under suspicion."""
    smarthost = make_smarthost()
    smarthost.full = True

    def judge(connection, ordinary):
        connection.say("552 5.2.2 quota exceeded" if smarthost.full else ordinary)
    smarthost.on("dot", judge)
    with start_relay(None, smtp_uri=smarthost.uri) as relay:
        ids = [relay.accept(code_for("a.test")) for _ in range(14)]
        relay.wait_for("failed", count=10)
        relay.wait_for("smarthost_down", reason="suspicious")
        smarthost.full = False
        relay.wait_for("smarthost_up")
        relay.wait_for("sent", count=4)
        states = [row["state"] for row in rows(relay, ids)]
        assert (states.count("failed"), states.count("sent")) == (10, 4)


def test_a_suspect_goes_by_the_next_smarthost(make_smarthost, start_relay):
    first, second = make_smarthost(), make_smarthost()
    first.denies = {"a.test"}
    with start_relay(None, smtp_uri=f"{first.uri},{second.uri}") as relay:
        suspect = relay.accept(code_for("a.test"))
        relay.wait_for("sent", id=suspect)
        assert relay.found("attempt", id=suspect, outcome="suspect", smarthost=first.name)
        row = relay.state(suspect)
        assert (row["smarthost"], row["attempts"]) == (second.name, 1)
        other = relay.accept(code_for("b.test"))
        relay.wait_for("sent", id=other)
        assert relay.state(other)["smarthost"] == first.name


# ---- deliverers that die -------------------------------------------------------------------------

def kill_deliverer(relay):
    deliverer, = relay.children("deliverer")
    os.kill(deliverer, signal.SIGKILL)


def test_what_alone_went_down_with_a_deliverer_is_charged(make_smarthost, start_relay):
    smarthost = make_smarthost()
    smarthost.on("mail", hang(), times=1)
    with start_relay(None, smtp_uri=smarthost.uri) as relay:
        message_id = relay.accept(payloads.login_code())
        smarthost.wait_until(lambda: "MAIL" in smarthost.verbs())
        kill_deliverer(relay)
        relay.wait_for("deliverer_died", smarthost=smarthost.name, level="error")
        attempt = relay.wait_for("attempt", id=message_id, outcome="temporary")
        assert "reply_code" not in attempt  # there was no answer
        relay.wait_for("sent", id=message_id)
        assert relay.state(message_id)["attempts"] == 2
        assert not relay.found("smarthost_down") and not relay.found("smarthost_up")


def test_of_several_that_went_down_with_a_deliverer_none_is_charged(make_smarthost, start_relay):
    smarthost = make_smarthost()
    smarthost.on("mail", hang(), times=3)
    with start_relay(None, smtp_uri=smarthost.uri) as relay:
        ids = [relay.accept(payloads.login_code()) for _ in range(3)]
        smarthost.wait_until(lambda: smarthost.verbs().count("MAIL") == 3)
        kill_deliverer(relay)
        for one in ids:
            relay.wait_for("attempt", id=one, outcome="cut")
            relay.wait_for("sent", id=one)
        assert {row["attempts"] for row in rows(relay, ids)} == {1}


# ---- the next in order ---------------------------------------------------------------------------

def test_failing_over_and_back_is_told(make_smarthost, start_relay):
    first, second = make_smarthost(), make_smarthost()
    first.is_ill = True

    def greet(connection, ordinary):
        connection.say("421 4.3.2 not now" if first.is_ill else ordinary)
    first.on("greeting", greet)
    with start_relay(None, smtp_uri=f"{first.uri},{second.uri}") as relay:
        ids = [relay.accept(payloads.login_code()) for _ in range(3)]
        relay.wait_for("smarthost_down", smarthost=first.name, reason="session")
        relay.wait_for("smarthost_in_use", smarthost=second.name, level="warning")
        for one in ids:
            relay.wait_for("sent", id=one)
        assert {row["attempts"] for row in rows(relay, ids)} == {1}
        assert len(second.messages) == 3
        first.is_ill = False
        while not relay.found("smarthost_up"):  # a probe needs a message
            relay.wait_for("sent", id=relay.accept(payloads.login_code()))
        relay.wait_for("smarthost_in_use", smarthost=first.name, level="info")
        assert first.messages
        assert len(relay.found("smarthost_in_use")) == 2


def test_one_that_takes_mail_and_always_breaks_off_is_left_for_the_next(make_smarthost, start_relay):
    first, second, all_there = make_smarthost(), make_smarthost(), threading.Event()

    def break_off(connection, ordinary):
        all_there.wait(harness.WAIT_S)
        raise Hangup
    first.behave_well()
    first.on("rcpt", break_off)
    with start_relay(None, smtp_uri=f"{first.uri},{second.uri}") as relay:
        ids = [relay.accept(payloads.login_code()) for _ in range(3)]
        first.wait_until(lambda: first.verbs().count("RCPT") == 3)
        all_there.set()
        for one in ids:
            relay.wait_for("attempt", id=one, outcome="temporary", smarthost=first.name,
                           stage="rcpt")
        relay.wait_for("smarthost_down", smarthost=first.name, reason="session")
        message_id = relay.accept(payloads.login_code())
        relay.wait_for("sent", id=message_id)
        assert relay.state(message_id)["smarthost"] == second.name


def test_while_all_are_down_a_message_waits_uncharged(make_smarthost, start_relay):
    first, second = make_smarthost(), make_smarthost()
    for smarthost in (first, second):
        smarthost.on("greeting", reply("554 5.3.2 go away"), times=1)
    with start_relay(None, smtp_uri=f"{first.uri},{second.uri}") as relay:
        message_id = relay.accept(payloads.login_code())
        relay.wait_for("smarthost_down", smarthost=second.name)
        relay.wait_for("sent", id=message_id)
        assert relay.state(message_id)["attempts"] == 1
        assert len(relay.found("attempt", id=message_id, outcome="session")) == 2


# ---- what a smarthost cannot take -----------------------------------------------------------------

UNABLE = {"the address": "SMTPUTF8", "the size": "SIZE 1000"}


def payload_for(what):
    local = {"the address": "pelé.", "the size": ""}[what]
    return payloads.login_code(local + payloads.unique_recipient())


def make_unable(smarthost, what):
    if what == "the size":
        smarthost.offers = ["PIPELINING", UNABLE[what]]


def make_able(smarthost, what):
    if what == "the address":
        smarthost.offers = [*smarthost.offers, UNABLE[what]]


def shown(relay, message_id):
    return json.loads(relay.command("queue", "show", message_id, "--json").stdout)


def tried(row):
    return [(one["outcome"], one["smarthost"]) for one in row["history"]]


def history(relay, message_id):
    row = shown(relay, message_id)
    return row["state"], tried(row)


@pytest.mark.parametrize("what", UNABLE)
def test_what_one_cannot_take_goes_by_the_next(make_smarthost, start_relay, what):
    first, second = make_smarthost(), make_smarthost()
    make_unable(first, what)
    make_able(second, what)
    with start_relay(None, smtp_uri=f"{first.uri},{second.uri}") as relay:
        for _ in range(2):
            message_id = relay.accept(payload_for(what))
            relay.wait_for("sent", id=message_id)
            assert history(relay, message_id) == ("sent", [("unable", first.name),
                                                           ("sent", second.name)])
            assert relay.state(message_id)["attempts"] == 1
        assert "MAIL" not in first.verbs()
        assert not relay.found("smarthost_down") and not relay.found("smarthost_in_use")


@pytest.mark.parametrize("what", UNABLE)
def test_what_none_can_take_is_asked_of_each_once_and_fails(make_smarthost, start_relay, what):
    first, second = make_smarthost(), make_smarthost()
    for smarthost in (first, second):
        make_unable(smarthost, what)
    with start_relay(None, smtp_uri=f"{first.uri},{second.uri}") as relay:
        message_id = relay.accept(payload_for(what))
        relay.wait_for("failed", id=message_id)
        assert history(relay, message_id) == ("failed", [("unable", first.name),
                                                         ("permanent", second.name)])
        row = relay.state(message_id)
        assert (row["reason"], row["attempts"]) == ("rejected", 1)
        last = relay.found("attempt", id=message_id)[-1]
        assert UNABLE[what].partition(" ")[0].lower() in last["reply"].lower()
        assert not relay.found("smarthost_down")
        for smarthost in (first, second):
            assert "MAIL" not in smarthost.verbs()


def test_what_only_one_that_is_down_can_take_waits_for_it(make_smarthost, start_relay):
    first, second = make_smarthost(), make_smarthost()
    make_able(second, "the address")
    with start_relay(None, smtp_uri=f"{first.uri},{second.uri}") as relay:
        relay.command("smarthosts", "pause", second.name)
        message_id = relay.accept(payload_for("the address"))
        relay.wait_for("attempt", id=message_id, outcome="unable")
        harness.wait_until(lambda: relay.state(message_id)["state"] == "queued", "it to wait")
        relay.command("smarthosts", "resume", second.name)
        relay.wait_for("sent", id=message_id)
        assert relay.state(message_id)["smarthost"] == second.name


def test_what_only_one_that_is_busy_can_take_waits_on_its_schedule(make_smarthost, start_relay):
    first, second = make_smarthost(), make_smarthost()
    make_able(second, "the address")
    with start_relay(None, smtp_uri=f"{first.uri},{second.uri}&rate=1/1h") as relay:
        relay.wait_for("sent", id=relay.accept(payload_for("the address")))
        message_id = relay.accept(payload_for("the address"))
        looks = []

        def is_charged():
            looks.append(shown(relay, message_id))
            return looks[-1]["attempts"] > 0 and looks[-1]["state"] == "queued"
        harness.wait_until(is_charged, "it to be charged")
        row = looks[-1]
        assert row["not_before"] > row["updated_at"]
        assert tried(row) == [("unable", first.name)] * row["attempts"]  # once each time


# ---- an operator's pause -------------------------------------------------------------------------

def smarthosts(relay, *words):
    text = relay.command("smarthosts", *words, "--json").stdout
    return [json.loads(line) for line in text.splitlines()]


def test_a_paused_smarthost_is_spared_until_it_is_resumed(make_smarthost, start_relay):
    first, second = make_smarthost(), make_smarthost()
    with start_relay(None, smtp_uri=f"{first.uri},{second.uri}") as relay:
        first.on("dot", hang(), times=1)
        under_way = relay.accept(payloads.login_code())
        first.wait_for(1)
        assert [(row["name"], row["state"], row["reason"], row["under_way"])
                for row in smarthosts(relay)] == [
                    (first.name, "closed", None, 1), (second.name, "closed", None, 0)]
        paused, = smarthosts(relay, "pause", first.name)
        assert (paused["state"], paused["reason"]) == ("paused", "paused")
        relay.wait_for("smarthost_down", smarthost=first.name, reason="paused", level="warning")
        relay.wait_for("smarthost_in_use", smarthost=second.name)
        message_id = relay.accept(payloads.login_code())
        relay.wait_for("sent", id=message_id)
        assert relay.state(message_id)["smarthost"] == second.name
        assert not relay.found("attempt", id=under_way)  # it was left to end by itself

        os.kill(relay.process.pid, signal.SIGHUP)
        relay.wait_for("reloaded")
        assert smarthosts(relay)[0]["state"] == "paused"

        relay.command("smarthosts", "pause", second.name)
        waits = relay.accept(payloads.login_code())
        row = relay.state(waits)
        assert (row["state"], row["attempts"]) == ("queued", 0)
        connections = first.connections + second.connections
        resumed, = smarthosts(relay, "resume", first.name)
        assert (resumed["state"], resumed["reason"]) == ("closed", None)
        relay.wait_for("smarthost_up", smarthost=first.name, reason="paused")
        relay.wait_for("sent", id=waits)
        assert relay.state(waits)["smarthost"] == first.name
        assert first.connections + second.connections <= connections + 1


def test_one_that_was_paused_while_it_was_down_says_why_it_is_down_still(start_relay):
    with SmtpServer(door="shut") as server, start_relay(server) as relay:
        name = f"127.0.0.1:{server.port}"
        relay.accept(payloads.login_code())
        relay.wait_for("smarthost_down", reason="session")
        row, = smarthosts(relay)
        assert row["state"] == "probing" or row["probe_in_ms"] <= 15000
        assert row["error"] == relay.wait_for("smarthost_down")["error"]
        relay.command("smarthosts", "pause", name)
        relay.wait_for("smarthost_down", reason="paused", level="warning")
        assert smarthosts(relay)[0]["probe_in_ms"] is None
        told = relay.command("smarthosts", "resume", name).stdout.splitlines()[-1]
        assert "  down, " in told, told
        relay.wait_for("smarthost_down", reason="session", count=2)
        assert all("error" in one for one in relay.found("smarthost_down", reason="session"))


def test_what_the_command_says_to_people(make_smarthost, start_relay):
    smarthost = make_smarthost()
    with start_relay(None, smtp_uri=smarthost.uri) as relay:
        head, row = relay.command("smarthosts").stdout.splitlines()
        assert head.split() == ["NAME", "STATE", "REASON", "SINCE", "UNDER", "WAY", "CONNECTIONS",
                                "IN", "WORDS"]
        assert row.split()[:3] == [smarthost.name, "closed", "-"] and row.endswith("  in use")
        wrong = relay.command("smarthosts", "pause", "nobody:25", status=1)
        assert wrong.stderr == ("courier-relay: nobody:25: no smarthost of the running relay has "
                                "that name\n")
        relay.command("smarthosts", "pause", status=2)
        relay.command("smarthosts", "stop", smarthost.name, status=2)
        paused = relay.command("smarthosts", "pause", smarthost.name).stdout
        assert paused.endswith("  paused\n")
        assert relay.command("smarthosts", "resume", smarthost.name).stdout.endswith("  ready\n")
        relay.command("smarthosts", "pause", smarthost.name)
    relay.command("smarthosts", status=75)
    with relay:  # a pause does not outlive the relay
        assert smarthosts(relay)[0]["state"] == "closed"
