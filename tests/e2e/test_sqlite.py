"""The sink "sqlite", read by Python's own SQLite: every cell, second nights, kills at any place."""

import datetime
import json
import os
import signal
import sqlite3
import sys
import threading
import time

import pytest

import databases
import outputs
import rigs
from conftest import ROOT

sys.path.insert(0, str(ROOT / "tests"))
from reference import readers, typed  # noqa: E402

TARGET = typed.TARGETS["doubles"]
TIMES = ("timestamp", "timestamp-s", "timestamp-ms")
RUN_COLUMNS = ("_exported_at", "_run_id", "_deleted_at")
KEY = {"OMNI_API_KEY": "k"}


# --- what there should be, and what there is --------------------------------------------------------

def tables_of(leadpipe, provider):
    """{table: ({column: type}, keys)}"""
    tables = json.loads(leadpipe("tables", provider, "--json").stdout)["tables"]
    return {table["name"]: ({column["name"]: column["type"] for column in table["columns"]}, table["keys"])
            for table in tables}


def time_text(us):
    seconds, us = divmod(us, 10**6)
    t = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=seconds)
    return t.strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0") + ".%06dZ" % us


def cell_of(value, kind):
    cell = typed.typed(value, kind, TARGET)
    if kind in TIMES and cell is not None and cell is not typed.MISFIT:
        return time_text(cell)
    return int(cell) if kind == "boolean" and cell is not None and cell is not typed.MISFIT else cell


def expected(leadpipe, path, provider, all_text=False):
    """{table: {key: {column: value}}} of NDJSON rows, by the reference's own types."""
    types = tables_of(leadpipe, provider)
    tables = {name: {} for name in types}
    for number, text in readers._ndjson_lines(path, None):
        row = readers._ndjson_object(path, number, text)
        table = row.pop("_table")
        kinds, keys = types[table]
        found, misfits = {}, {}
        for column, value in row.items():
            found[column] = cell_of(value, "text" if all_text else kinds.get(column, "text"))
            if found[column] is typed.MISFIT:
                misfits[column], found[column] = value, None
        if not all_text:
            found["_misfits"] = typed.misfits(misfits, TARGET)
        tables[table][tuple(str(found[key]) for key in keys)] = found
    return tables


def connect(path, **more):
    # Not read-only: who may not write leaves -wal and -shm behind.
    database = sqlite3.connect("file:%s?mode=rw" % path, uri=True, **more)
    database.row_factory = sqlite3.Row
    return database


def rows_of(path, table, order=""):
    database = connect(path)
    try:
        return [dict(row) for row in database.execute('select * from "%s" %s' % (table, order))]
    finally:
        database.close()


def check_tables(leadpipe, path, want, provider):
    cells = 0
    for table, (_, keys) in tables_of(leadpipe, provider).items():
        got = {tuple(str(row[key]) for key in keys): row for row in rows_of(path, table)}
        assert set(got) == set(want[table]), table
        for key, row in got.items():
            assert set(want[table][key]) - {"_misfits"} <= set(row), (table, key)
            for column, value in row.items():
                if column in RUN_COLUMNS:
                    continue
                wanted = want[table][key].get(column)
                assert (type(value), value) == (type(wanted), wanted), (table, key, column, value, wanted)
                cells += 1
            assert row["_run_id"] and row["_exported_at"]
    return cells


def dump(path):
    """All tables but those of the sink, and without what says which run it was."""
    database = connect(path)
    try:
        names = [name for name, in database.execute("select name from sqlite_master where type = 'table' and name not like "
                                                    "'\\_leadpipe%' escape '\\' and name not like 'sqlite%' order by 1")]
        return {name: sorted(json.dumps({column: row[column] for column in row.keys() if column not in ("_run_id", "_exported_at")},
                                        sort_keys=True) for row in database.execute('select * from "%s"' % name)) for name in names}
    finally:
        database.close()


def runs_of(path):
    return rows_of(path, "_leadpipe_runs", "order by rowid")


def no_junk(folder, *names):
    assert sorted(p.name for p in folder.iterdir() if "leads.db" in p.name) == sorted(names)


# --- payloads of the test's own ---------------------------------------------------------------------

def payload(number, **more):
    lead = {"id": "L%d" % number, "email": "a%d@example.com" % number, "isTest": number % 2 == 0, "createdAt": "2026-01-02T03:04:05+01:00"}
    body = {"status": "NEW", "lead": {**lead, **more}, "documents": [{"id": "d%d" % k, "size": k} for k in range(number % 4)],
            "matchingLeads": [{"id": "m"}]}
    return json.dumps(body).encode()


class Night:
    """A provider whose leads a test changes, and the command that exports them."""

    def __init__(self, leadpipe, server, payloads, ids):
        self.leadpipe, self.server, self.payloads, self.ids = leadpipe, server, payloads, ids
        self.path = leadpipe.folder / "leads.db"

    def arguments(self, options="", *more):
        outputs.ids_file(self.leadpipe.folder, self.ids)
        return ["export", "-p", "omni", "--base-url", self.server.url, "-t", "sqlite%s:leads.db" % (options and "," + options),
                "--manifest", "m.json", *more, "ids.txt"]

    def run(self, options="", *more, status=0, timeout=60):
        done = self.leadpipe(*self.arguments(options, *more), env=KEY, timeout=timeout)
        assert done.returncode == status, done.stderr
        self.manifest = outputs.manifest(self.leadpipe.folder / "m.json") if status in (0, 3) else None
        self.stderr = done.stderr
        return self.manifest and self.manifest["sinks"][0]


