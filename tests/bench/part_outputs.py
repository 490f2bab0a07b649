"""Every output against the floor, in alternating pairs; and how quickly a run starts."""

import corpus
import measure
from report import Section, mib, number, spread

RAW = ["ndjson,layout=raw:leads.ndjson"]
CSV = ["csv:csv/"]


def three(level):
    return ["csv,gzip=%d:csv/" % level, "ndjson,gzip=%d:leads.ndjson.gz" % level,
            "msgpack,gzip=%d:leads.msgpack.gz" % level]


# name: title, sinks, over TLS, leads (None: those that were chosen)
OUTPUTS = {
    "raw": ("raw NDJSON", RAW, False, None),
    "csv": ("CSV of all tables", CSV, False, None),
    "all6": ("CSV + NDJSON + MessagePack, gzip 6", three(6), False, None),
    "all1": ("CSV + NDJSON + MessagePack, gzip 1", three(1), False, None),
    "tls": ("raw NDJSON, TLS with HTTP/2", RAW, True, None),
    "csv-alike": ("CSV, leads nearly alike", CSV, False, corpus.UNIFORM),
    "all6-alike": ("CSV + NDJSON + MessagePack, gzip 6, leads nearly alike", three(6), False,
                   corpus.UNIFORM),
}


def outputs(ctx, names):
    o = ctx.options
    section = Section(
        "Outputs, as multiples of the floor",
        ["output", "wall", "processor", "leads/s", "floor leads/s", "CPU µs/lead",
         "floor CPU µs/lead", "peak MiB"],
        ["%s leads of %s bytes on average, `-j 64`, nginx on loopback with %d worker%s. "
         "Wall and processor time: medians of the ratios of %d alternating pairs, with the extremes."
         % (number(o.leads), number(ctx.corpus().mean_bytes), ctx.nginx().workers,
            "s" if ctx.nginx().workers > 1 else "", o.pairs)])
    for name in names:
        section.add(*_output(ctx, *OUTPUTS[name]))
    return section


def _output(ctx, title, sinks, tls, kind):
    ctx.say(title)
    nginx, count = ctx.nginx(), ctx.options.leads
    url, cacert = (nginx.tls_url, nginx.cacert) if tls else (nginx.base_url, None)
    ids = ctx.ids(count, kind)

    def floor():
        return ctx.floor(url, ids, cacert=cacert)

    def export():
        return ctx.export(url, ids, sinks, count, cacert=cacert)[0]

    floor()     # warms caches, is not counted
    floors, exports = measure.alternate(ctx.options.pairs, floor, export)
    return (title, spread(measure.ratios(floors, exports, lambda c: c.wall_s)),
            spread(measure.ratios(floors, exports, lambda c: c.cpu_s)),
            number(_rate(count, exports)), number(_rate(count, floors)),
            "%.1f" % _cpu_us(count, exports), "%.1f" % _cpu_us(count, floors),
            mib(max(c.peak_bytes for c in exports)))


def _rate(count, costs):
    return count / measure.median([c.wall_s for c in costs])


def _cpu_us(count, costs):
    return measure.median([c.cpu_s for c in costs]) / count * 1e6


def startup(ctx):
    ctx.say("start-up")
    section = Section("Start-up", ["command", "wall ms", "CPU ms", "peak MiB"],
                      ["Medians of 21 runs, with the extremes."])
    nginx, ids = ctx.nginx(), ctx.ids(1)

    def version():
        return ctx.run([ctx.leadpipe, "version"])

    def one_lead():
        return ctx.export(nginx.base_url, ids, CSV, 1)[0]

    for title, command in (("leadpipe version", version), ("export of one lead to CSV", one_lead)):
        costs = [command() for _ in range(21)]
        section.add(title, spread([c.wall_s * 1000 for c in costs], 1),
                    spread([c.cpu_s * 1000 for c in costs], 1),
                    mib(max(c.peak_bytes for c in costs)))
    return section
