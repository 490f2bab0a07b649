"""Databases: two nights into PostgreSQL, against what its own client takes for the finished CSV files."""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
import time

import corpus
import leads
import measure
import part_memory
from report import Section, mib, number

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

    def __init__(self, ctx, cluster, ids, count):
        target, wal = "postgres,schema=dw:host=%s user=etl dbname=postgres" % cluster.folder, []
        looks = measure.Milestones(part_memory.RequestCount(ctx.nginx().status_url), (count,))
        looks.start()
        with cluster.wal(wal):
            self.cost, _ = ctx.export(ctx.nginx().base_url, ids, [target], count)
            ended = time.monotonic()
        self.wal_mb = wal[0] / 1e6
        self.tail = (ended - looks.times()[0]) / self.cost.wall_s

    def cells(self, against, count):
        wall_s = self.cost.wall_s
        return ("%.1f" % wall_s, "%.2f" % (wall_s / against), "%.0f" % (100 * self.tail), "%.0f" % self.wal_mb,
                number(count / wall_s), mib(self.cost.peak_bytes))


def _copy(ctx, cluster, url, ids, count):
    """The tables' own keys, and `\\copy` of CSV files that are there already."""
    ddl = subprocess.run([ctx.leadpipe, "tables", "omni", "--ddl", "postgres"], capture_output=True, text=True, check=True).stdout
    with ctx.output() as folder:
        ctx.run(ctx.export_command(url, ids, ["csv:csv/"]), cwd=folder)
        ddl = ddl.replace("jsonb", "text")     # the CSV has texts there that are no JSON
        script = ["set client_min_messages to warning; drop schema if exists copied cascade; create schema copied; set search_path to copied;", ddl]
        for name in sorted(os.listdir(os.path.join(folder, "csv"))):
            table, path = name[:-4], os.path.join(folder, "csv", name)
            with open(path, encoding="utf-8") as file:
                columns = file.readline().rstrip("\n").split(",")
            script += ['alter table "%s" add column if not exists "%s" text;' % (table, one.strip('"')) for one in columns]
            script.append('\\copy "%s" (%s) from \'%s\' with (format csv, header)'
                          % (table, ", ".join('"%s"' % one.strip('"') for one in columns), path))
        began = time.monotonic()
        cluster.sql("\n".join(script))
        return time.monotonic() - began


def postgres(ctx):
    count = ctx.options.leads
    section = Section(
        "PostgreSQL, two nights",
        ["run", "seconds", "against `\\copy`, or the first night", "tail %", "WAL MB", "leads/s", "peak MiB"],
        ["%s leads of %s bytes on average, `-j 64`, nginx on loopback, a server with its default settings (`max_wal_size` 4 "
         "GB) on the same processors. `\\copy` loads finished CSV files into the same tables with the same keys (but text in place of jsonb), "
         "and fetches nothing. On the second night 8 %% of the leads differ. Tail: the share of the time after the last lead was "
         "fetched." % (number(count), number(ctx.corpus().mean_bytes))])
    url, ids, cluster = ctx.nginx().base_url, ctx.ids(count), Cluster()
    pairs = min(ctx.options.pairs, 3)
    try:
        ctx.say("postgres: \\copy")
        copied = measure.median([_copy(ctx, cluster, url, ids, count) for _ in range(pairs)])
        section.add("`\\copy`", "%.1f" % copied, "1", "", "", number(count / copied), "")
        ctx.say("postgres: the first night")
        firsts = []
        for _ in range(pairs):
            cluster.sql("set client_min_messages to warning; drop schema if exists dw cascade; drop schema if exists copied cascade")
            firsts.append(Night(ctx, cluster, ids, count))
        firsts.sort(key=lambda night: night.cost.wall_s)
        first = firsts[(pairs - 1) // 2]
        section.add("first night", *first.cells(copied, count))
        _change(ctx)
        for title in ("second night, 8 % changed", "third night, nothing changed"):
            ctx.say("postgres: the " + title)
            section.add(title, *Night(ctx, cluster, ids, count).cells(first.cost.wall_s, count))
    finally:
        cluster.stop()
    return section


def _change(ctx):
    """The last part of the benchmark that reads these bodies; nginx keeps files open, so it is another one."""
    folder = ctx.corpus().folder
    for n in range(CHANGED):
        with open(os.path.join(folder, "%03d" % n), "wb") as file:
            file.write(leads.payload("omni", "%s-%07d" % (corpus.VARIED, n), revision=2))
    ctx.another_nginx()
