"""The same leads with what people use instead."""

import os
import shutil

import context
import machine
import measure
from report import Section, mib, number, spread

PEERS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "peers")
CONCURRENCY = "64"


def peers(ctx):
    count, pairs = ctx.options.peer_leads, min(ctx.options.pairs, 3)
    section = Section(
        "Peers, as multiples of leadpipe",
        ["program", "wall", "processor", "leads/s", "CPU µs/lead", "peak MiB"],
        ["%s leads to CSV of all tables, 64 at a time, %d alternating pairs. The peers write the "
         "documented columns only, neither keep the order nor retry, and curl with jq writes no "
         "headers. Peak memory is that of the largest process." % (number(count), pairs)])
    url, ids = ctx.nginx().base_url, ctx.ids(count)
    shown = False
    for title, command in _commands(ctx, section):
        ctx.say("peer: " + title)

        def peer(command=command):
            with ctx.output() as folder:
                return ctx.run(command + [url, ids, os.path.join(folder, "csv"), CONCURRENCY,
                                          context.KEY])

        def export():
            return ctx.export(url, ids, ["csv:csv/"], count)[0]

        ours, theirs = measure.alternate(pairs, export, peer)
        if not shown:
            section.add("leadpipe", "1", "1", *_figures(count, ours))
            shown = True
        section.add(title, spread(measure.ratios(ours, theirs, lambda c: c.wall_s)),
                    spread(measure.ratios(ours, theirs, lambda c: c.cpu_s)),
                    *_figures(count, theirs))
    return section


def _figures(count, costs):
    return (number(count / measure.median([c.wall_s for c in costs])),
            "%.1f" % (measure.median([c.cpu_s for c in costs]) / count * 1e6),
            mib(max(c.peak_bytes for c in costs)))


def _commands(ctx, section):
    python = [ctx.options.peer_python, "-B"]
    if shutil.which("curl") and shutil.which("jq"):
        yield "curl --parallel, then jq", [os.path.join(PEERS, "curl_jq.sh")]
    else:
        section.remarks.append("curl with jq: not installed, skipped.")
    client = "requests" if machine.has_module(python[0], "requests") else "http.client"
    yield "Python, threads with " + client, python + [os.path.join(PEERS, "threads.py")]
    if machine.has_module(python[0], "aiohttp"):
        yield "Python, asyncio with aiohttp", python + [os.path.join(PEERS, "aio.py")]
    else:
        section.remarks.append("Python with aiohttp: not installed, skipped.")
