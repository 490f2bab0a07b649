"""Two nights with leads of every odd shape into databases and Parquet: every cell is that of the reference."""

import contextlib
import functools

import pytest

import databases
import test_sqlite
import warehouse_nights as nights
from outputs import ids_file, manifest, provider_of
from test_parquet import read

KEY = {"OMNI_API_KEY": "k", "CONVOCORE_API_KEY": "k"}
WAYS = [("upsert", "ignore"), ("upsert", "mark"), ("upsert", "delete"), ("append", "ignore"), ("replace", "ignore")]
FEW_WAYS = [WAYS[1], *WAYS[3:]]
# Every lead is compared cell by cell in every place, so the large size is nightly.
SIZES = [80, pytest.param(5000, marks=pytest.mark.nightly)]
PG_TYPES = {"text": "text", "integer": "bigint", "number": "numeric", "boolean": "boolean", "json": "jsonb",
            **dict.fromkeys(databases.TIMES, "timestamp with time zone")}

cluster = pytest.fixture(scope="module")(databases.postgres_cluster)


@functools.lru_cache(maxsize=1)
def flattened(provider, size):
    return nights.Flattened(nights.Nights(provider, size))


@pytest.fixture
def documented(leadpipe, provider):
    """{table: {column: type}}, {table: keys}"""
    tables = databases.types_of(leadpipe, provider)
    return ({table: kinds for table, (kinds, _) in tables.items()},
            {table: keys for table, (_, keys) in test_sqlite.tables_of(leadpipe, provider).items()})


def night_of(leadpipe, data, night, *words):
    """One run; returns its manifest."""
    ids_file(leadpipe.folder, data.nights.bodies[night])
    param = ["--param", "agentId=" + nights.AGENT] if data.provider == "convocore" else []
    with provider_of(data.nights.answer(night)) as server:
        done = leadpipe("export", "-p", data.provider, "--base-url", server.url, *param, "--id-format", "lines", "--attempts", "1",
                        "--manifest", "m.json", *words, "ids.txt", env=KEY, timeout=600)
    assert done.returncode == 3 and " failed" in done.stderr, done.stderr
    found = manifest(leadpipe.folder / "m.json")
    assert {name: found["ledger"][name] for name in data.counts[night]} == data.counts[night]
    assert found["published"]
    return found


class Base:
    """One sink of a run, and how its tables are read: rows as dicts without nulls."""

    def __init__(self, mode, deletes):
        self.mode, self.deletes = mode, deletes
        self.options = "mode=%s,deletes=%s" % (mode, deletes)

    def read(self, tables):
        """{table: rows}, with the number of the night in place of what the run columns say."""
        rows = {table: self.rows(table) for table in tables}
        times = {row["_exported_at"]: row["_run_id"] for own in rows.values() for row in own}
        numbers = {run_id: number for number, run_id in enumerate(self.run_ids())}
        for own in rows.values():
            for row in own:
                assert times[row["_exported_at"]] == row["_run_id"]
                row["_run_id"] = row["_exported_at"] = numbers[row["_run_id"]]
                if "_deleted_at" in row:
                    row["_deleted_at"] = numbers[times[row["_deleted_at"]]]
        return rows


class Postgres(Base):
    TARGET = nights.Target("postgres", lambda value, kind: databases.decimals(value) if kind == "json" else
                           databases.decimal.Decimal(value) if kind == "number" else value)

    def __init__(self, folder, database, mode, deletes):
        super().__init__(mode, deletes)
        self.database, self.schema = database, "%s_%s" % (mode, deletes)
        self.target = database.target("schema=%s,%s" % (self.schema, self.options))

    def run_ids(self):
        return [run["run_id"] for run in self.database.runs(self.schema)]

    def read(self, tables):
        self.types = self.database.all_columns(self.schema)
        return super().read(tables)

    def columns(self, table):
        return self.types[table]

    def rows(self, table):
        columns = self.columns(table)
        how = {"jsonb": databases.decimals, "numeric": databases.decimal.Decimal, "bigint": int, "timestamp with time zone": int}
        found = []
        for row in self.database.rows(table, self.schema, False, columns):
            found.append({name: how.get(columns[name], lambda value: value)(value) for name, value in row.items()})
        return found

    def check_types(self, table, kinds):
        columns = self.columns(table)
        assert {name: columns[name] for name in kinds} == {name: PG_TYPES[kind] for name, kind in kinds.items()}


