"""--ping: the sequence of requests that a monitoring service gets, whatever the run and the service do."""

import http.server
import json
import re
import signal
import socket
import ssl
import threading
import time
import urllib.parse

import pytest

from conftest import SLOWNESS
from test_signals import start

SECRET = "4711aaaa-bbbb-cccc-dddd-eeeeffff0000"
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class Service:
    """Records pings as (what follows the secret, query, body); `statuses` are of the first ones, else 200."""

    def __init__(self):
        self.pings, self.statuses, self.silent = [], [], threading.Event()
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                path, _, query = self.path.partition("?")
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                assert path.startswith("/" + SECRET)
                service.pings.append((path[1 + len(SECRET):], urllib.parse.parse_qsl(query, keep_blank_values=True), body))
                if service.silent.is_set():
                    time.sleep(30)
                status = service.statuses.pop(0) if service.statuses else 200
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", "/" + SECRET + "/elsewhere")
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"OK")

            do_GET = do_POST

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = "http://127.0.0.1:%d/%s" % (self.server.server_port, SECRET)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def suffixes(self):
        return [suffix for suffix, _, _ in self.pings]

    def run_ids(self):
        return {dict(query)["rid"] for _, query, _ in self.pings}


@pytest.fixture
def service():
    running = Service()
    yield running
    running.close()


def export(leadpipe, sandbox, service, *words, url=None, **more):
    more.setdefault("env", sandbox.env)
    return leadpipe("export", *sandbox.provider(), "-t", "csv:out/", "--ping", url or service.url, *words, **more)


def uuid_of(run_id):
    return "-".join((run_id[:8], run_id[8:12], run_id[12:16], run_id[16:20], run_id[20:]))


def test_success(leadpipe, sandbox, control, service, tmp_path):
    done = export(leadpipe, sandbox, service, "--id", "plain-1", "--manifest", "m.json")
    text = (tmp_path / "m.json").read_text()
    assert (done.returncode, service.suffixes()) == (0, ["/start", ""])
    assert service.run_ids() == {uuid_of(json.loads(text)["run_id"])}
    assert service.pings[0][2] == b""
    summary = json.loads(service.pings[1][2])
    assert summary["exit_status"] == 0 and summary["ledger"]["exported"] == 1
    assert SECRET not in done.stderr + text + str(summary)


@pytest.mark.parametrize("words, status", [(["--id", "a~status=400"], 3), (["--id", "plain-1", "--expect", "2"], 3)])
def test_failure(leadpipe, sandbox, control, service, words, status):
    done = export(leadpipe, sandbox, service, *words)
    assert (done.returncode, service.suffixes()) == (status, ["/start", "/%d" % status])
    assert json.loads(service.pings[1][2])["exit_status"] == status and len(service.run_ids()) == 1


def test_stopped(leadpipe, sandbox, control, service, tmp_path):
    process = start(leadpipe, sandbox, control, tmp_path, "--ping", service.url)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert (process.returncode, service.suffixes()) == (143, ["/start", "/143"])


@pytest.mark.parametrize("words", [["--no-such-option"], ["--attempts", "0"], ["--cacert", "none.pem"], ["-t", "x"], ["--failed"]])
def test_refused(leadpipe, sandbox, service, words):
    done = export(leadpipe, sandbox, service, "--id", "plain-1", *words)
    assert done.returncode == 2 and SECRET not in done.stderr
    (suffix, query, body), = service.pings
    summary = json.loads(body)
    assert suffix == "/2" and UUID.fullmatch(dict(query)["rid"]) and summary["exit_status"] == 2
    assert done.stderr.startswith("leadpipe: %s\n" % summary["error"])


@pytest.mark.parametrize("tail, suffixes, query", [
    ("?create=1&x=a%20b", ["/start", ""], [("create", "1"), ("x", "a b")]), ("/", ["/start", "/"], []), ("?", ["/start", ""], []),
    ("?a&", ["/start", ""], [("a", "")]), ("/slug/", ["/slug/start", "/slug/"], [])])
def test_forms_of_the_url(leadpipe, sandbox, control, service, tail, suffixes, query):
    assert export(leadpipe, sandbox, service, "--id", "plain-1", url=service.url + tail).returncode == 0
    assert service.suffixes() == suffixes
    for _, got, _ in service.pings:
        assert got[:-1] == query and got[-1][0] == "rid"


