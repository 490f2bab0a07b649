"""The systemd units: systemd accepts them, finds nothing to complain about, and they name what there is."""

import re
import shutil
import subprocess

import pytest

from conftest import BINARY, ROOT
from test_manpage import PAGES, commands_in_help

UNITS = [ROOT / "packaging" / name for name in ("leadpipe@.service", "leadpipe@.timer")]

needs_systemd = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")


@pytest.fixture
def units(tmp_path):
    """The units with this build's program, and without man pages, which need not be installed."""
    for unit in UNITS:
        text = unit.read_text()
        text = re.sub(r"^ExecStart=leadpipe ", "ExecStart=%s " % BINARY, text, flags=re.M)
        text = re.sub(r"^Documentation=.*\n", "", text, flags=re.M)
        (tmp_path / unit.name).write_text(text)
        (tmp_path / unit.name.replace("@", "@nightly")).write_text(text)
    return tmp_path


@needs_systemd
def test_verify(units):
    for name in ("leadpipe@nightly.service", "leadpipe@nightly.timer"):
        done = subprocess.run(["systemd-analyze", "verify", str(units / name)], capture_output=True, text=True)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), name


@needs_systemd
def test_verify_finds_mistakes(units):
    unit = units / "leadpipe@nightly.service"
    unit.write_text(unit.read_text().replace("DynamicUser=", "DynamicUsr="))
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True)
    assert "DynamicUsr" in done.stderr


@needs_systemd
def test_security(units):
    """At most 2.0 of 10: "OK"."""
    done = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--threshold=20", "--no-pager",
                           str(units / "leadpipe@nightly.service")], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert re.search(r"Overall exposure level for leadpipe@nightly.service: [01]\.\d OK", done.stdout)


def test_units_name_what_there_is(leadpipe):
    service = UNITS[0].read_text()
    command = re.search(r"^ExecStart=leadpipe ([a-z]+) /etc/leadpipe/%i\.yaml$", service, re.M).group(1)
    assert command in commands_in_help(leadpipe)
    pages = re.findall(r"man:([a-z-]+)\(1\)", "".join(unit.read_text() for unit in UNITS))
    assert set(pages) == {"leadpipe-" + command, "leadpipe"}
    assert (PAGES / ("leadpipe-%s.1" % command)).exists()


def test_job_of_the_readme(leadpipe, sandbox):
    """As the unit runs it: the key is where systemd puts credentials."""
    text = (ROOT / "README.md").read_text().split("`/etc/leadpipe/nightly.yaml`:\n\n", 1)[1]
    job = "".join(line[4:] for line in re.match(r"(?:    .*\n)+", text).group(0).splitlines(True))
    folders = {"/etc/leadpipe": leadpipe.folder / "etc", "/var/lib/leadpipe": leadpipe.folder / "lib"}
    for path, folder in folders.items():
        folder.mkdir()
        assert path in job
        job = job.replace(path, str(folder))
    credentials = leadpipe.folder / "credentials"
    credentials.mkdir()
    (credentials / "keys_omni.key").write_text(sandbox.key + "\n")
    (leadpipe.folder / "etc" / "nightly.yaml").write_text(job)
    (leadpipe.folder / "etc" / "ids.txt").write_text("plain-1\nplain-2\n")
    done = leadpipe("run", leadpipe.folder / "etc" / "nightly.yaml", "--base-url", sandbox.omni,
                    env={"CREDENTIALS_DIRECTORY": str(credentials)})
    assert (done.returncode, (leadpipe.folder / "lib" / "nightly" / "leads.csv.gz").exists()) == (0, True), done.stderr
