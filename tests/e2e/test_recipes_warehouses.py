"""The recipes of docs/warehouses.md, and those of README.md that are about runs rather than rows: each as it stands there."""

import csv
import gzip
import json
import os
import re
import shutil
import signal
import subprocess

import pytest

import pushes
import recipes
import test_recipes
from crms import crm  # noqa: F401
from kafka_broker import KafkaBroker
from kafka_exports import once
from outputs import ids_file, lines_of, manifest
from runs import wait_until
from test_object_storage import S3Server
from test_recipes import assert_rows, galley, kitchen, server, wanted  # noqa: F401

PAGE = "docs/warehouses.md"
postgres = recipes.postgres


def blocks(title):
    return recipes.blocks(title, PAGE)


# --- by way of Parquet --------------------------------------------------------------------------------

def export(kitchen):
    command, = blocks("Other warehouses")
    kitchen.run(command)


def in_order(rows):
    return sorted(rows, key=lambda row: (row["lead_id"], int(row.get("position") or 0)))


def check(kitchen, python, script):
    """The script prints the rows of the table that it is given, as JSON."""
    (kitchen.folder / "read.py").write_text("import json, sys\n" + script)
    for table, rows in wanted(kitchen).items():
        done = kitchen.run("%s read.py %s" % (python, table))
        found = [json.loads(line, parse_int=str, parse_float=str) for line in done.stdout.split("\n") if line.startswith("{")]
        assert_rows(in_order([{name: test_recipes.as_text(value) for name, value in row.items()} for row in found]), in_order(rows))


def twice_loaded(kitchen, title, module, dump):
    """The second time it replaces what the first one loaded."""
    python = recipes.python_with(module)
    export(kitchen)
    recipe, = blocks(title)
    for _ in range(2):
        kitchen.run(recipe)
    check(kitchen, python, dump)


def test_clickhouse(kitchen):
    kitchen.add_clickhouse()
    twice_loaded(kitchen, "ClickHouse", "chdb", """
import chdb.session
print(chdb.session.Session("leads.clickhouse").query("select * from " + sys.argv[1], "JSONEachRow"))
""")


def test_duckdb(kitchen):
    kitchen.add_duckdb()
    twice_loaded(kitchen, "DuckDB", "duckdb", """
import duckdb
result = duckdb.connect("leads.duckdb").execute("from " + sys.argv[1])
names = [one[0] for one in result.description]
for row in result.fetchall():
    print(json.dumps(dict(zip(names, row))))
""")


def frame_test(kitchen, block, modules, dump, begin=""):
    python = recipes.python_with(*modules)
    export(kitchen)
    check(kitchen, python, begin + block.replace('"out/leads.parquet"', '"out/%s.parquet" % sys.argv[1]') + dump)


def test_pandas(kitchen):
    frame_test(kitchen, blocks("pandas and polars")[0], ["pandas", "pyarrow"], """
for row in leads.to_dict("records"):
    print(json.dumps({name: None if value is pandas.NA else value for name, value in row.items()}))
""")


def test_polars(kitchen):
    frame_test(kitchen, blocks("pandas and polars")[1], ["polars"], """
for row in leads.iter_rows(named=True):
    print(json.dumps(row))
""")


@pytest.mark.nightly
@pytest.mark.skipif(not shutil.which("java"), reason="Java is not installed")
def test_spark(kitchen):
    frame_test(kitchen, blocks("Spark and Databricks")[0], ["pyspark"], """
for row in leads.collect():
    print(json.dumps(row.asDict()))
""", """
from pyspark.sql import SparkSession
spark = (SparkSession.builder.master("local[1]").config("spark.ui.enabled", False).config("spark.sql.caseSensitive", True)
         .getOrCreate())
""")


# --- commands of those that cannot run here --------------------------------------------------------------

def tables_in(folder):
    return sorted(path.stem for path in folder.glob("*.parquet"))


def test_bigquery(kitchen):
    kitchen.add_tool("bq", '#!/bin/sh\nprintf "%s\\n" "$*" >> asked\n')
    export(kitchen)
    kitchen.run(blocks("BigQuery")[0])
    tables = tables_in(kitchen.folder / "out")
    assert len(tables) == 8 and (kitchen.folder / "asked").read_text().splitlines() == [
        "load --replace --source_format=PARQUET omni.%s out/%s.parquet" % (table, table) for table in tables]
    # The first refusal ends it.
    kitchen.add_tool("bq", "#!/bin/sh\necho >> refused\nexit 1\n")
    assert kitchen.run(blocks("BigQuery")[0], check=False).returncode == 1
    assert (kitchen.folder / "refused").read_text() == "\n"


def test_snowflake(kitchen):
    kitchen.add_tool("snow", '#!/bin/sh\n[ "$*" = "sql -f load.sql" ]\n')
    export(kitchen)
    kitchen.run(blocks("Snowflake")[0])
    text = (kitchen.folder / "load.sql").read_text()
    for table in tables_in(kitchen.folder / "out"):
        assert text.count("put 'file://%s/out/%s.parquet'" % (kitchen.folder, table)) == 1
        assert text.count("create or replace table %s using" % table) == text.count("copy into %s from" % table) == 1
    assert text.count("'") % 2 == 0 and text.count("(") == text.count(")")


