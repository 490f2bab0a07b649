"""This program against another build of it, in alternating pairs."""

import json
import os

import measure
from part_outputs import OUTPUTS
from report import Section, spread


def against(ctx):
    o = ctx.options
    section = Section(
        "Against another build", ["output", "wall", "processor", "CPU µs/lead", "before"],
        ["%d leads, `-j 64`, nginx on loopback. Ratios of this program to the other one: medians of %d "
         "alternating pairs, with the extremes." % (o.leads, o.pairs)])
    for name in o.against_outputs:
        section.add(*_row(ctx, *OUTPUTS[name]))
    return section


def _row(ctx, title, sinks, tls, kind):
    ctx.say(title + ", against " + ctx.options.against)
    nginx, count = ctx.nginx(), ctx.options.leads
    url, cacert = (nginx.tls_url, nginx.cacert) if tls else (nginx.base_url, None)
    ids = ctx.ids(count, kind)

    options = ["-p", _profile_without_id(ctx)]

    def export(program):
        return lambda: ctx.export(url, ids, sinks, count, cacert=cacert, program=program, options=options)[0]

    before, now = export(ctx.options.against), export(ctx.leadpipe)
    now()     # warms caches, is not counted
    befores, nows = measure.alternate(ctx.options.pairs, before, now)
    return (title, spread(measure.ratios(befores, nows, lambda c: c.wall_s), 3),
            spread(measure.ratios(befores, nows, lambda c: c.cpu_s), 3),
            "%.1f" % _cpu_us(count, nows), "%.1f" % _cpu_us(count, befores))


def _profile_without_id(ctx):
    """The server has a few hundred payloads for all leads, so that their own IDs are others' mostly. What a
    program does about that, such as asking once more, is not what is compared."""
    shown = ctx.run([ctx.options.against, "providers", "--show", "omni"]).stdout
    profile = json.loads(shown)
    del profile["payload"]["id"]
    path = os.path.join(ctx.folder, "profile.json")
    with open(path, "w") as file:
        json.dump(profile, file)
    return path


def _cpu_us(count, costs):
    return measure.median([c.cpu_s for c in costs]) / count * 1e6
