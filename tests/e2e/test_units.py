"""The systemd units: systemd accepts them, finds nothing to complain about, and they name what there is."""

import re
import shutil
import subprocess

import pytest

from conftest import BINARY, ROOT
from test_manpage import PAGES, commands_in_help

UNITS = [ROOT / "packaging" / name for name in ("leadpipe@.service", "leadpipe@.timer", "leadpipe-check@.service")]
SERVICES = ["leadpipe@nightly.service", "leadpipe-check@nightly.service"]
SHARED = "# From here on leadpipe@.service and leadpipe-check@.service are the same: change both.\n"

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
    for name in (*SERVICES, "leadpipe@nightly.timer"):
        done = subprocess.run(["systemd-analyze", "verify", str(units / name)], capture_output=True, text=True)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), name


@needs_systemd
def test_verify_finds_mistakes(units):
    unit = units / "leadpipe@nightly.service"
    unit.write_text(unit.read_text().replace("DynamicUser=", "DynamicUsr="))
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True)
    assert "DynamicUsr" in done.stderr


@needs_systemd
@pytest.mark.parametrize("name", SERVICES)
def test_security(units, name):
    """At most 2.0 of 10: "OK"."""
    done = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--threshold=20", "--no-pager",
                           str(units / name)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert re.search(r"Overall exposure level for %s: [01]\.\d OK" % name, done.stdout)


def test_check_has_the_sandbox_of_the_run():
    """Line by line; and neither has a setting of the sandbox before that."""
    run, check = (unit.read_text() for unit in (UNITS[0], UNITS[2]))
    assert run.split(SHARED)[1] == check.split(SHARED)[1]
    for text in (run, check):
        before = text.split(SHARED)[0].split("[Service]\n")[1]
        assert set(re.findall(r"^(\w+)=", before, re.M)) <= {"Type", "ExecStart", "TimeoutStartSec", "TimeoutStopSec"}


def drop_ins():
    """{path below systemd's folder: text} of docs/systemd.md."""
    text = (ROOT / "docs" / "systemd.md").read_text()
    found = re.findall(r"^    # /etc/systemd/system/(\S+)\n((?:    .*\n)+)", text, re.M)
    return {path: re.sub("^    ", "", lines, flags=re.M) for path, lines in found}


def with_drop_ins(units, changed=lambda text: text):
    """systemd-analyze's answer about the units with all drop-ins of the page, as its link has them for the check."""
    files = drop_ins()
    assert len(files) == 5
    files["leadpipe-check@nightly.service.d/override.conf"] = files["leadpipe@nightly.service.d/override.conf"]
    for path, text in files.items():
        (units / path).parent.mkdir(exist_ok=True)
        (units / path).write_text(changed(text))
    failed = units / "leadpipe-failed@.service"
    (units / "leadpipe-failed@nightly.service").write_text(failed.read_text())
    done = subprocess.run(["systemd-analyze", "verify", *(str(units / name) for name in (
        *SERVICES, "leadpipe@nightly.timer", "leadpipe-failed@nightly.service"))], capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


@needs_systemd
def test_drop_ins_of_the_page(units):
    assert with_drop_ins(units) == (0, "", "")


@needs_systemd
@pytest.mark.parametrize("name", ["ReadWritePaths", "OnFailure", "RestartSec", "RandomizedDelaySec", "ExecStart"])
def test_mistakes_in_drop_ins_are_found(units, name):
    """Each of the five files is read."""
    assert name + "x" in with_drop_ins(units, lambda text: text.replace(name + "=", name + "x="))[2]


def test_units_name_what_there_is(leadpipe):
    for unit, command in ((UNITS[0], "run"), (UNITS[2], "check")):
        assert re.search(r"^ExecStart=leadpipe %s /etc/leadpipe/%%i\.yaml$" % command, unit.read_text(), re.M)
        assert command in commands_in_help(leadpipe)
    pages = set(re.findall(r"man:([a-z-]+)\(1\)", "".join(unit.read_text() for unit in UNITS)))
    assert pages == {"leadpipe-run", "leadpipe-check", "leadpipe"}
    assert all((PAGES / (page + ".1")).exists() for page in pages - {"leadpipe"})


def test_job_of_the_readme(leadpipe, sandbox, control):
    """As the unit runs it: key and folder are where systemd puts them."""
    control.lists(leads={"": ["plain-1", "plain-2"]})
    text = (ROOT / "README.md").read_text().split("`/etc/leadpipe/nightly.yaml`:\n\n", 1)[1]
    job = "".join(line[4:] for line in re.match(r"(?:    .*\n)+", text).group(0).splitlines(True))
    folders = {name: leadpipe.folder / name.lower() for name in ("CREDENTIALS_DIRECTORY", "STATE_DIRECTORY")}
    for folder in folders.values():
        folder.mkdir()
    (folders["CREDENTIALS_DIRECTORY"] / "keys_omni.key").write_text(sandbox.key + "\n")
    (leadpipe.folder / "nightly.yaml").write_text(job)
    environment = {name: str(folder) for name, folder in folders.items()}
    done = leadpipe("run", leadpipe.folder / "nightly.yaml", "--base-url", sandbox.omni, env=environment)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in folders["STATE_DIRECTORY"].iterdir()} == {"nightly.state", "failed.ndjson", "tables"}
    assert (folders["STATE_DIRECTORY"] / "tables" / "leads.csv.gz").exists()
