"""What is installed beside the programs: systemd's units and the manual pages."""
import re
import shutil
import subprocess

import pytest
import relay as harness

UNITS = harness.ROOT / "deploy/systemd"
SETTINGS = (harness.ROOT / "relay/config/settings.c").read_text()
EXPOSURE_MAX = 1.5


def needs(program, package):
    return pytest.mark.skipif(not shutil.which(program), reason=f"needs {program} ({package})")


def run(*command, **environment):
    return subprocess.run([str(part) for part in command], cwd=harness.ROOT, text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **environment})


@needs("systemd-analyze", "systemd")
def test_the_unit_gives_up_what_it_can():
    done = run("systemd-analyze", "security", "--no-pager", "--offline=yes",
               f"--threshold={EXPOSURE_MAX * 10:.0f}", UNITS / "courier-relay.service")
    assert done.returncode == 0, done.stdout
    assert float(re.search(r"exposure level.*: ([\d.]+)", done.stdout)[1]) <= EXPOSURE_MAX


@needs("systemd-analyze", "systemd")
def test_the_units_are_understood(tmp_path):
    for name in ("courier-relay.service", "courier-relay.socket", "courier-relay-admin.socket"):
        text = (UNITS / name).read_text()
        # That the program is there is not asked of the machine that tests.
        (tmp_path / name).write_text(text.replace("ExecStart=courier-relay",
                                                  f"ExecStart={harness.program()}"))
    done = run("systemd-analyze", "verify", "--man=no", *tmp_path.iterdir())
    mine = [line for line in done.stdout.splitlines() if "courier-relay" in line]
    assert done.returncode == 0 and not mine, done.stdout


def test_what_the_unit_names_is_what_the_relay_knows():
    text = (UNITS / "courier-relay.service").read_text()
    for name in re.findall(r"^Environment=RELAY_(\w+)=", text, re.M):
        setting = name.lower().removesuffix("_file")
        assert setting == "config" or f'.name = "{setting}"' in SETTINGS
    for unit, socket, port in (("courier-relay", "mail", 8080),
                               ("courier-relay-admin", "admin", 8081)):
        text = (UNITS / f"{unit}.socket").read_text()
        assert f"FileDescriptorName={socket}\n" in text and f"{port}\n" in text
        assert re.search(rf'\.standard = "[\d.]+:{port}"', SETTINGS)


def test_the_example_is_a_configuration(tmp_path):
    relay = harness.Relay(tmp_path / "relay", mail_from=None, smtp_uri="smtp://localhost/")
    relay.folder.mkdir()
    done = relay.command("check", "--config", str(UNITS / "relay.jsonnet"))
    assert "0 faults" in done.stdout


def test_everything_is_installed(tmp_path):
    done = run("make", "-s", "-o", "all", "install", "install-units", f"DESTDIR={tmp_path}",
               f"BUILD={harness.BUILD.relative_to(harness.ROOT)}", "PREFIX=/usr")
    assert done.returncode == 0, done.stdout
    for name in ("bin/courier-relay", "libexec/courier-relay/composer", "share/man/man5/courier-relay.conf.5",
                 "libexec/courier-relay/deliverer", "share/man/man8/courier-relay.8",
                 "lib/systemd/system/courier-relay.service", "lib/systemd/system/courier-relay.socket",
                 "lib/systemd/system/courier-relay-admin.socket",
                 "lib/sysusers.d/courier-relay.conf", "share/courier-relay/templates/locales/en.json"):
        assert (tmp_path / "usr" / name).is_file(), name


# ---- manual pages --------------------------------------------------------------------------------

@needs("man", "man-db")
@pytest.mark.parametrize("page", ["courier-relay.8", "courier-relay.conf.5"])
def test_a_page_is_well_formed(page):
    # With -Z what is said on standard output is for a printer; complaints are all that is left.
    done = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", f"docs/{page}"],
                          cwd=harness.ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                          text=True, env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"})
    assert done.returncode == 0 and done.stderr == ""


def test_the_manual_has_every_command():
    page = (harness.ROOT / "docs/courier-relay.8").read_text()
    shown = run(harness.program(), "--help").stdout
    commands = re.findall(r"^  ([a-z]+)", shown, re.M)
    assert "serve" in commands and len(commands) > 8
    for command in commands:
        assert re.search(rf"^\.(It|Nm) Cm {command}\b", page, re.M), command
    usage = re.findall(r"^courier-relay queue ([a-z|]+)", run(harness.program(), "queue", "--help").stdout,
                       re.M)
    acts = {act for words in usage for act in words.split("|")}
    assert {"list", "cancel"} <= acts
    assert acts <= set(re.findall(r"[a-z]+", " ".join(re.findall(r"^\.It Cm queue (.*)", page, re.M))))


def test_the_manual_has_every_setting_as_it_is():
    page = (harness.ROOT / "docs/courier-relay.conf.5").read_text()
    said = dict(re.findall(r"^\.It Ev RELAY_(\w+)\n(.*?)(?=^\.It|^\.El)", page, re.M | re.S))
    known = re.findall(r'\{\.name = "(\w+)",(.*?)(?=\{\.name|\Z)', SETTINGS, re.S)
    assert {name.upper() for name, _ in known} == set(said)
    for name, row in known:
        text = said[name.upper()]
        assert (".reloads = true" in row) == bool(re.search(r"reloads\.$", text, re.M | re.I)), name
        assert (".secret = true" in row) == ("Secret" in text), name
        standard = re.search(r'\.standard = "([^"]+)"', row)
        assert not standard or standard[1] in text, (name, standard[1])
