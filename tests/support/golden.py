#!/usr/bin/python3
"""Golden files: every type of mail in every language, as the composer makes it of fixed input.

tests/data/golden/<locale>/<type>.txt   the headers as sent, the subject, the plain text
tests/data/golden/<locale>/<type>.html  the HTML, decoded

Characters that nobody can see in a diff (direction marks, no-break spaces) are written as \\u2068.
`make golden` writes all of them anew; look at what changed before you commit it.
"""
import difflib
import re
import shutil
import sys
import unicodedata

import mails
import relay as harness

FOLDER = harness.ROOT / "tests/data/golden"
COMMAND = "make golden"
ELAPSED_MS = 65_000
DIFF_LINES = 30


def visible(text):
    """text with \\uXXXX for what has no ink: format characters, and spaces but the plain one."""
    return "".join(
        f"\\u{ord(char):04x}" if char not in " \n" and unicodedata.category(char) in (
            "Cc", "Cf", "Zs", "Zl", "Zp") else char for char in text)


def files(composer, locale):
    """(name, content) of each file of one locale's folder."""
    for template in mails.TYPES:
        shown = composer.preview(mails.canonical(template), locale, elapsed_ms=ELAPSED_MS)
        head = re.split(r"\r\n\r\n", shown.raw.decode(), maxsplit=1)[0].replace("\r\n", "\n")
        yield f"{template}.txt", f"{head}\n\n{visible(shown.subject)}\n\n{visible(shown.text)}"
        yield f"{template}.html", visible(shown.html)


def difference(folder, name, content):
    """What distinguishes the file of that name from content, short; None where nothing does."""
    path = folder / name
    kept = path.read_text() if path.exists() else ""
    if kept == content:
        return None
    lines = list(difflib.unified_diff(kept.splitlines(), content.splitlines(),
                                      str(path.relative_to(harness.ROOT)), "as made now",
                                      n=1, lineterm=""))
    more = [f"... and {len(lines) - DIFF_LINES} lines more"] if len(lines) > DIFF_LINES else []
    return "\n".join(lines[:DIFF_LINES] + more)


def main():
    made = {}
    with mails.Composer() as composer:
        for locale in mails.locales():
            for name, content in files(composer, locale):
                made[FOLDER / locale / name] = content
    # Whole, so that nothing stays behind of a type or a language that is gone.
    shutil.rmtree(FOLDER, ignore_errors=True)
    for path, content in made.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    print(f"{len(made)} files in {FOLDER.relative_to(harness.ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
