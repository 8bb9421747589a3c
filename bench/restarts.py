"""What Kratos sees of a restart: a stream of POSTs, one client by a kept connection as Kratos does and
two with a connection each, while the relay is stopped and started again. The smarthost is away.
"""
import socket
import statistics
import time

import relay as harness
from measure import free_port, line
from post_stream import Stream

RESTARTS = 5
BETWEEN = 100  # mails


def ms(seconds):
    return f"{seconds * 1000:.0f} ms"


def wait_taken(port):
    """Until a connection is not refused."""
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.0005)


def restart(relay, stream):
    """Seconds from the new start until connections are taken, until one is answered, and the longest
    without an answer."""
    stream.more(BETWEEN)
    began_s = time.monotonic()
    relay.stop()
    started_s = time.monotonic()
    relay.spawn()
    wait_taken(stream.port)
    taken_s = time.monotonic() - started_s
    stream.more(BETWEEN)
    answered_s = min(at for at in stream.answered_s if at > started_s) - started_s
    return taken_s, answered_s, stream.longest_pause_s(began_s - 0.1)


def measure(folder, kept_socket):
    port = free_port()
    relay = harness.Relay(folder, listen=f"127.0.0.1:{port}", rate_recipient="off",
                          smtp_uri=f"smtp://127.0.0.1:{free_port()}/?disable_starttls=true")
    if kept_socket:
        port = kept_socket.getsockname()[1]
        relay.hand_over(kept_socket)
    with relay, Stream(port) as stream:
        found = [restart(relay, stream) for _ in range(RESTARTS)]
    return [statistics.median(values) for values in zip(*found)], stream


def report(folder):
    (taken_s, answered_s, pause_s), stream = measure(folder / "restarts", None)
    line("a restart under load: start -> takes connections, answers", ms(taken_s), ms(answered_s))
    line("  longest without an answer; connections refused, cut", ms(pause_s), stream.refused,
         stream.cut)
    with socket.create_server(("127.0.0.1", 0), backlog=511) as kept:
        (_, _, pause_s), stream = measure(folder / "restarts-kept", kept)
    line("  the same with its socket kept", ms(pause_s), stream.refused, stream.cut)
