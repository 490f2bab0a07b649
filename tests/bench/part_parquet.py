"""Parquet against CSV: how long a run takes, and how large the files are; and what pyarrow needs for the same files."""

import json
import os

import machine
import measure
from report import Section, mib, number, spread

CSV = ["csv:out/"]
GZIP = ["csv,gzip=6:out/"]
CASES = [("zstd", ["parquet:out/"], []), ("zstd, with a state", ["parquet:out/"], ["--state", "state"]),
         ("gzip", ["parquet,compression=gzip:out/"], []), ("none", ["parquet,compression=none:out/"], [])]


def size_of(summary):
    return sum(file["bytes"] for sink in summary["sinks"] for file in sink["files"])


def parquet(ctx):
    count, pairs = ctx.options.leads, ctx.options.pairs
    section = Section(
        "Parquet, as multiples of CSV",
        ["compression", "wall", "processor", "size", "leads/s", "peak MiB"],
        ["%s leads, all tables, `-j 64`. Time: medians of the ratios of %d alternating pairs with CSV, "
         "uncompressed, with the extremes. Size: as a multiple of CSV with gzip 6." % (number(count), pairs)])
    url, ids = ctx.nginx().base_url, ctx.ids(count)
    gzipped = size_of(ctx.export(url, ids, GZIP, count)[1])
    for title, sinks, options in CASES:
        ctx.say("Parquet: " + title)
        sizes = []

        def export(sinks=sinks, options=options, sizes=sizes):
            cost, summary = ctx.export(url, ids, sinks, count, options=options)
            sizes.append(size_of(summary))
            return cost

        csv, files = measure.alternate(
            pairs, lambda options=options: ctx.export(url, ids, CSV, count, options=options)[0], export)
        section.add(title, spread(measure.ratios(csv, files, lambda c: c.wall_s)),
                    spread(measure.ratios(csv, files, lambda c: c.cpu_s)), "%.2f" % (sizes[0] / gzipped),
                    number(count / measure.median([c.wall_s for c in files])), mib(max(c.peak_bytes for c in files)))
    return section


PEER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "peers", "parquet_pyarrow.py")
NOWHERE = ["ndjson,layout=raw:/dev/null"]


def _python(ctx):
    """One that has pyarrow, or None."""
    venv = os.environ.get("LEADPIPE_VENV") or os.path.join(os.path.dirname(ctx.options.programs), "..", "venv")
    for python in (ctx.options.peer_python, os.path.join(venv, "bin", "python")):
        if machine.has_module(python, "pyarrow"):
            return python
    return None


def pyarrow(ctx):
    count, pairs = ctx.options.leads, ctx.options.pairs
    section = Section(
        "Parquet, next to pyarrow", ["program", "processor s", "CPU µs/lead", "as a multiple of pyarrow, from CSV files"],
        ["%s leads, all tables, zstd; medians of %d rounds, each of them all runs, and of the ratios in each round, with the "
         "extremes. pyarrow fetches nothing and flattens nothing." % (number(count), pairs)])
    python = _python(ctx)
    if not python:
        section.remarks.append("pyarrow: not installed, skipped.")
        return section
    ctx.say("pyarrow")
    url, ids = ctx.nginx().base_url, ctx.ids(count)
    whole, fetched, peers = [], [], []
    with ctx.output_of("pyarrow") as folder:
        for name in ("csv", "parquet", "out"):
            os.makedirs(os.path.join(folder, name), exist_ok=True)
        ctx.run(ctx.export_command(url, ids, ["csv:csv/", "parquet:parquet/"]), cwd=folder)
        for _ in range(pairs):
            whole.append(ctx.export(url, ids, ["parquet:out/"], count)[0].cpu_s)
            fetched.append(ctx.export(url, ids, NOWHERE, count)[0].cpu_s)
            peers.append(json.loads(ctx.run([python, "-B", PEER, "csv", "parquet", "out"], cwd=folder).stdout))
    csv, memory = [one["csv"] for one in peers], [one["memory"] for one in peers]
    rows = (("leadpipe: fetching, tables, Parquet", whole),
            ("of that: tables and Parquet", [a - b for a, b in zip(whole, fetched)]),
            ("pyarrow: finished CSV files read and written as Parquet", csv),
            ("pyarrow: the same tables written, when they are in memory", memory))
    for title, seconds in rows:
        median = measure.median(seconds)
        ratios = "1" if seconds is csv else spread([own / peer for own, peer in zip(seconds, csv)])
        section.add(title, "%.1f" % median, "%.1f" % (median / count * 1e6), ratios)
    return section