@pytest.fixture
def night(leadpipe):
    payloads = {"L%d" % n: payload(n) for n in range(40)}
    with outputs.provider_of(outputs.omni_payloads(payloads)) as server:
        yield Night(leadpipe, server, payloads, sorted(payloads))


# --- every cell ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("provider", ["omni", "convocore"])
@pytest.mark.parametrize("types", ["typed", "text"])
def test_every_cell(leadpipe, sandbox, control, provider, types):
    ids = ["plain-%d" % n for n in range(30)] + ["odd-%d" % n for n in range(40)] 
    outputs.ids_file(leadpipe.folder, ids)
    done = leadpipe("export", *sandbox.provider(provider), "-t", "sqlite,types=%s:leads.db" % types,
                    "-t", "ndjson,layout=rows:rows.ndjson", "ids.txt", env=sandbox.env)
    assert done.returncode == 0, done.stderr
    outputs.check(leadpipe.folder, provider, "ids.txt", ndjson_rows="rows.ndjson")
    want = expected(leadpipe, leadpipe.folder / "rows.ndjson", provider, types == "text")
    assert check_tables(leadpipe, leadpipe.folder / "leads.db", want, provider) > 3000
    no_junk(leadpipe.folder, "leads.db")


def test_misfits_are_kept_and_counted(night):
    night.payloads["L1"] = payload(1, isTest="no", createdAt="yesterday", business_name="x")
    night.payloads["L2"] = payload(2, isTest=1)
    night.run()
    found = {row["lead_id"]: row for row in rows_of(night.path, "leads")}
    assert json.loads(found["L1"]["_misfits"]) == {"created_at": "yesterday", "is_test": "no"}
    assert found["L1"]["is_test"] is None and found["L0"]["_misfits"] is None and found["L0"]["is_test"] == 1
    counted = {m["column"]: m["count"] for m in night.manifest["sinks"][0]["misfits"]}
    assert counted == {"created_at": 1, "is_test": 2}


def test_hostile_names_and_values(night):
    evil = "x\"; drop table leads; --"
    night.payloads["L1"] = payload(1, **{evil: "'); drop table leads; --", "rowid": "r", "select": "s", "é\"": 1, "a" * 300: "long"})
    night.run()
    row = {row["lead_id"]: row for row in rows_of(night.path, "leads")}["L1"]
    assert "'); drop table leads; --" in row.values() and row["rowid"] == "r" and row["select"] == "s" and row["a" * 300] == "long"
    assert len(rows_of(night.path, "leads")) == 40


# --- second nights --------------------------------------------------------------------------------------

def change_everything(night):
    """Changed, new, gone; child rows fewer and more; a new column."""
    night.payloads["L1"] = payload(1, email="new@example.com", newField="n")
    night.payloads["L3"] = json.dumps({"status": "NEW", "lead": json.loads(payload(3))["lead"], "documents": [], "matchingLeads": []}).encode()
    night.payloads["L5"] = json.dumps({**json.loads(payload(5)), "documents": [{"id": "z", "size": n} for n in range(6)]}).encode()
    night.payloads["L40"] = payload(40)
    night.ids = night.ids + ["L40"]
    del night.payloads["L7"], night.payloads["L8"]


@pytest.mark.parametrize("deletes", ["ignore", "mark", "delete"])
def test_a_second_night(night, deletes):
    first = night.run("deletes=" + deletes)
    assert first["inserted"] > 100 and first["updated"] == first["deleted"] == first["gone"] == 0
    before = {row["lead_id"]: row for row in rows_of(night.path, "leads")}
    change_everything(night)
    second = night.run("deletes=" + deletes)
    after = {row["lead_id"]: row for row in rows_of(night.path, "leads")}
    assert night.manifest["ledger"]["missing"] == night.manifest["ledger"]["gone"] == second["gone"] == 2
    assert "2 of the missing leads" in night.stderr
    run_id = night.manifest["run_id"]
    written = {lead for lead, row in after.items() if row["_run_id"] == run_id}
    assert written == {"L1", "L3", "L5", "L40"} | ({"L7", "L8"} if deletes == "mark" else set())
    same = set(before) - written - {"L7", "L8"}
    assert all(after[lead]["_run_id"] == before[lead]["_run_id"] and after[lead]["_exported_at"] == before[lead]["_exported_at"]
               for lead in same)
    assert after["L1"]["new_field"] == "n" and after["L2"]["new_field"] is None and after["L1"]["email"] == "new@example.com"
    documents = {}
    for row in rows_of(night.path, "documents"):
        documents.setdefault(row["lead_id"], []).append(row)
    assert "L3" not in documents and len(documents["L5"]) == 6 and len(documents["L2"]) == 2
    if deletes == "delete":
        assert not {"L7", "L8"} & set(after) and "L7" not in documents
    else:
        assert len(documents["L7"]) == 3
        assert [bool(after[lead].get("_deleted_at")) for lead in ("L7", "L8", "L9")] == [deletes == "mark"] * 2 + [False]
    # A third night with the same answers changes nothing, and counts those that stay once more.
    third = night.run("deletes=" + deletes)
    assert third["inserted"] == third["updated"] == third["deleted"] == 0
    assert third["gone"] == (2 if deletes == "ignore" else 0)
    # They come back as they were.
    night.payloads["L7"] = payload(7)
    night.run("deletes=" + deletes)
    back = {row["lead_id"]: row for row in rows_of(night.path, "leads")}["L7"]
    assert not back.get("_deleted_at") and back["email"] == "a7@example.com"
    assert len([row for row in rows_of(night.path, "documents") if row["lead_id"] == "L7"]) == 3
    assert [run["status"] for run in runs_of(night.path)] == ["done"] * 4


