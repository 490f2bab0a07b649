"""Columns have types: what `leadpipe tables` says of them, and that its SQL creates the tables."""

import json
import sqlite3
import subprocess

import pytest

import recipes
from conftest import BINARY, ROOT, clean_environment
from test_usage import assert_refused

postgres = recipes.postgres
DIALECTS = ("postgres", "sqlite", "bigquery", "snowflake", "redshift", "clickhouse", "duckdb")
LAST = {"_misfits": "json", "_exported_at": "timestamp", "_run_id": "text"}
LONG = "long_" * 25 + "x"  # 126 bytes
RESERVED = ["select", "order", "group", "user", "table", "from", "where", "default", "check", "primary", "column", "values",
            "limit", "desc", "offset", "end", "rowid", "oid", "timestamp", "date", "json", "array", "interval", "current_date"]
ODD = {
    "profile": 1, "name": "odd", "servers": [{"name": "main", "url": "https://odd.example"}],
    "path": "/{shopId}/{id}?lead={leadId}",
    "tables": [
        {"name": "order", "each": "",
         "columns": [{"name": name, "value": "/" + name} for name in RESERVED]
         + [{"name": name, "value": "/" + name} for name in ("xmin", "xmin_2", "ctid", LONG, LONG + "y")]
         + [{"name": "count", "count": "/count/*"}]
         + [{"name": "a_" + kind.replace("-", "_"), "value": "/a_" + kind, "type": kind} for kind in
            ("text", "integer", "number", "boolean", "timestamp", "timestamp-s", "timestamp-ms", "json")]},
        {"name": "union", "each": "/a/*/b/*", "columns": [
            {"name": "of", "position": "/a/*"}, {"name": "id", "value": "/a/*/b/*/id"}, {"name": "again", "position": "/a/*"},
            {"name": "nr", "position": "/a/*/b/*"}]},
        {"name": "no_key", "each": "/c/*/d/*", "columns": [{"name": "nr", "position": "/c/*/d/*"}]},
        {"name": "t" + LONG, "each": "/e/*", "columns": []},
    ],
}
ODD_KEYS = ["provider", "lead_id", "shop_id", "lead_id_2"]
POSTGRES = {"text": "text", "integer": "bigint", "number": "numeric", "boolean": "boolean", "json": "jsonb",
            "timestamp": "timestamp with time zone", "timestamp-s": "timestamp with time zone",
            "timestamp-ms": "timestamp with time zone"}
SQLITE = {"text": "TEXT", "integer": "INTEGER", "number": "REAL", "boolean": "BOOLEAN", "json": "TEXT", "timestamp": "TEXT",
          "timestamp-s": "TEXT", "timestamp-ms": "TEXT"}
DUCKDB = {"text": "VARCHAR", "integer": "BIGINT", "number": "DOUBLE", "boolean": "BOOLEAN", "json": "JSON",
          "timestamp": "TIMESTAMP WITH TIME ZONE", "timestamp-s": "TIMESTAMP WITH TIME ZONE",
          "timestamp-ms": "TIMESTAMP WITH TIME ZONE"}
CLICKHOUSE = {"text": "String", "integer": "Int64", "number": "Float64", "boolean": "Bool", "json": "String",
              "timestamp": "DateTime64(6, 'UTC')", "timestamp-s": "DateTime64(6, 'UTC')", "timestamp-ms": "DateTime64(6, 'UTC')"}


def tables(leadpipe, provider):
    done = leadpipe("tables", provider, "--json")
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return json.loads(done.stdout)


def ddl(leadpipe, provider, dialect):
    done = leadpipe("tables", provider, "--ddl", dialect)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return done.stdout.decode()


@pytest.fixture
def odd(leadpipe):
    (leadpipe.folder / "odd.json").write_text(json.dumps(ODD))
    return "odd.json"


# --- as JSON -------------------------------------------------------------------------------------------

def type_by_name(provider, name):
    """As the types of the built-in providers were decided, column by column."""
    words = {"omni": {"boolean": "did_opt_out is_test is_required", "integer": "size",
                      "json": "group_conditions conditions validation_rules item_override value metadata "
                              "lead_checklist_item_document input output error"},
             "convocore": {"boolean": "completed responded first_engaged second_engaged", "integer": "ts timestamp",
                           "json": "metadata"}}[provider]
    for kind, names in words.items():
        if name in names.split():
            return kind
    if name == "position" or name.endswith(("_position", "_count")):
        return "integer"
    return "timestamp" if name.endswith("_at") else "text"


