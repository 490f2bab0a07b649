"""Peak memory of the sinks for warehouses, at default settings: the same for ten times as many leads."""

import part_databases
import part_storage
import servers
from report import Section, mib, number

COUNTS = 20000, 100000, 200000     # three, so that it shows whether peaks go on growing
CEILING_MIB = 192


def flat(ctx):
    counts = [max(100, int(count * ctx.options.scale)) for count in COUNTS]
    section = Section(
        "Peak memory of the sinks for warehouses",
        ["sink", *["MiB, %s leads" % number(count) for count in counts], "ceiling MiB"],
        ["Default settings (`-j auto`, `--max-memory 512M`), a first run into an empty target, nginx on loopback."])
    with part_storage.bucket(ctx) as (options, _):
        cluster = part_databases.Cluster()
        try:
            target = "postgres,schema=dw:host=%s user=etl dbname=postgres" % cluster.folder
            for title, sink, more in (("postgres", target, ()), ("sqlite", "sqlite:leads.db", ()), ("parquet", "parquet:out/", ()),
                                      ("csv", "csv:out/", ()), ("csv, object storage", "csv:s3://%s/csv/" % servers.BUCKET, options),
                                      ("parquet, object storage", "parquet:s3://%s/p/" % servers.BUCKET, options)):
                peaks = []
                for count in counts:
                    ctx.say("memory of %s, %s leads" % (title, number(count)))
                    peaks.append(_peak(ctx, cluster, sink, more, count))
                section.add(title, *map(mib, peaks), str(CEILING_MIB))
        finally:
            cluster.stop()
    return section


def _peak(ctx, cluster, sink, options, count):
    cluster.sql("set client_min_messages to warning; drop schema if exists dw cascade")
    return ctx.export(ctx.nginx().base_url, ctx.ids(count), [sink], count, concurrency="auto", options=options)[0].peak_bytes