def test_only_changed_leads_that_come_back(night):
    """--changed-only: what was deleted is sent again, though its content is what it was."""
    changed = ("--state", "s", "--changed-only")
    night.run("deletes=delete", *changed)
    gone = night.payloads.pop("L7")
    night.run("deletes=delete", *changed)
    assert night.manifest["ledger"]["unchanged"] == 39
    night.payloads["L7"] = gone
    night.run("deletes=delete", *changed)
    assert night.manifest["ledger"]["exported"] == 1 and len(rows_of(night.path, "leads")) == 40


def test_append_keeps_every_run(night):
    night.run("mode=append")
    change_everything(night)
    night.run("mode=append")
    rows = rows_of(night.path, "leads")
    assert len(rows) == 40 + 39 and len({row["_run_id"] for row in rows}) == 2
    assert len([row for row in rows if row["lead_id"] == "L1"]) == 2


def test_replace_holds_one_run(night):
    night.run()
    change_everything(night)
    night.ids = ["L1", "L40", "L7"]
    night.run("mode=replace")
    assert {row["lead_id"] for row in rows_of(night.path, "leads")} == {"L1", "L40"}
    assert {row["lead_id"] for row in rows_of(night.path, "documents")} == {"L1"}
    # A lead that is the same keeps its run.
    night.run("mode=replace")
    assert len({row["_run_id"] for row in rows_of(night.path, "leads")}) == 1


# --- the guard --------------------------------------------------------------------------------------------

@pytest.mark.parametrize("deletes", ["mark", "delete"])
@pytest.mark.parametrize("state", [(), ("--state", "s")])
def test_too_many_gone(night, deletes, state):
    night.run("deletes=" + deletes)
    before = night.path.read_bytes()
    for number in range(20, 25):
        del night.payloads["L%d" % number]
    night.run("deletes=" + deletes, "-t", "csv:out.csv", "--max-gone", "4", *state, status=3)
    assert night.path.read_bytes() == before and not (night.leadpipe.folder / "out.csv").exists()
    assert "5 of the 40 leads" in night.stderr and "at most 4" in night.stderr and "--max-gone 100%" in night.stderr
    assert not night.manifest["published"] and night.manifest["sinks"][0]["gone"] == night.manifest["ledger"]["gone"] == 5
    assert night.manifest["sinks"][0]["deleted"] == 0
    no_junk(night.leadpipe.folder, "leads.db")
    night.run("deletes=" + deletes, "--max-gone", "10%", *state, status=3)
    night.run("deletes=" + deletes, "--max-gone", "100%", *state)
    left = [row for row in rows_of(night.path, "leads") if not row.get("_deleted_at")]
    assert len(left) == 35


def test_ignored_leads_need_no_guard(night):
    night.run()
    for number in range(20, 25):
        del night.payloads["L%d" % number]
    assert night.run("", "--max-gone", "0")["gone"] == 5
    assert len(rows_of(night.path, "leads")) == 40


# --- tables of the user's -------------------------------------------------------------------------------------

def test_a_users_table(night):
    """Its own columns, view and types stay; columns that are missing are added."""
    database = sqlite3.connect(night.path)
    database.executescript("""
        create table Leads (Provider text, Lead_Id text, Email text, mine text default 'm', phone_number integer, "is_test" text,
                            created_at timestamp, business_name json, unique (lead_id, provider));
        create view all_mine as select lead_id, mine, email from leads;
        create table other (a); insert into other values (1);
        insert into leads (provider, lead_id, mine, email) values ('omni', 'L1', 'kept', 'old'), ('omni', 'X', 'x', 'y');
    """)
    database.close()
    night.payloads["L1"] = payload(1, phoneNumber="0049", businessName="12")
    night.payloads["L2"] = payload(2, phoneNumber="49", businessName="Acme 12")
    done = night.run()
    rows = {row["Lead_Id"]: row for row in rows_of(night.path, "leads")}
    assert rows["L1"]["mine"] == "kept" and rows["X"]["mine"] == "x" and rows["X"]["_run_id"] is None and rows["L2"]["mine"] == "m"
    assert rows["L1"]["Email"] == "a1@example.com" and rows["L1"]["created_at"] == "2026-01-02T02:04:05.000000Z"
    assert json.loads(rows["L1"]["_misfits"]) == {"phone_number": "0049", "business_name": "12"}
    assert rows["L2"]["phone_number"] == 49 and rows["L2"]["business_name"] == "Acme 12" and rows["L2"]["is_test"] == "true"
    assert {(m["column"], m["count"]) for m in done["misfits"]} == {("phone_number", 1), ("business_name", 1)}
    assert len(rows_of(night.path, "all_mine")) == 41 and rows_of(night.path, "other") == [{"a": 1}]
    again = night.run()
    assert again["inserted"] == again["updated"] == 0


