#!/usr/bin/python3
"""Contact sheets of the mails, as Debian's Chromium shows them: build/screenshots/*.png.

{locale}-{scheme}-{width}.png has every type of mail in one language; brands-… has the formal and
the informal variants, other brands, and Kratos' own words in our frame. Scheme is light or dark,
width is that of the reader's window.

Exit status 0 only where each mail was shown in the scheme that was asked for and none was wider
than its window. Whether they are good to look at is for eyes.
"""
import argparse
import html
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/support"))

LOCALES = ("en", "hu", "de", "ar")
SCHEMES = {"dark": 0, "light": 1}  # Chromium's own numbers
COLUMNS = {375: 4, 800: 2}  # width of a window -> so many beside each other
GAP = 24
CHROMIUM_LIMIT_S = 120
FEW_TYPES = ("login_code_valid", "verification_valid", "recovery_code_invalid",
             "authenticator_key_added")

SHEET = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="color-scheme" content="light dark">
<title>sheet</title><style>
body {{ margin: 0; padding: {gap}px; display: grid; gap: {gap}px; align-items: start;
       grid-template-columns: repeat({columns}, {width}px); background: #777; width: max-content;
       font: 16px sans-serif; color: #fff }}
figure {{ margin: 0 }}
figcaption {{ padding-bottom: 6px; overflow-wrap: anywhere }}
iframe {{ width: {width}px; border: 0; display: block }}
</style></head><body>
{figures}
<script>
addEventListener('load', () => {{
  const mails = [...document.querySelectorAll('figure')].map(figure => {{
    const frame = figure.querySelector('iframe');
    const body = frame.contentDocument.body;
    const found = {{
      name: figure.dataset.name,
      dark: frame.contentWindow.matchMedia('(prefers-color-scheme: dark)').matches,
      background: frame.contentWindow.getComputedStyle(body).backgroundColor,
      width: frame.contentDocument.documentElement.scrollWidth}};
    frame.style.height = Math.max(body.scrollHeight, 200) + 'px';
    return found;
  }});
  document.body.dataset.report = JSON.stringify(
    {{height: document.documentElement.scrollHeight, mails}});
}});
</script></body></html>
"""
FIGURE = ('<figure data-name="{name}"><figcaption>{name}<br><bdi>{subject}</bdi></figcaption>'
          '<iframe srcdoc="{page}"></iframe></figure>')


def sheet(shots, width):
    """The page that shows all of shots, (name, subject, html) each."""
    figures = "\n".join(FIGURE.format(name=html.escape(name), subject=html.escape(subject),
                                      page=html.escape(page)) for name, subject, page in shots)
    return SHEET.format(columns=COLUMNS[width], width=width, gap=GAP, figures=figures)


def chromium(page, scheme, window, *arguments):
    """What Chromium prints of a page; it reaches no network and leaves nothing behind."""
    with tempfile.TemporaryDirectory(prefix="chromium-") as profile:
        command = ["chromium", "--headless", "--disable-gpu", "--hide-scrollbars",
                   "--no-first-run", "--host-resolver-rules=MAP * ~NOTFOUND",
                   f"--user-data-dir={profile}", f"--window-size={window[0]},{window[1]}",
                   f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}"]
        if os.geteuid() == 0:
            command.append("--no-sandbox")  # as root it has none
        done = subprocess.run([*command, *arguments, page.as_uri()], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=CHROMIUM_LIMIT_S)
    if done.returncode != 0:
        raise RuntimeError(f"chromium ended with {done.returncode}: {done.stderr[-500:]}")
    return done.stdout


def complaints(mails, scheme, width):
    """What is wrong with a sheet beyond taste."""
    for mail in mails:
        light = sum(map(int, re.findall(r"\d+", mail["background"])[:3])) > 3 * 128
        if mail["dark"] != (scheme == "dark") or light == (scheme == "dark"):
            yield f"{mail['name']}: not {scheme}, its background is {mail['background']}"
        if mail["width"] > width:
            yield f"{mail['name']}: {mail['width']} px wide in a window of {width}"


def shoot(path, shots, scheme, width):
    """Writes one sheet and gives the complaints about it."""
    with tempfile.TemporaryDirectory(prefix="sheet-") as folder:
        page = pathlib.Path(folder) / "sheet.html"
        page.write_text(sheet(shots, width))
        columns = COLUMNS[width] * (width + GAP) + GAP
        text = chromium(page, scheme, (columns, 1000), "--dump-dom")
        report = json.loads(html.unescape(re.search(r'data-report="([^"]*)"', text).group(1)))
        chromium(page, scheme, (columns, report["height"]), f"--screenshot={path}")
    return [f"{path.name}: {what}" for what in complaints(report["mails"], scheme, width)]


def locale_shots(mails, locale):
    with mails.Composer() as composer:
        for template in mails.TYPES:
            yield shot(composer, mails.canonical(template), locale)


def brand_shots(mails):
    """Both ways to address a reader, other brands, and what is not our text."""
    with tempfile.TemporaryDirectory(prefix="templates-") as folder:
        templates = mails.sample_templates(pathlib.Path(folder) / "templates")
        with mails.Composer(templates_dir=str(templates)) as composer:
            rows = [(tag, None) for tag in mails.locales() if "-x-" in tag]
            for locale, brand in rows + [("hu", "shop"), ("en", "club")]:
                for template in FEW_TYPES:
                    yield shot(composer, mails.canonical(template), locale, brand)
            own = {"template": "brand_new", "to": mails.RECIPIENT, "data": {}, "fallback": {
                "subject": "Kratos’ own subject", "text": "Its own text.\n\nIn two paragraphs.",
                "html": "<p>Its own HTML, with <b>tags</b>.</p><p>In two paragraphs.</p>"}}
            yield shot(composer, own, "en")
            own["fallback"]["html"] = None
            yield shot(composer, own, "ar", "club")


def shot(composer, mail, locale, brand=None):
    shown = composer.preview(mail, locale, brand)
    name = f"{mail['template']}, {locale}" + (f", {brand}" if brand else "")
    return name, shown.subject, shown.html


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build/release", help="folder of the built programs")
    parser.add_argument("--to", default="build/screenshots", help="folder that the sheets go to")
    parser.add_argument("--only", default="", help="sheets whose name has this in it")
    options = parser.parse_args()
    os.environ["RELAY_BUILD"] = options.build
    import mails

    folder = pathlib.Path(options.to).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for name in (*LOCALES, "brands"):
        paths = {(scheme, width): folder / f"{name}-{scheme}-{width}.png"
                 for scheme in SCHEMES for width in COLUMNS}
        wanted = {key: path for key, path in paths.items() if options.only in path.name}
        shots = wanted and list(brand_shots(mails) if name == "brands" else
                                locale_shots(mails, name))
        for (scheme, width), path in wanted.items():
            found += shoot(path, shots, scheme, width)
            print(path, flush=True)
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
