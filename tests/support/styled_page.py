"""A mail's HTML with its styles resolved, as far as mails use CSS: inline, and one style sheet.

Whatever this does not understand (a selector, a shorthand, a unit) is an error and not passed
over: what is said about contrast must hold for every text.
"""
import collections
import html.parser
import re

VOID = {"br", "img", "meta", "link", "hr", "input", "col", "wbr"}
INHERITED = ("color", "font-size")
SHORTHANDS = ("background", "font", "all")
COLOR = re.compile("#[0-9a-f]{6}")
CLASS, TAG = r"\.([\w-]+)", r"([a-z][a-z0-9]*)"

# A way of looking at the page: the @media blocks that apply, and whether Outlook's dark mode has
# put its attributes above it.
View = collections.namedtuple("View", "name media outlook")
DARK, NARROW = "(prefers-color-scheme:dark)", "(max-width:480px)"
VIEWS = [View(f"{scheme}{width}", {*media, *narrow}, outlook)
         for scheme, media, outlook in (("light", (), False), ("dark", (DARK,), False),
                                        ("Outlook's dark", (), True))
         for width, narrow in (("", ()), (", narrow", (NARROW,)))]

# One run of visible text, or an image's alternative: what it says, and what it is shown with.
Run = collections.namedtuple("Run", "text element color background size_px")
Rule = collections.namedtuple("Rule", "media selector declarations")


class Element:
    """A tag with its attributes, inline declarations and children (elements and strings)."""

    def __init__(self, tag, attributes, parent):
        self.tag, self.attributes, self.parent = tag, attributes, parent
        self.children = []
        self.classes = set(attributes.get("class", "").split())
        self.inline = declarations(attributes.get("style", ""))

    def find_all(self, tag):
        """The elements of that tag below this one, in the page's order."""
        for child in self.children:
            if isinstance(child, Element):
                if child.tag == tag:
                    yield child
                yield from child.find_all(tag)

    def has_above(self, tag):
        return self.parent is not None and (self.parent.tag == tag or self.parent.has_above(tag))

    @property
    def hidden(self):
        return self.inline.get("display", ("",))[0] == "none" or (
            self.parent is not None and self.parent.hidden)

    @property
    def text(self):
        return "".join(child if isinstance(child, str) else child.text for child in self.children)


def declarations(text):
    """property -> (value, is it important) of a style attribute or a rule's block."""
    found = {}
    for part in filter(None, map(str.strip, text.split(";"))):
        name, value = map(str.strip, part.split(":", 1))
        assert name not in SHORTHANDS, f"what {name} sets is not worked out here"
        important = value.endswith("!important")
        found[name] = (value.removesuffix("!important").strip(), important)
    return found


def rules(sheet, media=None):
    """The Rules of a style sheet, in order; those within @media with its condition."""
    sheet = sheet.strip()
    while sheet:
        prelude, rest = sheet.split("{", 1)
        depth, end = 1, 0
        while depth:
            depth += {"{": 1, "}": -1}.get(rest[end], 0)
            end += 1
        block, sheet = rest[:end - 1], rest[end:].strip()
        prelude = prelude.strip()
        if prelude.startswith("@"):
            name, condition = prelude.split(" ", 1)
            assert name == "@media" and condition in (DARK, NARROW), prelude
            yield from rules(block, condition)
        else:
            for selector in prelude.split(","):
                yield Rule(media, selector.strip(), declarations(block))


def _compound_matches(compound, element):
    if re.fullmatch(CLASS, compound):
        return compound[1:] in element.classes
    assert re.fullmatch(TAG, compound), f"the selector {compound} is not understood here"
    return compound == element.tag


def _matches(selector, element, outlook):
    """Does a selector of classes and tags, with descendants, take that element?"""
    compounds = selector.split()
    if compounds[0] in ("[data-ogsc]", "[data-ogsb]"):
        if not outlook:
            return False
        compounds = compounds[1:]
    if not _compound_matches(compounds[-1], element):
        return False
    above = element.parent
    for compound in reversed(compounds[:-1]):
        while above is not None and not _compound_matches(compound, above):
            above = above.parent
        if above is None:
            return False
        above = above.parent
    return True


class _Builder(html.parser.HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.root = self.here = Element("", {}, None)

    def handle_starttag(self, tag, attributes):
        element = Element(tag, {name: value or "" for name, value in attributes}, self.here)
        self.here.children.append(element)
        if tag not in VOID:
            self.here = element

    def handle_endtag(self, tag):
        assert self.here.tag == tag, f"</{tag}> within <{self.here.tag}>"
        self.here = self.here.parent

    def handle_data(self, data):
        self.here.children.append(data)


class StyledPage:
    """The page as a tree below root, and its runs of text under a View."""

    def __init__(self, source):
        builder = _Builder()
        builder.feed(source)
        builder.close()
        assert builder.here is builder.root, f"<{builder.here.tag}> is not closed"
        self.root = builder.root
        self.html, = self.root.find_all("html")
        self.body, = self.root.find_all("body")
        self.rules = [rule for style in self.root.find_all("style") for rule in rules(style.text)]

    def runs(self, view):
        """Each run of text that is shown, in order."""
        applied = [rule for rule in self.rules if rule.selector != ":root" and (
            rule.media is None or rule.media in view.media)]
        yield from self._runs_of(self.body, applied, view.outlook, {}, None)

    def _style_of(self, element, applied, outlook):
        """The cascade: the sheet, the inline style, then what of the sheet is important."""
        sheet = {}
        for rule in applied:
            if _matches(rule.selector, element, outlook):
                for name, (value, important) in rule.declarations.items():
                    if important or not sheet.get(name, ("", False))[1]:
                        sheet[name] = (value, important)
        style = {name: value for name, (value, _) in sheet.items()}
        style.update((name, value) for name, (value, _) in element.inline.items())
        style.update((name, value) for name, (value, important) in sheet.items() if important)
        return style

    def _runs_of(self, element, applied, outlook, inherited, background):
        if element.hidden:
            return
        style = self._style_of(element, applied, outlook)
        inherited = {**inherited, **{name: style[name] for name in INHERITED if name in style}}
        if element.tag == "a" and "color" not in style:
            inherited.pop("color", None)  # a link has a colour of its own
        background = style.get("background-color", background)
        text = [element.attributes["alt"]] if element.tag == "img" else [
            child for child in element.children if isinstance(child, str)]
        for run in text:
            if run.strip():
                yield self._run(run, element, inherited, background)
        for child in element.children:
            if isinstance(child, Element):
                yield from self._runs_of(child, applied, outlook, inherited, background)

    @staticmethod
    def _run(text, element, inherited, background):
        color, size = inherited.get("color"), inherited.get("font-size")
        where = f"<{element.tag}> with {text.strip()!r}"
        for value in (color, background):
            assert value and COLOR.fullmatch(value), f"{where}: the colour {value} is not #rrggbb"
        assert size and re.fullmatch(r"\d+px", size), f"{where}: the size {size} is not in px"
        return Run(" ".join(text.split()), element, color, background, int(size[:-2]))


def luminance(color):
    """https://www.w3.org/TR/WCAG22/#dfn-relative-luminance of #rrggbb."""
    channels = (int(color[at:at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
                        for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    """https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio"""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)