@pytest.mark.parametrize("provider", ["omni", "convocore"])
def test_built_in(leadpipe, provider):
    import sys
    sys.path.insert(0, str(ROOT / "tests"))
    from reference.documented import KEYS, TABLES
    found = tables(leadpipe, provider)
    assert found["provider"] == provider
    assert {table["name"]: [column["name"] for column in table["columns"]] for table in found["tables"]} == TABLES[provider]
    assert [table["name"] for table in found["tables"]] == list(TABLES[provider])
    for table in found["tables"]:
        for column in table["columns"]:
            assert column["type"] == type_by_name(provider, column["name"]), (table["name"], column)
        positions = [column["name"] for column in table["columns"] if column["name"].endswith("position")]
        assert table["keys"] == KEYS[provider] + positions
        assert table["each"].count("*") == len(positions)


def test_keys_and_pivots(leadpipe, odd):
    found = {table["name"]: table for table in tables(leadpipe, odd)["tables"]}
    assert [table["keys"] for table in found.values()] == [
        [*ODD_KEYS], [*ODD_KEYS, "of", "nr"], [], []]
    assert [first_columns(table) for table in found.values()] == [ODD_KEYS] * 4
    assert "pivots" not in found["order"]
    types = {column["name"]: column["type"] for column in found["order"]["columns"]}
    assert types["a_text"] == types["select"] == "text" and types["count"] == "integer"
    assert [types["a_" + kind.replace("-", "_")] for kind in SQLITE] == list(SQLITE)
    leads = tables(leadpipe, "omni")["tables"][0]
    assert leads["pivots"] == [{"prefix": "checklist_", "key": "/checklistItems/*/items/*/checklistItem/code",
                                "value": "/checklistItems/*/items/*/value"}]
    assert leads["columns"][2] == {"name": "status", "type": "text", "value": "/status"}


# --- as SQL --------------------------------------------------------------------------------------------

def first_columns(table):
    """What every row begins with comes from no payload."""
    return [column["name"] for column in table["columns"] if set(column) == {"name", "type"}]


def wanted(leadpipe, provider, types, text, long_name=lambda name: name, system=()):
    """{table: ([(column, type)], [key column])} as a database should have it."""
    found = {}
    for table in tables(leadpipe, provider)["tables"]:
        columns, names = [], {}
        kinds = [(column["name"], column["type"]) for column in table["columns"]] + list(LAST.items())
        for name, kind in kinds:
            names[name] = long_name(name)
            taken, number = [column for column, _ in columns], 2
            while names[name] in taken or names[name] in system:
                names[name], number = long_name("%s_%d" % (name, number)), number + 1
            columns.append((names[name], text if name in first_columns(table) else types[kind]))
        found[long_name(table["name"])] = (columns, [names[name] for name in table["keys"]])
    return found


def pg_name(name):
    import hashlib
    return name if len(name) <= 63 else "%s_%s" % (name[:54], hashlib.sha256(name.encode()).hexdigest()[:8])


def test_postgresql(leadpipe, odd, postgres, tmp_path):
    def ask(sql):
        done = subprocess.run(["psql", "-X", "-q", "-A", "-t", "-F", "|", "-v", "ON_ERROR_STOP=1"], input=sql.encode(), cwd=tmp_path,
                              env=clean_environment(postgres.env), capture_output=True)
        assert done.returncode == 0 and not done.stderr, done.stderr
        return [line.split("|") for line in done.stdout.decode().splitlines()]

    for provider in ("omni", "convocore", odd):
        schema = provider.split(".")[0]
        ask("create schema %s; set search_path = %s;\n%s" % (schema, schema, ddl(leadpipe, provider, "postgres")))
        found = {}
        for table, column, kind in ask(
                "select table_name, column_name, data_type from information_schema.columns where table_schema = '%s' "
                "order by table_name, ordinal_position" % schema):
            found.setdefault(table, ([], []))[0].append((column, kind))
        for table, column in ask(
                "select t.relname, a.attname from pg_index i join pg_class t on t.oid = i.indrelid "
                "cross join unnest(i.indkey) with ordinality k(n, place) join pg_attribute a on a.attrelid = t.oid and a.attnum = k.n "
                "where i.indisprimary and t.relnamespace = '%s'::regnamespace order by t.relname, k.place" % schema):
            found[table][1].append(column)
        assert found == wanted(leadpipe, provider, POSTGRES, "text", pg_name, ("xmin", "ctid"))
    assert max(len(name) for name in found) == 63