def test_texts_that_look_like_numbers(night):
    """A column of a numeric type keeps what SQLite does not turn into a number; the rest is a misfit, as it would be changed."""
    texts = ["0049", "12", " 7 ", "+5", "-5", ".5", "5.", "1e5", "1E+5", "1e-5", "\t1\n", "1.25e2 ", "2026-01-02", "555-1234",
             "1.2.3", "1e", "1e+", "e5", ".", "-", "--1", "1 2", "0x10", "1_000", "12a", "\u00a012", "inf", "nan", ".e1", "+ 1", "1e5.0"]
    night.payloads.clear()
    for n, text in enumerate(texts):
        night.payloads["L%d" % n] = payload(n, businessName=text)
    night.ids = list(night.payloads)
    database = sqlite3.connect(night.path)
    database.executescript("""
        create table leads (provider text, lead_id text, business_name numeric, unique (provider, lead_id));
        create table oracle (n numeric);
    """)
    database.executemany("insert into oracle values (?)", [(text,) for text in texts])
    kept = {text: kind == "text" for text, (kind,) in zip(texts, database.execute("select typeof(n) from oracle order by rowid"))}
    database.executescript("drop table oracle")
    database.close()
    night.run()
    rows = {row["lead_id"]: row for row in rows_of(night.path, "leads")}
    for n, text in enumerate(texts):
        row = rows["L%d" % n]
        misfits = row["_misfits"] and json.loads(row["_misfits"])
        got = row["business_name"], misfits
        assert got == ((text, None) if kept[text] else (None, {"business_name": text})), (text, got)


def made_with(night, sql):
    database = sqlite3.connect(night.path)
    database.executescript(sql)
    database.close()


def test_collations_of_the_user(night):
    """What they take for the same is not: a text that changes in case or in blanks is written, and the leads "La" and "LA" are two."""
    made_with(night, """
        create table leads (provider text, lead_id text collate nocase, email text collate nocase, first_name text collate rtrim);
        create unique index mine on leads (provider, lead_id collate binary);""")
    night.ids = ["L1", "La", "LA"]
    for number, lead_id in enumerate(("La", "LA")):
        night.payloads[lead_id] = payload(number, id=lead_id)
    night.payloads["L1"] = payload(1, firstName="ann")
    night.run()
    night.payloads["L1"] = payload(1, firstName="ann ", email="A1@example.com")
    night.payloads["LA"] = payload(7, id="LA")
    assert night.run()["updated"] == 2
    rows = {row["lead_id"]: (row["email"], row["first_name"]) for row in rows_of(night.path, "leads")}
    assert rows == {"L1": ("A1@example.com", "ann "), "La": ("a0@example.com", None), "LA": ("a7@example.com", None)}
    assert night.run()["updated"] == 0


@pytest.mark.parametrize("columns, misfits", [
    ("created_at integer, first_name any", {"created_at": "2026-01-02T03:04:05+01:00"}),
    ("created_at real, email blob", {"created_at": "2026-01-02T03:04:05+01:00"}),
    ("email int, is_test text", {"email": "a2@example.com"}),
    ("is_test real, size text", {"is_test": True}),
])
def test_a_strict_table(night, columns, misfits):
    """Its columns refuse what others would take: that does not end the run when all is fetched."""
    made_with(night, "create table leads (provider text, lead_id text, %s, unique (provider, lead_id)) strict" % columns)
    night.payloads["L2"] = payload(2, firstName="007")
    night.run()
    row = {row["lead_id"]: row for row in rows_of(night.path, "leads")}["L2"]
    assert json.loads(row["_misfits"]) == misfits
    assert row["first_name"] == "007" and row.get("email_2", row["email"]) == (None if "email" in misfits else "a2@example.com")
    assert row["is_test"] == (None if "is_test" in misfits else "true" if "is_test text" in columns else 1)
    assert row["created_at"] == (None if "created_at" in misfits else "2026-01-02T02:04:05.000000Z")
    again = night.run()
    assert again["inserted"] == again["updated"] == 0


