"""In which order xdist hands out the integration tests: those that take long begin first, two of
them never in one worker's hands, and what is left goes out in small shares. So no worker is left
with a long one when the others have ended.
"""
from xdist.scheduler import LoadScheduling

# Those of more than four seconds on a quiet machine, the longest first.
LONG = (
    "test_crash.py::test_kill_9_loses_nothing_and_repeats_nothing_needlessly",
    "test_errno_points.py::test_a_life_later_nothing_is_lost_and_nothing_repeated",
    "test_attack.py::test_a_short_siege_is_not_noticed",
    "test_connections.py::test_a_hung_deliverer_of_two_is_judged_by_its_marks_and_the_other_works_on",
    "test_power_cuts.py::test_power_cuts_lose_nothing",
    "test_mutants.py::test_the_first_ones_are_built_and_caught",
    "test_reload.py::test_a_normaliser_is_taken_over_only_if_it_does_well_on_the_samples",
    "test_http_slow.py::"
    "test_a_request_has_ten_seconds_however_it_drips_and_a_kept_connection_more",
    "test_soak.py::test_a_short_soak_loses_nothing",
    "test_kill_points.py::test_a_life_later_nothing_is_lost_and_nothing_repeated",
    "test_allocations.py::test_a_life_later_nothing_is_lost_and_nothing_repeated",
    "test_allocations.py::test_without_memory_no_setting_turns_into_its_default",
    "test_mail_properties.py::test_any_payload_becomes_a_good_mail_or_is_parked",
    "test_kratos_docs.py::test_the_body_never_fails_and_drops_nothing_else",
    "test_mail_properties.py::test_no_link_leads_to_a_host_that_the_brand_does_not_name",
    "test_mail_properties.py::test_a_name_is_text_and_nothing_else",
    "test_render.py::test_the_steps_in_the_documentation",
    "test_smtp_scripts.py::"
    "test_whatever_smarthosts_do_nothing_is_lost_late_or_needlessly_sent_twice",
    "test_release.py::test_of_two_alike_that_are_released_at_once_exactly_one_goes",
)
SHARE = 8  # consecutive ones, so that few workers start what a file's tests have in common


def place(test):
    """Of a test's id in LONG; behind all of them where it is none of these."""
    name = test.partition("[")[0].rpartition("/")[2]
    return LONG.index(name) if name in LONG else len(LONG)


class LongestFirst(LoadScheduling):
    """Those that wait are pairs of a long one and a short one, and then all others. A worker runs
    a test once it knows the next: so it is given both, and it is the short one that has to wait."""

    def schedule(self):
        if self.collection is not None or not self._check_nodes_have_same_collection():
            super().schedule()  # asks for more, or tells the difference
            return
        self.collection = next(iter(self.node2collection.values()))
        tests = sorted(range(len(self.collection)), key=lambda test: place(self.collection[test]))
        while tests and self._is_long(tests[0]):
            self.pending.append(tests.pop(0))
            self.pending += [tests.pop()] if tests else []
        self.pending += tests
        for node in self.nodes:
            self.check_schedule(node)
        if not self.pending:  # a single test's worker asks for no next one
            for node in self.nodes:
                node.shutdown()

    def check_schedule(self, node, duration=0):
        if node.shutting_down:
            return
        if not self.pending:
            node.shutdown()
        elif len(self.node2pending[node]) < 2:
            fair = max(2, len(self.pending) // (4 * len(self.nodes)))
            self._send_tests(node, 2 if self._is_long(self.pending[0]) else min(fair, SHARE))

    def _is_long(self, test):
        return place(self.collection[test]) < len(LONG)