def in_sqlite(sql):
    database = sqlite3.connect(":memory:")
    database.executescript(sql)
    found = {}
    for table, in database.execute("select name from sqlite_master where type = 'table'").fetchall():
        columns = database.execute('pragma table_info("%s")' % table).fetchall()
        keys = sorted((column[5], column[1]) for column in columns if column[5])
        found[table] = ([(column[1], column[2].upper()) for column in columns], [name for _, name in keys])
    return found


@pytest.mark.parametrize("provider", ["omni", "convocore", "odd"])
def test_sqlite(leadpipe, odd, provider):
    name = odd if provider == "odd" else provider
    assert in_sqlite(ddl(leadpipe, name, "sqlite")) == wanted(leadpipe, name, SQLITE, "TEXT")


READ_DUCKDB = '''
import duckdb, json, sys
database = duckdb.connect()
database.execute(sys.stdin.read())
found = {}
for table, column, kind in database.execute("select table_name, column_name, data_type from duckdb_columns() where not internal order by column_index").fetchall():
    found.setdefault(table, [[], []])[0].append([column, kind])
for table, columns in database.execute("select table_name, constraint_column_names from duckdb_constraints() where constraint_type = 'PRIMARY KEY'").fetchall():
    found[table][1] = columns
print(json.dumps(found))
'''

READ_CLICKHOUSE = '''
import chdb.session, json, sys
session = chdb.session.Session()
session.query("create database one engine = Atomic")
session.query("use one")
for statement in sys.stdin.read().split(";\\n"):
    if statement.strip():
        session.query(statement)
found = {}
rows = session.query("select table, name, type, is_in_primary_key from system.columns where database = 'one' order by table, position", "JSONCompactEachRow")
for line in str(rows).splitlines():
    table, column, kind, is_key = json.loads(line)
    found.setdefault(table, [[], []])[0].append([column, kind])
rows = session.query("select name, primary_key, engine from system.tables where database = 'one'", "JSONCompactEachRow")
for line in str(rows).splitlines():
    table, keys, engine = json.loads(line)
    found[table][1] = [key.strip("` ") for key in keys.split(",")] if keys else []
    assert engine == ("ReplacingMergeTree" if keys else "MergeTree"), (table, engine)
print(json.dumps(found))
'''


