#!/usr/bin/python3
"""The house rules that no general tool knows. Prints each breach as file:line, exit 1 where any.

Sizes, the direction of includes, where third-party headers may stand, banned calls, names.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
FOLDERS = ("relay", "queue", "templates", "jsonnet", "bench", "tests/unit", "tests/fuzz")
FILE_LINES, FUNCTION_LINES, HEADER_LINES = 500, 80, 120

# Argued exceptions. queue.h is the one public header of its folder and holds every contract.
LONG_HEADERS = {"queue/queue.h"}

# Which folders the files of a folder may include from, beside their own (design, Folders).
ARROWS = {
    "relay": {"relay/dispatch", "relay/children", "relay/smarthosts", "relay/admin", "relay/http",
              "relay/config", "relay/cli", "queue", "relay/base"},
    "relay/dispatch": {"relay", "relay/children", "relay/smarthosts", "relay/config", "queue",
                       "relay/base"},
    "relay/children": {"relay", "relay/config", "relay/base"},
    "relay/smarthosts": {"relay", "relay/children", "relay/config", "relay/base"},
    "relay/admin": {"relay", "relay/dispatch", "relay/http", "queue", "relay/base"},
    "relay/http": {"relay", "relay/base"},
    "relay/config": {"relay", "relay/children", "relay/smarthosts", "relay/base"},
    "relay/cli": {"relay", "relay/children", "relay/config", "queue", "relay/base"},
    "relay/base": set(),
    "relay/composer": {"templates", "jsonnet", "relay/base"},
    "relay/deliverer": {"relay/base"},
    "queue": {"relay/base"},
    "templates": {"templates/mustache", "relay/base"},
    "templates/mustache": {"templates", "relay/base"},
    "jsonnet": {"relay/base"},
    "bench": {"queue", "relay/base"},
}

# Third-party header -> the one file or folder that may include it.
THIRD_PARTY = {
    r"microhttpd\.h": ["relay/http/"],
    r"sqlite3\.h": ["queue/"],
    r"sodium\.h": ["queue/", "relay/api_key.c", "relay/config/changes.c"],
    r"libjsonnet.*\.h": ["jsonnet/"],
    r"libesmtp\.h": ["relay/deliverer/smtp_esmtp.c"],
    r"curl/.*": ["relay/deliverer/", "relay/cli/request.c"],
    r"gmime/.*": ["relay/composer/mime.c"],
    r"glib.*": ["relay/composer/mime.c", "relay/composer/head.c", "relay/composer/digest.c", "jsonnet/std_additions.c"],
    r"seccomp\.h": ["relay/composer/syscall_filter.c"],
    r"unicode/.*": ["templates/", "relay/composer/address.c", "jsonnet/std_additions.c"],
    r"jansson\.h": ["relay/", "templates/", "jsonnet/", "bench/"],
    r"openssl/.*": ["relay/deliverer/smtp_curl.c", "relay/deliverer/read_shim.c", "relay/deliverer/curl_ear.c", "relay/deliverer/curl_ear.h", "relay/deliverer/certificates.c"],
}
BANNED = re.compile(r"\b(strcpy|strcat|sprintf|vsprintf|strtok|atoi|atol|gets)\s*\(")
# What undoes a part of a transaction makes SQLite lose commits (docs/architecture.md, "When the disk fails").
PARTIAL_UNDO = re.compile(r'"[^"]*\b(SAVEPOINT|ROLLBACK TO)\b', re.I)
VAGUE = re.compile(r"(util|helper|misc)", re.I)
INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)')


def without_text(source):
    """Comments, strings and characters blanked out, so that words in them are no code."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match.group())
    return re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, source,
                  flags=re.S)


def functions(lines):
    """(first line, number of lines) of each function: from its opening brace in column one."""
    start = None
    for number, line in enumerate(lines, 1):
        if line.startswith("{"):
            start = number
        elif line.startswith("}") and start:
            yield start, number - start - 1
            start = None


def allowed(path, header):
    """False where header is third-party and path is not its place; the first pattern decides."""
    for pattern, places in THIRD_PARTY.items():
        if re.fullmatch(pattern, header):
            return any(path == place or (place.endswith("/") and path.startswith(place))
                       for place in places) or path.startswith(("tests/unit/", "tests/fuzz/"))
    return True


def place_of(header):
    return next(" or ".join(places) for pattern, places in THIRD_PARTY.items()
                if re.fullmatch(pattern, header))


def includes(path, lines):
    folder = path.rsplit("/", 1)[0]
    for number, line in enumerate(lines, 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        own, system = match.groups()
        if system and not allowed(path, system):
            yield number, f"<{system}> belongs to {place_of(system)}"
        if own and folder in ARROWS:
            target = own.rsplit("/", 1)[0] if "/" in own else folder
            if target != folder and target not in ARROWS[folder]:
                yield number, f'"{own}": {folder} may not include from {target}'


def breaches(path):
    source = (ROOT / path).read_text()
    lines = source.splitlines()
    code = without_text(source).splitlines()
    header = path.endswith(".h")
    limit = HEADER_LINES if header and path not in LONG_HEADERS else FILE_LINES
    if len(lines) > limit:
        yield 1, f"{len(lines)} lines, at most {limit}"
    for number, length in functions(code):
        if length > FUNCTION_LINES:
            yield number, f"a function of {length} lines, at most {FUNCTION_LINES}"
    for number, line in enumerate(code, 1):
        match = BANNED.search(line)
        if match:
            yield number, f"{match.group(1)}() is banned"
    for number, line in enumerate(lines, 1):
        match = path.startswith("queue/") and PARTIAL_UNDO.search(line)
        if match:
            yield number, f"{match.group(1)} is banned"
    if VAGUE.search(path.rsplit("/", 1)[1]):
        yield 1, "a name that says nothing"
    yield from includes(path, lines)


def main():
    paths = sorted(str(path.relative_to(ROOT)) for folder in FOLDERS
                   for path in (ROOT / folder).rglob("*.[ch]"))
    found = [f"{path}:{number}: {what}" for path in paths for number, what in breaches(path)]
    print("\n".join(found) or f"{len(paths)} files keep the house rules")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
