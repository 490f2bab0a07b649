"""What it costs that a run can be resumed: the same run with --state and without; and a state of a
million leads."""

import os

import context
import measure
from report import Section, mib, number, spread

SINKS = ["csv:csv/", "ndjson:leads.ndjson"]
WITH_STATE = ["--state", "state"]
MILLION = 1000000
SMALL = ["csv,table=matching_leads:matching_leads.csv"]     # all leads, few bytes on the disk
CASES = [("`--state`", WITH_STATE),
         ("`--state --changed-only`, the first run", WITH_STATE + ["--changed-only"])]


def state(ctx):
    count, pairs = ctx.options.leads, ctx.options.pairs
    section = Section(
        "What `--state` costs, as multiples of the run without",
        ["options", "wall", "processor", "leads/s", "peak MiB"],
        ["%s leads to CSV and NDJSON, `-j 64`, outputs and state on one disk; medians of the ratios "
         "of %d alternating pairs, with the extremes." % (number(count), pairs)])
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


def changed(ctx):
    """Two nights: all leads are new, then none has changed."""
    count = int(MILLION * ctx.options.scale)
    ctx.say("%s leads with --changed-only, twice" % number(count))
    section = Section(
        "A million leads with `--changed-only`",
        ["run", "outcome", "seconds", "leads/s", "CPU µs/lead", "peak MiB", "state MB", "bytes a lead"],
        ["To a CSV of one small table, `-j 64`, nginx on loopback. The state is measured after each run."])
    command = ctx.export_command(ctx.nginx().base_url, ctx.ids(count), SMALL,
                                 options=WITH_STATE + ["--changed-only"])
    with ctx.output() as folder:
        for title, outcome in (("first", "exported"), ("second", "unchanged")):
            cost = ctx.run(command, cwd=folder)
            context.check_summary(cost.stderr, count, outcome)
            size = os.path.getsize(os.path.join(folder, "state"))
            section.add(title, outcome, "%.0f" % cost.wall_s, number(count / cost.wall_s),
                        "%.1f" % (cost.cpu_s / count * 1e6), mib(cost.peak_bytes), "%.1f" % (size / 1e6),
                        "%.0f" % (size / count))
    return section
