#!/usr/bin/python3
"""Golden files: every type of mail in every language, as the composer makes it of fixed input.

tests/data/golden/<locale>/<type>.txt   the headers as sent, the subject, the plain text
tests/data/golden/<locale>/<type>.html  the HTML, decoded
tests/data/golden/brand-<brand>/        the same in a brand of tests/data/templates-sample, which
                                        has other words for a type, and addresses readers its way

Characters that nobody can see in a diff (direction marks, no-break spaces) are written as \\u2068.
`make golden` writes all of them anew; look at what changed before you commit it.
"""
import difflib
import pathlib
import re
import shutil
import sys
import tempfile
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


def of_locale(composer, locale):
    """(name, content) of each file of one locale's folder."""
    return _files(composer, {}, locale)


def of_brand(sample_composer, brand):
    """The same of a brand's folder: in the brand's language, since nobody wishes another."""
    return _files(sample_composer, {"brand": brand}, None)


def _files(composer, fields, locale):
    for template in mails.TYPES:
        shown = composer.preview(mails.canonical(template, **fields), locale,
                                 elapsed_ms=ELAPSED_MS)
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


def all_files():
    """{path: content} of every golden file."""
    made = {}
    with mails.Composer() as composer:
        for locale in mails.locales():
            for name, content in of_locale(composer, locale):
                made[FOLDER / locale / name] = content
    with tempfile.TemporaryDirectory() as folder:
        templates = mails.sample_templates(pathlib.Path(folder))
        with mails.Composer(templates_dir=str(templates)) as composer:
            for brand in mails.SAMPLE_BRANDS:
                for name, content in of_brand(composer, brand):
                    made[FOLDER / f"brand-{brand}" / name] = content
    return made


def main():
    made = all_files()
    # Whole, so that nothing stays behind of a type or a language that is gone.
    shutil.rmtree(FOLDER, ignore_errors=True)
    for path, content in made.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    print(f"{len(made)} files in {FOLDER.relative_to(harness.ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
