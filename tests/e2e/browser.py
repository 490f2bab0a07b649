"""Chromium without a window, driven by its DevTools protocol over a pipe: what a page loads, runs and complains of."""

import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
SECONDS = 60

# The protocol's pipes are descriptors 3 and 4.
LAUNCH = """
import fcntl, os, sys
pipes = [fcntl.fcntl(int(fd), fcntl.F_DUPFD, 10) for fd in sys.argv[1:3]]
for fd, pipe in zip((3, 4), pipes):
    os.dup2(pipe, fd)
os.execvp(sys.argv[3], sys.argv[3:])
"""


class Browser:
    def __init__(self):
        self.profile = tempfile.mkdtemp(prefix="leadpipe-chromium-")
        ours, theirs = os.pipe(), os.pipe()  # they read from the first, and write to the second
        words = [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                 "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
                 "--user-data-dir=" + self.profile, "--remote-debugging-pipe"]
        self.process = subprocess.Popen([sys.executable, "-c", LAUNCH, str(ours[0]), str(theirs[1]), *words],
                                        pass_fds=(ours[0], theirs[1]), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, env={**os.environ, "HOME": self.profile})
        os.close(ours[0])
        os.close(theirs[1])
        self.out, self.input = ours[1], theirs[0]
        self.number, self.rest, self.events = 0, b"", []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = None
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(domain + ".enable")

    session = None

    def _receive(self):
        end = time.monotonic() + SECONDS
        while b"\0" not in self.rest:
            ready, _, _ = select.select([self.input], [], [], max(0, end - time.monotonic()))
            data = os.read(self.input, 1 << 16) if ready else b""
            if not data:
                raise RuntimeError("Chromium did not answer")
            self.rest += data
        message, self.rest = self.rest.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self.number:
                assert "error" not in answer, answer
                return answer["result"]
            self.events.append(answer)

    def _wait(self, method):
        while not any(event.get("method") == method for event in self.events):
            self.events.append(self._receive())

    def evaluate(self, expression):
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def look(self, width, dark=False):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=844, deviceScaleFactor=1, mobile=width < 500)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def open(self, url):
        """Loads a page.  Returns everything that it should not have done: requests beside its own, messages, errors."""
        self.events.clear()
        self.call("Page.navigate", url=url)
        self._wait("Page.loadEventFired")
        self.evaluate("new Promise(done => setTimeout(done, 0)) && 1")
        found = []
        for event in self.events:
            method, params = event.get("method"), event.get("params", {})
            if method == "Network.requestWillBeSent" and params["request"]["url"] != url:
                found.append("request: " + params["request"]["url"])
            elif method == "Log.entryAdded":
                found.append("log: " + params["entry"]["text"])
            elif method == "Runtime.consoleAPICalled":
                found.append("console: " + str([arg.get("value") for arg in params["args"]]))
            elif method == "Runtime.exceptionThrown":
                found.append("exception: " + params["exceptionDetails"]["text"])
        return found

    def close(self):
        os.close(self.out)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self.input)
        shutil.rmtree(self.profile, ignore_errors=True)
