"""From topic to topic, with a real broker: what transactions cost, and whether two workers do twice as much."""

import os
import pathlib
import subprocess
import sys
import time

import context
import measure
import servers
from report import Section, number, spread

sys.path.insert(0, os.path.join(servers.ROOT, "tests", "e2e"))

from kafka_server import JARS, REASON, Kafka  # noqa: E402

PARTITIONS = 4
COST_DELAY_MS = 20


def kafka(ctx):
    if not JARS:
        raise measure.BenchError("kafka: " + REASON)
    delay_ms, count = ctx.options.delay_ms, ctx.options.leads
    section = Section(
        "From topic to topic",
        ["run", "answers after", "leads", "leads/s", "as a multiple"],
        ["A broker on the same machine, %d partitions, `-j 64` in each worker; medians of %d alternating pairs, with the extremes. "
         "A worker's time begins when it is started and ends when it has ended, so it includes joining the group and "
         "leaving it." % (PARTITIONS, ctx.options.pairs)])
    with ctx.output_of("kafka") as folder:
        broker = Kafka(pathlib.Path(folder), PARTITIONS, [ctx.launch])
        try:
            queue = Queue(ctx, broker, count)
            with ctx.started(ctx.delay_server(delay_ms)) as server:
                ones, twos = measure.alternate(ctx.options.pairs, lambda: queue.seconds(server, 1), lambda: queue.seconds(server, 2))
            _add(section, "one worker", delay_ms, count, ones)
            _add(section, "two workers of a group", delay_ms, count, twos, ones)
            with ctx.started(ctx.delay_server(COST_DELAY_MS)) as server:
                files, topics = measure.alternate(ctx.options.pairs, lambda: _into_file(ctx, server, count),
                                                  lambda: queue.seconds(server, 1))
            _add(section, "`ndjson` with `--state`, IDs in a file", COST_DELAY_MS, count, files)
            _add(section, "from topic to topic", COST_DELAY_MS, count, topics, files)
        finally:
            broker.kill()
    return section


def _add(section, title, delay_ms, count, seconds, others=None):
    ratios = [other / own for other, own in zip(others, seconds)] if others else [1]
    section.add(title, "%d ms" % delay_ms, number(count), number(count / measure.median(seconds)), spread(ratios))


def _into_file(ctx, server, count):
    with ctx.output_of("state") as folder:
        options = ["--state", os.path.join(folder, "state")]
        return ctx.export(server.base_url, ctx.ids(count), ["ndjson:leads.ndjson"], count, options=options)[0].wall_s


class Queue:
    """A topic of IDs, which each run reads as another group, into a topic of its own."""

    def __init__(self, ctx, broker, count):
        self.ctx, self.broker, self.count, self.n = ctx, broker, count, 0
        broker.topic("ids")
        with open(ctx.ids(count), "rb") as file:
            ids = file.readlines()
        for i in range(PARTITIONS):  # as many in each: a partitioner would fill one batch after another
            subprocess.run(["kcat", "-b", broker.address, "-P", "-t", "ids", "-p", str(i)], check=True, input=b"".join(ids[i::PARTITIONS]))

    def seconds(self, server, workers):
        self.n += 1
        self.ctx.say("kafka: %d worker%s" % (workers, "s" if workers > 1 else ""))
        target = "leads-%d" % self.n
        for name in (target, target + ".missing", target + ".failed"):
            self.broker.topic(name)
        source = "kafka://%s/ids?group=g%d" % (self.broker.address, self.n)
        command = self.ctx.export_command(server.base_url, source, ["kafka:%s/%s" % (self.broker.address, target)])
        began = time.monotonic()
        running = [subprocess.Popen([self.ctx.launch, *command], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                    stderr=subprocess.PIPE, text=True) for _ in range(workers)]
        try:
            said = [process.communicate(timeout=context.RUN_TIMEOUT_S)[1] for process in running]
        finally:
            for process in running:
                measure.end(process)
        seconds = time.monotonic() - began
        self._check([process.returncode for process in running], said)
        return seconds

    def _check(self, statuses, said):
        exported = sum(context.summary_of(text)["ledger"]["exported"] for text in said)
        if any(statuses) or exported != self.count:
            raise measure.BenchError("kafka: exit statuses %s, %d of %d leads exported\n%s"
                                     % (statuses, exported, self.count, said[0][-2000:]))