@pytest.mark.parametrize("own, members, words", [
    (1950, 6, "has 1952 columns, and this run would add"),
    (1956, 0, "has 1958 columns, and this run would add"),
])
def test_more_columns_than_there_can_be(night, own, members, words):
    """That is said when they come, and not at the end: also of the columns that every row ends with."""
    made_with(night, "create table leads (provider text, lead_id text, %s, unique (provider, lead_id))" % ", ".join("u%d" % n for n in range(own)))
    night.ids, night.payloads["L1"] = ["L1"], payload(1, **{"x%d" % n: 1 for n in range(members)})
    night.run("", status=1 if members else 2)
    assert words in night.stderr and "1 exported" not in night.stderr and "fetched but not" not in night.stderr


def test_a_payload_of_more_members_than_columns(night):
    """The default is what the database allows; more is refused before the first request."""
    members = {"x%d" % n: "v%d" % n for n in range(2500)}
    night.ids = ["L1", "L2"]
    for changed in ("v7", "changed"):
        night.payloads["L1"] = payload(1, **dict(members, x7=changed, x2499=changed))
        night.run()
        row, other = rows_of(night.path, "leads", "order by lead_id")
        kept = {name: row[name] for name in row if name in members}
        kept.update({name: str(value) for name, value in json.loads(row["other_members"]).items() if name in members})
        assert kept == dict(members, x7=changed, x2499=changed) and 1900 < len(row) <= 2000 and other["x7"] is None
    night.run("", "--max-columns", "1985", status=2)
    assert "--max-columns 1985 is more than the sink sqlite can take in one table (1984)" in night.stderr


def test_any_type_is_a_number_where_a_table_is_not_strict(night):
    made_with(night, "create table leads (provider text, lead_id text, email any, unique (provider, lead_id))")
    night.payloads["L1"] = payload(1, email="+0049")
    night.run()
    row = {row["lead_id"]: row for row in rows_of(night.path, "leads")}["L1"]
    assert row["email"] is None and json.loads(row["_misfits"]) == {"email": "+0049"}


def test_functions_in_a_users_schema(night):
    """Indexes, columns, checks and triggers may call functions of SQLite, and triggers write to tables for full text search."""
    night.run()
    made_with(night, """
        alter table leads add column domain text as (json_extract(json_object('d', substr(email, instr(email, '@') + 1)), '$.d'));
        create index by_misfit on leads (json_extract(_misfits, '$.size'), _misfits ->> '$.x');
        create table checks (lead_id text, found text check (json_valid(found)));
        create virtual table mails using fts5(email);
        create virtual table old_mails using fts4(email);
        create trigger logged after update on leads begin
            insert into checks values (new.lead_id, json_object('email', new.email));
            insert into mails (email) values (new.email);
            insert into old_mails (email) values (new.email);
        end;""")
    night.payloads["L1"] = payload(1, email="other@example.org", size="misfit")
    assert night.run()["updated"] == 1
    database = connect(night.path)
    rows = [tuple(row) for row in database.execute("select lead_id, found, domain from leads join checks using (lead_id)")]
    assert rows == [("L1", '{"email":"other@example.org"}', "example.org")]
    for table in ("mails", "old_mails"):
        assert [tuple(row) for row in database.execute("select * from %s where %s match 'example'" % (table, table))] == [("other@example.org",)]
    database.close()
    again = night.run()
    assert again["inserted"] == again["updated"] == 0


@pytest.mark.parametrize("call", ["fts3_tokenizer('mine', x'0102030405060708')", "load_extension('mine')"])
def test_functions_with_effects_beyond_the_database(night, call):
    night.run()
    before = dump(night.path)
    made_with(night, "create trigger t after update on leads begin select %s; end;" % call)
    night.payloads["L1"] = payload(1, email="other@example.org")
    night.run(status=1)
    assert "sqlite:leads.db" in night.stderr and dump(night.path) == before
    no_junk(night.leadpipe.folder, "leads.db")


@pytest.mark.parametrize("encoding", ["UTF-16le", "UTF-16be"])
def test_another_encoding(night, encoding):
    made_with(night, "pragma encoding = '%s'; create table mine (a)" % encoding)
    before = night.path.read_bytes()
    night.run(status=2)
    assert "sqlite:leads.db: its encoding is UTF-16" in night.stderr and night.path.read_bytes() == before and not night.server.seen
    no_junk(night.leadpipe.folder, "leads.db")


def test_a_column_that_the_user_adds_later_is_left_alone(night):
    night.run()
    database = sqlite3.connect(night.path)
    database.executescript("alter table leads add column new_field text; update leads set new_field = 'user''s'")
    database.close()
    night.payloads["L1"] = payload(1, newField="ours")
    night.run()
    row = {row["lead_id"]: row for row in rows_of(night.path, "leads")}["L1"]
    assert row["new_field"] == "user's" and row["new_field_2"] == "ours"


def test_columns_of_the_user_that_get_a_member_later(night):
    def script(sql):
        database = sqlite3.connect(night.path)
        database.executescript(sql)
        database.close()

    def ask(sql):
        database = sqlite3.connect(night.path)
        database.row_factory = sqlite3.Row
        row, = database.execute(sql).fetchall()
        database.close()
        return dict(row)

    def run(members):
        night.payloads["L1"] = payload(1, **members)
        night.run()

    script("create table leads (provider text, lead_id text, late_note text, late_free text, unique (provider, lead_id))")
    databases.expect_user_columns_kept(ask, script, run, lambda: night.stderr)


