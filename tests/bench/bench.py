"""Measures leadpipe on this machine: see README.md.  Started by run.sh."""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time

import context
import corpus
import machine
import measure
import part_against
import part_databases
import part_flat
import part_kafka
import part_memory
import part_merge
import part_micro
import part_network
import part_outputs
import part_parquet
import part_peers
import part_push
import part_scale
import part_sqlite
import part_state
import part_storage
import report
import servers

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
PAGE = os.path.join(ROOT, "docs", "benchmarks.md")
PARTS = {
    "parquet": part_parquet.parquet,
    "pyarrow": part_parquet.pyarrow,
    "storage": part_storage.storage,
    "sqlite": part_sqlite.sqlite,
    "push": part_push.push,
    "state": part_state.state,
    "startup": part_outputs.startup,
    "delay": part_network.delay,
    "auto": part_network.auto,
    "memory": part_memory.memory,
    "bombs": part_memory.bombs,
    "million": part_memory.million,
    "changed": part_state.changed,
    "flat": part_flat.flat,
    "scale": part_scale.scale,
    "kafka": part_kafka.kafka,
    "merge": part_merge.merge,
    "peers": part_peers.peers,
    "micro": part_micro.micro,
    "postgres": part_databases.postgres,     # the last one: it changes the bodies
}
ORDER = list(part_outputs.OUTPUTS) + list(PARTS)
AGAINST = ["raw", "csv", "all6", "all1", "tls"]
LONG = ["million", "changed", "flat", "scale"]
ASKED = [*LONG, "kafka", "merge"]     # only when they are asked for; kafka needs a broker
BUSY = 0.15     # of the machine, by others: worth a warning


def parse_arguments():
    p = argparse.ArgumentParser(prog="./build.sh bench", formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--only", metavar="PART,...", help="of: " + ", ".join(ORDER)
                   + "\n(default: all but %s)" % ", ".join(ASKED))
    p.add_argument("--against", metavar="PROGRAM",
                   help="another build of leadpipe: only these two are compared, in the\n"
                        "outputs that --only names (%s)" % ",".join(AGAINST))
    p.add_argument("--million", action="store_true", help="the long runs, too")
    p.add_argument("--leads", type=int, default=50000, metavar="N", help="in a run (50000)")
    p.add_argument("--peer-leads", type=int, metavar="N",
                   help="in a run that is compared with peers (a tenth of --leads)")
    p.add_argument("--pairs", type=int, default=5, metavar="N", help="alternating pairs (5)")
    p.add_argument("--delay-ms", type=int, default=50, metavar="MS", help="of the slow server (50)")
    p.add_argument("--scale", type=float, default=1.0, metavar="X",
                   help="of the parts that --leads does not govern: delay, auto, push (with a rate), million, changed, flat, scale")
    p.add_argument("--corpus", choices=(corpus.VARIED, corpus.UNIFORM), default=corpus.VARIED,
                   help="%s: leads as different as leads are; %s: nearly the same text\n"
                        "each time, which makes gzip cheap" % (corpus.VARIED, corpus.UNIFORM))
    p.add_argument("--write", action="store_true", help="a copy into docs/benchmarks.md; with --only, the other\ntables there stay")
    p.add_argument("--dir", metavar="DIR", help="for temporary files (build/); outputs go there, too")
    p.add_argument("--peer-python", default="python3", metavar="PROGRAM", help="for the scripts")
    p.add_argument("--leadpipe", default=os.path.join(ROOT, "build", "release", "leadpipe"),
                   help=argparse.SUPPRESS)
    p.add_argument("--programs", default=os.path.join(ROOT, "build", "release", "bench"),
                   help=argparse.SUPPRESS)
    o = p.parse_args()
    o.leadpipe = os.path.abspath(o.leadpipe)    # runs stand in the folder of their outputs
    o.parts = o.only.split(",") if o.only else [part for part in ORDER if part not in ASKED]
    if o.against:
        o.against, o.against_outputs = os.path.abspath(o.against), o.only.split(",") if o.only else AGAINST
        if not set(o.against_outputs) <= set(part_outputs.OUTPUTS):
            p.error("--against compares outputs only: " + ", ".join(part_outputs.OUTPUTS))
        o.parts = []
    if o.million:
        o.parts += [part for part in LONG if part not in o.parts]
    wrong = [part for part in o.parts if part not in ORDER]
    if wrong:
        p.error("no part %s (there are: %s)" % (wrong[0], ", ".join(ORDER)))
    if min(o.leads, o.pairs, o.delay_ms) < 1 or o.scale <= 0:
        p.error("--leads, --pairs, --delay-ms and --scale must be positive")
    o.peer_leads = o.peer_leads or max(100, o.leads // 10)
    return o


def busy_share(seconds=1.0):
    """How much of the machine is in use by others while we do nothing."""
    def read():
        with open("/proc/stat") as file:
            times = [int(word) for word in file.readline().split()[1:9]]
        return sum(times), times[3] + times[4]

    total, idle = read()
    time.sleep(seconds)
    total_after, idle_after = read()
    return 1 - (idle_after - idle) / max(1, total_after - total)


def run_parts(ctx, emit):
    """False: a part failed; the others were done all the same."""
    wanted, complete = ctx.options.parts, True
    parts = [part for name, part in PARTS.items() if name in wanted]
    outputs = [name for name in part_outputs.OUTPUTS if name in wanted]
    if outputs:
        parts.insert(0, lambda ctx: part_outputs.outputs(ctx, outputs))
    if ctx.options.against:
        parts = [part_against.against]
    for part in parts:
        try:
            emit(part(ctx))
        except (measure.BenchError, servers.ServerError) as error:
            print("bench: %s" % error, file=sys.stderr)
            complete = False
    return complete


def machine_facts(options, folder):
    facts = machine.describe(options.peer_python, folder)
    busy = busy_share()
    facts.append(("in use by others", "%.0f %%" % (100 * busy)))
    if busy > BUSY:
        print("bench: %.0f %% of this machine is in use by others: the figures will suffer"
              % (100 * busy), file=sys.stderr)
    return facts


def measure_all(options, folder):
    sections = []

    def emit(section):
        sections.append(section)
        print(section.text(), flush=True)

    emit(report.machine_section(machine_facts(options, folder)))
    with context.Context(options, folder) as ctx:
        complete = run_parts(ctx, emit)
    if options.write and complete:
        report.write_page(PAGE, sections, keep_others=bool(options.only))
        print("written to docs/benchmarks.md", file=sys.stderr)
    return complete


def main():
    options = parse_arguments()
    # so that servers are stopped and files removed
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    base = options.dir or os.path.join(ROOT, "build")
    os.makedirs(base, exist_ok=True)
    folder = tempfile.mkdtemp(prefix="bench-", dir=os.path.abspath(base))
    try:
        return 0 if measure_all(options, folder) else 1
    except (measure.BenchError, servers.ServerError) as error:
        print("bench: %s" % error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
