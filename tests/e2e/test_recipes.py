"""Every recipe of README.md, run as it stands there, on data that is made to break it."""

import csv
import json
import shutil
import tempfile
import pathlib

import pytest

import recipes
from outputs import ids_file, lines_of, manifest, message_of, provider_of

csv.field_size_limit(1 << 30)

# 24 leads with 1,000 log entries each. No cell has a quote before row 23,500 of action_logs: who guesses from the first
# rows how a file is written guesses wrong.
LEADS, LOGS, FIRST_QUOTE = 24, 1000, 23_500
DIGITS = "123456789012345678901234567890"
ALIKE = "n" * 63  # names that continue after that
ODD = {
    "phone": "+49 30 0123", "postcode": "01067", "exact": "@DIGITS@", "empty": "", "nothing": None, "line": "one\n\\.\nthree",
    "crlf": "a\r\nb\rc", "tab": "\ta\t", "blanks": "  x  ", "quotes": 'say "yes", "no"', "slash": "a\\b\\", "semicolon": "a;b,c",
    "null_word": "NULL", "na": "NA", "yes": True, "nested": {"a": [1, "x\n\\.\ny"]}, "select": "1", "order": "2", "table": "3",
    "user": "4", ALIKE + "a": "first", ALIKE + "b": "second", "\u00c4rger": "upper", "\u00e4rger": "lower", "umlaut": "\u00fc\u4e2d\U0001f600",
    "large": "3 MB \" " + "x" * 3_000_000,
}


def payload(n):
    logs = []
    for i in range(LOGS):
        text = "entry %d" % i if n * LOGS + i < FIRST_QUOTE else 'entry %d: "so", he said\nand left' % i
        logs.append({"id": "log-%d-%d" % (n, i), "summary": text})
    lead = {"id": "lead-%d" % n, "firstName": "Ada"}
    if n == LEADS - 1:
        lead.update(ODD)
    text = json.dumps({"lead": lead, "actionLogs": logs})
    return text.replace('"@DIGITS@"', DIGITS).encode()


@pytest.fixture(scope="module")
def server():
    payloads = {"lead-%d" % n: payload(n) for n in range(LEADS)}
    with provider_of(lambda path, _: (200, payloads[path.rsplit("/", 1)[1]]) if path.rsplit("/", 1)[1] in payloads
                     else (404, b"{}")) as running:
        yield running


@pytest.fixture
def kitchen(tmp_path, server):
    ids_file(tmp_path, ["lead-%d" % n for n in range(LEADS)])
    return recipes.Kitchen(tmp_path, server.url)


def wanted(kitchen):
    """{table: rows as {column: text or None}} of the same leads, by Python's json from NDJSON."""
    kitchen.run("leadpipe export -q -p omni -t ndjson,layout=rows:wanted.ndjson ids.txt")
    tables = {}
    with open(kitchen.folder / "wanted.ndjson", encoding="utf-8", newline="\n") as file:
        for line in file:
            row = json.loads(line, parse_int=str, parse_float=str, object_pairs_hook=Pairs)
            tables.setdefault(row.pop("_table"), []).append({name: as_text(value) for name, value in row.items()})
    return tables


class Pairs(dict):
    """Of nested values the numbers' digits would become texts: they have none here that matter."""


def as_text(value):
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    return json.loads(json.dumps(value).replace('"1"', "1"))


def same(got, want):
    """A cell; JSON in any spelling."""
    if isinstance(want, (dict, list)):
        return json.loads(got) == want
    return got == want


def assert_rows(rows, want, rename=lambda name: name, empty_is_null=False):
    """`rows` are dicts of texts, with None for NULL; a column that a record has not is NULL."""
    assert len(rows) == len(want)
    for row, wanted_row in zip(rows, want, strict=True):
        named = {rename(name): value for name, value in wanted_row.items()}
        assert set(named) <= set(row), sorted(set(named) - set(row))
        for name, got in row.items():
            value = named.get(name)
            if empty_is_null and value is None:
                value = ""
            assert same(got, value), (name, str(got)[:60], str(value)[:60])


# --- PostgreSQL ----------------------------------------------------------------------------------------

postgres = recipes.postgres


def pg_name(name):
    import hashlib
    return name if len(name.encode()) <= 63 else name[:7] + "_" + hashlib.md5(name.encode()).hexdigest()


