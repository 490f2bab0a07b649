"""Rows and tables that are larger than a database allows: a message that says which, and what to do; the tables as they were."""

import itertools
import json

import pytest

import databases
import outputs
from test_sqlite import Night, dump, payload

cluster = pytest.fixture(scope="module")(databases.postgres_cluster)


@pytest.fixture
def night(leadpipe):
    payloads = {"L%d" % n: payload(n) for n in range(3)}
    with outputs.provider_of(outputs.omni_payloads(payloads)) as server:
        yield Night(leadpipe, server, payloads, sorted(payloads))


class Postgres:
    columns, one_run = 1600, 1500

    def __init__(self, cluster):
        self.database = databases.Database(cluster)
        self.target = self.database.target()

    def dump(self):
        return {table: (list(columns), rows) for table, (columns, rows) in self.database.dump().items()}

    def run(self, sql):
        self.database.run(sql)


class Sqlite:
    columns, one_run, target = 2000, 1900, "sqlite:leads.db"

    def __init__(self, folder):
        self.path = folder / "leads.db"

    def dump(self):
        return dump(self.path) if self.path.exists() else {}

    def run(self, sql):
        import sqlite3
        database = sqlite3.connect(self.path)
        database.executescript(sql)
        database.close()


@pytest.fixture(params=["postgres", "sqlite"])
def base(request, leadpipe):
    return Postgres(request.getfixturevalue("cluster")) if request.param == "postgres" else Sqlite(leadpipe.folder)


def run(night, base, *more, status=0):
    outputs.ids_file(night.leadpipe.folder, night.ids)
    done = night.leadpipe("export", "-p", "omni", "--base-url", night.server.url, "-t", base.target, *more, "ids.txt",
                          env={"OMNI_API_KEY": "k"}, timeout=110)
    assert done.returncode == status, done.stderr
    return done.stderr


def members(prefix, n, size=2):
    return {"%s%04d" % (prefix, i): "v" * size for i in range(n)}


# --- columns ----------------------------------------------------------------------------------------------------

def test_a_table_that_has_nearly_all_columns(night, base):
    """One of the user's. What does not fit shows as soon as the lead is there that has it."""
    base.run("create table leads (provider text, lead_id text, %s, primary key (provider, lead_id))"
             % ", ".join("own_%d text" % n for n in range(base.columns - 100)))
    run(night, base)
    before = base.dump()
    night.payloads["L1"] = payload(1, **members("m", 90))
    stderr = run(night, base, "--max-columns", "300", status=1)
    assert "leads" in stderr and ("1,600" if base.columns == 1600 else "SQLite allows 2000") in stderr, stderr
    assert "use a smaller --max-columns" in stderr and "its tables are unchanged" in stderr, stderr
    assert base.dump() == before
    # As the message says.
    run(night, base, "--max-columns", "60")
    row, = [json.loads(row) for row in base.dump()["leads"][1 if base.columns == 1600 else slice(None)] if '"L1"' in row]
    text = json.dumps(row)
    assert all("m%04d" % n in text for n in range(90))


def test_a_table_without_room_from_the_start(night, base):
    base.run("create table documents (provider text, lead_id text, position integer, %s, primary key (provider, lead_id, position))"
             % ", ".join("own_%d text" % n for n in range(base.columns - 4)))
    before = base.dump()
    stderr = run(night, base, status=1 if base.columns == 1600 else 2)
    assert "documents" in stderr and "--max-columns" in stderr and base.dump() == before, stderr
    assert base.columns == 1600 or night.server.seen == []


def test_a_key_of_too_many_columns(leadpipe, base, tmp_path):
    """PostgreSQL allows 32 in an index. Others are found before the first request."""
    for n, mode in itertools.product((29, 30, 32), ("upsert", "append")):
        names, table = ["p%d" % i for i in range(n)], "t%d_%s" % (n, mode)
        profile = {"profile": 1, "name": table, "servers": [{"name": "main", "url": "https://odd.example"}],
                   "path": "/" + "/".join("{%s}" % name for name in names) + "/{id}",
                   "tables": [{"name": table, "each": "", "columns": []}]}
        (tmp_path / "odd.json").write_text(json.dumps(profile))
        (tmp_path / "ids.csv").write_text("id,%s\nx,%s\n" % (",".join(names), ",".join(names)))
        with outputs.provider_of(lambda path, _: (200, b"{}")) as server:
            done = leadpipe("export", "-p", "./odd.json", "--base-url", server.url, "-t",
                            base.target.replace(":", ",mode=%s:" % mode, 1), "ids.csv")
            asked = len(server.seen)
        columns = n + 2 + (mode == "append")
        fits = base.columns == 2000 or columns <= 32
        assert (done.returncode, asked) == ((0, 1) if fits else (2, 0)), done.stderr
        if not fits:
            assert "the key of the table %s would have %d columns, but PostgreSQL allows 32" % (table, columns) in done.stderr


# --- rows -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("state", [[], pytest.param(["--state", "s"], marks=pytest.mark.slow)], ids=["", "state"])
def test_a_row_that_is_too_wide(night, base, state):
    """PostgreSQL stores a row in a page of 8 KB; what is long is stored elsewhere, but for a pointer of 18 bytes.
    A lead with such a row fails; the others are there."""
    run(night, base)
    night.payloads.update({"L%d" % n: payload(n) for n in range(3, 60)})
    night.ids = sorted(night.payloads)
    night.payloads["L1"] = payload(1, **members("m", 700, 40))
    if base.columns == 2000:
        run(night, base, "--max-columns", "1000", *state)
        return
    stderr = run(night, base, "--max-columns", "1000", "--failed", "failed.ndjson", *state, status=3)
    row, = failed(night)
    assert (row["id"], row["code"]) == ("L1", "row_too_wide"), row
    assert "use a smaller --max-columns, such as 300" in row["error"] and "59 exported" in stderr, stderr
    columns, rows = base.dump()["leads"]
    assert len(rows) == 60 and not any(name.startswith("m0") for name in columns), columns
    # As the message says.
    run(night, base, "--max-columns", "300", *state)
    text = json.dumps(base.dump())
    assert all("m%04d" % n in text for n in range(700))


def failed(night):
    return [json.loads(row) for row in (night.leadpipe.folder / "failed.ndjson").read_text().splitlines()]


@pytest.mark.parametrize("size", [2, 23, 24, 3000])
def test_rows_that_just_fit(night, base, size):
    """Around the limit: what is handed to PostgreSQL is not refused there, which would end the run."""
    if base.columns == 2000:
        return
    counts = [*range(300, 480, 12), 1200]
    night.payloads.update({"L%d" % n: payload(n, **members("m", n, size)) for n in counts})
    night.ids = ["L%d" % n for n in counts]
    fits = size == 2
    run(night, base, "--max-columns", "1400", "--failed", "failed.ndjson", status=0 if fits else 3)
    if fits:
        return
    refused = [row["id"] for row in failed(night)]
    assert refused == night.ids[-len(refused):] and refused != night.ids, refused  # the widest ones
    in_row = size + 1 if size < 24 else 18
    most = counts[-len(refused) - 1]
    assert (most + 12) * in_row > 8160 - 1200, most  # of a row's bytes no more than these are left unused
