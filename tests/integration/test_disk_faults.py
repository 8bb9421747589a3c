"""A disk that fills up, fails or vanishes while the relay runs: some of the scenarios of make crash,
and what a failed sync means for a reload."""
import os
import pathlib
import signal
import sys

import injection
import payloads
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "faults"))

import disk_faults  # noqa: E402

QUICK = [
    "a_full_disk_takes_outcomes_and_nothing_else",
    "a_start_on_a_full_disk_sends_what_is_there",
    "a_disk_that_the_queue_has_filled_empties_by_itself",
    "a_start_on_a_disk_without_a_block_waits_for_space",
    "a_rekey_on_a_full_disk_holds_nothing_up",
    "a_disk_without_inodes_is_no_full_disk",
    "a_quota_is_a_full_disk",
    "a_write_that_comes_out_short_is_none",
    "after_a_failed_sync_the_next_incarnation_reads_what_is_there",
    "a_page_that_cannot_be_had_starts_the_relay_anew",
    "a_disk_that_vanishes_and_is_mounted_again",
    "a_disk_that_is_unmounted_below_the_relay",
    "files_that_are_removed",
    "a_disk_that_turns_read_only_is_let_go",
    "a_disk_whose_own_disk_is_full_fails_its_syncs",
]


@pytest.mark.parametrize("name", QUICK)
def test_disk_fault(name, tmp_path):
    try:
        disk_faults.play(name, tmp_path)
    except disk_faults.UNAVAILABLE as why:
        pytest.skip(f"no disk to break: {why}")


def test_a_reload_asked_for_between_two_incarnations_is_done_by_the_second(relay):
    try:
        calls = injection.Calls(relay)
    except injection.Unavailable as why:
        pytest.skip(str(why))
    with relay:
        with calls.failing("fdatasync", error="EIO", turns=1):
            assert relay.post(payloads.login_code()).status == 503
            relay.wait_for("starting_anew")
            os.kill(relay.process.pid, signal.SIGHUP)
        relay.wait_for("ready", count=2)
        relay.wait_for("reloaded")
        assert relay.process.poll() is None
