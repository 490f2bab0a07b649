"""Who reads a database while a run writes to it: the old rows or the new ones, and all that is the user's own stays.

The merge is held up in its middle by a trigger of the user's, so that there is a half of it to be seen.
"""

import json
import sqlite3
import subprocess
import threading
import time

import pytest

import databases
from outputs import ids_file, provider_of

KEY = {"OMNI_API_KEY": "k"}
LEADS, GONE, NEW = 400, 40, 30
HELD_S = 1.0

cluster = pytest.fixture(scope="module")(databases.postgres_cluster)

# What is the user's: columns, a view, an index. `mine` differs in every row.
OWN = """
alter table leads add column mine text default 'new';
alter table documents add column mine text;
update leads set mine = 'of ' || lead_id;
update documents set mine = 'of ' || lead_id || position;
create index by_name on leads (first_name);
create view everything as select l.lead_id as lead_id, l.first_name as first_name, l.mine as mine, d.filename as filename
    from leads l left join documents d on d.provider = l.provider and d.lead_id = l.lead_id;
"""
# One statement, which sees one moment: of each table how much there is, and of which night.
QUERY = ("select (select count(*) from leads) || ' ' || (select count(*) from documents) || ' ' || "
        "(select count(*) from matching_leads) || ' ' || min(first_name) || max(first_name) || min(filename) || max(filename) || "
        "(select min(id) || max(id) from matching_leads) from everything")
PG_HOLD = """
create function hold() returns trigger language plpgsql as $$ begin perform pg_sleep(%g); return null; end $$;
create trigger hold before update on documents for each statement execute function hold();
"""
# A trigger of SQLite cannot sleep; it can count.
SQLITE_HOLD = """
create table held (n integer);
create trigger hold before update on documents when new.lead_id = 'l1' and new.position = 0 begin
    insert into held with recursive n(i) as (select 1 union all select i + 1 from n where i < %d) select count(*) from n;
end;
"""


def payload(lead_id, night, new_column):
    lead = {"id": lead_id, "firstName": "n%d" % night}
    if night == 2 and new_column:
        lead["addedLater"] = "x"
    return json.dumps({"lead": lead, "documents": [{"id": "d", "filename": "n%d" % night} for _ in range(night + 1)],
                       "matchingLeads": [{"id": "n%d" % night}]}).encode()


def state(leads, night):
    return "%d %d %d " % (leads, leads * (night + 1), leads) + "n%d" % night * 6


class PostgresReader:
    def __init__(self, folder, cluster):
        self.database = databases.Database(cluster)
        self.target = self.database.target("deletes=delete")

    def script(self, sql):
        self.database.run(sql)

    def hold(self):
        self.script(PG_HOLD % HELD_S)

    def open(self):
        self.psql = subprocess.Popen(["psql", "-X", "-q", "-At"], env=self.database.env, stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, text=True, bufsize=1)

    def read_once(self):
        self.psql.stdin.write(QUERY + ";\n")
        return self.psql.stdout.readline().strip()

    def close(self):
        self.psql.communicate()

    def rows(self, sql):
        return [tuple(row.values()) for row in self.database.ask(sql)]


class SqliteReader:
    def __init__(self, folder, cluster):
        self.path = folder / "leads.db"
        self.target = "sqlite,deletes=delete:leads.db"

    def connect(self):
        return sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)

    def script(self, sql):
        database = self.connect()
        database.executescript(sql)
        database.close()

    def hold(self):
        """For about as long, on this machine."""
        database, many, began = self.connect(), 1_000_000, time.monotonic()
        database.execute("with recursive n(i) as (select 1 union all select i + 1 from n where i < %d) select count(*) from n"
                         % many).fetchone()
        database.close()
        self.script(SQLITE_HOLD % int(many * HELD_S / (time.monotonic() - began)))

    def open(self):
        self.database = self.connect()

    def read_once(self):
        return self.database.execute(QUERY).fetchone()[0]

    def close(self):
        self.database.close()

    def rows(self, sql):
        database = self.connect()
        try:
            return database.execute(sql).fetchall()
        finally:
            database.close()


class RollbackReader(SqliteReader):
    """Of a user who does not want WAL: readers may have to wait."""

    def hold(self):
        super().hold()
        self.script("pragma journal_mode = delete")

    def close(self):
        assert self.database.execute("pragma journal_mode").fetchone()[0] == "delete"
        super().close()


class Watch(threading.Thread):
    """Reads every few milliseconds; `seen` is what changed when, `read_at` are the times of all reads."""

    def __init__(self, reader):
        super().__init__()
        self.reader, self.over, self.seen, self.read_at, self.error = reader, threading.Event(), [], [], None

    def read_once(self):
        found = self.reader.read_once()
        self.read_at.append(time.monotonic())
        if not self.seen or self.seen[-1][0] != found:
            self.seen.append((found, self.read_at[-1]))

    def run(self):
        self.reader.open()
        try:
            while not self.over.wait(0.005):
                self.read_once()
            self.read_once()
        except Exception as error:  # shown by the test
            self.error = error
        finally:
            self.reader.close()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()
        assert self.error is None, self.error


@pytest.mark.parametrize("new_column", [False, True])
@pytest.mark.parametrize("reader", [PostgresReader, SqliteReader, RollbackReader])
def test_old_or_new(leadpipe, cluster, reader, new_column):
    reader, night = reader(leadpipe.folder, cluster), [1]
    ids = ["l%d" % n for n in range(LEADS + NEW)]

    def answer(path, _):
        lead_id = path.rsplit("/", 1)[1]
        there = range(LEADS) if night[0] == 1 else range(GONE, LEADS + NEW)
        return (200, payload(lead_id, night[0], new_column)) if int(lead_id[1:]) in there else (404, b"{}")

    def export():
        done = leadpipe("export", "-p", "omni", "--base-url", server.url, "-t", reader.target, ids_file(leadpipe.folder, ids), env=KEY)
        assert done.returncode == 0, done.stderr

    with provider_of(answer) as server:
        export()
        reader.script(OWN)
        reader.hold()
        night[0] = 2
        with Watch(reader) as watch:
            export()
    assert [found for found, _ in watch.seen] == [state(LEADS, 1), state(LEADS - GONE + NEW, 2)]
    if not isinstance(reader, RollbackReader) and not (new_column and isinstance(reader, PostgresReader)):  # who may wait
        before = [when for when in watch.read_at if 0 < watch.seen[1][1] - when < HELD_S]
        assert len(before) > 1, "nobody read while the merge went on"  # how often is the machine's doing
    # The view, the index and the columns are as they were; new rows have the column's default.
    assert reader.rows("select count(*), min(mine), max(mine) from leads where mine <> 'new' and mine <> 'of ' || lead_id") == [(0, None, None)]
    assert reader.rows("select count(*) from leads where mine = 'new'") == [(NEW,)]
    assert reader.rows("select count(*) from documents where position < 2 and mine = 'of ' || lead_id || position") == [
        (2 * (LEADS - GONE),)]
    assert reader.rows("select count(*) from everything where first_name = 'n2'") == [((LEADS - GONE + NEW) * 3,)]
    reader.script("drop index by_name")