def test_a_source_keeps_its_column(night):
    """Also in a run in which the source comes that had the name to itself."""
    night.payloads["L1"] = payload(1, **{"newField": "a", "new_field": "b"})
    night.run()
    night.payloads["L1"] = payload(1, **{"new_field": "b2"})
    night.run()
    row = {row["lead_id"]: row for row in rows_of(night.path, "leads")}["L1"]
    assert row["new_field"] is None and row["new_field_2"] == "b2"


@pytest.mark.parametrize("sql, words", [
    ("create table leads (provider text, lead_id text)", "no unique key on (provider, lead_id)"),
    ("create table leads (provider text, lead_id text, x, unique (provider, lead_id, x))", "no unique key"),
    ("create table leads (provider text, lead_id text); create unique index i on leads (provider, lead_id) where lead_id > 'a'", "no unique key"),
    ("create table leads (provider text, lead_id integer, unique (provider, lead_id))", "lead_id is part of the key"),
    ("create table leads (provider text, lead_id text collate nocase, unique (provider, lead_id))", 'no unique key on (provider, lead_id) with "collate binary"'),
    ("create table leads (provider text, lead_id text, unique (provider, lead_id collate rtrim))", 'with "collate binary"'),
    ("create view leads as select 1", "is a view"),
    ("create table documents (provider text primary key)", "documents exists, but has no unique key"),
    ("create table leads (provider text, lead_id text as (provider), unique (provider, lead_id))", "no unique key on (provider, lead_id_2)"),
])
def test_tables_that_are_refused(night, sql, words):
    database = sqlite3.connect(night.path)
    database.executescript(sql)
    database.close()
    before = night.path.read_bytes()
    night.run(status=2)
    assert words in night.stderr and night.path.read_bytes() == before and not night.server.seen
    no_junk(night.leadpipe.folder, "leads.db")


@pytest.mark.parametrize("content", [b"id,name\n1,2\n", b"x" * 5000, b"SQLite format 3\0" + b"\0" * 52 + b"\1\2\3\4" + b"\0" * 28])
def test_files_that_are_refused(night, content):
    night.path.write_bytes(content)
    night.run(status=2)
    assert "sqlite:leads.db: is " in night.stderr and night.path.read_bytes() == content and not night.server.seen
    no_junk(night.leadpipe.folder, "leads.db")


def test_other_targets_are_refused(night):
    for target, words in [("sqlite:-", "must be a file"), ("sqlite:out/", ""), ("sqlite:no/such/dir.db", ""), ("sqlite:", ""),
                          ("sqlite,mode=append,deletes=mark:x.db", "needs mode=upsert"), ("sqlite,mode=replace,deletes=delete:x.db", "needs mode=upsert"),
                          ("sqlite,mode=other:x.db", "upsert"), ("sqlite:ids.txt", "")]:
        outputs.ids_file(night.leadpipe.folder, night.ids)
        done = night.leadpipe("export", "-p", "omni", "--base-url", night.server.url, "-t", target, "ids.txt", env=KEY)
        assert done.returncode == 2 and words in done.stderr, (target, done.stderr)
    arguments = night.arguments()
    for more in (["-t", "sqlite:./leads.db"], ["--failed", "leads.db"], ["--state", "leads.db"], ["-t", "csv:leads.db"]):
        done = night.leadpipe(*arguments[:-1], *more, "ids.txt", env=KEY)
        assert done.returncode == 2, (more, done.stderr)
    assert not night.path.exists()


def test_a_state_is_refused(night):
    night.run("", "--state", "state.db")
    done = night.leadpipe("export", "-p", "omni", "--base-url", night.server.url, "-t", "sqlite:state.db", "ids.txt", env=KEY)
    assert done.returncode == 2 and "is a state of leadpipe (--state)" in done.stderr


# --- others who use the file ------------------------------------------------------------------------------------

def hold(night):
    """Lets the provider wait in the middle of a run."""
    gate, begun = threading.Event(), threading.Event()
    answer = night.server.answer

    def wait(path, headers):
        if path.endswith("/L9"):
            begun.set()
            gate.wait(60)
        return answer(path, headers)

    night.server.answer = wait
    return gate, begun


def test_a_second_run_names_the_one_that_has_it(night):
    gate, begun = hold(night)
    first = night.leadpipe.start(*night.arguments(), env=KEY)
    assert begun.wait(30)
    try:
        done = night.leadpipe("export", "-p", "omni", "--base-url", night.server.url, "-t", "sqlite:leads.db", "ids.txt", env=KEY)
        assert done.returncode == 2 and "process %d" % first.pid in done.stderr, done.stderr
    finally:
        gate.set()
    assert first.wait(60) == 0
    assert len(rows_of(night.path, "leads")) == 40 and len(runs_of(night.path)) == 1
    no_junk(night.leadpipe.folder, "leads.db")


