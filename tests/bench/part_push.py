"""The sink push: does it send at the CRM's own request rate, and what does a lead cost next to a webhook."""

import json
import os
import sys

import measure
import servers
from report import Section, mib, number, spread

sys.path.insert(0, os.path.join(servers.ROOT, "tests", "sandbox"))

from crm_tokens import FIXED  # noqa: E402

BUILT_IN = os.path.join(servers.ROOT, "sinks", "push", "destinations", "hubspot-contacts.json")
RATE_PER_S = 9
RATED_S = 20     # about so long a run at a given rate takes
STEADY = "push,concurrency=8,rate=%d/s,base-url=%s:%s"
FREE = "push,concurrency=4,rate=100000/s,base-url=%s:%s"


def push(ctx):
    section = Section(
        "Leads into a CRM",
        ["run", "requests/s", "leads a request", "leads", "leads/s", "of what is possible", "CPU µs/lead", "CPU, as a multiple", "peak MiB"],
        ["HubSpot's contacts (their key is the lead's ID), `-j 64`, nginx and the sandbox's CRM on loopback. At %d requests "
         "a second %d leads a second are possible with batches of 100. The last two rows have no rate: %d alternating "
         "pairs, processor time of push as a multiple of that of `webhook,batch=100`, with the extremes; how many leads a "
         "second they send is the receiver's doing." % (RATE_PER_S, 100 * RATE_PER_S, ctx.options.pairs)])
    with ctx.started(servers.Receiver(ctx.launch, 0)) as receiver, ctx.output_of("push") as folder:
        for size in (1, 10, 100):
            section.add(*_rated(ctx, receiver, folder, size))
        for row in _unrated(ctx, receiver, folder):
            section.add(*row)
    return section


def _destination(folder, max_items):
    """The built-in one, but that every lead becomes a record of its own; the credential is in a file."""
    with open(BUILT_IN, encoding="utf-8") as file:
        destination = json.load(file)
    key = {"$concat": [{"$field": "lead_id"}, "@leads.example"]}
    destination["item"]["id"] = destination["item"]["properties"]["email"] = key
    destination["batch"]["max_items"] = max_items
    if max_items == 1:
        del destination["answer"]["bisect_on"]  # there is nothing to cut
    token = os.path.join(folder, "token")
    with open(os.open(token, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(FIXED["hubspot"])
    destination["auth"] = {"bearer_file": token}
    path = os.path.join(folder, "contacts-%d.json" % max_items)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(destination, file)
    return path


def _rated(ctx, receiver, folder, size):
    possible = RATE_PER_S * size
    count = max(size, int(possible * RATED_S * ctx.options.scale))
    ctx.say("push: %d leads a request" % size)
    account = "rated-%d" % size
    sink = STEADY % (RATE_PER_S, "%s/at/%s" % (receiver.base_url, account), _destination(folder, size))
    cost, _ = ctx.export(ctx.nginx().base_url, ctx.ids(count), [sink], count)
    _received(receiver, account, count)
    rate = count / cost.wall_s
    return ("push", RATE_PER_S, size, number(count), number(rate), "%.1f %%" % (100 * rate / possible),
            "%.1f" % (cost.cpu_s / count * 1e6), "", mib(cost.peak_bytes))


def _received(receiver, account, count):
    told = receiver.crm(account)
    if told["accepted"] != count or told["sent_again"]:
        raise measure.BenchError("of %d leads the CRM has %s, %s of them sent again" % (count, told["accepted"], told["sent_again"]))


def _unrated(ctx, receiver, folder):
    ctx.say("push and webhook, without a rate")
    count, url = ctx.options.leads, ctx.nginx().base_url
    ids, path = ctx.ids(count), _destination(folder, 100)
    number_of_run = iter(range(sys.maxsize))

    def hook():
        return ctx.export(url, ids, ["webhook,concurrency=4,batch=100:" + receiver.url], count)[0]

    def crm():
        account = "free-%d" % next(number_of_run)
        cost, _ = ctx.export(url, ids, [FREE % ("%s/at/%s" % (receiver.base_url, account), path)], count)
        _received(receiver, account, count)
        return cost

    hooks, pushes = measure.alternate(ctx.options.pairs, hook, crm)
    for title, runs, ratio in (("webhook,batch=100", hooks, "1"),
                               ("push", pushes, spread(measure.ratios(hooks, pushes, lambda c: c.cpu_s)))):
        yield (title, "", 100, number(count), number(count / measure.median([c.wall_s for c in runs])), "",
               "%.1f" % (measure.median([c.cpu_s for c in runs]) / count * 1e6), ratio, mib(max(c.peak_bytes for c in runs)))
