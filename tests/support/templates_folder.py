"""A copy of the shipped templates for a test to change."""
import json
import shutil

import relay as harness


class TemplatesFolder:
    def __init__(self, path):
        self.path = path
        shutil.copytree(harness.ROOT / "templates", path,
                        ignore=shutil.ignore_patterns("*.c", "*.h"))

    def read(self, name):
        return json.loads((self.path / name).read_text())

    def write(self, name, content):
        """content: a text, or what is to be JSON."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False,
                                                                   indent=2)
        path.write_text(text)

    def change(self, name, before, after):
        path = self.path / name
        text = path.read_text()
        assert before in text, f"{name} holds no {before}"
        path.write_text(text.replace(before, after, 1))

    @property
    def locales(self):
        return sorted(path.stem for path in (self.path / "locales").glob("*.json"))

    @property
    def types(self):
        return list(self.read("locales/en.json")["types"])
