"""What it costs that a run can go on: the same run with --state and without."""

import measure
from report import Section, mib, number, spread

SINKS = ["csv:csv/", "ndjson:leads.ndjson"]
WITH_STATE = ["--state", "state"]
CASES = [("`--state`", WITH_STATE),
         ("`--state --changed-only`, the first run", WITH_STATE + ["--changed-only"])]


def state(ctx):
    count, pairs = ctx.options.leads, ctx.options.pairs
    section = Section(
        "What `--state` costs, as multiples of the run without",
        ["options", "wall", "processor", "leads/s", "peak MiB"],
        ["%s leads to CSV and NDJSON, `-j 64`, outputs and state on one disk; medians of the ratios "
         "of %d alternating pairs, and between which extremes." % (number(count), pairs)])
    url, ids = ctx.nginx().base_url, ctx.ids(count)
    for title, options in CASES:
        ctx.say(title.replace("`", ""))
        without, having = measure.alternate(
            pairs, lambda: ctx.export(url, ids, SINKS, count)[0],
            lambda options=options: ctx.export(url, ids, SINKS, count, options=options)[0])
        section.add(title, spread(measure.ratios(without, having, lambda c: c.wall_s)),
                    spread(measure.ratios(without, having, lambda c: c.cpu_s)),
                    number(count / measure.median([c.wall_s for c in having])),
                    mib(max(c.peak_bytes for c in having)))
    return section
