"""No sentence of the design's §6 without a test: what docs/promises.md says is there."""
import re

import relay as harness

DOCS = harness.ROOT / "docs"
QUOTE = re.compile(r'^- "(.+?)":', re.M)
TEST = re.compile(r"`((?:unit|integration)/[\w/]+\.(?:c|py))::(\w+)`")


def plain(text):
    """Without line ends and bold."""
    return re.sub(r"\s+", " ", text.replace("**", "")).strip()


def section(number):
    text = (DOCS / "design.md").read_text()
    return re.search(rf"^## {number}\..*?\n(.*?)(?=^## )", text, re.M | re.S).group(1)


def sentences(text):
    """A word with a colon or a full stop, such as "States:", is a heading, not a sentence."""
    parts = [part for paragraph in re.split(r"\n\s*\n", text)
             for part in re.split(r"(?<=[.:]) (?=[A-Z`])", plain(paragraph))]
    return [part for part in parts if len(part.split()) > 3 or part == "Promise 5."
            or part.startswith("`")]


def rows():
    """(quoted words, rest of the line) of each line of the table."""
    text = (DOCS / "promises.md").read_text()
    return [(match.group(1), text[match.end():].split("\n", 1)[0])
            for match in QUOTE.finditer(text)]


def test_each_sentence_of_the_design_is_named_and_each_name_is_a_sentences():
    quotes = [quote for quote, _ in rows()]
    design = sentences(section(6))
    assert len(design) > 40
    assert [one for one in design if not any(quote in one for quote in quotes)] == []
    of_either = plain(section(5) + section(6))
    assert [quote for quote in quotes if quote not in of_either] == []


def test_each_test_that_is_named_is_there():
    missing = []
    for quote, rest in rows():
        named = TEST.findall(rest)
        assert named or "not built yet" in rest, quote
        for path, name in named:
            file = harness.ROOT / "tests" / path
            begin = "def " if path.endswith(".py") else "static void "
            if not file.exists() or f"{begin}{name}(" not in file.read_text():
                missing.append(f"{path}::{name}")
    assert missing == []
