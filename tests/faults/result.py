"""What a suite of tests/faults has done: run(options) of each gives one of these.

options (an argparse.Namespace, or anything with these): build (folder of the release build),
points (how many at most; None: all), seed (what chance is drawn from), jobs (lanes at a time).
"""
import dataclasses


class Unavailable(Exception):
    """This machine cannot run the suite; str() says why."""


@dataclasses.dataclass
class Result:
    name: str
    points: int = 0            # what was really tried in this run, counted
    violations: list = dataclasses.field(default_factory=list)
    skipped_reason: str = None  # the suite, or a part of it, did not run
    notes: list = dataclasses.field(default_factory=list)  # further counts, a line each

    def report(self):
        """Lines for people. A suite that tried nothing and does not say why has failed."""
        if self.skipped_reason:
            yield f"SKIPPED {self.name}: {self.skipped_reason}"
        if self.points or not self.skipped_reason:
            yield f"{self.name}: {self.points} points, {len(self.violations)} violations"
        yield from (f"    {note}" for note in self.notes)
        yield from (f"    VIOLATION {violation}" for violation in self.violations)

    @property
    def failed(self):
        return bool(self.violations) or (self.points == 0 and not self.skipped_reason)
