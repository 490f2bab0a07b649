"""Memory when something is slow or large, and over a million leads."""

import gzip
import http.client
import http.server
import os
import threading
import urllib.parse

import corpus
import measure
import servers
from report import Section, mib, number

CEILING_MIB = 64
ID_BYTES = 40           # that the duplicate filter may take for an ID
PIPE_BYTES_PER_S = 20 << 20
SLOW_MS = 5000
HOOK_MS = 200           # with four deliveries at a time: 20 a second
BOMBS = 24
BOMB_BYTES = 12 << 20   # a JSON array of zeros: 12 KB compressed, 400 MB as a tree
MILLION = 1000000
PIPE = ["ndjson,layout=raw:-"]


def memory(ctx):
    section = Section(
        "Memory under back-pressure",
        ["what holds the run up", "leads", "received", "seconds", "peak MiB"],
        ["`-j 64`, raw NDJSON. The ceiling for any run is %d MiB and %d bytes an ID. Received: "
         "leads counted at the other end." % (CEILING_MIB, ID_BYTES)])
    count = ctx.options.leads
    large = max(100, count // 50)
    hooks = max(20, min(300, count // 60))
    nginx = ctx.nginx()
    ctx.say("memory: a slow pipe")
    section.add("a pipe that is read at 20 MiB/s", *_slow_pipe(ctx, nginx.base_url, count, None))
    ctx.say("memory: large leads")
    section.add("the same, leads of 400 KB", *_slow_pipe(ctx, nginx.base_url, large, corpus.LARGE))
    ctx.say("memory: one slow lead")
    section.add("the first lead takes %d s, order kept" % (SLOW_MS // 1000), *_slow_lead(ctx, count))
    ctx.say("memory: a slow webhook receiver")
    section.add("a webhook receiver of 20 a second, leads of 400 KB", *_slow_hook(ctx, hooks))
    return section


def bombs(ctx):
    section = Section(
        "Answers made to take memory", ["answers", "leads", "exported", "requests", "seconds", "peak MiB"],
        ["CSV of all tables, default settings (`--max-memory 512M`, `-j auto`). Each answer is compressed, "
         "and takes 400 MB by itself once it is parsed."])
    ctx.say("bombs")
    with _BombServer() as server, ctx.output() as folder:
        ids = os.path.join(folder, "ids")
        with open(ids, "w", encoding="ascii") as file:
            file.writelines("bomb-%d\n" % n for n in range(BOMBS))
        command = ctx.export_command(server.base_url, ids, ["csv:out/"], concurrency="auto")
        cost = ctx.run(command, cwd=folder)
        with open(os.path.join(folder, "out", "leads.csv"), "rb") as file:
            lines = sum(1 for _ in file) - 1
    section.add("%d MB, %d KB compressed" % (BOMB_BYTES >> 20, len(_BombServer.body) >> 10), number(BOMBS),
                number(lines), number(server.requests), "%.1f" % cost.wall_s, mib(cost.peak_bytes))
    return section


class _BombServer:
    """Answers everything with the same few bytes; how fast it is does not matter here."""

    body = b""

    def __init__(self):
        outer, self.requests = self, 0
        if not _BombServer.body:
            zeros = b"0," * (BOMB_BYTES // 2)
            _BombServer.body = gzip.compress(b'{"lead":{"x":[' + zeros[:-1] + b"]}}", 9)

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                outer.requests += 1
                self.send_response(200)
                self.send_header("Content-Encoding", "gzip")
                self.send_header("Content-Length", str(len(outer.body)))
                self.end_headers()
                self.wfile.write(outer.body)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.base_url = "http://127.0.0.1:%d" % self._server.server_address[1]

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()


def _slow_pipe(ctx, url, count, kind):
    command = ctx.export_command(url, ctx.ids(count, kind), PIPE)
    process, cost_path = measure.start(ctx.launch, ctx.folder, command, measure.subprocess.PIPE)
    try:
        # the text wrapper around the pipe is not read from
        reader = measure.SlowReader(process.stdout, PIPE_BYTES_PER_S)
        reader.start()
        stderr = process.stderr.read()
        reader.join()
        process.wait()
    finally:
        measure.end(process)
    cost = measure.cost_of(command, process, cost_path, 0, "", stderr)
    return number(count), number(reader.lines), "%.1f" % cost.wall_s, mib(cost.peak_bytes)


def _slow_lead(ctx, count):
    first = "slow%d-0000000" % SLOW_MS
    with ctx.started(ctx.delay_server()) as server, ctx.output() as folder:
        cost = ctx.run(ctx.export_command(server.base_url, ctx.ids(count, first=first),
                                          ["ndjson,layout=raw:leads.ndjson"]), cwd=folder)
        with open(os.path.join(folder, "leads.ndjson"), "rb") as file:
            lines = sum(1 for _ in file)
    return number(count), number(lines), "%.1f" % cost.wall_s, mib(cost.peak_bytes)


def _slow_hook(ctx, count):
    with ctx.started(servers.Receiver(ctx.launch, HOOK_MS)) as receiver:
        cost, _ = ctx.export(ctx.nginx().base_url, ctx.ids(count, corpus.LARGE),
                             ["webhook,layout=raw:" + receiver.url], count)
        received = receiver.distinct()
    return number(count), number(received), "%.1f" % cost.wall_s, mib(cost.peak_bytes)


class RequestCount:
    """nginx's own count, over one connection."""

    def __init__(self, url):
        parts = urllib.parse.urlsplit(url)
        self.connection = http.client.HTTPConnection(parts.netloc, timeout=10)
        self.path = parts.path

    def __call__(self):
        self.connection.request("GET", self.path)
        return int(self.connection.getresponse().read().split(b"\n")[2].split()[2])


def million(ctx):
    count = int(MILLION * ctx.options.scale)
    tenth = count // 10
    ctx.say("%s leads" % number(count))
    section = Section(
        "A long run", ["leads", "leads/s", "first tenth, leads/s", "last tenth, leads/s",
                       "last / first", "peak MiB", "ceiling MiB"],
        ["Raw NDJSON to /dev/null, `-j 64`, nginx on loopback. The ceiling is %d MiB and %d bytes "
         "an ID." % (CEILING_MIB, ID_BYTES)])
    nginx = ctx.nginx()
    looks = measure.Milestones(RequestCount(nginx.status_url), (1, tenth, count - tenth, count))
    looks.start()
    with open("/dev/null", "wb") as nothing:
        cost, _ = ctx.export(nginx.base_url, ctx.ids(count), PIPE, count, stdout=nothing)
    begin, first, last, end = looks.times()
    rates = tenth / (first - begin), tenth / (end - last)
    section.add(number(count), number(count / cost.wall_s), number(rates[0]), number(rates[1]),
                "%.3f" % (rates[1] / rates[0]), mib(cost.peak_bytes),
                mib((CEILING_MIB << 20) + ID_BYTES * count))
    return section
