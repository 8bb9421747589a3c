"""Hypothesis strategies for what strangers put into a payload.

`make check` runs a fixed number of fixed examples. More, and others: `make properties`, which says
the seed that repeats it (PROPERTY_SEED).
"""
import os

import hypothesis
import hypothesis.configuration
import relay as harness
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("RELAY_PROPERTY_EXAMPLES", "0"))
hypothesis.configuration.set_hypothesis_home_dir(str(harness.BUILD / "hypothesis"))
hypothesis.settings.register_profile(
    "mails", database=None, deadline=None, print_blob=True, derandomize=EXAMPLES == 0,
    suppress_health_check=[hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.data_too_large])
hypothesis.settings.load_profile("mails")

# What breaks mails that were put together carelessly.
ODD = [
    "{{code}}", "{{{own_html}}}", "{{> body}}", "{{#brand}}", "{{/brand}}", "{{=<% %>=}}",
    "{code}", "{minutes}", "{{", "}", "{", "<b>", "</td></tr></table>",
    "<img src=x onerror=alert(1)>", "<script>alert(1)</script>", "<!--", "-->", "]]>",
    "<![endif]-->", "\"><i title='", "' onclick='x", "&lt;b&gt;", "&#60;", "&", "<", ">", "\"",
    "'", "\\", "`", "\r\nBcc: evil@evil.example", "\nSubject: other", "\r\n\r\nbody", "\r\n.\r\n",
    "\r", "\n", "\t", "\0", "\x01", "\x1b[31m", "\x7f", "\x85", "\u2028", "\u2029", "\u200b",
    "\u200d", "\u202e", "\u202d", "\u2066", "\u2068", "\u2069", "\u061c", "\ufeff", "\ufffd",
    "\uffff", "\ud800", "\udfff", "\U0001f600", "\U000e0041", "=?utf-8?B?Zm9v?=", "=?", "?=",
    "=0D=0A", "%0d%0aBcc:%20evil@evil.example", ".", "..", "-- ", "--=_0193",
    "https://evil.example/x", "http://evil.example", "//evil.example", "javascript:alert(1)",
    "www.evil.example", "evil.example", "a@evil.example", "123456", "75 00 46",
    "\u0667\u0665\u0660\u0660\u0664\u0666", "\u0645\u062d\u0645\u062f", "\u05d3\u05d5\u05d3",
    "O'Hara", "Zo\u00eb", "e\u0301" * 5, "\u0e01\u0e33", "\ufdfd",
    "\U0001f469\u200d\U0001f469\u200d\U0001f467", "x" * 70, "\u00e9" * 90, "\U0001f600" * 80,
    "a " * 60, " ", "../../etc/passwd", "$(id)", "'; --", "null", "NaN",
]
any_character = st.characters(blacklist_categories=[])  # lone surrogates too

text = st.one_of(
    st.text(any_character, max_size=40),
    st.lists(st.one_of(st.sampled_from(ODD), st.text(any_character, max_size=8)), min_size=1,
             max_size=6).map("".join),
    st.builds(lambda piece, count: piece * count, st.sampled_from(ODD), st.integers(2, 400)))

value = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), text),
    lambda inner: st.one_of(st.lists(inner, max_size=3),
                            st.dictionaries(st.sampled_from(ODD + ["url"]), inner, max_size=3)),
    max_leaves=5)


def mostly(usual, odd=value):
    """usual, or anything: most of a payload has to be right for the rest of it to be looked at."""
    return st.one_of(st.just(usual), st.just(usual), odd)


def examples(count):
    """Settings for so many examples in `make check`."""
    return hypothesis.settings(max_examples=EXAMPLES or count)
