"""A mail's HTML as its reader has it: what is shown, where links lead, which tags it is made of."""
import html.parser
import re

VOID = {"br", "img", "meta", "link", "hr", "input", "col", "wbr"}
BLOCKS = {"p", "td", "tr", "table", "div", "h1", "h2", "h3", "br", "li", "ul", "body"}
UNSEEN = {"style", "title", "head", "script"}


class Page(html.parser.HTMLParser):
    """The parsed page.

    lines      what is shown, a paragraph or cell each, white space collapsed
    preheader  the text of what is hidden with display:none
    tags       (name, attributes but for href) of each start tag
    hrefs      of each link
    """

    def __init__(self, source):
        super().__init__(convert_charrefs=True)
        self.source = source
        self.title, self.preheader = "", ""
        self.tags, self.hrefs, self.comments = [], [], []
        self.open = []     # (tag, is it hidden)
        self.unclosed = []  # what was closed out of turn
        self._lines = [""]
        self.feed(source)
        self.close()
        self.unclosed += [tag for tag, _ in self.open]
        self.lines = [line for line in (re.sub(r"[ \n\t]+", " ", line).strip(" ")
                                        for line in self._lines) if line]

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "a":
            self.hrefs.append(attributes.get("href"))
        kept = {name: value for name, value in attributes.items() if name != "href"}
        self.tags.append((tag, tuple(sorted(kept.items()))))
        if tag in BLOCKS:
            self._lines.append("")
        if tag not in VOID:
            hidden = "display:none" in (attributes.get("style") or "")
            self.open.append((tag, hidden))

    def handle_endtag(self, tag):
        if tag in BLOCKS:
            self._lines.append("")
        if self.open and self.open[-1][0] == tag:
            self.open.pop()
        else:
            self.unclosed.append(f"/{tag}")

    def handle_data(self, data):
        if any(tag == "title" for tag, _ in self.open):
            self.title += data
        elif any(hidden for _, hidden in self.open):
            self.preheader += data
        elif not any(tag in UNSEEN for tag, _ in self.open):
            self._lines[-1] += data

    def handle_comment(self, data):
        self.comments.append(data)

    @property
    def shown(self):
        """All that a reader sees, a line each."""
        return "\n".join(self.lines)

    def attributes(self, tag):
        """Those of the first such tag, without its href."""
        return next(dict(attributes) for name, attributes in self.tags if name == tag)