def test_postgresql(kitchen, postgres):
    direct, export, load = recipes.blocks("Into PostgreSQL")
    (kitchen.folder / "load.sql").write_text(load)

    def ask(query):
        done = kitchen.run('psql -X -v ON_ERROR_STOP=1 -At -c "%s"' % query.replace('"', '\\"'), **postgres.env)
        return [json.loads(line) for line in done.stdout.split("\n") if line]

    def check(order):
        for table, rows in want.items():
            assert_rows(ask("select row_to_json(t) from omni.%s t order by %s" % (table, order[table])), rows, pg_name)

    want = wanted(kitchen)
    order = {"leads": "substr(lead_id, 6)::int", "action_logs": "substr(lead_id, 6)::int, position::int"}
    kitchen.run(export, **postgres.env)
    check(order)
    # A view on a table survives the next night, and a table that has no rows then is empty.
    kitchen.run("psql -X -v ON_ERROR_STOP=1 -c 'create view omni_names as select lead_id, first_name from omni.leads; "
                "create table omni.old (x text); insert into omni.old values (1)'", **postgres.env)
    kitchen.run(export, **postgres.env)
    check(order)
    assert len(ask("select row_to_json(t) from omni_names t")) == LEADS and ask("select row_to_json(t) from omni.old t") == []
    for _ in range(2):
        kitchen.run(direct.replace("schema=omni", "schema=direct").replace("host=db dbname=dw user=etl", "dbname=postgres"),
                    **postgres.env)
        assert ask("select count(*) as n from direct.action_logs") == ask("select count(*) as n from omni.action_logs") != []
    # It ends at the first failure, with all as it was.
    with open(kitchen.folder / "rows.ndjson", "a") as file:
        file.write('{"_table":"leads","ctid":1}\n')
    failed = kitchen.run("psql -X -v ON_ERROR_STOP=1 -f load.sql", check=False, **postgres.env)
    assert failed.returncode == 3 and "ctid" in failed.stderr
    check(order)


# --- DuckDB, SQLite ------------------------------------------------------------------------------------

def test_duckdb(kitchen):
    kitchen.add_duckdb()
    python = recipes.python_with("duckdb")
    recipe, = recipes.blocks("Into DuckDB")
    for _ in range(2):
        kitchen.run(recipe)
    (kitchen.folder / "read.py").write_text('''
import duckdb, json, sys
result = duckdb.connect("leads.duckdb").execute("from " + sys.argv[1])
names = [one[0] for one in result.description]
assert all(str(one[1]) in ("STRING", "VARCHAR") for one in result.description), result.description
for row in result.fetchall():
    print(json.dumps(dict(zip(names, row))))
''')
    for table, rows in wanted(kitchen).items():
        done = kitchen.run("%s read.py %s" % (python, table))
        assert_rows([json.loads(line) for line in done.stdout.split("\n") if line], rows)


def test_sqlite(kitchen):
    """Every cell, whatever its type: tests/e2e/test_sqlite.py."""
    import sqlite3
    recipe, = recipes.blocks("Into SQLite")
    kitchen.run(recipe)
    with sqlite3.connect(kitchen.folder / "leads.db") as database:
        database.execute("create view names as select lead_id from leads")
    kitchen.run(recipe)
    database.row_factory = sqlite3.Row
    for table, rows in wanted(kitchen).items():
        texts = [name for _, name, kind, *_ in database.execute("pragma table_info(%s)" % table)
                 if kind == "text" and not name.startswith("_") and not name.endswith("_at")]
        found = [dict(row) for row in database.execute("select * from %s order by rowid" % table)]
        assert len(found) == len(rows)
        for row, wanted_row in zip(found, rows, strict=True):
            for name in texts:
                assert same(row[name], wanted_row.get(name)), name
    assert database.execute("select count(*) from names").fetchone()[0] == LEADS


# --- data frames ---------------------------------------------------------------------------------------

def frame_test(kitchen, block, module, dump, **more):
    python = recipes.python_with(module)
    kitchen.run("leadpipe export -q -p omni -t csv:out/ ids.txt")
    for table, rows in wanted(kitchen).items():
        (kitchen.folder / "read.py").write_text(block.replace("out/leads.csv", "out/%s.csv" % table) + dump)
        done = kitchen.run("%s read.py" % python)
        assert_rows([json.loads(line) for line in done.stdout.split("\n") if line.startswith("{")], rows, **more)


def test_pandas(kitchen):
    frame_test(kitchen, recipes.blocks("Into pandas and polars")[0], "pandas", """
import json
for row in leads.to_dict("records"):
    print(json.dumps(row))
""", empty_is_null=True)


def test_polars(kitchen):
    frame_test(kitchen, recipes.blocks("Into pandas and polars")[1], "polars", """
import json
for row in leads.iter_rows(named=True):
    print(json.dumps(row))
""")