def shorter(text):
    """Names of 64 bytes, which Redshift takes and PostgreSQL does not."""
    return text.replace(test_recipes.ALIKE, "alike_")


@pytest.mark.skipif(not shutil.which("jq"), reason="jq is not installed")
def test_redshift(kitchen, server, postgres):
    """PostgreSQL takes the statements but for `copy`; the columns are those of the files."""
    command, script = blocks("Redshift")
    (kitchen.folder / "redshift.jq").write_text(script)
    with S3Server(buckets=["warehouse"]) as s3:
        kitchen.add_tool("leadpipe", '#!/bin/sh\nexec "%s" "$@" --base-url %s --s3-endpoint %s --manifest m.json\n'
                         % (recipes.BINARY, server.url, s3.url))
        kitchen.add_tool("psql", '#!/bin/sh\n[ "$*" = "-X -v ON_ERROR_STOP=1 service=redshift" ] && cat > load.sql\n')
        kitchen.run(command, TMPDIR=str(kitchen.folder), **s3.env)
        (kitchen.tools / "psql").unlink()
        objects = set(s3.data("warehouse"))
    text = (kitchen.folder / "load.sql").read_text()
    copies = re.findall(r"^copy \"(\w+)\" from 's3://warehouse/(.*)' iam_role default format as parquet;$", text, re.MULTILINE)
    assert {key for _, key in copies} == objects and len(objects) == 8
    statements = "\n".join(line for line in text.split("\n") if not line.startswith("copy "))
    (kitchen.folder / "create.sql").write_text(shorter(statements))
    for _ in range(2):
        kitchen.run("psql -X -q -v ON_ERROR_STOP=1 -f create.sql", **postgres.env)
    sink, = manifest(kitchen.folder / "m.json")["sinks"]
    for file, (table, key) in zip(sink["files"], copies, strict=True):
        assert file["path"] == "s3://warehouse/" + key
        done = kitchen.run("psql -X -At -c \"select attname from pg_attribute where attrelid = '%s'::regclass and attnum > 0 "
                           "order by attnum\"" % table, **postgres.env)
        assert done.stdout.splitlines() == [shorter(name) for name in file["columns"]]


# --- databases, loaders ----------------------------------------------------------------------------------

def test_the_same_commands_as_in_the_readme():
    assert blocks("PostgreSQL")[0] == recipes.blocks("Into PostgreSQL")[0]
    assert blocks("SQLite")[0] == recipes.blocks("Into SQLite")[0]


def test_files_for_loaders(kitchen):
    recipe, = blocks("Files for loaders")
    kitchen.run(recipe)
    schema = json.loads((kitchen.folder / "out.schema.json").read_text())
    run_id = manifest(kitchen.folder / "out.manifest.json")["run_id"]
    for table, rows in wanted(kitchen).items():
        found = lines_of(kitchen.folder / "out" / (table + ".ndjson"))
        columns, = [[column["name"] for column in one["columns"]] for one in schema["tables"] if one["name"] == table]
        assert len(found) == len(rows)
        for row, wanted_row in zip(found, rows):
            assert row.pop("_run_id") == run_id and row.pop("_exported_at")
            assert [name for name in columns if name in row] == list(row)
            assert {name for name in row} == set(wanted_row)
            assert row.get("large") == wanted_row.get("large") and row.get("line") == wanted_row.get("line")


# --- runs -------------------------------------------------------------------------------------------------

def test_a_job_that_is_killed(galley, sandbox, control):
    """The command, killed in its middle, and the same command again: every lead once, in the file and at the receiver."""
    ids = ["plain-%d" % n for n in range(200)]
    ids_file(galley.folder, ids)
    first, second = re.split("# killed.*\n", recipes.blocks("A job that may be killed")[0].replace(
        "https://crm.example/hook", sandbox.hook("crm")))
    assert first == second
    control.set(faults={"plain-150": "slow=60000"})
    process = subprocess.Popen(["bash", "-c", first], cwd=galley.folder, env=galley.env, stdin=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, start_new_session=True)
    wait_until(lambda: control.attempts("plain-150") > 0, "it is in its middle")
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not list((galley.folder / "out").glob("[a-z]*"))
    control.set(faults={"plain-150": None})
    galley.run(second)
    with open(galley.folder / "out/leads.csv", newline="") as file:
        assert [row["lead_id"] for row in csv.DictReader(file)] == ids
    accepted = {delivery["headers"]["webhook-id"]: delivery for delivery in control.deliveries("crm") if delivery["status"] == 200}
    assert sorted(lead["lead_id"] for delivery in accepted.values() for lead in test_recipes.message_of(delivery)["data"]) == sorted(ids)


def test_only_what_has_changed(galley, sandbox, control):
    ids_file(galley.folder, ["plain-1", "plain-2", "plain-3"])
    command = recipes.blocks("Only what has changed")[0].replace("https://crm.example/hook", sandbox.hook("crm"))
    galley.run(command)
    control.set(revision={"plain-2": 1})
    galley.run(command)
    got = [test_recipes.message_of(delivery)["data"]["lead_id"] for delivery in control.deliveries("crm")]
    assert sorted(got[:3]) == ["plain-1", "plain-2", "plain-3"] and got[3:] == ["plain-2"]


