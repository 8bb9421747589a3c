"""docs/log.md names every event that the core logs, and no others."""
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CALL = re.compile(r"\bLOG\((.*?)\);", re.S)
FAULT = re.compile(r'\blog_fault\("([a-z_]+)"')
WORD = re.compile(r'"([a-z_]+)"')
# Calls that are given their event: the file, and what names it there.
GIVEN = {"relay/dispatch/settlement.c": ["sent", "failed", "expired", "superseded", "cancelled", "unknown",
                                "parked"],
         "relay/dispatch/recovery.c": ["sent", "failed"],
         "relay/http/journal.c": ["accepted", "duplicate", "empty_payload"],
         "relay/dispatch/rate_gate.c": ["rate_limited"],
         "relay/serve.c": []}  # what its log_fault() is given


def logged():
    for path in sorted((ROOT / "relay").rglob("*.c")):
        where = str(path.relative_to(ROOT))
        text = path.read_text()
        yield from FAULT.findall(text)
        for call in CALL.findall(text):
            # Up to the fields, the only words are the event's: one, or either of two.
            words = WORD.findall(call.split("LOG_STRING(")[0].split("LOG_INTEGER(")[0])
            assert words or where in GIVEN, f"{where}: whose event is {call.split()[:2]}?"
            yield from words or GIVEN[where]


def test_every_event_is_described_and_no_other():
    described = []
    for line in (ROOT / "docs/log.md").read_text().splitlines():
        if line.startswith("| `"):
            described += re.findall(r"`([a-z_]+)`", line.split(" | ")[0])
    assert len(described) == len(set(described))
    assert set(described) == set(logged())
