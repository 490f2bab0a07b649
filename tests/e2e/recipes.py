"""The recipes of README.md and docs/, taken from their text and run with the real tools."""

import os
import pathlib
import pwd
import re
import shutil
import subprocess
import sys
import tempfile

import pytest

from conftest import BINARY, ROOT, clean_environment

VENV = pathlib.Path(os.environ.get("LEADPIPE_VENV") or ROOT / "build" / "venv")


def section(title, page="README.md"):
    """What stands below a heading, up to the next one."""
    text = (ROOT / page).read_text()
    begin = re.search("^#+ %s$" % re.escape(title), text, re.MULTILINE).end()
    return re.split("^#+ ", text[begin:], 1, re.MULTILINE)[0]


def section_with_parts(title, page="README.md"):
    """What stands below a heading of the second level, up to the next one of that level."""
    text = (ROOT / page).read_text()
    return re.split("^## ", text.split("\n## %s\n" % title)[1], 1, re.MULTILINE)[0]


def blocks(title, page="README.md"):
    """The indented blocks of a section, without their indent; an empty line ends one, too."""
    found, block = [], []
    for line in [*section(title, page).splitlines()[1:], "end"]:
        if line.startswith("    "):
            block.append(line[4:])
        elif block:
            found.append("\n".join(block) + "\n")
            block = []
    return found


def python_with(*modules):
    """A Python that has these: the system's, or that of the tests' own packages (tests/requirements.txt)."""
    for python in ("/usr/bin/python3", sys.executable, str(VENV / "bin" / "python")):
        if os.path.exists(python) and subprocess.run([python, "-c", "import " + ", ".join(modules)], capture_output=True).returncode == 0:
            return python
    pytest.skip("there is no Python with %s" % ", ".join(modules))


class Kitchen:
    """A folder whose PATH has a `leadpipe` that asks a server of the test's."""

    def __init__(self, folder, base_url):
        self.folder, self.tools = folder, folder / "tools"
        self.tools.mkdir()
        self.env = clean_environment({"OMNI_API_KEY": "k", "CONVOCORE_API_KEY": "k", "HOME": str(folder)})
        self.env["PATH"] = "%s:%s" % (self.tools, self.env["PATH"])
        self.add_tool("leadpipe", '#!/bin/sh\nexec "%s" "$@" --base-url %s\n' % (BINARY, base_url))

    def add_tool(self, name, text):
        path = self.tools / name
        path.write_text(text)
        path.chmod(0o755)

    def add_duckdb(self):
        """The command, where only the Python module is there."""
        if not shutil.which("duckdb"):
            self.add_tool("duckdb", '''#!%s
import sys, duckdb
words = [word for word in sys.argv[1:] if word != "-bail"]
database = duckdb.connect(words[0])
database.execute(words[2] if words[1:2] == ["-c"] else sys.stdin.read())
''' % python_with("duckdb"))

    def add_clickhouse(self):
        """The command, where only the Python module is there."""
        if not shutil.which("clickhouse"):
            self.add_tool("clickhouse", '''#!%s
import sys, chdb.session
assert sys.argv[1:3] == ["local", "--path"]
session = chdb.session.Session(sys.argv[3])
for statement in sys.stdin.read().split(";\\n"):
    session.query(statement)
''' % python_with("chdb"))

    def run(self, script, check=True, **env):
        done = subprocess.run(["bash", "-o", "pipefail", "-c", script], cwd=self.folder, env={**self.env, **env}, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=300)
        assert done.returncode == 0 or not check, done.stdout + done.stderr
        return done


class Postgres:
    """A cluster of the test's own, on a socket in its folder."""

    def __init__(self, folder):
        # tests/distros/postgres.sh: the server of another release, in a root of that release whose /tmp is this one
        self.root = os.environ.get("LEADPIPE_POSTGRES_ROOT", "/")
        found = sorted(pathlib.Path(self.root, "usr/lib/postgresql").glob("*/bin/initdb"))
        if not found and not shutil.which("initdb"):
            pytest.skip("PostgreSQL is not installed")
        self.bin = found[-1].parent if found else pathlib.Path(shutil.which("initdb")).parent
        self.folder = folder
        self.user = None
        if os.geteuid() == 0:  # which PostgreSQL refuses
            self.user = pwd.getpwnam("nobody").pw_name
            shutil.chown(folder, self.user)
        self.data = folder / "data"
        self.command("initdb", "-D", self.data, "-U", "etl", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N")
        self.begin()
        self.env = {"PGHOST": str(folder), "PGUSER": "etl", "PGDATABASE": "postgres"}

    def command(self, name, *words):
        command, user = [self.bin / name, *map(str, words)], self.user
        if self.root != "/":
            command[0] = "/%s" % command[0].relative_to(self.root)
            command, user = ["chroot", "--userspec=%s" % user, self.root, *command], None
        done = subprocess.run(command, user=user, cwd=self.folder, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        assert done.returncode == 0, done.stdout

    def begin(self):
        self.command("pg_ctl", "-D", self.data, "-w", "-l", self.folder / "log", "-o",
                     "-k %s -c listen_addresses='' -c fsync=off -c restart_after_crash=on" % self.folder, "start")

    def stop(self, how="immediate"):
        self.command("pg_ctl", "-D", self.data, "-m", how, "stop")


def postgres_cluster():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="lp-pg-"))  # a socket's path must be short
    running = None
    try:
        running = Postgres(folder)
        yield running
    finally:
        if running:
            running.stop()
        shutil.rmtree(folder, ignore_errors=True)


postgres = pytest.fixture(postgres_cluster)