def test_a_writer_is_waited_for(night):
    night.run()
    night.payloads["L1"] = payload(1, email="late@example.com")
    writer = sqlite3.connect(night.path, isolation_level=None)
    writer.execute("begin immediate")
    process = night.leadpipe.start(*night.arguments(), env=KEY)
    deadline = time.monotonic() + 30
    while len(night.server.seen) < 80 and time.monotonic() < deadline:
        time.sleep(0.01)
    with pytest.raises(Exception):
        process.wait(1)
    writer.execute("commit")
    writer.close()
    assert process.wait(30) == 0, process.stderr.read()
    assert {row["lead_id"]: row for row in rows_of(night.path, "leads")}["L1"]["email"] == "late@example.com"


def test_a_file_that_appears_meanwhile_is_kept(night):
    gate, begun = hold(night)
    process = night.leadpipe.start(*night.arguments(), env=KEY)
    assert begun.wait(30)
    other = sqlite3.connect(night.path)
    other.executescript("create table mine (a); insert into mine values (1)")
    other.close()
    gate.set()
    assert process.wait(60) == 0, process.stderr.read()
    assert rows_of(night.path, "mine") == [{"a": 1}] and len(rows_of(night.path, "leads")) == 40


def test_constraints_of_the_user_end_the_run_and_change_nothing(night):
    night.run()
    before = dump(night.path)
    database = sqlite3.connect(night.path)
    database.executescript("create trigger t before update on leads begin select raise(abort, 'no updates, please'); end")
    database.close()
    night.payloads["L1"] = payload(1, email="x@example.com", newField="n")
    night.run(status=1)
    assert "no updates, please" in night.stderr and "leads" in night.stderr and dump(night.path) == before
    no_junk(night.leadpipe.folder, "leads.db")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anything")
def test_a_read_only_database(night):
    night.run()
    night.path.chmod(0o444)
    night.run(status=2)
    assert "cannot be written" in night.stderr


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664])
def test_what_is_staged_is_as_private_as_the_database(night, mode):
    """Its journal, too: also where a run that was killed has left another one."""
    night.run()
    night.path.chmod(mode)
    modes = {}

    def look(path, _, answer=night.server.answer):
        for one in night.leadpipe.folder.glob(".leads.db*"):
            modes[one.name] = one.stat().st_mode & 0o777
        return answer(path, _)

    night.server.answer = look
    (night.leadpipe.folder / ".leads.db.leadpipe-part").touch(0o666)
    night.run("", "--state", "s")
    assert {".leads.db.leadpipe-part": mode, ".leads.db.leadpipe-part-journal": mode} == modes and night.path.stat().st_mode & 0o777 == mode


@rigs.needs_library
@pytest.mark.parametrize("state", [[], ["--state", "s"]], ids=["", "state"])
@pytest.mark.parametrize("existing, rule", [(True, "op=write path=leads.db-wal fail=ENOSPC"), (False, "op=sync path=. fail=EIO")])
def test_a_database_that_cannot_be_written_is_called_unchanged(night, existing, rule, state):
    """In the run itself, and with a state in the next one, which only publishes."""
    if existing:
        night.run()
        night.payloads["L1"] = payload(1, email="new@example.com")
    before = dump(night.path) if existing else None
    faults = {"LD_PRELOAD": str(rigs.LIBRARY), "FAULTFS_FOLDER": str(night.leadpipe.folder), "FAULTFS_RULES": rule}
    for _ in range(2):
        done = night.leadpipe(*night.arguments("", *state), env={**KEY, **faults})
        assert done.returncode == 1 and "may be new" not in done.stderr and "in part" not in done.stderr, done.stderr
        assert (dump(night.path) if existing else night.path.exists() or None) == before, done.stderr
    night.run("", *state)
    assert len(rows_of(night.path, "leads")) == 40
    no_junk(night.leadpipe.folder, "leads.db")


# --- kills ------------------------------------------------------------------------------------------------------

def night_of(leadpipe, server, payloads, n):
    for k in range(n):
        payloads["L%d" % k] = payload(k)
    return Night(leadpipe, server, payloads, sorted(payloads))


@pytest.mark.parametrize("existing", [False, True])
@pytest.mark.parametrize("state", [False, True])
def test_killed_and_run_again(leadpipe, existing, state):
    """After kills at several moments the same command ends with the tables of a run that nobody disturbed."""
    payloads = {}
    with outputs.provider_of(outputs.omni_payloads(payloads)) as server:
        night = night_of(leadpipe, server, payloads, 900)
        del payloads["L100"]
        if existing:
            night.run("deletes=delete")
            for n in range(0, 900, 3):
                payloads["L%d" % n] = payload(n, email="b@example.com")
            payloads.pop("L201")
        more = ("--state", "s") if state else ()
        for after in (100, 450, 850):
            server.seen.clear()
            process = leadpipe.start(*night.arguments("deletes=delete", *more), env=KEY)
            deadline = time.monotonic() + 30
            while len(server.seen) < after and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.005)
            process.send_signal(signal.SIGKILL)
            process.wait()
        night.run("deletes=delete", *more)
        got = dump(night.path)
        assert len(runs_of(night.path)) == (2 if existing else 1)
        no_junk(leadpipe.folder, "leads.db")
        night.path.rename(leadpipe.folder / "first.db")
        night.run()
        assert dump(night.path) == got


