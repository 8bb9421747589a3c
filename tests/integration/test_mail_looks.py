"""How the mails look, worked out from their HTML: every type in every language and in a brand
with a logo, in the light, in the dark and in Outlook's own dark mode, wide and narrow."""
import html
import re
import shutil
import subprocess

import mails
import pytest
import styled_page
from styled_page import StyledPage

CONTRAST_MIN = 4.5  # WCAG 2.2, 1.4.3
SIZE_MIN_PX = 16
BYTES_MAX = 30_000
BRANDS = (None, "shop")  # tests/data/templates-sample
# What HTML 5 has dropped and Outlook for Windows goes by.
TIDY_ALLOWS = ('<td> attribute "align" not allowed for HTML5',)
LOADS = re.compile(r"<(script|link|iframe|object|embed|video|audio|source|svg|form|input)\b|url\(|"
                   r"@import|\b(src|srcset|background|poster|data)=|javascript:|\bon\w+=", re.I)
ADDRESS = re.compile(r"https?://[^\s\"<]+")
OWN = {"template": "brand_new", "to": mails.RECIPIENT, "data": {}, "fallback": {
    "subject": "Kratos' own", "text": "Its own text.\n\nIn two paragraphs.\n"}}

every_mail = pytest.mark.parametrize("template,locale,brand", [
    (template, locale, brand) for template in (*mails.TYPES, OWN["template"])
    for locale in mails.locales() for brand in BRANDS])


@pytest.fixture(scope="module")
def brands_composer(tmp_path_factory):
    """Our own frames for every type, with the brands of tests/data/templates-sample."""
    folder = mails.sample_templates(tmp_path_factory.mktemp("brands") / "templates")
    shutil.rmtree(folder / "types")
    with mails.Composer(templates_dir=str(folder)) as made:
        yield made


@pytest.fixture
def shown(brands_composer, template, locale, brand):
    mail = OWN if template == OWN["template"] else mails.canonical(template)
    return brands_composer.preview(mail, locale, brand)


@every_mail
def test_the_page_is_well_formed(shown):
    done = subprocess.run(["tidy", "-quiet", "-errors", "-utf8"], input=shown.html.encode(),
                          capture_output=True)
    found = [line for line in done.stderr.decode().splitlines()
             if not line.endswith(TIDY_ALLOWS)]
    assert done.returncode in (0, 1) and not found, found


@every_mail
def test_every_text_can_be_read(shown):
    page = StyledPage(shown.html)
    for view in styled_page.VIEWS:
        runs = list(page.runs(view))
        assert runs
        for run in runs:
            ratio = styled_page.contrast(run.color, run.background)
            assert ratio >= CONTRAST_MIN, f"{view.name}: {run.text!r} {ratio:.2f}:1"
            assert run.size_px >= SIZE_MIN_PX, f"{view.name}: {run.text!r} {run.size_px} px"


@every_mail
def test_the_dark_is_dark(shown):
    page = StyledPage(shown.html)
    for view in styled_page.VIEWS:
        is_dark = not view.name.startswith("light")
        for run in page.runs(view):
            if "button" not in run.element.classes:  # which is of the brand's colour in both
                luminance = styled_page.luminance(run.background)
                assert luminance < 0.05 if is_dark else luminance > 0.8, (view.name, run)


@every_mail
def test_language_and_direction_stand_where_no_reader_strips_them(shown, locale):
    page = StyledPage(shown.html)
    language = locale.split("-x-")[0]
    expected = {"lang": language, "dir": "rtl" if language == "ar" else "ltr"}
    outer = next(page.body.find_all("table"))
    for element in (page.html, outer):
        assert {key: element.attributes.get(key) for key in expected} == expected, element.tag
    title, = page.root.find_all("title")
    assert title.text == shown.subject
    start = "right" if expected["dir"] == "rtl" else "left"
    assert {cell.attributes["align"] for cell in page.body.find_all("td")
            if "align" in cell.attributes} - {"center"} == {start}


@every_mail
def test_it_is_small_and_loads_nothing_but_the_logo(shown, brand):
    assert len(shown.html.encode()) < BYTES_MAX
    page = StyledPage(shown.html)
    images = list(page.body.find_all("img"))
    for image in images:
        assert image.attributes["alt"] == "Kék Bolt"
        assert image.attributes["src"].startswith("https://")
    assert len(images) == (1 if brand else 0)
    without_logo = shown.html.replace(' src="https://login.shop.example/logo.png"', "")
    assert not LOADS.search(without_logo), LOADS.search(without_logo)
    links = {link.attributes["href"] for link in page.body.find_all("a")}
    assert {html.unescape(address) for address in ADDRESS.findall(without_logo)} == links


@every_mail
def test_every_table_is_only_there_for_the_layout(shown):
    for table in StyledPage(shown.html).root.find_all("table"):
        assert table.attributes["role"] == "presentation"


@pytest.mark.parametrize("brand", BRANDS)
@pytest.mark.parametrize("locale", mails.locales())
@pytest.mark.parametrize("template", mails.CODE_TYPES)
def test_the_code_is_one_run_beside_its_label(shown, template):
    code = mails.TYPES[template][0]["code"]
    runs = list(StyledPage(shown.html).runs(styled_page.VIEWS[0]))
    at, = [index for index, run in enumerate(runs) if code in run.text]
    label, run = runs[at - 1:at + 1]
    assert run.text == code and run.element.attributes["dir"] == "ltr"
    assert run.element.parent is label.element.parent, "one cell has both"
    assert f"{label.text}: {code}" in shown.text.splitlines()
    assert re.search(r"(?i)\b(code|kód|رمز)\b", label.text)


@pytest.mark.parametrize("brand", BRANDS)
@pytest.mark.parametrize("locale", mails.locales())
@pytest.mark.parametrize("template", mails.LINK_TYPES + ["verification_code_valid"])
def test_a_button_is_a_padded_cell_with_the_bare_link_below_it(shown, template):
    url = mails.TYPES[template][0]["url"]
    links = [link for link in StyledPage(shown.html).body.find_all("a")
             if "shop.example" not in link.attributes["href"]]
    button, bare = links
    assert [link.attributes["href"] for link in links] == [url, url]
    assert button.parent.tag == "td" and "background-color" in button.parent.inline
    assert "padding" in button.inline and button.text != url
    assert bare.text == url
    host = url.split("/")[2]
    hint = bare.parent.text.replace(url, "")
    assert host in hint, "the host stands in words as well"


@pytest.mark.parametrize("brand", BRANDS)
@pytest.mark.parametrize("locale", mails.locales())
@pytest.mark.parametrize("template", mails.TYPES)
def test_the_line_beside_the_subject_is_hidden_within_the_mail(shown):
    page = StyledPage(shown.html)
    first = next(child for child in page.body.children if not isinstance(child, str))
    assert first.hidden and 20 <= len(first.text.strip()) <= 100
