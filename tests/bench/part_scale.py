"""How cost grows with the number of leads: exports with a state, and lists."""

import http.server
import json
import os
import threading
import urllib.parse

import context
import measure
from part_state import SMALL, WITH_STATE
from report import Section, mib, number

COUNTS = (10000, 100000, 1000000)
PAGE = 500


def scale(ctx):
    counts = [max(1000, int(count * ctx.options.scale)) for count in COUNTS]
    section = Section(
        "From ten thousand leads to a million",
        ["leads", "export, s", "CPU µs/lead", "peak MiB", "state KiB", "list, s", "list, CPU µs/lead", "list, peak MiB"],
        ["Exports to a CSV of one small table with `--state`, `-j 64`, nginx on loopback. Lists of %d leads a page, one page "
         "after another, from a server in Python, which takes most of the time." % PAGE])
    for count in counts:
        ctx.say("%s leads, export and list" % number(count))
        section.add(number(count), *_export(ctx, count), *_list(ctx, count))
    return section


def _export(ctx, count):
    command = ctx.export_command(ctx.nginx().base_url, ctx.ids(count), SMALL, options=WITH_STATE)
    with ctx.output() as folder:
        cost = ctx.run(command, cwd=folder)
        context.check_summary(cost.stderr, count)
        state = os.path.getsize(os.path.join(folder, "state"))
    return "%.1f" % cost.wall_s, "%.1f" % (cost.cpu_s / count * 1e6), mib(cost.peak_bytes), number(state / 1024)


def _list(ctx, count):
    with ListServer(count) as server, ctx.output() as folder:
        path = os.path.join(folder, "ids.ndjson")
        cost = ctx.run([ctx.leadpipe, "list", "-p", "omni", "--base-url", server.url, "--api-key-file", ctx.key_file,
                        "--output", path], cwd=folder)
        with open(path, "rb") as file:
            lines = sum(1 for _ in file)
    if lines != count:
        raise measure.BenchError("of %d leads %d were listed" % (count, lines))
    return "%.1f" % cost.wall_s, "%.1f" % (cost.cpu_s / count * 1e6), mib(cost.peak_bytes)


class ListServer:
    """The list of omni: `count` leads, by pages whose token is the number of the next lead."""

    def __init__(self, count):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
                at = int(query.get("token", ["0"])[0])
                behind = min(at + PAGE, count)
                page = {"breakdown": [{"leadId": "lead-%07d" % n} for n in range(at, behind)], "summary": {"leads": count},
                        "nextToken": str(behind) if behind < count else None}
                body = json.dumps(page).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = "http://127.0.0.1:%d" % self.server.server_port

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exception):
        self.server.shutdown()
        self.server.server_close()