@pytest.mark.parametrize("url, message", [
    ("ftp://127.0.0.1/x", "must begin with"), (SECRET, "must begin with"), ("http://", "not valid"),
    ("http://127.0.0.1/%s#x" % SECRET, "fragment"), ("http://127.0.0.1/%s x" % SECRET, "visible ASCII"),
    ("http://127.0.0.1/%s\n" % SECRET, "visible ASCII"), ("http://127.0.0.1:99999/" + SECRET, "not valid"), ("", "empty")])
def test_urls_refused(leadpipe, sandbox, url, message):
    done = leadpipe("export", *sandbox.provider(), "-t", "csv:out/", "--ping=" + url, "--id", "plain-1", env=sandbox.env)
    assert done.returncode == 2 and done.stderr.startswith("leadpipe: --ping: ") and message in done.stderr
    assert SECRET not in done.stderr


@pytest.mark.parametrize("statuses, suffixes, warnings", [
    ([503, 200], ["/start", "/start", ""], 0), ([429, 500, 200], ["/start"] * 3 + [""], 0),
    ([500, 500, 500], ["/start"] * 3 + [""], 1), ([404, 404], ["/start", ""], 2), ([302, 200], ["/start", ""], 1)])
def test_service_that_fails(leadpipe, sandbox, control, service, statuses, suffixes, warnings):
    service.statuses = statuses
    done = export(leadpipe, sandbox, service, "--id", "plain-1", "-q")
    assert (done.returncode, service.suffixes()) == (0, suffixes)
    lines = done.stderr.splitlines()
    assert len(lines) == warnings and SECRET not in done.stderr
    assert all(line.startswith("leadpipe: warning: --ping: 127.0.0.1: HTTP ") for line in lines)


def test_service_that_is_not_there(leadpipe, sandbox, control):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = "http://127.0.0.1:%d/%s" % (taken.getsockname()[1], SECRET)
        begun = time.monotonic()
        done = export(leadpipe, sandbox, None, "--id", "plain-1", url=url)
    assert done.returncode == 0 and done.stderr.count("warning: --ping: 127.0.0.1: ") == 2 and SECRET not in done.stderr
    assert time.monotonic() - begun < 10 * SLOWNESS


@pytest.mark.slow
def test_service_that_is_silent(leadpipe, sandbox, control, service):
    service.silent.set()
    begun = time.monotonic()
    done = export(leadpipe, sandbox, service, "--id", "plain-1")
    assert done.returncode == 0 and done.stderr.count("warning: --ping: ") == 2
    assert service.suffixes() == ["/start"] * 3 + [""] * 3
    assert time.monotonic() - begun < 21 + 4 * SLOWNESS


def test_signal_while_the_service_is_silent(leadpipe, sandbox, control, service, tmp_path):
    """The start is not waited for any longer; the run stops."""
    service.silent.set()
    process = leadpipe.start("export", *sandbox.provider(), "-t", "csv:out/", "--ping", service.url, "--id", "plain-1", env=sandbox.env)
    end = time.monotonic() + 20 * SLOWNESS
    while not service.pings and time.monotonic() < end:
        time.sleep(0.01)
    service.silent.clear()
    begun = time.monotonic()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 143 and service.suffixes() == ["/start", "/143"]
    assert time.monotonic() - begun < 3 * SLOWNESS


@pytest.mark.parametrize("trusted", [True, False])
def test_tls(leadpipe, sandbox, control, certificates, trusted):
    """A certificate that nobody has vouched for gets nothing."""
    service = Service()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "good.pem", certificates / "good.key")
    service.server.socket = context.wrap_socket(service.server.socket, server_side=True)
    words = ["--cacert", certificates / "authority.pem"] if trusted else []
    done = export(leadpipe, sandbox, service, "--id", "plain-1", *words, url=service.url.replace("http:", "https:").replace("127.0.0.1", "localhost"))
    service.close()
    assert (done.returncode, service.suffixes()) == (0, ["/start", ""] if trusted else [])
    assert trusted or done.stderr.count("warning: --ping: localhost: ") == 2


def test_nothing_is_kept(leadpipe, sandbox, control, service, tmp_path):
    """Not in the manifest, a state, a summary, metrics, whatever is said."""
    done = export(leadpipe, sandbox, service, "--id", "plain-1", "-vv", "--manifest", "m", "--state", "s", "--metrics", "p",
                  "--summary-file", "f")
    assert done.returncode == 0 and SECRET not in done.stderr
    for name in "m", "s", "p", "f":
        assert SECRET.encode() not in (tmp_path / name).read_bytes()
