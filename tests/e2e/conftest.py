"""What all end-to-end tests share: the program, and the sandbox that it talks to.

The program is $LEADPIPE_BIN, else build/release/leadpipe.  Tests drive it from outside only: its
arguments, its environment, its outputs, its exit status.
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("LEADPIPE_BIN") or ROOT / "build" / "release" / "leadpipe").resolve()
SANDBOX = ROOT / "tests" / "sandbox" / "sandbox.py"

# One of build.sh's: "asan", "tsan" or unset. Sanitizers are slow and need memory.
SANITIZER = os.environ.get("LEADPIPE_SANITIZER") or None
SLOWNESS = {None: 1, "asan": 4, "tsan": 12}.get(SANITIZER, 4)

# A shell without job control lets its background commands ignore SIGINT, nohup lets them ignore
# SIGHUP, and the program rightly keeps ignoring them. Here they are what is tested.
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)

# What a program needs to start, and what sanitizers are configured by; nothing else of ours.
KEPT_VARIABLES = ("PATH", "TMPDIR", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS", "LD_LIBRARY_PATH")


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes long; left out with -m 'not slow'")
    config.addinivalue_line("markers", "nightly: takes too long for every change; ./build.sh nightly runs it")


def clean_environment(more=None):
    env = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    env["LC_ALL"] = "C.UTF-8"
    env.update(more or {})
    return env


class Leadpipe:
    """Runs the program in a folder of its own.

    run(...) waits and returns a CompletedProcess (stdout as bytes, stderr as text);
    start(...) returns a Popen.  `env` is added to a scrubbed environment, `input` goes to standard
    input (text or bytes; None: /dev/null).
    """

    def __init__(self, folder):
        self.folder = folder
        self.started = []

    def start(self, *arguments, env=None, cwd=None, **popen):
        popen.setdefault("stdin", subprocess.DEVNULL)
        popen.setdefault("stdout", subprocess.PIPE)
        popen.setdefault("stderr", subprocess.PIPE)
        process = subprocess.Popen([str(BINARY), *map(str, arguments)], env=clean_environment(env),
                                   cwd=cwd or self.folder, **popen)
        self.started.append(process)
        return process

    def run(self, *arguments, input=None, timeout=60, env=None, cwd=None, **popen):
        if input is not None:
            popen["stdin"] = subprocess.PIPE
            input = input.encode() if isinstance(input, str) else input
        process = self.start(*arguments, env=env, cwd=cwd, **popen)
        try:
            stdout, stderr = process.communicate(input, timeout * SLOWNESS)
        except subprocess.TimeoutExpired:
            process.kill()
            stdout, stderr = process.communicate()
            pytest.fail("leadpipe %s did not end within %d s; stderr: %s"
                        % (" ".join(map(str, arguments)), timeout * SLOWNESS, text_of(stderr)[-2000:]))
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, text_of(stderr))

    __call__ = run

    def end_all(self):
        for process in self.started:
            if process.poll() is None:
                process.kill()
                process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream:
                    stream.close()


def text_of(output):
    """Messages are UTF-8 whatever they are about; this fails where they are not."""
    return (output or b"").decode("utf-8")


@pytest.fixture
def leadpipe(tmp_path):
    runner = Leadpipe(tmp_path)
    yield runner
    runner.end_all()


class Sandbox:
    """A sandbox process; tests/sandbox/README.md says what it can do."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen([sys.executable, str(SANDBOX), "--stdin-watch", *arguments],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the sandbox did not start")
        ready = json.loads(line)
        self.url, self.key = ready["url"], ready["key"]
        self.omni, self.convocore, self.hooks = ready["omni"], ready["convocore"], ready["hooks"]

    @property
    def env(self):
        """The environment for both providers."""
        return {"OMNI_API_KEY": self.key, "CONVOCORE_API_KEY": self.key}

    def provider(self, name="omni", *more):
        """The arguments that lead here instead of to the real provider."""
        if name == "convocore":
            return ["-p", "convocore", "--base-url", self.convocore, "--param", "agentId=agent-1", *more]
        return ["-p", "omni", "--base-url", self.omni, *more]

    def hook(self, name, **behaviour):
        query = urllib.parse.urlencode(behaviour)
        return "%s/%s%s" % (self.hooks, name, "?" + query if query else "")

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


class Control:
    """The sandbox's control routes."""

    def __init__(self, url):
        self._url = url + "/_control/"

    def ask(self, what, **query):
        suffix = "?" + urllib.parse.urlencode(query) if query else ""
        with urllib.request.urlopen(self._url + what + suffix, timeout=10) as answer:
            return json.load(answer)

    def post(self, what, **members):
        request = urllib.request.Request(self._url + what, json.dumps(members).encode(), method="POST")
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise AssertionError("%s: %s" % (what, error.read().decode())) from None

    def set(self, **settings):
        return self.post("set", **settings)

    def reset(self):
        return self.post("reset")

    def hook(self, name, **behaviour):
        """How the receiver NAME behaves from now on."""
        return self.post("hooks/" + urllib.parse.quote(name), **behaviour)

    def stats(self, **query):
        return self.ask("stats", **query)

    def requests(self, **query):
        return self.ask("requests", **query)

    def lists(self, **settings):
        """What is listed from now on, and how; without settings: the requests so far."""
        return self.post("lists", **settings) if settings else self.ask("lists")

    def deliveries(self, name):
        return self.ask("hooks/" + urllib.parse.quote(name))

    def attempts(self, lead_id):
        return self.stats(id=lead_id)["attempts"]


@pytest.fixture(scope="session")
def sandbox():
    """One for all tests, which must not rely on what others left behind: see `control`."""
    running = Sandbox()
    yield running
    running.close()


@pytest.fixture
def control(sandbox):
    """As new before and after the test."""
    handle = Control(sandbox.url)
    handle.reset()
    yield handle
    handle.reset()


@pytest.fixture
def another_sandbox():
    """Makes further origins: another_sandbox("--key", "other")."""
    made = []

    def make(*arguments):
        made.append(Sandbox(*arguments))
        return made[-1]

    yield make
    for running in made:
        running.close()


@pytest.fixture
def resumed(leadpipe, sandbox, control):
    """A command with --state, in several parts."""
    import resumes
    return resumes.Resumed(leadpipe, sandbox, control)


@pytest.fixture
def one_go(leadpipe, sandbox, control, tmp_path):
    """What the command of `resumed` leaves when nothing interrupts it."""
    import resumes
    return resumes.never_interrupted(leadpipe, sandbox, control, tmp_path / "alone", resumes.IDS, status=3)


# Fixtures of their own modules.
from certificates import make_certificates  # noqa: E402, F401
from crms import crm  # noqa: E402, F401
from wires import make_wires  # noqa: E402, F401