def read_by(module, script, sql):
    done = subprocess.run([recipes.python_with(module), "-c", script], input=sql, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return {table: ([tuple(column) for column in columns], keys) for table, (columns, keys) in json.loads(done.stdout).items()}


@pytest.mark.nightly
@pytest.mark.parametrize("provider", ["omni", "convocore", "odd"])
def test_duckdb(leadpipe, odd, provider):
    name = odd if provider == "odd" else provider
    assert read_by("duckdb", READ_DUCKDB, ddl(leadpipe, name, "duckdb")) == wanted(leadpipe, name, DUCKDB, "VARCHAR")


@pytest.mark.nightly
@pytest.mark.parametrize("provider", ["omni", "convocore", "odd"])
def test_clickhouse(leadpipe, odd, provider):
    name = odd if provider == "odd" else provider
    want = {}
    for table, (columns, keys) in wanted(leadpipe, name, CLICKHOUSE, "String").items():
        want[table] = ([(column, kind if column in keys + ODD_KEYS or column == "nr" and table == "no_key"
                         else "Nullable(%s)" % kind) for column, kind in columns], keys)
    assert read_by("chdb", READ_CLICKHOUSE, ddl(leadpipe, name, "clickhouse")) == want


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect(leadpipe, odd, dialect):
    """A statement a table, in the order of the tables, with a line for each of its columns."""
    for provider in ("omni", odd):
        statements = ddl(leadpipe, provider, dialect).split(";\n")
        want = tables(leadpipe, provider)["tables"]
        assert statements.pop() == "" and len(statements) == len(want)
        for statement, table in zip(statements, want):
            lines = statement.strip().splitlines()
            assert lines[0].startswith("create table ")
            columns = [line for line in lines[1:] if line[4:5] in ("`", '"')]
            assert len(columns) == len(table["columns"]) + len(LAST)
            assert all(len(line.split()[0]) - 2 <= {"postgres": 63, "redshift": 127}.get(dialect, 300) for line in columns)
            assert ("order by" if dialect == "clickhouse" else "primary key") in statement or not table["keys"]
    quote = '"%s"' if dialect not in ("bigquery", "clickhouse") else "`%s`"
    shown = "LEAD_ID" if dialect == "snowflake" else "lead_id"
    assert quote % shown in statements[0]


def test_types_change_no_bytes(leadpipe, sandbox, tmp_path):
    """Sinks without types write values as they came, also where they do not fit."""
    profile = json.loads(leadpipe("providers", "--show", "omni").stdout)
    (leadpipe.folder / "typed.json").write_text(json.dumps(profile))
    for table in profile["tables"]:
        for column in table["columns"]:
            column.pop("type", None)
    (leadpipe.folder / "plain.json").write_text(json.dumps(profile))
    sinks = ["csv:%s/", "ndjson:%s/a.ndjson", "ndjson,layout=rows:%s/b.ndjson", "msgpack,gzip=0:%s/c.msgpack"]
    ids = ["example", "rich-1", "plain-1", "size9k-1"] + ["lead-%d" % n for n in range(30)]
    words = sandbox.provider("omni")
    for name in ("typed", "plain"):
        (leadpipe.folder / name).mkdir()
        targets = [word for sink in sinks for word in ("-t", sink % name)]
        done = leadpipe("export", *[name + ".json" if word == "omni" else word for word in words], *targets, "-",
                        input="\n".join(ids), env=sandbox.env)
        assert done.returncode == 0, done.stderr
    files = sorted(path.name for path in (leadpipe.folder / "typed").iterdir())
    assert len(files) == 8 + 3
    for file in files:
        assert (leadpipe.folder / "typed" / file).read_bytes() == (leadpipe.folder / "plain" / file).read_bytes()


# --- usage ---------------------------------------------------------------------------------------------

@pytest.mark.parametrize("words, fragments", [
    (["omni", "--ddl", "mysql"], ["--ddl: \"mysql\"", *DIALECTS]),
    (["omni", "--ddl", "Postgres"], ["--ddl: \"Postgres\"", *DIALECTS]),
    (["omni", "--ddl="], ["--ddl: \"\"", *DIALECTS]),
    (["omni", "--ddl"], ["--ddl: missing value", *DIALECTS]),
    (["--ddl", "omni"], ["--ddl: \"omni\""]),
    (["omni", "--json", "--ddl", "sqlite"], ["--json and --ddl cannot be used together"]),
    (["omni", "--json", "--json"], ["--json: given more than once"]),
    (["omni", "--ddl", "sqlite", "--ddl=sqlite"], ["--ddl: given more than once"]),
    (["omni", "--jsn"], ["unknown option --jsn", "--json"]),
    (["omni", "--json=yes"], ["--json: takes no value"]),
    (["--json"], ["tables: missing argument", "PROVIDER"]),
    (["omni", "convocore", "--json"], ["tables: unexpected argument convocore"]),
    (["nobody", "--json"], ["unknown provider \"nobody\"", "convocore", "omni"]),
    (["absent.json", "--ddl", "sqlite"], ["absent.json", "No such file"]),
])
def test_refused(leadpipe, words, fragments):
    assert_refused(leadpipe, leadpipe("tables", *words), *fragments)


def test_help(leadpipe):
    text = leadpipe("help", "tables").stdout.decode()
    assert "--json" in text and "|".join(DIALECTS) in text
    assert max(map(len, text.splitlines())) <= 80


def test_words_in_any_order(leadpipe):
    assert leadpipe("tables", "--json", "omni").stdout == leadpipe("tables", "omni", "--json").stdout != b""
    assert leadpipe("tables", "--ddl=duckdb", "omni").stdout == leadpipe("tables", "omni", "--ddl", "duckdb").stdout != b""


@pytest.mark.parametrize("words", [["--json"], ["--ddl", "sqlite"], []])
def test_full_disk(leadpipe, words):
    with open("/dev/full", "wb") as full:
        done = subprocess.run([leadpipe.binary if hasattr(leadpipe, "binary") else recipes.BINARY, "tables", "omni", *words],
                              stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 1 and done.stderr.startswith(b"leadpipe: standard output: ") and done.stderr.count(b"\n") == 1