class Sqlite(Base):
    TARGET = nights.Target("doubles", lambda value, kind: test_sqlite.time_text(value) if kind in test_sqlite.TIMES else
                           int(value) if kind == "boolean" else value)

    def __init__(self, folder, database, mode, deletes):
        super().__init__(mode, deletes)
        self.path = folder / ("%s_%s.db" % (mode, deletes))
        self.target = "sqlite,%s:%s" % (self.options, self.path.name)

    def run_ids(self):
        return [run["run_id"] for run in test_sqlite.runs_of(self.path)]

    def columns(self, table):
        with contextlib.closing(test_sqlite.connect(self.path)) as database:
            return {row["name"]: row["type"] for row in database.execute('pragma table_info("%s")' % table)}

    def rows(self, table):
        return [{name: value for name, value in row.items() if value is not None}
                for row in test_sqlite.rows_of(self.path, table)]

    def check_types(self, table, kinds):
        assert set(kinds) <= set(self.columns(table))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("provider", ["omni", "convocore"])
@pytest.mark.parametrize("base", [Postgres, Sqlite])
def test_databases(leadpipe, cluster, provider, documented, base, size):
    """Changed, new and gone leads, child rows fewer and more, columns new and gone, under each way of a database at once."""
    (kinds, keys), data = documented, flattened(provider, size)
    database = databases.Database(cluster)
    sinks = [base(leadpipe.folder, database, *way) for way in (FEW_WAYS if size < 1000 else WAYS)]
    words = [word for sink in sinks for word in ("-t", sink.target)]

    def check(sink, night):
        want = nights.after(data, night, sink.mode, sink.deletes, sink.TARGET, kinds, keys)
        return nights.compare(want, sink.read(kinds), keys, sink.target.split(":")[0], sink.mode == "append")

    night_of(leadpipe, data, 0, *words)
    cells = sum(check(sink, 0) for sink in sinks if sink.mode != "replace" and sink.deletes != "delete")
    night_of(leadpipe, data, 1, *words)
    cells += sum(check(sink, 1) for sink in sinks)
    assert cells > (1500 if provider == "omni" else 250) * size
    for sink in sinks:
        for table, columns in kinds.items():
            run_columns = {"_misfits", "_exported_at", "_run_id"}
            if sink.deletes == "mark" and table == "leads":
                run_columns.add("_deleted_at")
            there = sink.columns(table)
            assert len(there) == len(columns) + len(data.schema.tables[table].known) + len(run_columns), (sink.target, table)
            assert run_columns <= set(there)
            sink.check_types(table, columns)
    # Once more the same: nothing is written but what is appended.
    found = night_of(leadpipe, data, 1, *words)
    for sink, said in zip(sinks, found["sinks"]):
        if sink.mode != "append":
            assert (said["inserted"], said["updated"], said["deleted"]) == (0, 0, 0), (sink.target, said)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("provider", ["omni", "convocore"])
def test_parquet(leadpipe, provider, documented, size):
    (kinds, keys), data = documented, flattened(provider, size)
    target = nights.Target("doubles", lambda value, kind: value)
    cells = 0
    for night in range(2):
        night_of(leadpipe, data, night, "-t", "parquet:out/")
        files = read("pyarrow", *[leadpipe.folder / "out" / (table + ".parquet") for table in kinds])
        rows = {table: file[1] for table, file in zip(kinds, files)}
        cells += nights.compare(nights.alone(data, night, target, kinds), rows, keys, "parquet, night %d" % night)
    assert cells > (300 if provider == "omni" else 50) * size