@pytest.mark.nightly
@pytest.mark.skipif(not shutil.which("java"), reason="Java is not installed")
def test_spark(kitchen):
    begin = """
from pyspark.sql import SparkSession
spark = (SparkSession.builder.master("local[1]").config("spark.ui.enabled", False).config("spark.sql.caseSensitive", True)
         .getOrCreate())
"""
    frame_test(kitchen, begin + recipes.blocks("Into Spark")[0], "pyspark", """
import json
for row in leads.collect():
    print(json.dumps(row.asDict()))
""")


# --- from the shell -------------------------------------------------------------------------------------

@pytest.fixture
def galley(tmp_path, sandbox, control):
    """A kitchen with the sandbox for a provider."""
    made = recipes.Kitchen(tmp_path, sandbox.omni)
    made.env.update(sandbox.env)
    return made


def test_cron(galley, sandbox):
    """The line as cron reads it: a % is a line end there, unless a backslash stands before it."""
    found = recipes.blocks("Every night, from cron, to CSV")
    lines = [line for block in found for line in block.splitlines() if line[:2] == "0 "]
    assert [line.split(None, 6)[5:] for line in lines[1:]] == [["etl", "/usr/local/bin/leadpipe run -q /etc/leadpipe/nightly.yaml"]]
    words = lines[0].split(None, 6)
    assert words[5] == "etl" and "%" not in words[6].replace("\\%", "")
    command = words[6].replace("\\%", "%").replace("/usr/local/bin/", "")
    for path in ("/srv/leads", "/etc/leadpipe"):
        (galley.folder / path[1:]).mkdir(parents=True)
        command = command.replace(path, str(galley.folder) + path)
    (galley.folder / "etc/leadpipe/omni.key").write_text(sandbox.key + "\n")
    leads = galley.folder / "srv/leads"
    ids_file(leads, ["tiny-%d" % n for n in range(18)] + ["a~missing", "b~status=400"])
    done = galley.run(command, check=False)
    assert done.returncode == 3 and "1 failed" in done.stderr, done.stderr
    assert manifest(leads / "manifest.json")["published"] and len(lines_of(leads / "missing.ndjson")) == 1
    again, = (block for block in found if "csv:again/" in block)
    galley.run(again.replace("/srv/leads", str(leads)), check=False)
    before = (leads / "leads.csv").read_bytes()
    ids_file(leads, ["tiny-%d" % n for n in range(8)] + ["a~missing"])
    done = galley.run(command, check=False)
    assert done.returncode == 3 and "--max-missing" in done.stderr and (leads / "leads.csv").read_bytes() == before


def test_until_it_is_done(galley, control):
    """The loop ends when the run does, however often it was cut off; `sleep` is not waited for."""
    loop = next(block for block in recipes.blocks("A job that may be killed") if block.startswith("for attempt "))
    ids_file(galley.folder, ["tiny-1", "tiny-2~status=429~retryafter=900~times=1", "tiny-3"])
    galley.add_tool("sleep", "#!/bin/sh\necho slept >> slept\n")
    galley.run(loop.replace("...", "-p omni -t ndjson:x.ndjson --retry-max-time 1m"))
    assert [row["lead_id"] for row in lines_of(galley.folder / "x.ndjson")] == ["tiny-1", "tiny-2~status=429~retryafter=900~times=1", "tiny-3"]
    assert (galley.folder / "slept").read_text() == "slept\n"


def test_until_ctrl_c(galley):
    """bash continues a loop whose command handled SIGINT itself, so the recipe has to leave it."""
    galley.add_tool("leadpipe", "#!/bin/sh\nexit 130\n")
    galley.add_tool("sleep", "#!/bin/sh\necho slept >> slept\nkill $PPID\n")
    loop = next(block for block in recipes.blocks("A job that may be killed") if block.startswith("for attempt "))
    galley.run(loop.replace("...", ""))
    assert not (galley.folder / "slept").exists()


def test_until_it_gives_up(galley):
    """What fails every time in the same way, as a wrong password does, is not tried for ever."""
    galley.add_tool("leadpipe", "#!/bin/sh\nexit 1\n")
    galley.add_tool("sleep", "#!/bin/sh\necho slept >> slept\n")
    loop = next(block for block in recipes.blocks("A job that may be killed") if block.startswith("for attempt "))
    galley.run(loop.replace("...", ""), check=False)
    assert (galley.folder / "slept").read_text() == "slept\n" * 60


