"""What a relay takes from the machine: memory, descriptors, connections of its processes."""
import contextlib
import pathlib
import re

TCP_ESTABLISHED = "01"


def pss_kb(pid):
    """Proportional set size; None where the process has gone."""
    with contextlib.suppress(OSError):
        found = re.search(r"^Pss:\s+(\d+)", pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(),
                          re.M)
        return int(found.group(1)) if found else None
    return None


def descriptors(pid):
    with contextlib.suppress(OSError):
        return len(list(pathlib.Path(f"/proc/{pid}/fd").iterdir()))
    return 0


def connections(port):
    """Connections that are open on a local listener, as the kernel has them."""
    count = 0
    for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if int(fields[1].rsplit(":", 1)[1], 16) == port and fields[3] == TCP_ESTABLISHED:
            count += 1
    return count


class Sample:
    """One look at a relay and its children."""

    def __init__(self, relay):
        self.core_kb = pss_kb(relay.process.pid) or 0
        children = {pid: pss_kb(pid) or 0 for pid in relay.children()}
        self.children_kb = sum(children.values())
        self.children = len(children)
        self.composer_kb, self.deliverer_kb = (
            max((children.get(pid, 0) for pid in relay.children(name)), default=0)
            for name in ("composer", "deliverer"))  # the largest
        self.descriptors = descriptors(relay.process.pid)
