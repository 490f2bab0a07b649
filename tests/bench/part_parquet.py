"""Parquet against CSV: how long a run takes, and how large the files are."""

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
         "uncompressed, and between which extremes. Size: as a multiple of CSV with gzip 6." % (number(count), pairs)])
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