# --- killed, and refused, at single calls on the disk ---------------------------------------------------------------

class Calls:
    """A second night with a state, whose calls on the disk are counted, and one of them goes wrong."""

    def __init__(self, night, existing):
        self.night, self.folder, self.existing = night, night.leadpipe.folder, existing
        if existing:
            night.run("deletes=delete")
            change_everything(night)
            (self.folder / "before.db").write_bytes(night.path.read_bytes())
        self.log = self.folder.parent / (self.folder.name + ".calls")

    def begin(self):
        for path in [*self.folder.glob("*leads.db*"), *self.folder.glob("s*"), *self.folder.glob("m.json")]:
            path.unlink()
        if self.existing:
            self.night.path.write_bytes((self.folder / "before.db").read_bytes())

    def arguments(self, run=""):
        """`run`: an end of the names of another run's files."""
        arguments = self.night.arguments("deletes=delete", "--state", "s" + run)
        return ["m%s.json" % run if a == "m.json" else a for a in arguments]

    def run(self, rules=None, run=""):
        env = {"LD_PRELOAD": str(rigs.LIBRARY), "FAULTFS_FOLDER": str(self.folder), "FAULTFS_LOG": str(self.log)}
        env.update({"FAULTFS_RULES": rules} if rules else {"FAULTFS_LOG_ALL": "1"})
        return self.night.leadpipe(*self.arguments(run), env={**KEY, **env})

    def again(self, run=""):
        """The same command, undisturbed."""
        done = self.night.leadpipe(*self.arguments(run), env=KEY)
        assert done.returncode == 0, done.stderr

    def count(self):
        self.begin()
        assert self.run().returncode == 0
        self.want = dump(self.night.path)
        return len([line for line in self.log.read_text().splitlines() if line])

    def states(self):
        """What a reader may find: the tables before, or after."""
        found = dump(self.night.path) if self.night.path.exists() else None
        before = dump(self.folder / "before.db") if self.existing else None
        assert found in (before, self.want)
        return found == self.want


def some(n, most):
    """Numbers up to n: not all of them here, but the last ones, where names change."""
    step = max(1, n // most)
    return sorted({*range(1, n + 1, step), *range(max(1, n - 30), n + 1, 4)})


@rigs.needs_library
@pytest.mark.parametrize("existing", [pytest.param(False, marks=pytest.mark.slow), True])
def test_killed_at_a_call(night, existing):
    calls = Calls(night, existing)
    n = calls.count()
    committed = set()
    for number in some(n, 6):
        calls.begin()
        done = calls.run("op=any from=%d to=%d kill=before" % (number, number))
        assert done.returncode in (-signal.SIGKILL, 0), done.stderr
        committed.add(calls.states())
        was_over = (night.leadpipe.folder / "m.json").exists()
        calls.again()
        assert dump(night.path) == calls.want, number
        # A run that was cut off at its end is finished, and not done once more; behind its manifest it is over.
        assert len(runs_of(night.path)) - (2 if existing else 1) in ((0, 1) if was_over else (0,)), number
        no_junk(night.leadpipe.folder, "leads.db")
    assert committed == {False, True}


@rigs.needs_library
def test_rows_that_another_run_staged_since_then_stay(night):
    """A run is committed and killed before it removes its staging database; another one is killed before it commits.
    Finishing the first takes nothing from the second."""
    calls = Calls(night, existing=True)
    n = calls.count()
    part = night.leadpipe.folder / ".leads.db.leadpipe-part"
    for number in range(n, 0, -1):  # the last one before its manifest
        calls.begin()
        assert calls.run("op=any from=%d to=%d kill=before" % (number, number)).returncode == -signal.SIGKILL
        if not (night.leadpipe.folder / "m.json").exists():
            break
    assert calls.states() and part.exists()
    assert calls.run("op=write path=leads.db-wal from=1 to=1 kill=before", "2").returncode == -signal.SIGKILL
    calls.again()
    assert part.exists()
    calls.again("2")
    assert len(runs_of(night.path)) == 3
    no_junk(night.leadpipe.folder, "leads.db")


@rigs.needs_library
@pytest.mark.parametrize("existing", [False, True])
def test_a_disk_that_is_full(night, existing):
    calls = Calls(night, existing)
    calls.count()
    for file in (".leads.db.leadpipe-part", "leads.db-wal" if existing else ".leads.db.leadpipe-wide"):
        for after in (0, 10000, 20000, 40000, 80000):
            calls.begin()
            done = calls.run("op=write path=%s after_bytes=%d fail=ENOSPC" % (file, after))
            if done.returncode == 0:  # it has less to write
                continue
            assert done.returncode == 1 and "disk is full" in done.stderr, (file, after, done.stderr)
            assert "may be new" not in done.stderr, done.stderr
            assert not calls.states()
            calls.again()
            assert dump(night.path) == calls.want
            no_junk(night.leadpipe.folder, "leads.db")
