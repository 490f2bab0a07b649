"""The key of a row: what it begins with, and its positions. No two rows of a table have the same, whatever the
payloads are, and also where the same ID is requested with several parameters."""

import csv
import json

import msgpack
import pytest

from outputs import check, lines_of, message_of

AGENTS = ("agent-1", "agent-2", "7", "=1+1", "a b,c")


@pytest.fixture
def ids(leadpipe):
    names = ["example", "plain-1", "rich-1"] + ["lead-%d" % n for n in range(25)]
    rows = [(name, agent) for name in names for agent in AGENTS]
    with open(leadpipe.folder / "ids.csv", "w", newline="") as file:
        csv.writer(file).writerows([("id", "agentId"), *rows])
    return rows


def keys_of(leadpipe, provider):
    """{table: the columns of its key}"""
    found = json.loads(leadpipe("tables", provider, "--json").stdout)
    return {table["name"]: table["keys"] for table in found["tables"]}


def assert_unique(rows, keys):
    found = [tuple(row[key] for key in keys) for row in rows]
    assert len(set(found)) == len(found) and all(None not in key and "" not in key for key in found)
    return found


def test_an_id_with_several_parameters(leadpipe, sandbox, control, ids):
    done = leadpipe("export", "-p", "convocore", "--base-url", sandbox.convocore, "-t", "csv:out/", "-t", "ndjson:lead.ndjson",
                    "-t", "ndjson,layout=rows:rows.ndjson", "-t", "msgpack,layout=rows,gzip=0:rows.msgpack",
                    "-t", "csv,excel-safe:safe.csv", "-t", "webhook,concurrency=1:" + sandbox.hook("agents"), "ids.csv", env=sandbox.env)
    assert done.returncode == 0, done.stderr
    folder, keys = leadpipe.folder, keys_of(leadpipe, "convocore")
    assert all(names[:3] == ["provider", "lead_id", "agent_id"] for names in keys.values())
    rows = lines_of(folder / "rows.ndjson")
    with open(folder / "rows.msgpack", "rb") as file:
        packed = list(msgpack.Unpacker(file))
    assert len(packed) == len(rows)
    for table, names in keys.items():
        of_table = [row for row in rows if row["_table"] == table]
        found = assert_unique(of_table, names)
        assert all(list(row)[1:4] == names[:3] for row in of_table) and len(of_table) > len(AGENTS)
        assert found == assert_unique([row for row in packed if row["_table"] == table], names)
        with open(folder / "out" / (table + ".csv"), newline="") as file:
            assert [tuple(map(str, key)) for key in found] == assert_unique(csv.DictReader(file), names)
    leads = lines_of(folder / "lead.ndjson")
    assert [(lead["lead_id"], lead["agent_id"]) for lead in leads] == ids
    delivered = [message_of(one)["data"] for one in control.deliveries("agents")]
    assert sorted((lead["lead_id"], lead["agent_id"]) for lead in delivered) == sorted(ids)
    assert not any("agent_id" in row for lead in leads for row in lead["crm_activities"] + lead["crm_activity_notes"])
    assert not any(lead.get("agent_id_2") == lead["agent_id"] for lead in leads)
    with open(folder / "safe.csv", newline="") as file:
        guarded = {row["agent_id"] for row in csv.DictReader(file)}
    assert guarded == {"agent-1", "agent-2", "7", "'=1+1", "a b,c"}
    check(folder, "convocore", "ids.csv", "--agent-id", "none", csv="out", ndjson="lead.ndjson", ndjson_rows="rows.ndjson",
          msgpack_rows="rows.msgpack")


@pytest.mark.parametrize("provider", ["omni", "convocore"])
def test_rows_of_odd_leads(leadpipe, sandbox, control, provider):
    words = sandbox.provider(provider)
    ids = "\n".join(["example"] + ["lead-%d" % n for n in range(300)])
    done = leadpipe("export", *words, "-t", "ndjson,layout=rows:rows.ndjson", "-", input=ids, env=sandbox.env)
    assert done.returncode == 0, done.stderr
    rows, keys = lines_of(leadpipe.folder / "rows.ndjson"), keys_of(leadpipe, provider)
    assert {row["_table"] for row in rows} == set(keys)
    for table, names in keys.items():
        assert_unique([row for row in rows if row["_table"] == table], names)
