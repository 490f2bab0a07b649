"""Object storage: the same run into a bucket and into local files."""

import contextlib
import os

import measure
import servers
from report import Section, mib, number, spread

CASES = [("raw NDJSON", "ndjson,layout=raw:%sleads.ndjson"), ("CSV of all tables", "csv:%scsv/"),
         ("Parquet of all tables", "parquet:%sparquet/")]


@contextlib.contextmanager
def bucket(ctx):
    """Options that lead to an empty one; its server; the credentials are in the environment meanwhile."""
    before = dict(os.environ)
    with ctx.output_of("storage") as folder, ctx.started(servers.ObjectStorage(ctx.launch, folder)) as server:
        os.environ.update(server.env)
        try:
            yield ["--s3-endpoint", server.url, "--spool-dir", ctx.folder], server
        finally:
            os.environ.clear()
            os.environ.update(before)


def storage(ctx):
    count, pairs = ctx.options.leads, ctx.options.pairs
    url, ids = ctx.nginx().base_url, ctx.ids(count)

    def remote_run(sink):
        server.empty()      # as the folder of local files is: to give back the space of replaced objects takes a while
        return ctx.export(url, ids, [sink % "s3://%s/" % servers.BUCKET], count, options=options)[0]

    with bucket(ctx) as (options, server):
        section = Section(
            "Object storage, as multiples of local files",
            ["output", "wall", "processor", "leads/s", "peak MiB"],
            ["%s leads, `-j 64`, into a bucket of %s on loopback, which hashes and stores every part on the same processors. "
             "Medians of the ratios of %d alternating pairs, with the extremes." % (number(count), server.name, pairs)])
        for title, sink in CASES:
            ctx.say("object storage: " + title)
            local, remote = measure.alternate(
                pairs, lambda sink=sink: ctx.export(url, ids, [sink % ""], count)[0],
                lambda sink=sink: remote_run(sink))
            section.add(title, spread(measure.ratios(local, remote, lambda c: c.wall_s)),
                        spread(measure.ratios(local, remote, lambda c: c.cpu_s)),
                        number(count / measure.median([c.wall_s for c in remote])), mib(max(c.peak_bytes for c in remote)))
    return section
