"""What lies between the program and a provider, and a provider that shows who was asked for.

Everything runs on one event loop in a thread of this process, on loopback: an origin that answers
after a delay, relays of TCP connections, and (as a process) nginx with or without HTTP/2.
"""

import asyncio
import json
import os
import shutil
import socket
import subprocess
import threading
import urllib.parse

import pytest

import runs

PROFILE = {
    "profile": 1, "name": "echo", "title": "Echo", "servers": [{"name": "main", "url": "https://echo.example"}],
    "credential": {"variable": "ECHO_KEY", "header": "X-Key", "prefix": ""},
    "path": "/leads/{id}", "payload": {"root": "", "required": [""]},
    "tables": [{"name": "leads", "each": "", "columns": [{"name": "asked", "value": "/asked"}],
                "objects": [{"path": "", "prefix": ""}]}],
}


class Loop:
    """An asyncio loop in a thread; call(coroutine) waits for its result."""

    def __init__(self):
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(20)

    def soon(self, function, *arguments):
        self._loop.call_soon_threadsafe(function, *arguments)

    def close(self):
        async def cancel():
            others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
        self.call(cancel())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(20)
        self._loop.close()


class Server:
    """Listens; `serve(reader, writer)` is one connection."""

    def __init__(self, loop, serve, **options):
        self.loop, self._serve = loop, serve
        self.open, self.most_open, self.accepted = set(), 0, 0
        server = loop.call(asyncio.start_server(self._accept, "127.0.0.1", 0, backlog=1024, limit=1 << 20, **options))
        self._server = server
        self.port = server.sockets[0].getsockname()[1]

    async def _accept(self, reader, writer):
        self.open.add(writer)
        self.accepted += 1
        self.most_open = max(self.most_open, len(self.open))
        try:
            await self._serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self.open.discard(writer)
            writer.close()


def reset(writer):
    """The other side sees a reset, not an end."""
    import struct
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class Origin:
    """Answers /leads/ID with {"id": ID, "asked": ID} after `delay` seconds; what is posted, with what
    `status_of(body)` says.  `answer(origin, lead_id)` may give another status and body."""

    def __init__(self, loop, delay=0.02, answer=None, status_of=None, close=False):
        self.delay, self.answer, self.status_of, self.close = delay, answer, status_of, close
        self.requests, self.posted, self.now, self.most = [], [], 0, 0
        self.server = Server(loop, self._serve)
        self.port, self.url = self.server.port, "http://127.0.0.1:%d" % self.server.port

    def times(self):
        counts = {}
        for lead_id in self.requests:
            counts[lead_id] = counts.get(lead_id, 0) + 1
        return counts

    async def _serve(self, reader, writer):
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            lines = head.decode("latin-1").split("\r\n")
            fields = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
            body = await reader.readexactly(int(fields.get("content-length", 0)))
            self.now += 1
            self.most = max(self.most, self.now)
            try:
                status, content = await self._answer(lines[0].split(" ")[1], body)
            finally:
                self.now -= 1
            if status is None:
                reset(writer)
                return
            writer.write(b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" %
                         (status, len(content)) + content)
            if self.close:  # without having said so
                return

    async def _answer(self, path, body):
        lead_id = urllib.parse.unquote(path.rsplit("/", 1)[1])
        self.requests.append(lead_id)
        event = json.loads(body) if body else None
        if body:
            self.posted.append(event)
        await asyncio.sleep(self.delay)
        if body:
            return self.status_of(event) if self.status_of else 200, b"{}"
        if self.answer:
            status, content = self.answer(self, lead_id)
            return status, json.dumps(content).encode()
        return 200, json.dumps({"id": lead_id, "asked": lead_id}).encode()


class Relay:
    """A TCP relay to the ports of `targets` in turn.  freeze(): what is open is held open and nothing
    comes through any more.  `limit`: connections at a time, the rest is refused as `how` says; one that
    was closed counts for `lingers` seconds more, as where a balancer hears of it late."""

    def __init__(self, loop, targets, limit=None, how="reset", lingers=0):
        self.targets, self.limit, self.how, self.lingers = list(targets), limit, how, lingers
        self.refused, self.refused_while_closed, self._turn, self._thawed, self._closed = 0, 0, 0, [], False
        self.server = Server(loop, self._serve)
        self.loop, self.port = loop, self.server.port

    def close(self):
        """Ends what is open, and resets what comes, until open() is called."""
        def close():
            self._closed = True
            for writer in list(self.server.open):
                reset(writer)
        self.loop.soon(close)

    def open(self):
        self._closed = False

    def freeze(self):
        def close():
            for gate in self._thawed:
                gate.clear()
        self.loop.soon(close)

    async def _serve(self, reader, writer):
        if self._closed:
            self.refused_while_closed += 1
            reset(writer)
            return
        if self.limit is not None and len(self.server.open) > self.limit:
            self.refused += 1
            if self.how == "reset":
                reset(writer)
            elif self.how == "reset later":
                await reader.read(1)
                reset(writer)
            elif self.how == "hold":
                await asyncio.sleep(60)
            return
        port = self.targets[self._turn % len(self.targets)]
        self._turn += 1
        onward, back = await asyncio.open_connection("127.0.0.1", port)
        gate = asyncio.Event()
        gate.set()
        self._thawed.append(gate)
        try:
            await asyncio.gather(self._pump(reader, back, gate), self._pump(onward, writer, gate))
        finally:
            self._thawed.remove(gate)
            back.close()
            writer.close()
            await asyncio.sleep(self.lingers)

    async def _pump(self, reader, writer, gate):
        try:
            while True:
                data = await reader.read(65536)
                await gate.wait()
                if not data:
                    break
                writer.write(data)
                await writer.drain()
        finally:
            writer.close()


