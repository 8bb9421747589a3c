"""One recipient is not flooded, and nobody else waits for what was meant for him."""
import time

import payloads
import relay as harness


def limited(relay):
    """Ids of what waits for a token, newest first."""
    return [row["id"] for row in relay.queue_list("--reason", "rate_limited", "--limit", "10000")]


def test_what_is_over_the_limit_goes_later_and_the_newest_first(start_relay, sink):
    # A token comes each five seconds: as long a busy machine may take until all is posted and seen.
    with start_relay(sink, rate_recipient="2/10s") as relay:
        made = [payloads.login_code("zoe@example.com") for _ in range(5)]
        ids = [relay.accept(payload) for payload in made]
        other = relay.accept(payloads.login_code("ada@example.com"))
        notice = relay.accept(payloads.payload("authenticator_key_added", "zoe@example.com"))
        for message_id in (other, notice):
            relay.wait_for("sent", id=message_id)
        harness.wait_until(lambda: limited(relay) == [ids[4], ids[3], ids[2]], "three to wait")
        row = relay.state(ids[3])
        assert (row["state"], row["reason"], row["attempts"]) == ("queued", "rate_limited", 0)
        assert row["not_before"] > row["created_at"]
        assert "rate_limited" in relay.command("queue", "show", ids[3]).stdout
        for message_id in ids:
            relay.wait_for("sent", id=message_id)
        rows = [relay.state(message_id) for message_id in ids]
        told = relay.found("rate_limited")
    assert {(row["state"], row["reason"], row["attempts"]) for row in rows} == {("sent", None, 1)}
    went = [payloads.code_of(payload) for mail in sink.mails for payload in made
            if mail.recipient == "zoe@example.com" and payloads.code_of(payload) in mail.text()]
    wanted = [payloads.code_of(made[i]) for i in (0, 1, 4, 3, 2)]
    assert sorted(went[:2]) == sorted(wanted[:2]) and went[2:] == wanted[2:]
    assert len(sink.mails) == 7
    [line] = told
    assert (line["limit"], line["lane"], line["level"]) == ("recipient", "code", "warning")
    assert line["recipient"].endswith("@example.com") and "zoe" not in str(line)


def test_a_flood_for_one_holds_nobody_up(start_relay, sink):
    """As it is shipped, with the limits it has by default: five at once, and one in twelve seconds."""
    def sent():
        return len([mail for mail in sink.accepted if mail.recipient == "victim@example.com"])
    with start_relay(sink, build=harness.RELEASE_BUILD) as relay:
        began = time.monotonic()
        for _ in range(600):
            relay.accept(payloads.login_code("victim@example.com"))
        late = relay.accept(payloads.login_code("ada@example.com"))
        relay.wait_for("sent", id=late)
        harness.wait_until(lambda: len(limited(relay)) + sent() == 600, "the flood to wait")
        assert 5 <= sent() <= 5 + (time.monotonic() - began) / 12
        # One who asks again after a restart has a full bucket: they are in memory alone.
        relay.stop()
        relay.start()
        newest = relay.accept(payloads.login_code("victim@example.com"))
        relay.wait_for("sent", id=newest)
        assert len(relay.found("rate_limited")) <= 2


def test_a_limit_that_is_raised_is_so_for_what_waits_already(start_relay, sink):
    with start_relay(sink, rate_recipient="1/30d") as relay:
        ids = [relay.accept(payloads.login_code("zoe@example.com")) for _ in range(8)]
        harness.wait_until(lambda: len(limited(relay)) == 7, "all but one to wait")
        relay.stop()
        relay.start()  # one more, a new count's; what waits keeps its moment
        relay.wait_for("sent", id=relay.accept(payloads.login_code("zoe@example.com")))
        assert len(limited(relay)) == 7 and not relay.found("reconsidered")
        relay.stop()
        relay.settings["rate_recipient"] = "3/30d"
        relay.start()
        for message_id in sorted(ids)[-3:]:  # the newest
            relay.wait_for("sent", id=message_id)
        relay.wait_for("reconsidered", messages=7)
        harness.wait_until(lambda: len(limited(relay)) == 4, "the others to wait anew")
        relay.stop()
        relay.settings["rate_recipient"] = "off"
        relay.start()
        for message_id in ids:
            harness.wait_until(lambda: relay.state(message_id)["state"] == "sent", "all to go")
    assert len(sink.mails) == 9


def test_too_many_altogether_wait(start_relay, sink):
    with start_relay(sink, rate_total="2/12s") as relay:
        ids = [relay.accept(payloads.login_code()) for _ in range(3)]
        relay.wait_for("rate_limited", limit="total", recipient=None)
        for message_id in ids:
            relay.wait_for("sent", id=message_id)
    assert len(sink.mails) == 3


def test_a_limit_that_is_none_is_named(start_relay, sink):
    relay = start_relay(sink, rate_recipient="five a minute", rate_total="0/1s")
    assert relay.spawn().process.wait(harness.WAIT_S) == 1
    relay.stop()  # its output is read to the end
    said = relay.stderr() + "".join(relay.lines)
    assert "RELAY_RATE_RECIPIENT" in said and "COUNT/DURATION, like 20/1h" in said
    assert "RELAY_RATE_TOTAL" in said and "'off' is no limit" in said
