"""What GMime's strict parser says of a mail: one build/X/tests/strict-mime for many mails."""
import json
import struct
import subprocess

import relay as harness


class StrictParser:
    """`with StrictParser() as parser: parser.parse(raw)`; strict_mime.c lists the answer's keys."""

    def __init__(self):
        program = harness.BUILD / "tests/strict-mime"
        assert program.exists(), f"{program} is not built: make unit"
        self.process = subprocess.Popen(
            [program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def parse(self, raw):
        self.process.stdin.write(struct.pack("<I", len(raw)) + raw)
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"strict-mime ended with {self.process.wait(20)}"
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        try:
            assert self.process.wait(20) == 0
        finally:
            self.process.stdout.close()
            self.process.kill()
