"""What a user may not read or write: it is said whose it is, who asks, and which command helps."""

import grp
import os
import pwd
import shutil
import sqlite3
import subprocess

import pytest

from conftest import BINARY, SLOWNESS, clean_environment
from test_unfinished_files import NOBODY, is_root, shared  # noqa: F401

pytestmark = is_root
USER, GROUP = (pwd.getpwuid(NOBODY).pw_name, grp.getgrgid(NOBODY).gr_name) if os.geteuid() == 0 else ("", "")


@pytest.fixture
def nobody(sandbox, shared):  # noqa: F811
    """nobody(command, words...): in a folder that nobody owns, in which root has something of everything."""
    shutil.copy(BINARY, shared / "program")
    (shared / "program").chmod(0o755)
    os.chown(shared, NOBODY, NOBODY)
    shared.chmod(0o755)
    for name, mode in (("root.key", 0o600), ("root.state", 0o600), ("root.txt", 0o640)):
        (shared / name).write_text(sandbox.key)
        (shared / name).chmod(mode)
    (shared / "closed").mkdir(mode=0o755)
    (shared / "keys").mkdir(mode=0o700)

    def run(command, *words):
        return subprocess.run(["setpriv", "--reuid=%d" % NOBODY, "--regid=%d" % NOBODY, "--clear-groups", str(shared / "program"),
                               command, *sandbox.provider(), *words], cwd=shared, env=clean_environment(sandbox.env), text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=60 * SLOWNESS)
    return run


SINK = ["-t", "csv:out/"]
LEAD = ["--id", "plain-1"]
THIS = "and this is the user %s; " % USER
ROOTS = "belongs to the user root (mode %s), " + THIS
MAKE = "as root run: install -d -o %s -g %s -m 750 " % (USER, GROUP)


@pytest.mark.parametrize("words, says", [
    (["-t", "csv:closed/", *LEAD], "cannot write to the directory closed/: Permission denied; it " + ROOTS % "0755" +
     "use a directory of your own, or as root run: chown %s closed/" % USER),
    (["-t", "csv:closed/new/", *LEAD], "cannot write to the directory closed: Permission denied; the directory closed " +
     ROOTS % "0755" + MAKE + "closed/new/"),
    ([*SINK, "--failed", "closed/new/x", *LEAD], "the directory closed/new does not exist; the directory closed " + ROOTS % "0755" +
     MAKE + "closed/new"),
    ([*SINK, "--failed", "new/x", *LEAD], "the directory new does not exist; create it: mkdir -p new"),
    ([*SINK, "--failed", "keys/x", *LEAD], "keys/x: Permission denied; the directory keys " + ROOTS % "0700" +
     "as root run: chgrp %s keys && chmod g+x keys" % GROUP),
    ([*SINK, "--state", "root.state", *LEAD], "root.state: Permission denied; it " + ROOTS % "0600" +
     "as root run: chown %s root.state*" % USER),
    ([*SINK, "--state", "closed/x", *LEAD], "cannot write to the directory closed: Permission denied; it " + ROOTS % "0755"),
    ([*SINK, "--api-key-file", "root.key", *LEAD], "--api-key-file: root.key cannot be opened: Permission denied; it " +
     ROOTS % "0600" + "as root run: chgrp %s root.key && chmod g+r root.key" % GROUP),
    ([*SINK, "--api-key-file", "keys/a", *LEAD], "the directory keys " + ROOTS % "0700" + "as root run: chgrp"),
    ([*SINK, "--api-key-file", "keys/sk-live-0123456789", *LEAD],
     "--api-key-file: the file (name not shown because it looks like a key) cannot be opened: Permission denied\n"),
    ([*SINK, "root.txt"], "root.txt: Permission denied; it " + ROOTS % "0640" + "as root run: chgrp"),
])
def test_check_and_run(nobody, words, says):
    for command, status in (("check", 1), ("export", 2)):
        done = nobody(command, *words)
        shown = done.stdout + done.stderr
        assert done.returncode == status and says in shown and ".leadpipe-part" not in shown, done


@pytest.mark.parametrize("option", ["metrics", "report", "summary-file"])
def test_files_of_every_run(nobody, option):
    """What is written at the end of a run that was refused for the same reason, too."""
    done = nobody("export", *SINK, "--" + option, "closed/x", *LEAD)
    assert done.returncode == 2 and "closed/x: cannot write to the directory closed: Permission denied; it " in done.stderr, done
    done = nobody("export", "-t", "csv:none/x.csv", "--" + option, "closed/x", *LEAD)
    assert done.returncode == 2 and "--%s: closed/x: cannot write to the directory closed: Permission denied; it " % option in done.stderr
    assert ".leadpipe-part" not in done.stderr


@pytest.mark.parametrize("file, mode, says", [
    ("x.db", 0o600, "cannot be opened: Permission denied; it "), ("x.db", 0o644, "cannot be written: Permission denied; it "),
    ("x.db-wal", 0o600, "{}/x.db-wal: Permission denied; it "), ("x.db-shm", 0o600, "{}/x.db-shm: Permission denied; it "),
])
def test_a_database(nobody, shared, file, mode, says):  # noqa: F811
    """Of root, or what root's program has left beside it."""
    folder = shared / "its data"
    database = sqlite3.connect(shared / "x.db")
    database.executescript("pragma journal_mode = wal; create table a (b)")
    folder.mkdir()
    for name in ("x.db", "x.db-wal", "x.db-shm"):
        shutil.copy(shared / name, folder / name)
    database.close()
    for path in (folder, *folder.iterdir()):
        os.chown(path, NOBODY, NOBODY)
    os.chown(folder / file, 0, 0)
    (folder / file).chmod(mode)
    done = nobody("export", "-t", "sqlite:its data/x.db", *LEAD)
    says = says.format(folder) + ROOTS % oct(mode).replace("o", "") + "as root run: chown %s '%s/%s'*\n" % (USER, folder, file)
    assert done.returncode in (1, 2) and "sqlite:its data/x.db: " + says in done.stderr, done


def test_a_job_file(nobody):
    done = nobody("run", "root.txt")
    assert done.returncode == 2 and "root.txt: Permission denied; it " + ROOTS % "0640" in done.stderr, done
