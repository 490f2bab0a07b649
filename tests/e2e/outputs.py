"""What tests of outputs share: reading them, comparing them with the reference, servers of their own."""

import base64
import contextlib
import gzip
import hashlib
import http.server
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import urllib.parse

import msgpack

from conftest import BINARY, ROOT, clean_environment

CHECK = ROOT / "tests" / "reference" / "check.py"
OUTCOMES = ("exported", "unchanged", "missing", "failed", "pending")


# --- IDs, folders, manifests ------------------------------------------------------------------------

def ids_file(folder, ids, name="ids.txt"):
    """One that has these IDs already stays: a run that was started just now may be reading it."""
    path = pathlib.Path(folder) / name
    text = "".join("%s\n" % one for one in ids)
    if not path.exists() or path.read_text() != text:
        path.write_text(text)
    return path


def snapshot(folder):
    """{path: sha256} of all files below a folder, to see that two are the same."""
    folder = pathlib.Path(folder)
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*")) if path.is_file()}


def manifest(path):
    return json.loads(pathlib.Path(path).read_text())


def ledger_of(members):
    """The manifest's ledger as counts that are not 0; checks that they add up."""
    ledger = members["ledger"]
    assert set(ledger) == set(OUTCOMES), ledger
    assert sum(ledger.values()) == members["ids"]["unique"], members
    return {name: count for name, count in ledger.items() if count}


def lines_of(path):
    # not splitlines(), for which U+2028 in a string is a line end too
    return [json.loads(line) for line in pathlib.Path(path).read_bytes().split(b"\n") if line]


def unpacked(path):
    """The bytes of a file, decompressed if they are gzip."""
    data = pathlib.Path(path).read_bytes()
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


def objects_of(path):
    """The MessagePack objects in a file."""
    return list(msgpack.Unpacker(_Bytes(unpacked(path)), raw=False))


class _Bytes:
    def __init__(self, data):
        self._data = data

    def read(self, size):
        part, self._data = self._data[:size], self._data[size:]
        return part


# --- the reference ----------------------------------------------------------------------------------

def check(folder, provider, ids, *options, payloads="sandbox", **outputs):
    """Compare outputs with what the reference makes of the payloads.

    outputs are check.py's: csv=path, ndjson_rows=path, webhook=[path, path] and so on.
    """
    command = [sys.executable, CHECK, "--provider", provider, "--ids", ids, "--payloads", payloads, *options]
    if provider == "convocore" and "--agent-id" not in options:
        command += ["--agent-id", "agent-1"]  # as conftest.Sandbox.provider() has it
    for name, paths in outputs.items():
        for path in paths if isinstance(paths, list) else [paths]:
            command += ["--" + name.replace("_", "-"), path]
    done = subprocess.run(list(map(str, command)), cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("the same: "), done.stdout
    return done.stdout


# --- webhooks ---------------------------------------------------------------------------------------

def bodies_file(path, deliveries):
    """The bodies of deliveries that were accepted, as the reference reads them."""
    with open(path, "w") as file:
        for delivery in deliveries:
            if 200 <= delivery["status"] <= 299:
                file.write(json.dumps({"body_base64": delivery["body_base64"]}) + "\n")
    return path


def body_of(delivery):
    return base64.b64decode(delivery["body_base64"])


def message_of(delivery):
    return json.loads(body_of(delivery))


def lead_ids_of(delivery):
    data = message_of(delivery)["data"]
    return [lead["lead_id"] for lead in (data if isinstance(data, list) else [data])]


# --- a provider of the test's own -------------------------------------------------------------------

class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        self.server.seen.append((self.path, dict(self.headers)))
        status, body = self.server.answer(self.path, self.headers)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


@contextlib.contextmanager
def provider_of(answer):
    """A server on loopback: answer(path, headers) gives (status, body bytes)."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.answer, server.seen = answer, []
    server.url = "http://127.0.0.1:%d" % server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def omni_payloads(payloads):
    """An answer for provider_of(): {lead ID: payload bytes}."""
    def answer(path, _):
        lead_id = urllib.parse.unquote(path.rsplit("/", 1)[1])
        if lead_id in payloads:
            return 200, payloads[lead_id]
        return 404, b'{"message":"no such lead"}'
    return answer


# --- memory -----------------------------------------------------------------------------------------

# A child's peak begins with that of the process that forked it, and these tests may have grown large
# before: so the program's parent is a small interpreter, which prints status and KiB.
_WITNESS = """
import os, sys
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(pid, 0)
print(os.waitstatus_to_exitcode(status), usage.ru_maxrss)
"""


def run_for_memory(leadpipe, *arguments, env=None, timeout=600):
    """Run the program; returns (exit status, standard error, peak resident bytes of that process)."""
    errors = leadpipe.folder / "stderr"
    command = [sys.executable, "-I", "-S", "-c", _WITNESS, str(BINARY), *map(str, arguments)]
    with open(errors, "wb") as stderr:
        witness = subprocess.Popen(command, env=clean_environment(env), cwd=leadpipe.folder, stderr=stderr,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True)
        watch = threading.Timer(timeout, os.killpg, (witness.pid, signal.SIGKILL))
        watch.start()
        try:
            words = witness.communicate()[0].split()
        finally:
            watch.cancel()
    assert len(words) == 2, "not done after %d s: %s" % (timeout, errors.read_text()[-2000:])
    return int(words[0]), errors.read_text(), int(words[1]) * 1024
