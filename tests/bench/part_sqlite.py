"""The sink sqlite next to what SQLite's own shell needs to import finished CSV files into the same keyed tables."""

import csv
import glob
import json
import os
import shutil

import context
import measure
from report import Section, mib, number, spread

SINK = ["sqlite:leads.db"]


def sqlite(ctx):
    count, pairs = ctx.options.leads, ctx.options.pairs
    section = Section(
        "A database of SQLite, as multiples of `sqlite3 .import`",
        ["run", "wall", "processor", "seconds", "leads/s", "peak MiB"],
        ["%s leads, `-j 64`, fetching included; `.import` has the finished CSV files and creates the same tables with "
         "the same primary keys, in one transaction. Medians of %d alternating pairs, with the extremes; the "
         "second run finds every row as it is." % (number(count), pairs)])
    if not shutil.which("sqlite3"):
        ctx.say("sqlite3 is not there")
        return section
    url, ids = ctx.nginx().base_url, ctx.ids(count)
    folder = ctx._folder("sqlite")
    ctx.run(ctx.export_command(url, ids, ["csv:%s/csv/" % folder]), cwd=folder)
    script = _script(ctx, os.path.join(folder, "csv"))
    imports, firsts, seconds = [], [], []
    for _ in range(pairs):
        ctx.say("sqlite")
        imports.append(_fresh(ctx, ["sh", "-c", 'sqlite3 -bail leads.db < "$0"', script])[0])
        first, second = _fresh(ctx, *[ctx.export_command(url, ids, SINK)] * 2)
        context.check_summary(first.stderr, count)
        firsts.append(first)
        seconds.append(second)
    for title, runs in (("first", firsts), ("second, nothing changed", seconds)):
        section.add(title, spread(measure.ratios(imports, runs, lambda c: c.wall_s)),
                    spread(measure.ratios(imports, runs, lambda c: c.cpu_s)),
                    "%.1f" % measure.median([c.wall_s for c in runs]),
                    number(count / measure.median([c.wall_s for c in runs])), mib(max(c.peak_bytes for c in runs)))
    return section


def _fresh(ctx, *commands):
    """Runs them one after the other in a folder without a database."""
    with ctx.output() as folder:
        return [ctx.run(command, cwd=folder) for command in commands]


def _script(ctx, folder):
    tables = ctx.run([ctx.leadpipe, "tables", "omni", "--json"]).stdout
    keys = {table["name"]: table["keys"] for table in json.loads(tables)["tables"]}
    path = os.path.join(folder, "import.sql")
    with open(path, "w", encoding="utf-8") as script:
        script.write("begin;\n")
        for file in sorted(glob.glob(os.path.join(folder, "*.csv"))):
            table = os.path.basename(file)[:-4]
            with open(file, newline="", encoding="utf-8") as rows:
                columns = ['"%s" text' % name.replace('"', '""') for name in next(csv.reader(rows))]
            script.write('create table "%s" (%s, primary key (%s));\n' % (table, ", ".join(columns), ", ".join(keys[table])))
            script.write(".import --csv --skip 1 '%s' \"%s\"\n" % (file, table))
        script.write("commit;\n")
    return path
