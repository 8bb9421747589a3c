"""What lies in the memory of a process, as a debugger or a core dump would show it."""
import pathlib

CONTEXT = 40


class Unavailable(Exception):
    """Why nobody can look here."""


def _readable(pid):
    for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
        where, access, _, _, _, *name = line.split(None, 5)
        begin, end = (int(at, 16) for at in where.split("-"))
        if access.startswith("r") and name[:1] not in (["[vvar]"], ["[vsyscall]"]):
            yield begin, end, "".join(name) or "anonymous"


def find(pid, secrets):
    """Where each of the secrets is found: [(secret, mapping, what stands around it), ...].

    Unavailable: nobody may look into that process.
    """
    found = []
    try:
        with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
            for begin, end, name in _readable(pid):
                memory.seek(begin)
                try:
                    data = memory.read(end - begin)
                except OSError:  # what is mapped and cannot be read, like a guard page
                    continue
                for secret in secrets:
                    at = data.find(secret)
                    while at >= 0:
                        found.append((secret, f"{name} {begin:x}-{end:x} at {begin + at:x}",
                                      data[max(0, at - CONTEXT):at + len(secret) + CONTEXT]))
                        at = data.find(secret, at + 1)
    except PermissionError as error:
        raise Unavailable(str(error)) from error
    except (FileNotFoundError, ProcessLookupError):
        return []  # it has ended, and its memory with it
    return found
