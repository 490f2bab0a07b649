"""Jobs that are checked before the night: what is said of them, and that everything is as before."""

import http.server
import json
import socket
import ssl
import threading

import pytest

from certificates import make_authority, openssl

KEY = "s3cr3t-key-of-this-test"


def payload(lead):
    return json.dumps({"status": "OK", "lead": {"id": lead, "firstName": "Ada"}}).encode()


def snapshot(folder):
    """Every name below a folder with what is behind it, and when it was changed."""
    found = {}
    for path in sorted(folder.rglob("*")):
        of = path.lstat()
        content = path.read_bytes() if path.is_file() and of.st_size < 1 << 24 else b""
        found[str(path.relative_to(folder))] = (of.st_mode, of.st_size, of.st_mtime_ns, content)
    return found


class Night:
    """A job in a folder, what is said of it, and that everything is as before."""

    def __init__(self, leadpipe, sandbox):
        self.leadpipe, self.sandbox, self.folder = leadpipe, sandbox, leadpipe.folder
        (self.folder / "out").mkdir()
        self.write("omni.key", sandbox.key + "\n", 0o600)
        self.write("ids.txt", "plain-1\nplain-2\n")
        self.job = {"provider": "omni", "base-url": sandbox.omni, "api-key-file": "omni.key", "ids": "ids.txt",
                    "state": "job.state", "to": [{"csv": {"target": "out/"}}], "failed": "out/failed.ndjson"}
        self.secrets = [sandbox.key, KEY]

    def write(self, name, text, mode=0o644):
        (self.folder / name).write_text(text)
        (self.folder / name).chmod(mode)

    def check(self, *words, status=0, env=None, job="job.yaml", **popen):
        """The points as (level, subject, message), by --json; the text form must say the same."""
        if job == "job.yaml":
            self.write(job, json.dumps(self.job))
        before = snapshot(self.folder)
        done = self.leadpipe("check", job, "--json", *words, env=env, **popen)
        assert done.returncode == status, (done.stdout, done.stderr)
        assert done.stderr == "" and snapshot(self.folder) == before
        points = [json.loads(line) for line in done.stdout.splitlines()]
        for point in points:
            assert list(point) == ["level", "subject", "message"] and point["level"] in ("ok", "warn", "FAIL"), point
        assert any(point["level"] == "FAIL" for point in points) == (status == 1)
        for secret in self.secrets:
            assert secret.encode() not in done.stdout
        return [(point["level"], point["subject"], point["message"]) for point in points]

    def finds(self, level, subject, *texts, **more):
        """There is exactly one such point; returns the others that are not ok."""
        points = self.check(status=1 if level == "FAIL" else 0, **more)
        found = [point for point in points if point[:2] == (level, subject) and all(text in point[2] for text in texts)]
        assert len(found) == 1, points
        return [point for point in points if point[0] != "ok" and point not in found]


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def good(path, _, **fields):
    return 200, {"Content-Type": "application/json", **fields}, payload(path.rsplit("/", 1)[1])


class Secure:
    def __init__(self, folder, name):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                _, fields, body = good(self.path, None)
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / (name + ".pem"), folder / (name + ".key"))
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = "https://127.0.0.1:%d" % self.server.server_port
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """Certificates that are good for 3 and for 60 days."""
    folder = tmp_path_factory.mktemp("authority")
    make_authority(folder, "authority")
    for days in (3, 60):
        name = "days%d" % days
        (folder / (name + ".ext")).write_text("subjectAltName=IP:127.0.0.1\n")
        assert openssl(folder, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=x",
                       "-keyout", name + ".key", "-out", name + ".csr") is True
        assert openssl(folder, "x509", "-req", "-in", name + ".csr", "-CA", "authority.pem", "-CAkey", "authority.key", "-out",
                       name + ".pem", "-extfile", name + ".ext", "-CAcreateserial", "-days", str(days)) is True
    return folder
