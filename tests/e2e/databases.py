"""A PostgreSQL cluster of the tests' own, and its tables next to what they should hold."""

import decimal
import hashlib
import itertools
import json
import subprocess
import sys
import time

import recipes
from conftest import ROOT, clean_environment

sys.path.insert(0, str(ROOT / "tests"))
from reference import readers, typed  # noqa: E402

NUMBER = itertools.count(1)
RUN_COLUMNS = {"_misfits", "_exported_at", "_run_id"}
TARGET = typed.TARGETS["postgres"]
TIMES = ("timestamp", "timestamp-s", "timestamp-ms")


class Database:
    """One database of a running cluster."""

    def __init__(self, cluster):
        self.cluster, self.name = cluster, "t%d" % next(NUMBER)
        self.env = clean_environment({**cluster.env, "PGDATABASE": "postgres"})
        self.run("create database %s" % self.name)
        self.env["PGDATABASE"] = self.name

    def conninfo(self, user="etl"):
        return "host=%s user=%s dbname=%s" % (self.cluster.env["PGHOST"], user, self.name)

    def target(self, options="", user="etl"):
        return "postgres%s:%s" % ("," + options if options else "", self.conninfo(user))

    def start(self, sql, **popen):
        return subprocess.Popen(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-At", "-f", "-"], env=self.env,
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **popen), sql

    def run(self, sql, timeout=60):
        process, text = self.start(sql)
        out, errors = process.communicate(text, timeout=timeout)
        assert process.returncode == 0, errors
        return out

    def ask(self, sql, nulls=True):
        """Rows as dicts, with numbers as decimals."""
        row = "row_to_json(lp_row)" if nulls else "json_strip_nulls(row_to_json(lp_row))"
        # In hexadecimal: psql leaves out what it takes for no character.
        out = self.run("set timezone to 'UTC'; select encode(convert_to(%s::text, 'UTF8'), 'hex') from (%s) lp_row" % (row, sql))
        return [decimals(bytes.fromhex(line).decode()) for line in out.split("\n") if line]

    def value(self, sql):
        return self.run(sql).strip()

    def columns(self, table, schema="public"):
        """{column: type}"""
        return {row["name"]: row["type"] for row in self.ask(
            "select attname as name, format_type(atttypid, atttypmod) as type from pg_attribute where attnum > 0 "
            "and not attisdropped and attrelid = '%s.\"%s\"'::regclass order by attnum" % (schema, table))}

    def all_columns(self, schema="public"):
        """{table: {column: type}}"""
        found = {}
        for row in self.ask("select relname as table, attname as name, format_type(atttypid, atttypmod) as type from pg_attribute "
                            "join pg_class on attrelid = pg_class.oid where attnum > 0 and not attisdropped and relkind = 'r' "
                            "and relnamespace = '%s'::regnamespace order by attnum" % schema):
            found.setdefault(row["table"], {})[row["name"]] = row["type"]
        return found

    def rows(self, table, schema="public", nulls=True, columns=None):
        """Times as microseconds since 1970, numerics and json as text."""
        picked = []
        for name, kind in (columns or self.columns(table, schema)).items():
            quoted = '"%s"' % name.replace('"', '""')
            how = {"timestamp with time zone": "((extract(epoch from %s) * 1000000)::bigint)::text", "numeric": "%s::text",
                   "bigint": "%s::text", "jsonb": "%s::text"}.get(kind, "%s")
            picked.append("%s as %s" % (how % quoted, quoted))
        return self.ask('select %s from %s."%s"' % (", ".join(picked), schema, table), nulls)

    def dump(self, schema="public"):
        """Everything that others see, to show that nothing changed."""
        tables = [row["name"] for row in self.ask(
            "select relname as name from pg_class where relnamespace = '%s'::regnamespace and relkind = 'r' "
            "and relname !~ '^_leadpipe' order by 1" % schema)]
        return {table: (self.columns(table, schema), sorted(json.dumps(row, default=str, sort_keys=True)
                                                            for row in self.rows(table, schema))) for table in tables}

    def staging(self):
        return [row["name"] for row in self.ask("select relname as name from pg_class where relkind = 'r' and "
                                                "relname ~ '^_leadpipe_[0-9a-f]{16}_'")]

    def runs(self, schema="public"):
        """Empty before the first run has made the table."""
        if self.ask("select to_regclass('%s._leadpipe_runs') is null as missing" % schema)[0]["missing"]:
            return []
        return self.ask("select * from %s._leadpipe_runs order by started_at, token" % schema)


def name_of(column):
    """As the database has it: 63 bytes."""
    text = column.encode()
    if len(text) > 63:
        cut = 54
        while text[cut] & 0xC0 == 0x80:
            cut -= 1
        column = text[:cut].decode() + "_" + hashlib.sha256(text).hexdigest()[:8]
    return column + "_2" if column in ("tableoid", "xmin", "cmin", "xmax", "cmax", "ctid") else column


