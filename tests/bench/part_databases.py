"""Databases: two nights into PostgreSQL, against what its own client takes for the finished CSV files."""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
import time

import context
import measure
import part_memory
from report import Section, mib, number, spread

CHANGED = 80     # of the corpus's 1,000 bodies


class Cluster:
    """A server of its own, with the settings that PostgreSQL comes with."""

    def __init__(self):
        found = subprocess.run(["sh", "-c", "ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1"],
                               capture_output=True, text=True).stdout.strip()
        initdb = os.path.join(found, "initdb") if found else shutil.which("initdb")
        if not initdb or not os.path.exists(initdb):
            raise measure.BenchError("PostgreSQL is not installed")
        self.bin = os.path.dirname(initdb)
        self.folder = tempfile.mkdtemp(prefix="lp-bench-")
        self.user = None
        if os.geteuid() == 0:     # which PostgreSQL refuses
            self.user = pwd.getpwnam("nobody").pw_name
            shutil.chown(self.folder, self.user)
        self.data = os.path.join(self.folder, "data")
        self.command("initdb", "-D", self.data, "-U", "etl", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N")
        self.command("pg_ctl", "-D", self.data, "-w", "-l", os.path.join(self.folder, "log"), "-o",
                     "-k %s -c listen_addresses='' -c max_wal_size=4GB" % self.folder, "start")
        self.env = {**os.environ, "PGHOST": self.folder, "PGUSER": "etl", "PGDATABASE": "postgres"}

    def command(self, name, *words):
        done = subprocess.run([os.path.join(self.bin, name), *words], user=self.user, cwd=self.folder,
                              capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if done.returncode:
            raise measure.BenchError(name + ": " + done.stdout + done.stderr)

    def stop(self):
        self.command("pg_ctl", "-D", self.data, "-m", "immediate", "stop")
        shutil.rmtree(self.folder, ignore_errors=True)

    def sql(self, text):
        done = subprocess.run([os.path.join(self.bin, "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-At"], input=text,
                              env=self.env, capture_output=True, text=True)
        if done.returncode:
            raise measure.BenchError(done.stderr)
        return done.stdout.strip()

    @contextlib.contextmanager
    def wal(self, out):
        before = self.sql("checkpoint; select pg_current_wal_lsn()")
        yield
        out.append(int(self.sql("select pg_wal_lsn_diff(pg_current_wal_lsn(), '%s')::bigint" % before)))


class Night:
    """One run: what it cost, the WAL that it made, and the share of its time after the last lead was fetched."""

    def __init__(self, ctx, cluster, ids, count, schema="dw", options=()):
        wal = []
        command = ctx.export_command(ctx.nginx().base_url, ids, [_target(cluster, schema)], options=options)
        looks = measure.Milestones(part_memory.RequestCount(ctx.nginx().status_url), (count,))
        looks.start()
        with cluster.wal(wal), ctx.output() as folder:
            self.cost = ctx.run(command, cwd=folder)
            ended = time.monotonic()
        ledger = context.summary_of(self.cost.stderr)["ledger"]
        if ledger["exported"] + ledger["unchanged"] != count:
            raise measure.BenchError("of %d leads some were not exported: %s" % (count, ledger))
        self.wall_s, self.wal_mb, self.peak_bytes = self.cost.wall_s, wal[0] / 1e6, self.cost.peak_bytes
        self.tail = 100 * (ended - looks.times()[0]) / self.wall_s


class Copy:
    """`\\copy` of finished CSV files into new tables with the same keys."""

    tail = peak_bytes = None

    def __init__(self, cluster, script):
        wal = []
        with cluster.wal(wal):
            began = time.monotonic()
            cluster.sql(script)
            self.wall_s = time.monotonic() - began
        self.wal_mb = wal[0] / 1e6


def _target(cluster, schema):
    return "postgres,schema=%s:host=%s user=etl dbname=postgres" % (schema, cluster.folder)


def _drop(cluster, schema):
    cluster.sql("set client_min_messages to warning; drop schema if exists %s cascade" % schema)


def _copy_script(ctx, cluster, ids, count, folder):
    """CSV files of all tables, from a run's tables, without the columns that say which run it was; and the script that loads
    them. leadpipe's own CSV has the texts of JSON strings as they are, which no column of type jsonb takes."""
    ctx.export(ctx.nginx().base_url, ids, [_target(cluster, "made")], count)
    ddl = subprocess.run([ctx.leadpipe, "tables", "omni", "--ddl", "postgres"], capture_output=True, text=True, check=True).stdout
    script = ["create schema copied; set search_path to copied;", ddl]
    tables = cluster.sql("select relname from pg_class where relnamespace = 'made'::regnamespace and relkind = 'r' and "
                         "relname !~ '^_leadpipe' order by relname")
    for table in tables.split("\n"):
        columns = ['"%s"' % name for name in cluster.sql(
            "select attname from pg_attribute where attrelid = 'made.%s'::regclass and attnum > 0 and not attisdropped and "
            "attname not in ('_exported_at', '_run_id') order by attnum" % table).split("\n")]
        path = os.path.join(folder, table + ".csv")
        cluster.sql("\\copy made.%s (%s) to '%s' with (format csv, header)" % (table, ", ".join(columns), path))
        script += ['alter table "%s" add column if not exists %s text;' % (table, column) for column in columns]
        script.append("\\copy %s (%s) from '%s' with (format csv, header)" % (table, ", ".join(columns), path))
    _drop(cluster, "made")
    return "set client_min_messages to warning; " + "\n".join(script)


def _runs(ctx, cluster, ids, count, pairs):
    """For each title the runs of all rounds: every night has its `\\copy` beside it."""
    runs = {}
    with ctx.output_of("copied") as folder:
        script = _copy_script(ctx, cluster, ids, count, folder)
        for n in range(pairs):
            ctx.say("postgres: round %d of %d" % (n + 1, pairs))
            _drop(cluster, "copied")
            _drop(cluster, "dw")
            _drop(cluster, "changed")
            if n > 0:     # every round begins with leads that have all of their rows
                ctx.corpus().revise(CHANGED, 1 + 2 * n, loses=False)
                ctx.another_nginx()
            changed_only = ("changed", ["--changed-only", "--state", os.path.join(folder, "state%d" % n)])
            runs.setdefault("`\\copy`", []).append(Copy(cluster, script))
            runs.setdefault("first night", []).append(Night(ctx, cluster, ids, count))
            runs.setdefault("first night, `--changed-only`", []).append(Night(ctx, cluster, ids, count, *changed_only))
            ctx.corpus().revise(CHANGED, 2 + 2 * n)
            ctx.another_nginx()
            cluster.sql("vacuum analyze")     # as the server does by itself in the course of a day
            runs.setdefault("second night, 8 % changed", []).append(Night(ctx, cluster, ids, count))
            runs.setdefault("second night, `--changed-only`", []).append(Night(ctx, cluster, ids, count, *changed_only))
            runs.setdefault("third night, nothing changed", []).append(Night(ctx, cluster, ids, count))
            cluster.sql("update dw.leads set lead_id = lead_id where lead_id = (select min(lead_id) from dw.leads)")
            runs.setdefault("fourth night, after another hand", []).append(Night(ctx, cluster, ids, count))
    return runs


def _row(runs, title, count):
    def of(what, form="%.0f"):
        values = [getattr(run, what) for run in runs[title]]
        return "" if None in values else form % measure.median(values)

    below = "`\\copy`" if title.startswith(("`", "first")) else "first night"
    below += ", `--changed-only`" if title.startswith("second night, `") else ""
    peaks = [run.peak_bytes for run in runs[title]]
    return (title, of("wall_s", "%.1f"), spread(measure.ratios(runs[below], runs[title], lambda run: run.wall_s)), of("tail"),
            of("wal_mb"), spread(measure.ratios(runs[below], runs[title], lambda run: run.wal_mb)),
            number(count / float(of("wall_s", "%f"))), "" if None in peaks else mib(max(peaks)))


def postgres(ctx):
    """The last part of the benchmark that reads these bodies, as it changes them."""
    count, pairs = ctx.options.leads, min(ctx.options.pairs, 3)
    section = Section(
        "PostgreSQL, two nights",
        ["run", "seconds", "against `\\copy`, or the first night", "tail %", "WAL MB", "the same of WAL", "leads/s", "peak MiB"],
        ["%s leads of %s bytes on average, `-j 64`, nginx on loopback, a server with its default settings (`max_wal_size` 4 "
         "GB) on the same processors; medians of %d rounds, each of them all runs. `\\copy` loads CSV files that are finished "
         "into new tables with the same columns, types and keys, and fetches nothing. On the second night 8 %% of the leads "
         "differ, and half of these have lost rows; before it the tables are vacuumed, as the server does by itself in the course "
         "of a day. Before the fourth, one row is written by another client, so that all leads are loaded and compared. Tail: "
         "the share of the time after the last lead was fetched."
         % (number(count), number(ctx.corpus().mean_bytes), pairs)])
    ids, cluster = ctx.ids(count), Cluster()
    try:
        runs = _runs(ctx, cluster, ids, count, pairs)
    finally:
        cluster.stop()
    for title in runs:
        section.add(*_row(runs, title, count))
    return section
