"""What it takes to make the files of shards one set, against `cat` of the same files and `sync`."""

import os
import shutil

import measure
from part_state import SMALL
from report import Section, mib, number, spread

SHARDS = 16
CASES = [("one small table", SMALL, 32), ("the table of leads", ["csv,table=leads:leads.csv"], 32),     # as multiples of --leads
         ("all tables", ["csv:csv/"], 2)]


def merge(ctx):
    pairs = ctx.options.pairs
    section = Section(
        "Shards that become one set of files",
        ["leads", "of each, bytes of CSV", "`cat` and `sync`, s", "`merge`, s", "as a multiple", "its peak MiB"],
        ["%d shards, whose files `leadpipe merge` makes one set without a manifest, in the order of the list; `cat` of the same "
         "files, table by table, and `sync`. Files are in the page cache; medians of %d alternating pairs, with the extremes."
         % (SHARDS, pairs)])
    for title, sinks, times in CASES:
        count = times * ctx.options.leads
        ctx.say("%s leads, %s, in %d shards" % (number(count), title, SHARDS))
        with ctx.output_of("shards") as folder:
            _export(ctx, folder, ctx.ids(count), sinks)
            cats, merges = measure.alternate(pairs, lambda: _cat(ctx, folder), lambda sinks=sinks: _merge(ctx, folder, sinks))
            made = _bytes(os.path.join(folder, "merged"))
            if made + (SHARDS - 1) * _headers(folder) != _bytes(os.path.join(folder, "joined")):
                raise measure.BenchError("what was merged is not as long as what was joined")
        section.add("%s, %s" % (number(count), title), number(made / count), "%.2f" % measure.median([c.wall_s for c in cats]),
                    "%.2f" % measure.median([c.wall_s for c in merges]),
                    spread(measure.ratios(cats, merges, lambda c: c.wall_s)), mib(max(c.peak_bytes for c in merges)))
    return section


def _export(ctx, folder, ids, sinks):
    for n in range(SHARDS):
        shard = os.path.join(folder, "shard-%02d" % n)
        os.mkdir(shard)
        ctx.run(ctx.export_command(ctx.nginx().base_url, ids, sinks,
                                   options=["--shard", "%d/%d" % (n, SHARDS), "--manifest", "manifest.json"]), cwd=shard)


def _fresh(folder, name):
    path = os.path.join(folder, name)
    shutil.rmtree(path, ignore_errors=True)
    os.mkdir(path)
    os.sync()
    return path


def _cat(ctx, folder):
    _fresh(folder, "joined")
    return ctx.run(["sh", "-c", 'cd shard-00 && files=$(find . -name "*.csv") && cd .. && for file in $files; do '
                    'cat shard-*/"$file" > joined/"$(basename "$file")" || exit 1; done && sync'], cwd=folder)


def _merge(ctx, folder, sinks):
    path = _fresh(folder, "merged")
    manifests = ["../shard-%02d/manifest.json" % n for n in range(SHARDS)]
    return ctx.run([ctx.leadpipe, "merge", *(word for sink in sinks for word in ("-t", sink)), *manifests], cwd=path)


def _files(folder):
    return [os.path.join(path, name) for path, _, names in os.walk(folder) for name in names if name.endswith(".csv")]


def _bytes(folder):
    return sum(os.path.getsize(path) for path in _files(folder))


def _headers(folder):
    """Of all tables of a shard; all shards have the same."""
    total = 0
    for path in _files(os.path.join(folder, "shard-00")):
        with open(path, "rb") as file:
            total += len(file.readline())
    return total