def test_every_night_into_postgresql(galley, sandbox, control, postgres):
    """A night that is cut off resumes within the night; the next night begins anew, with a list and content of its own."""
    script, = recipes.blocks("Every night, into PostgreSQL")
    for old, new in (("/srv/leads", str(galley.folder)), ("/etc/leadpipe/omni.key", "omni.key"),
                     ("host=db dbname=dw user=etl", "dbname=postgres")):
        assert old in script
        script = script.replace(old, new)
    (galley.folder / "omni.key").write_text(sandbox.key + "\n")
    (galley.folder / "nightly.sh").write_text(script)
    galley.add_tool("sleep", "#!/bin/sh\necho $1 >> slept\n")
    cut_off = "tiny-2~status=429~retryafter=900~times=%d"

    def night(ids, status=0):
        (galley.folder / "slept").unlink(missing_ok=True)
        ids_file(galley.folder, ids)
        done = galley.run("sh nightly.sh", check=False, **postgres.env)
        assert done.returncode == status, done.stderr
        slept = (galley.folder / "slept").read_text() if (galley.folder / "slept").exists() else ""
        found = galley.run("psql -X -At -c 'select lead_id, _exported_at from omni.leads order by lead_id'", check=False, **postgres.env)
        return slept.count("\n"), dict(line.split("|") for line in found.stdout.splitlines())

    assert night(["tiny-1", cut_off % 9, "tiny-3"], status=1) == (5, {})
    control.reset()
    control.set(revision_all=1)
    slept, second = night(["tiny-1", "tiny-3", cut_off % 1, "tiny-4"])
    assert slept == 1 and sorted(second) == ["tiny-1", cut_off % 1, "tiny-3", "tiny-4"]
    assert control.attempts("tiny-1") >= 1  # not what the first night had fetched
    slept, third = night(["tiny-1", "tiny-3"])
    assert slept == 0 and third == second  # the same content: nothing is written


@pytest.mark.skipif(not shutil.which("jq"), reason="jq is not installed")
def test_by_hand(galley):
    by_hand = next(line for block in recipes.blocks("IDs from somewhere else") for line in block.splitlines() if "jq" in line)
    done = galley.run(by_hand)
    assert '"lead_id": "a9d0a790"' in done.stdout and '"lead_id": "b1c2d3e4"' in done.stdout


def test_ids_of_a_database(galley, postgres):
    script = recipes.blocks("IDs from somewhere else")[0].replace("select count(*) ...", "select count(*) from leads")
    galley.run("psql -X -c \"create table leads as select 'tiny-' || n as id, now() as updated from generate_series(1, 5) n\"",
               **postgres.env)
    galley.run(script, **postgres.env)
    galley.run("gunzip leads.ndjson.gz")
    assert sorted(row["lead_id"] for row in lines_of(galley.folder / "leads.ndjson")) == ["tiny-%d" % n for n in range(1, 6)]


def test_several_agents(tmp_path, sandbox, control):
    galley = recipes.Kitchen(tmp_path, sandbox.convocore)
    found = recipes.blocks("Convocore, with several agents")
    table, command = next(one for one in found if one.startswith("id,")), found[-1]
    (tmp_path / "leads.csv").write_text(table)
    galley.run(command.replace("--server na ", ""), CONVOCORE_API_KEY=sandbox.key)
    rows = list(csv.DictReader((tmp_path / "out/leads.csv").read_text().splitlines()))
    assert [(row["lead_id"], row["agent_id"]) for row in rows] == [("lead-1", "agent-a"), ("lead-2", "agent-b")]


def test_several_outputs(galley, sandbox, control):
    ids_file(galley.folder, ["tiny-1", "tiny-2"])
    command, = recipes.blocks("Several outputs at once")
    galley.run(command.replace("https://crm.example/hook", sandbox.hook("crm")))
    assert (galley.folder / "out/leads.csv").exists() and (galley.folder / "leads.msgpack.gz").exists()
    assert len(message_of(control.deliveries("crm")[0])["data"]) == 2


def test_receiver_verifies(galley, sandbox, control):
    """With the library that the recipe names."""
    command, receiver = recipes.blocks("To a webhook, and verify the signature")
    python = recipes.python_with("standardwebhooks")
    secret = "whsec_c2VjcmV0LXRoYXQtbm9ib2R5LXNlZXM="
    ids_file(galley.folder, ["tiny-1"])
    galley.run(command.replace("whsec_...", secret).replace("https://crm.example/hooks/leads", sandbox.hook("crm")))
    one, = control.deliveries("crm")
    (galley.folder / "verify.py").write_text("""
import base64, json, sys, types
one = json.load(sys.stdin)
secret = %r
request = types.SimpleNamespace(body=base64.b64decode(one["body_base64"]), headers=one["headers"])
%s
print(event["data"]["lead_id"])
""" % (secret, receiver))
    (galley.folder / "one.json").write_text(json.dumps(one))
    assert galley.run("%s verify.py < one.json" % python).stdout == "tiny-1\n"