def types_of(leadpipe, provider):
    """{table: ({column: type}, keys)} as the program documents them."""
    done = leadpipe("tables", provider, "--json")
    assert done.returncode == 0
    tables = json.loads(done.stdout)["tables"]
    return {table["name"]: ({column["name"]: column["type"] for column in table["columns"]},
                            [column["name"] for column in table["columns"] if column["name"] in table["keys"]])
            for table in tables}


def decimals(text):
    return json.loads(text, parse_int=decimal.Decimal, parse_float=decimal.Decimal)


def expected_of(path, provider, types, all_text=False):
    """{table: {key: {column: value}}} from NDJSON rows, by the reference's own types."""
    tables = {}
    for number, text in readers._ndjson_lines(path, None):
        row = readers._ndjson_object(path, number, text)
        table = row.pop("_table")
        kinds, keys = types[table]
        found, misfits = {}, {}
        for column, value in row.items():
            kind = "text" if all_text else kinds.get(column, "text")
            cell = typed.typed(value, kind, TARGET)
            if cell is typed.MISFIT:
                misfits[name_of(column)] = value
                cell = None
            if kind == "json" and cell is not None:
                cell = decimals(cell)
            elif kind == "number" and cell is not None:
                cell = decimal.Decimal(cell)
            elif cell is not None and kind in TIMES + ("integer",):
                cell = str(cell)
            found[name_of(column)] = cell
        text = typed.misfits(misfits, TARGET)
        found["_misfits"] = decimals(text) if text else None
        tables.setdefault(table, {})[tuple(str(row[key]) for key in keys)] = found
    return tables


def check_tables(database, expected, types, schema="public", prefix="", run_id=None):
    """Every cell of every table."""
    cells = 0
    for table, (kinds, keys) in types.items():
        wanted = expected.get(table, {})
        columns = database.columns(prefix + table, schema)
        got = {tuple(str(row[key]) for key in keys): row for row in database.rows(prefix + table, schema)}
        assert set(got) == set(wanted), (table, sorted(set(got) ^ set(wanted))[:5])
        for key, row in got.items():
            want = wanted[key]
            assert set(want) <= set(row) | {"_misfits"}, (table, sorted(set(want) - set(row)))
            for column, value in row.items():
                if column in ("_exported_at", "_run_id", "_deleted_at"):
                    continue
                if value is not None and columns[column] == "jsonb":
                    value = decimals(value)
                elif value is not None and columns[column] == "numeric":
                    value = decimal.Decimal(value)
                assert value == want.get(column), (table, key, column, value, want.get(column))
                cells += 1
            assert row["_run_id"] and row["_exported_at"]
            assert run_id is None or row["_run_id"] == run_id
    return cells


def postgres_cluster():
    yield from recipes.postgres_cluster()


def wait_until(condition, seconds=30):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


YOUR_TABLES = ROOT / "docs" / "warehouses.md"


def moved_to_its_name(wanted, table="leads"):
    """The statements that "Your tables" gives, for another column."""
    text = YOUR_TABLES.read_text()
    begin = text.index("    alter table leads rename column note to my_note;")
    return text[begin:text.index("\n\n", begin)].replace("note", wanted).replace("'leads'", "'%s'" % table)


def expect_user_columns_kept(ask, run, night, stderr_of):
    """Of a table that had the columns when leadpipe first wrote to it (`late_note`, `late_free`), or got one later (`added`):
    what the user has written there stays when a payload has members of these names; a column without values is used."""
    night({})
    run("update leads set late_note = 'user''s'; alter table leads add column added text")
    run("update leads set added = 'also'")
    night({"lateNote": "new", "lateFree": "free", "added": "more"})
    row = ask("select late_note, late_note_2, late_free, added, added_2 from leads where lead_id = 'L1'")
    assert row == {"late_note": "user's", "late_note_2": "new", "late_free": "free", "added": "also", "added_2": "more"}
    said = [line for line in stderr_of().splitlines() if "is yours" in line]
    assert len(said) == 2 and all("table leads: the column %s is yours" % name in text and "to %s_2 " % name in text
                                  for name, text in zip(("late_note", "added"), sorted(said, key=lambda text: "added" in text))), said
    night({"lateNote": "newer", "lateFree": None, "added": "more"})
    assert "is yours" not in stderr_of()
    row = ask("select late_note, late_note_2, late_free from leads where lead_id = 'L1'")
    assert row == {"late_note": "user's", "late_note_2": "newer", "late_free": None}
    run(moved_to_its_name("late_note"))
    night({"lateNote": "newest"})
    assert ask("select my_late_note, late_note from leads where lead_id = 'L1'") == {"my_late_note": "user's", "late_note": "newest"}