def test_ids_in_a_column(galley):
    line = next(line for block in recipes.blocks("IDs from somewhere else") for line in block.splitlines() if "--id-column" in line)
    with gzip.open(galley.folder / "exported.csv.gz", "wt") as file:
        file.write('name,lead\n"a, ""b""\nc",tiny-1\nd,tiny-2\n')
    galley.run(line)
    with open(galley.folder / "out/leads.csv", newline="") as file:
        assert [row["lead_id"] for row in csv.DictReader(file)] == ["tiny-1", "tiny-2"]


def test_one_agent(tmp_path, sandbox, control):
    kitchen = recipes.Kitchen(tmp_path, sandbox.convocore)
    command = next(block for block in recipes.blocks("Convocore, with several agents") if "AGENT" in block)
    ids_file(tmp_path, ["tiny-1", "tiny-2"])
    kitchen.run(command.replace("export CONVOCORE_API_KEY=...", "").replace("--server na ", ""), CONVOCORE_API_KEY=sandbox.key)
    with open(tmp_path / "out/leads.csv", newline="") as file:
        assert [(row["lead_id"], row["agent_id"]) for row in csv.DictReader(file)] == [("tiny-1", "AGENT"), ("tiny-2", "AGENT")]


def test_parquet(galley):
    ids_file(galley.folder, ["plain-1", "plain-2"])
    command, = recipes.blocks("Parquet")
    galley.run(command)
    python = recipes.python_with("pyarrow")
    done = galley.run("%s -c 'import pyarrow.parquet as p; print(*p.read_table(\"out/leads.parquet\").column(\"lead_id\"))'" % python)
    assert done.stdout == "plain-1 plain-2\n"


def test_into_a_crm(galley, crm):
    """First what would be sent, then the sending; a second night sends what has changed: nothing."""
    command, = recipes.blocks("Into a CRM")
    for target in ("push,preview=-:", "push:"):
        assert target + "hubspot-contacts" in command
        command = command.replace(target, "%s,base-url=%s:" % (target[:-1], crm.url))
    ids_file(galley.folder, ["plain-1", "plain-2"])
    env = {name: str(value) for name, value in pushes.MAKERS["hubspot-contacts"].env.items()}
    done = galley.run(command.replace("export HUBSPOT_TOKEN=...", ""), **env)
    assert "plain-1" in done.stdout and env["HUBSPOT_TOKEN"] not in done.stdout + done.stderr
    sent = len(crm.records("hubspot/contacts"))
    assert sent == 2 and lines_of(galley.folder / "failed.ndjson") == []
    asked = len(crm.requests())
    galley.run(command.splitlines()[-1], **env)
    assert len(crm.requests()) == asked


@pytest.mark.skipif(os.environ.get("LEADPIPE_SANITIZER") == "tsan", reason="it crashes in librdkafka's threads, see tests/python.cmake")
def test_kafka(galley):
    ids_file(galley.folder, ["tiny-1", "tiny-2"])
    command, = recipes.blocks("To Kafka")
    with KafkaBroker() as broker:
        galley.run(command.replace("broker:9092", broker.address))
        once(broker.messages(), ["tiny-1", "tiny-2"])


def test_every_recipe_has_a_test():
    """Each heading of the README's recipes is named in a test."""
    text = recipes.section_with_parts("Recipes")
    tests = "".join(path.read_text() for path in (recipes.ROOT / "tests/e2e").glob("test_*.py"))
    titles = re.findall("^### (.+)$", text, re.M)
    titles.remove("Every night, with systemd")  # test_units.py takes it by its blocks
    assert len(titles) > 15 and [title for title in titles if '"%s"' % title not in tests] == []


@pytest.mark.parametrize("title, page", [("Into object storage", "README.md"), ("Object storage", "docs/object-storage.md")])
def test_object_storage(galley, sandbox, title, page):
    ids_file(galley.folder, ["plain-1", "plain-2"])
    with S3Server(buckets=["warehouse"], region="eu-central-1") as s3:
        galley.add_tool("leadpipe", '#!/bin/sh\nexec "%s" "$@" --base-url %s --s3-endpoint %s\n' % (recipes.BINARY, sandbox.omni, s3.url))
        command = recipes.blocks(title, page)[0].replace(
            "AWS_ACCESS_KEY_ID=... AWS_SECRET_ACCESS_KEY=...", " ".join("'%s=%s'" % pair for pair in s3.env.items()))
        galley.run(command, TMPDIR=str(galley.folder))
        keys = set(s3.data("warehouse"))
    day = {key.split("/")[1] for key in keys}
    assert len(day) == 1 and re.fullmatch(r"dt=\d{4}-\d\d-\d\d", day.pop())
    assert {key.split("/")[2] for key in keys} >= {"leads.csv", "action_logs.csv"} and len(keys) == (9 if "manifest" in command else 8)