CONFIGURATION = """
daemon off; pid %(folder)s/nginx.pid; error_log %(folder)s/error.log; worker_processes 1; %(user)s
events { worker_connections 1024; }
http {
    log_format how '$server_protocol $connection $status $request_uri';
    access_log %(folder)s/access.log how;
    client_body_temp_path %(folder)s/t1; proxy_temp_path %(folder)s/t2; fastcgi_temp_path %(folder)s/t3;
    uwsgi_temp_path %(folder)s/t4; scgi_temp_path %(folder)s/t5;
    %(zones)s
    upstream origin { server 127.0.0.1:%(origin)d; keepalive 128; }
    server {
        listen 127.0.0.1:%(port)d ssl %(http2)s;
        ssl_certificate %(certificates)s/good.pem; ssl_certificate_key %(certificates)s/good.key;
        %(more)s
        location / { proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection ""; }
    }
}
"""


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def listens(port):
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


class Nginx:
    """TLS in front of an origin, with HTTP/2 or without."""

    def __init__(self, folder, certificates, origin, http2=True, more="", zones=""):
        self.program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
        assert self.program, "nginx is needed (./build.sh deps)"
        self.folder, self.port = folder, free_port()
        self._values = {"folder": folder, "port": self.port, "certificates": certificates, "origin": origin, "zones": zones,
                        "user": "user root;" if os.geteuid() == 0 else ""}
        self._configure(http2, more)
        self._process = subprocess.Popen([self.program, "-p", str(folder), "-c", str(folder / "nginx.conf")],
                                         stderr=subprocess.DEVNULL)
        runs.wait_until(lambda: listens(self.port) or self._process.poll() is not None, "nginx listens")
        assert self._process.poll() is None, (folder / "error.log").read_text()

    def _configure(self, http2, more):
        text = CONFIGURATION % {**self._values, "http2": "http2" if http2 else "", "more": more}
        (self.folder / "nginx.conf").write_text(text)

    def reload(self, http2, more=""):
        import signal
        self._configure(http2, more)
        self._process.send_signal(signal.SIGHUP)

    def log(self):
        """[protocol, connection, status, path] of every answer."""
        return [line.split() for line in (self.folder / "access.log").read_text().splitlines()]

    def close(self):
        self._process.terminate()
        self._process.wait(20)


class Wires:
    """Makes all of these for a test, and runs the program against them."""

    def __init__(self, leadpipe, certificates, folders):
        self.loop, self._leadpipe, self._certificates, self._folders = Loop(), leadpipe, certificates, folders
        self._nginx = []

    def origin(self, **how):
        return Origin(self.loop, **how)

    def http2_origin(self, **how):
        import http2_server
        return http2_server.Http2Origin(self.loop, self._certificates, **how)

    def relay(self, *targets, **how):
        return Relay(self.loop, [target.port for target in targets], **how)

    def nginx(self, origin, **how):
        folder = self._folders.mktemp("nginx")
        self._nginx.append(Nginx(folder, self._certificates, origin.port, **how))
        return self._nginx[-1]

    def words(self, at, *more, scheme="https", own_id=None):
        payload = {**PROFILE["payload"], **({"id": own_id} if own_id else {})}
        (self._leadpipe.folder / "echo.json").write_text(json.dumps({**PROFILE, "payload": payload}))
        return ["export", "-p", "echo.json", "--base-url", "%s://127.0.0.1:%d" % (scheme, at.port),
                "--cacert", self._certificates / "authority.pem", *more, *runs.command()]

    def export(self, at, ids, *more, timeout=120, **how):
        done = self._leadpipe(*self.words(at, *more, **how), input="\n".join(ids), env={"ECHO_KEY": "k"}, timeout=timeout)
        return runs.check(runs.Run(self._leadpipe.folder, done))

    def start(self, at, ids, *more, **how):
        (self._leadpipe.folder / "ids").write_text("\n".join(ids))
        return self._leadpipe.start(*self.words(at, *more, **how), "ids", env={"ECHO_KEY": "k"})

    def end(self, process, timeout=120):
        out, err = process.communicate(timeout=timeout)
        done = subprocess.CompletedProcess(process.args, process.returncode, out, err.decode())
        return runs.check(runs.Run(self._leadpipe.folder, done))

    def close(self):
        for nginx in self._nginx:
            nginx.close()
        self.loop.close()


@pytest.fixture(name="wires")
def make_wires(leadpipe, certificates, tmp_path_factory):
    made = Wires(leadpipe, certificates, tmp_path_factory)
    yield made
    made.close()


def wrong_rows(run, column="asked"):
    """Rows that hold another lead's payload."""
    return [(row["lead_id"], row[column]) for row in run.rows if row["lead_id"] != row[column]]


def all_right(run, ids):
    assert wrong_rows(run) == []
    assert (run.status, run.exported, run.failed) == (0, list(ids), []), run.done.stderr[-2000:]
    return run
