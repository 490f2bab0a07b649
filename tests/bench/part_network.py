"""How well waiting requests are carried, and how well `-j auto` finds its concurrency."""

import measure
from report import Section, number

SINK = ["ndjson,layout=raw:-"]
SECONDS = 6     # that a run against a delay should take
ADMIT, ADMIT_DELAY_MS = 10, 20


def _export(ctx, server, ids, count, concurrency):
    with open("/dev/null", "wb") as nothing:
        return ctx.export(server.base_url, ids, SINK, count, concurrency, stdout=nothing)


def delay(ctx):
    delay_ms = ctx.options.delay_ms
    section = Section(
        "Requests that wait",
        ["concurrency", "concurrency / delay", "leads/s", "share %", "CPU µs/lead", "peak MiB",
         "floor leads/s", "floor CPU µs/lead"],
        ["A server on the same machine that answers after %d ms; raw NDJSON to /dev/null; medians "
         "of %d runs." % (delay_ms, ctx.options.pairs)])
    for concurrency in (64, 1000):
        ctx.say("delay of %d ms, -j %d" % (delay_ms, concurrency))
        with ctx.started(ctx.delay_server(delay_ms)) as server:
            section.add(*_delay(ctx, server, concurrency, concurrency * 1000 / delay_ms))
    return section


def _delay(ctx, server, concurrency, limit):
    count = int(limit * SECONDS * ctx.options.scale)
    ids = ctx.ids(count)
    floors, exports = measure.alternate(
        ctx.options.pairs, lambda: ctx.floor(server.base_url, ids, concurrency),
        lambda: _export(ctx, server, ids, count, concurrency)[0])
    rate, floor_rate = (count / measure.median([c.wall_s for c in costs])
                        for costs in (exports, floors))
    cpu, floor_cpu = (measure.median([c.cpu_s for c in costs]) / count * 1e6
                      for costs in (exports, floors))
    return (str(concurrency), number(limit), number(rate), "%.1f" % (100 * rate / limit),
            "%.1f" % cpu, "%.1f" % (max(c.peak_bytes for c in exports) / 1048576),
            number(floor_rate), "%.1f" % floor_cpu)


def auto(ctx):
    """`-j auto` against fixed settings, where there is no limit, far away, and a limit."""
    delay_ms = ctx.options.delay_ms
    section = Section(
        "`-j auto` against fixed concurrency",
        ["server", "best fixed", "leads/s", "auto leads/s", "share %", "refused (429)",
         "others, leads/s"],
        ["Raw NDJSON to /dev/null; medians of %d runs; no lead failed in any of them. Fixed "
         "settings beyond what a server admits are not tried: every refusal without a "
         "`Retry-After` holds all requests back." % ctx.options.pairs])
    far = "answers after %d ms" % delay_ms
    limited = "admits %d, answers after %d ms" % (ADMIT, ADMIT_DELAY_MS)
    settings = [
        ("fast, local", None, (8, 16, 32, 64), lambda j: ctx.options.leads),
        (far, {"delay_ms": delay_ms}, (16, 32, 64), lambda j: j * 1000 / delay_ms * SECONDS),
        (limited, {"delay_ms": ADMIT_DELAY_MS, "admit": ADMIT}, (5, 8, 10),
         lambda j: j * 1000 / ADMIT_DELAY_MS * SECONDS)]
    for title, how, fixed, leads in settings:
        ctx.say("-j auto: " + title)
        section.add(title, *_auto(ctx, how, fixed, leads))
    return section


def _walls(ctx, how, ids, count, concurrency):
    """How long each run took, and what the server saw, where it can say."""
    def runs(server):
        return [_export(ctx, server, ids, count, concurrency)[0].wall_s
                for _ in range(ctx.options.pairs)]

    if not how:
        return runs(ctx.nginx()), None
    with ctx.started(ctx.delay_server(**how)) as server:
        return runs(server), server.stop()


def _auto(ctx, how, fixed, leads):
    rates, refused = {}, "–"
    for concurrency in list(fixed) + ["auto"]:
        # as long a run for `auto` as for the fastest fixed one
        guess = concurrency if concurrency != "auto" else max(fixed)
        count = max(int(leads(guess) * ctx.options.scale), 100)
        ids = ctx.ids(count)
        walls, seen = _walls(ctx, how, ids, count, concurrency)
        rates[concurrency] = count / measure.median(walls)
        if how and concurrency == "auto":
            refused = number(seen["refused"] / ctx.options.pairs)
    found = rates.pop("auto")
    best = max(rates, key=rates.get)
    others = ", ".join("%d: %s" % (j, number(rates[j])) for j in rates if j != best)
    return ("-j %d" % best, number(rates[best]), number(found),
            "%.0f" % (100 * found / rates[best]), refused, others)
