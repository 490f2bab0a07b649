"""The sink postgres: what is in the tables, night after night."""

import json
import threading

import pytest

import databases
from outputs import check, ids_file, manifest, omni_payloads, provider_of

KEY = {"OMNI_API_KEY": "k", "CONVOCORE_API_KEY": "k"}

cluster = pytest.fixture(scope="module")(databases.postgres_cluster)


@pytest.fixture
def database(cluster):
    return databases.Database(cluster)


@pytest.fixture
def types(leadpipe):
    return databases.types_of(leadpipe, "omni")


def export(leadpipe, url, database, options="", ids="ids.txt", more=(), status=0, user="etl"):
    done = leadpipe("export", "-p", "omni", "--base-url", url, "-t", database.target(options, user), "-t",
                    "ndjson,layout=rows:rows.ndjson", "--manifest", "m.json", *more, ids, env=KEY)
    assert done.returncode == status, done.stderr
    return done


def written(leadpipe):
    sink, = [one for one in manifest(leadpipe.folder / "m.json")["sinks"] if one["sink"].startswith("postgres:")]
    return tuple(sink[name] for name in ("inserted", "updated", "deleted"))


def lead(lead_id, version, documents=2, **more):
    """A lead whose rows all say which version they are of."""
    return json.dumps({
        "lead": {"id": lead_id, "firstName": "v%d" % version, "createdAt": "2026-01-30T02:00:00Z", **more},
        "documents": [{"id": "d%d" % n, "filename": "v%d" % version, "size": n} for n in range(documents)],
        "matchingLeads": [{"id": "m"}]}).encode()


# --- every cell ----------------------------------------------------------------------------------------

@pytest.mark.parametrize("provider", ["omni", "convocore"])
def test_every_cell(leadpipe, sandbox, database, provider):
    ids = ids_file(leadpipe.folder, ["odd-%d" % n for n in range(150)] + ["plain-%d" % n for n in range(20)] +
                   ["newcode-%d-a" % n for n in range(40)] + ["example", "gone~missing"])
    command = ["export", *sandbox.provider(provider), "-t", database.target("schema=night"), "-t",
               "ndjson,layout=rows:rows.ndjson", "--manifest", "m.json", ids]
    types = databases.types_of(leadpipe, provider)
    for night in range(2):
        done = leadpipe(*command, env=sandbox.env)
        assert done.returncode == 0, done.stderr
        check(leadpipe.folder, provider, ids, "--absent", ids_file(leadpipe.folder, ["gone~missing"], "absent"),
              ndjson_rows="rows.ndjson")
        expected = databases.expected_of(leadpipe.folder / "rows.ndjson", provider, types)
        assert databases.check_tables(database, expected, types, "night") > 20_000
        inserted, updated, deleted = written(leadpipe)
        assert (inserted > 300 and updated == deleted == 0) if night == 0 else (inserted, updated, deleted) == (0, 0, 0)
    # What did not change is of the run that wrote it.
    runs = database.runs("night")
    assert [run["status"] for run in runs] == ["done", "done"] and runs[0]["run_id"] != runs[1]["run_id"]
    assert {row["_run_id"] for row in database.ask("select _run_id from night.leads")} == {runs[0]["run_id"]}
    assert database.staging() == []
    keys = database.ask("select string_agg(a.attname, ',' order by k.n) as keys from pg_index i cross join lateral "
                        "unnest(i.indkey) with ordinality k(c, n) join pg_attribute a on a.attrelid = i.indrelid and "
                        "a.attnum = k.c where i.indrelid = 'night.leads'::regclass and i.indisprimary")
    assert keys == [{"keys": "provider,lead_id" + (",agent_id" if provider == "convocore" else "")}]


def test_types_text(leadpipe, sandbox, database):
    ids = ids_file(leadpipe.folder, ["odd-%d" % n for n in range(60)])
    done = leadpipe("export", *sandbox.provider(), "-t", database.target("types=text,prefix=omni_"), "-t",
                    "ndjson,layout=rows:rows.ndjson", ids, env=sandbox.env)
    assert done.returncode == 0, done.stderr
    types = databases.types_of(leadpipe, "omni")
    expected = databases.expected_of(leadpipe.folder / "rows.ndjson", "omni", types, all_text=True)
    assert databases.check_tables(database, expected, types, prefix="omni_") > 5000
    for table in types:
        assert set(database.columns("omni_" + table).values()) == {"text"}
        assert "_misfits" not in database.columns("omni_" + table)


# Number by number, so that an error in the digits' groups of four shows.
NUMBERS = ["0", "-0", "0.0", "1", "-1", "9999", "10000", "10001", "12345678", "0.1", "0.0001", "0.00012345", "1.50", "-1.050",
           "123456789012345678901234567890", "1e3", "1e-3", "1E+10", "1.5e4", "-12.5e-5", "100000000.00000001", "1e400",
           "1e131071", "1e-16383", "0e5", "0.00e-3", "9.99999999999999999999e20", "1000.0001000", "0.0010"]
BEYOND = ["1e131072", "1e-16384", "1e1000000000"]


def test_numbers(leadpipe, database, tmp_path):
    profile = {"profile": 1, "name": "odd", "servers": [{"name": "main", "url": "https://odd.example"}], "path": "/{id}",
               "tables": [{"name": "leads", "each": "", "columns": [
                   {"name": "n", "value": "/n", "type": "number"}, {"name": "j", "value": "/n", "type": "json"},
                   {"name": "i", "value": "/n", "type": "integer"}, {"name": "xmin", "value": "/n"}]}]}
    (tmp_path / "odd.json").write_text(json.dumps(profile))
    numbers = NUMBERS + BEYOND
    payloads = {"n%d" % i: ('{"n":%s}' % text).encode() for i, text in enumerate(numbers)}
    ids_file(tmp_path, payloads)
    with provider_of(omni_payloads(payloads)) as server:
        done = leadpipe("export", "-p", "./odd.json", "--base-url", server.url, "-t", database.target(), "ids.txt")
    assert done.returncode == 0, done.stderr
    got = {row["lead_id"]: row for row in database.ask(
        'select lead_id, n::text, j::text, i::text, xmin_2, _misfits::text as misfits from leads')}
    for i, text in enumerate(numbers):
        row = got["n%d" % i]
        assert row["xmin_2"] == text
        if text in BEYOND:
            assert row["n"] is None and json.loads(row["misfits"])["n"] == text
            continue
        wanted = database.value("select '%s'::numeric" % text)
        assert row["n"] == wanted and row["j"] == wanted, (text, row["n"][:40])


# --- a second night --------------------------------------------------------------------------------------

def test_second_night(leadpipe, database, types, tmp_path):
    payloads = {"l%d" % n: lead("l%d" % n, 1) for n in range(40)}
    with provider_of(omni_payloads(payloads)) as server:
        ids_file(tmp_path, payloads)
        export(leadpipe, server.url, database)
        assert written(leadpipe) == (40 * 4, 0, 0)
        first = database.runs()[0]["run_id"]
        database.run("alter table leads add column note text default 'mine'; create view names as select lead_id, first_name, "
                     "note from leads; update leads set note = 'kept' where lead_id = 'l3'; create index on leads (email)")
        # Changed, with fewer and with more rows, with a column that is new, and some that are not asked for.
        payloads["l3"] = lead("l3", 2, documents=1)
        payloads["l4"] = lead("l4", 1, documents=4, note="theirs", score=7)
        payloads["new"] = lead("new", 2, documents=0)
        ids_file(tmp_path, ["l%d" % n for n in range(30)] + ["new"])
        export(leadpipe, server.url, database)
        # l3: its own row and a document, one document less; l4: its own row and two documents more; the new one.
        assert written(leadpipe) == (2 + 2, 2 + 1, 1)
        rows = {row["lead_id"]: row for row in database.rows("leads")}
        assert len(rows) == 41 and rows["l35"]["first_name"] == "v1"  # who was not asked for is left alone
        assert rows["l3"]["first_name"] == "v2" and rows["l3"]["note"] == "kept" and rows["new"]["note"] == "mine"
        assert rows["l4"]["note_2"] == "theirs" and rows["l4"]["score"] == "7"
        assert {row["_run_id"] for key, row in rows.items() if key not in ("l3", "l4", "new")} == {first}
        assert database.ask("select * from names where lead_id = 'l3'") == [
            {"lead_id": "l3", "first_name": "v2", "note": "kept"}]
        assert sorted(row["position"] for row in database.ask("select position::int from documents where lead_id = 'l4'")) == [0, 1, 2, 3]
        # The same names go to the same columns, in whatever order they come.
        payloads["l5"] = lead("l5", 1, score=8, first_name="twin", note="again")
        ids_file(tmp_path, ["l5", "l4"])
        export(leadpipe, server.url, database)
        row, = database.ask("select first_name, first_name_2, note, note_2, score from leads where lead_id = 'l5'")
        assert row == {"first_name": "v1", "first_name_2": "twin", "note": "mine", "note_2": "again", "score": "8"}
        payloads["l6"] = json.dumps({"lead": {"id": "l6", "first_name": "twin", "firstName": "v1"}}).encode()
        ids_file(tmp_path, ["l6"])
        export(leadpipe, server.url, database)
        assert database.ask("select first_name, first_name_2 from leads where lead_id = 'l6'") == [
            {"first_name": "v1", "first_name_2": "twin"}]


def test_columns_of_the_user_that_get_a_member_later(leadpipe, database, tmp_path):
    payloads = {}
    database.run("create table leads (provider text, lead_id text, late_note text, late_free text, unique (provider, lead_id)); "
                 "alter table leads owner to etl")
    ids_file(tmp_path, ["L1"])
    with provider_of(omni_payloads(payloads)) as server:
        def night(members):
            payloads["L1"] = lead("L1", 1, **members)
            night.stderr = export(leadpipe, server.url, database).stderr

        databases.expect_user_columns_kept(lambda sql: database.ask(sql)[0], database.run, night, lambda: night.stderr)


def test_a_source_that_nobody_has_any_more(leadpipe, database, tmp_path):
    """What a lead had of it is gone, also where nothing else of the lead changed; who was not asked for keeps it."""
    payloads = {"one": lead("one", 1, newField="a", new_field="b"), "two": lead("two", 1, newField="c"),
                "three": lead("three", 1, newField="d")}
    with provider_of(omni_payloads(payloads)) as server:
        ids_file(tmp_path, payloads)
        export(leadpipe, server.url, database)
        payloads.update(one=lead("one", 1, new_field="b2"), two=lead("two", 1))
        ids_file(tmp_path, ["one", "two"])
        export(leadpipe, server.url, database)
        assert written(leadpipe) == (0, 2, 0)
        rows = {row["lead_id"]: (row["new_field"], row["new_field_2"]) for row in database.rows("leads")}
        assert rows == {"one": (None, "b2"), "two": (None, None), "three": ("d", None)}
        payloads["two"] = lead("two", 1)
        ids_file(tmp_path, ["two"])
        export(leadpipe, server.url, database)
        assert written(leadpipe) == (0, 0, 0)


def test_columns_keep_their_source(leadpipe, database, tmp_path):
    """Two members that wish for one name, and come in another order the next night."""
    payloads = {"a": b'{"lead":{"id":"a","fooBar":"camel"}}', "b": b'{"lead":{"id":"b","foo_bar":"snake"}}'}
    with provider_of(omni_payloads(payloads)) as server:
        for order in (["a", "b"], ["b", "a"], ["b"]):
            ids_file(tmp_path, order)
            export(leadpipe, server.url, database)
            assert database.ask("select lead_id, foo_bar, foo_bar_2 from leads order by 1") == [
                {"lead_id": "a", "foo_bar": "camel", "foo_bar_2": None},
                {"lead_id": "b", "foo_bar": None, "foo_bar_2": "snake"}], order


def test_append_and_replace(leadpipe, database, tmp_path):
    payloads = {"l%d" % n: lead("l%d" % n, 1) for n in range(5)}
    with provider_of(omni_payloads(payloads)) as server:
        ids_file(tmp_path, payloads)
        for night in range(1, 3):
            export(leadpipe, server.url, database, "mode=append,schema=history")
            assert written(leadpipe) == (5 * 4, 0, 0)
            assert len(database.ask("select * from history.documents")) == 10 * night
        export(leadpipe, server.url, database, "mode=replace,schema=last")
        payloads["l1"] = lead("l1", 2)
        ids_file(tmp_path, ["l0", "l1"])
        export(leadpipe, server.url, database, "mode=replace,schema=last")
        assert written(leadpipe) == (0, 3, 3 * 4)  # l1's own row and its documents; all of three leads
        assert database.ask("select lead_id, first_name from last.leads order by 1") == [
            {"lead_id": "l0", "first_name": "v1"}, {"lead_id": "l1", "first_name": "v2"}]
        assert {row["lead_id"] for row in database.ask("select lead_id from last.documents")} == {"l0", "l1"}


# --- leads that are gone ---------------------------------------------------------------------------------

@pytest.mark.parametrize("deletes", ["ignore", "mark", "delete"])
@pytest.mark.parametrize("kind", ["typed", "text"])
def test_gone(leadpipe, database, tmp_path, deletes, kind):
    payloads = {"l%d" % n: lead("l%d" % n, 1) for n in range(20)}
    options = "deletes=%s,types=%s" % (deletes, kind)
    everyone = [*payloads, "never"]
    ids_file(tmp_path, everyone)

    def night():
        export(leadpipe, server.url, database, options)
        one = manifest(leadpipe.folder / "m.json")
        sink, = [one for one in one["sinks"] if one["sink"].startswith("postgres:")]
        assert one["ledger"]["missing"] == 21 - len(payloads) and one["ledger"]["gone"] == sink["gone"]
        rows = {row["lead_id"]: row for row in database.ask("select * from leads")}
        children = {row["lead_id"] for row in database.ask("select * from documents")}
        return sink["gone"], rows, children

    with provider_of(omni_payloads(payloads)) as server:
        assert night()[0] == 0
        gone = payloads.pop("l3"), payloads.pop("l4")
        count, rows, children = night()
        assert count == 2
        there = set(everyone) - {"never"} - ({"l3", "l4"} if deletes == "delete" else set())
        assert set(rows) == there and children == there
        if deletes == "mark":
            started = manifest(leadpipe.folder / "m.json")["started_at"]
            assert {key for key, row in rows.items() if row["_deleted_at"]} == {"l3", "l4"}
            assert rows["l3"]["_deleted_at"][:19] == started[:19]
        assert written(leadpipe) == {"ignore": (0, 0, 0), "mark": (0, 2, 0), "delete": (0, 0, 8)}[deletes]
        before = rows
        count, rows, _ = night()  # nothing new: it is marked already
        assert count == (2 if deletes == "ignore" else 0) and rows == before and written(leadpipe) == (0, 0, 0)
        payloads["l3"], payloads["l4"] = gone
        count, rows, children = night()  # and comes back
        assert count == 0 and set(rows) == children == set(everyone) - {"never"}
        assert not any(row.get("_deleted_at") for row in rows.values())


@pytest.mark.parametrize("deletes", ["mark", "delete"])
def test_gone_from_the_list(leadpipe, sandbox, control, database, deletes):
    """With --all and a state: a lead that is not listed any more is asked for once more; one that is there stays."""
    def night(listed, faults):
        control.reset()
        control.set(faults=faults)
        control.lists(leads={"": listed})
        done = leadpipe("export", *sandbox.provider("omni"), "--all", "--state", "run.state", "--manifest", "m.json",
                        "-t", database.target("deletes=" + deletes), env=sandbox.env)
        assert done.returncode == 0, done.stderr
        return manifest(leadpipe.folder / "m.json")["ledger"]

    leads = ["tiny-%d" % n for n in range(20)]
    night(leads, {})
    ledger = night(leads[:17], {"tiny-18": "missing", "tiny-19": "gone"})
    assert (ledger["exported"], ledger["missing"], ledger["gone"]) == (18, 2, 2)
    gone = "_deleted_at is not null" if deletes == "mark" else "false"
    rows = {row["lead_id"]: row["gone"] for row in database.ask("select lead_id, %s gone from leads" % gone)}
    assert sorted(rows) == sorted(leads if deletes == "mark" else leads[:18])
    assert {lead for lead in rows if rows[lead]} == ({"tiny-18", "tiny-19"} if deletes == "mark" else set())
    ledger = night(leads[:17], {"tiny-18": "missing", "tiny-19": "gone"})
    assert (ledger["exported"], ledger["missing"], ledger["gone"]) == (17, 0, 0)


@pytest.mark.parametrize("deletes, state", [
    ("mark", []), ("delete", ["--state", "run.state"]), *(pytest.param(*case, marks=pytest.mark.nightly) for case in [
        ("delete", []), ("mark", ["--state", "run.state"])])])
def test_too_many_gone(leadpipe, database, tmp_path, deletes, state):
    payloads = {"l%d" % n: lead("l%d" % n, 1) for n in range(130)}
    ids_file(tmp_path, payloads)
    with provider_of(omni_payloads(payloads)) as server:
        export(leadpipe, server.url, database, "deletes=" + deletes, more=state)
        before = database.dump()
        for n in range(101):
            del payloads["l%d" % n]
        payloads["l129"] = lead("l129", 2)
        done = export(leadpipe, server.url, database, "deletes=" + deletes, status=3, more=state)
        assert "101 of the 130 leads" in done.stderr and "--max-gone" in done.stderr
        assert database.dump() == before and database.staging() == []
        export(leadpipe, server.url, database, "deletes=ignore", more=[*state, "--fresh"] if state else [])
        export(leadpipe, server.url, database, "deletes=" + deletes, more=[*state, "--max-gone", "100%", *(["--fresh"] if state else [])])
        there = {row["lead_id"] for row in database.ask("select * from leads") if not row.get("_deleted_at")}
        assert there == set(payloads)


# --- tables of the user's --------------------------------------------------------------------------------

def test_a_table_of_the_users(leadpipe, database, tmp_path):
    database.run("""create type mood as enum ('sad', 'ok');
        create table leads (mine serial, lead_id varchar(200), provider text, created_at date, updated_at timestamp,
            first_name varchar(5), last_name char(4), is_test text, did_opt_out integer, source mood, score numeric(4,1),
            phone_number real, email_verified_at timestamptz(0), matching_lead_count text, code int, raw json, flag boolean,
            at timestamptz, unique (lead_id, provider), made text generated always as (lead_id || '!') stored);
        create view ours as select mine, lead_id from leads""")
    before = database.columns("leads")
    good = {"id": "good", "createdAt": "2026-01-30", "updatedAt": "2026-01-30T02:00:00+02:00", "firstName": "12345",
            "lastName": "abc", "isTest": True, "didOptOut": 5, "source": "ok", "score": 10.5, "phoneNumber": "0.5",
            "emailVerifiedAt": "2026-01-30T02:00:00Z", "code": 12, "raw": {"a": 1}, "flag": True, "at": "2026-01-30T02:00:00Z"}
    bad = {"id": "bad", "createdAt": "2026-01-30T02:00:00Z", "updatedAt": "2026-01-30 02:00", "firstName": "123456",
           "lastName": "abcde", "isTest": "no", "didOptOut": True, "source": "glad", "score": 10.55, "phoneNumber": "0.1234567890123",
           "emailVerifiedAt": "2026-01-30T02:00:00.5Z", "code": 1.5, "raw": "text", "flag": "yes", "at": "now", "made": "taken"}
    payloads = {one["id"]: json.dumps({"lead": one}).encode() for one in (good, bad)}
    with provider_of(omni_payloads(payloads)) as server:
        ids_file(tmp_path, payloads)
        export(leadpipe, server.url, database)
        done = export(leadpipe, server.url, database)
        assert written(leadpipe) == (0, 0, 0)
    after = database.columns("leads")
    assert {name: after[name] for name in before} == before
    row, = database.ask("select created_at::text, updated_at::text, first_name, last_name::text, is_test, did_opt_out, "
                        "source::text, score::text, phone_number::text, email_verified_at::text, matching_lead_count, code, "
                        "raw::text, flag, at::text, _misfits, made from leads where lead_id = 'good'")
    assert row == {"created_at": "2026-01-30", "updated_at": "2026-01-30 00:00:00", "first_name": "12345", "last_name": "abc",
                   "is_test": "true", "did_opt_out": 5, "source": "ok", "score": "10.5", "phone_number": "0.5",
                   "email_verified_at": "2026-01-30 02:00:00+00", "matching_lead_count": "0", "code": 12, "raw": row["raw"],
                   "flag": True, "at": "2026-01-30 02:00:00+00", "_misfits": None, "made": "good!"}
    row, = database.ask("select * from leads where lead_id = 'bad'")
    misfits = row.pop("_misfits")
    named = {"created_at": "createdAt", "updated_at": "updatedAt", "first_name": "firstName", "last_name": "lastName",
             "did_opt_out": "didOptOut", "source": "source", "score": "score", "phone_number": "phoneNumber",
             "email_verified_at": "emailVerifiedAt", "code": "code", "flag": "flag", "at": "at"}
    assert set(misfits) == set(named), sorted(set(misfits) ^ set(named))
    for column, member in named.items():
        assert row[column] is None
        assert str(misfits[column]) == str(bad[member]), (column, misfits[column])
    assert row["is_test"] == "no" and row["raw"] == "text"
    sink, = [one for one in manifest(tmp_path / "m.json")["sinks"] if one["sink"].startswith("postgres:")]
    counted = {one["column"]: (one["table"], one["type"], one["count"]) for one in sink["misfits"]}
    assert counted == {column: ("leads", before[column], 1) for column in named}
    assert "do not fit the type of leads.created_at (date), now in _misfits: 1\n" in done.stderr
    assert (row["made"], row["made_2"]) == ("bad!", "taken")  # a generated column takes nothing
    assert len(database.ask("select * from ours")) == 2


USERS_TYPES = [  # of the column; what it takes as it is, and with another spelling; what it would change, or refuse
    ("time", ["03:04:05", "23:59:59.123456"], {"03:04": "03:04:00", "03:04:05.1000000": "03:04:05.1"},
     ["now", "allballs", "24:00:00", "23:59:60", "03:04:05.1234567", "03:04:05Z"]),
    ("time(0)", ["03:04:05"], {}, ["03:04:05.5"]),
    ("timetz", [], {"03:04:05Z": "03:04:05+00", "03:04+02:00": "03:04:00+02"}, ["now", "03:04:05", "allballs"]),
    ("timestamptz", [], {"2026-01-30T02:00:00Z": "2026-01-30 02:00:00+00", "2026-01-30T02:00:00.5000000Z": "2026-01-30 02:00:00.5+00"},
     ["2016-12-31T23:59:60Z", "2026-01-30T24:00:00Z", "2026-01-30T02:00:00.1234567Z", "now", "infinity", "2026-02-30T02:00:00Z"]),
    ("timestamp", [], {"2026-01-30T02:00:00+01:00": "2026-01-30 01:00:00"}, ["2016-12-31T23:59:60Z", "2026-01-30T02:00:00", "today"]),
    ("date", ["2026-01-30"], {}, ["2026-01-30T02:00:00Z", "today", "epoch", "2026-02-30"]),
    ("interval", ["1 day", "01:02:03"], {"PT5M": "00:05:00"}, ["1.5 months", "0.1234567 seconds", "1e-7 seconds", "soon"]),
    ('"char"', ["a"], {}, ["ab"]), ("name", ["short"], {}, ["n" * 64]), ("bit(3)", ["101"], {}, ["10", "1011"]),
    ("uuid", ["0188f3c0-0000-4000-8000-0000000000ff"], {"0188F3C0-0000-4000-8000-0000000000FF": "0188f3c0-0000-4000-8000-0000000000ff"}, ["ff"]),
    ("inet", ["10.0.0.1/32"], {"10.0.0.1": "10.0.0.1/32"}, ["10.0.0.256"]), ("int[]", ["{1,2}"], {}, ["[1,2]", "{1,x}", "{{{{{{{1}}}}}}}"]),
    ("tsvector", [], {}, ["b a b"]), ("point", ["(1,2)"], {}, ["(0.10000000000000000001,2)"]), ("bytea", ["\\x00ff"], {"a": "\\x61"}, ["a\\\\b"]),
    ("int", ["5", "-5"], {"5.0": "5", "1e2": "100"}, ["1.5", "0x10", "1_000", " 5", "2147483648", "NaN"]),
    ("numeric(4,1)", ["10.5"], {"7": "7.0"}, ["10.55", "NaN", "1e400000"]), ("float8", ["0.5"], {}, ["0.12345678901234567890", "Infinity"]),
    ("domain over jsonb", ["[1, 2]"], {'{"a":1}': '{"a": 1}', "text": '"text"', "5": '"5"', "null": '"null"', "[" * 20000: '"%s"' % ("[" * 20000)}, []),
    ("domain over jsonb check (pg_catalog.jsonb_typeof(value) = 'object')", [], {'{"a":1}': '{"a": 1}'}, ["text", "[1]"]),
    ("domain over int not null default 0", ["5"], {}, []), ("domain over inner_time", ["03:04:05"], {}, ["now"]), ("pair", ["(1,03:04:05)"], {}, ["(1,now)"]),
    ("domain over int check (raises(value))", ["5"], {}, ["6"]), ("tsquery", ["'a'"], {}, ["w" * 2047]), ("regclass", [], {}, ["1.5"]),
    ("double precision", ["52.52000659999999"], {"1e22": "1e+22", "0.10": "0.1"}, ["52.520006599999991", "9007199254740993"]), ("int4range", ["[1,5)"], {}, ["[1,4]"]), ("boolean", ["true", "false"], {}, ["yes", "t", "1"]),
]


@pytest.mark.parametrize("kind, kept, written_so, refused", USERS_TYPES, ids=[one[0] for one in USERS_TYPES])
def test_what_a_users_type_takes(leadpipe, database, tmp_path, kind, kept, written_so, refused):
    """Of members that are not documented: exactly what the payload has, or nothing, and the value in _misfits."""
    database.run("""create domain inner_time as time; create type pair as (a int, b time);
        create function raises(int) returns boolean language plpgsql as $$ begin if $1 = 6 then raise 'a secret value: %', $1; end if; return true; end $$""")
    if kind.startswith("domain over "):
        database.run("create domain mine as " + kind[len("domain over "):])
        kind = "mine"
    database.run("create table leads (provider text, lead_id text, mine %s, unique (provider, lead_id))" % kind)
    texts = [*kept, *written_so, *refused]
    ids_file(tmp_path, ["l%d" % n for n in range(len(texts))])
    payloads = {"l%d" % n: lead("l%d" % n, 1, mine=text) for n, text in enumerate(texts)}
    with provider_of(omni_payloads(payloads)) as server:
        export(leadpipe, server.url, database)
        rows = {row["lead_id"]: row for row in database.ask("select lead_id, mine::text, _misfits from leads")}
        for n, text in enumerate(texts):
            row = rows["l%d" % n]
            want = (None, {"mine": text}) if text in refused else (written_so.get(text, text), None)
            assert (row["mine"] and ("true" if row["mine"] == "t" else row["mine"]), row["_misfits"]) == want, text
        export(leadpipe, server.url, database)
        assert written(leadpipe) == (0, 0, 0)


@pytest.mark.parametrize("kind", ["jsonb", "json"])
def test_a_users_column_of_json(leadpipe, database, tmp_path, kind):
    """A member that is not documented: objects and arrays, also those in a text, are what they are, everything else is a string."""
    values = [({"a": [1, {"b": None}]},) * 2, ([],) * 2, (["x"],) * 2, ({},) * 2, ({"n": 12345678901234567890},) * 2, ('{"a": 1}', {"a": 1}),
              ("text",) * 2, ("",) * 2, ("{",) * 2, ("[note]",) * 2, ("{}x",) * 2, ("007",) * 2, (12, "12"), (True, "true"), (None, None)]
    names = ["l%02d" % n for n in range(len(values))]
    ids_file(tmp_path, names)
    with provider_of(omni_payloads({name: lead(name, 1, mine=value) for name, (value, _) in zip(names, values)})) as server:
        export(leadpipe, server.url, database)
        database.run("alter table leads alter mine type %s using null" % kind)
        export(leadpipe, server.url, database)
        texts = [row["mine"] for row in database.ask("select mine::text from leads order by lead_id")]
        assert [text and json.loads(text) for text in texts] == [want for _, want in values]
        export(leadpipe, server.url, database)
        assert written(leadpipe) == (0, 0, 0)


def test_misfits_of_a_users_types_are_counted(leadpipe, database, tmp_path):
    """With those that were found while loading, in the order of the tables; also where the merge was done again."""
    database.run("""create table leads (lead_id text, provider text, source varchar(3), website int, extra_code int,
            unique (provider, lead_id));
        create table documents (lead_id text, provider text, position bigint, filename varchar(1), unique (provider, lead_id, position))""")
    payloads = {"l%d" % n: lead("l%d" % n, 1, source="new!" if n else "new", website="example.com", isTest="maybe",
                                extraCode="x" if n > 7 else 7) for n in range(10)}
    ids_file(tmp_path, payloads)
    with provider_of(omni_payloads(payloads)) as server:
        done = export(leadpipe, server.url, database, "deletes=mark", more=["--state", "run.state"])
    sink, = [one for one in manifest(tmp_path / "m.json")["sinks"] if one["sink"].startswith("postgres:")]
    wanted = [("leads", "is_test", None, 10), ("leads", "source", "character varying(3)", 9), ("leads", "website", "integer", 10),
              ("leads", "extra_code", "integer", 2), ("documents", "filename", "character varying(1)", 20)]
    assert [(one["table"], one["column"], one.get("type"), one["count"]) for one in sink["misfits"]] == wanted, done.stderr
    assert database.value("select count(*) from leads where _misfits ? 'website'") == "10"
    with provider_of(omni_payloads({**payloads, "l0": lead("l0", 2, extraCode="late")})) as server:
        done = export(leadpipe, server.url, database, "types=text,prefix=t_")
        database.run("create table u_leads (lead_id text, provider text, extra_code int, unique (provider, lead_id))")
        done = export(leadpipe, server.url, database, "types=text,prefix=u_", status=1)
        assert ("the type of u_leads.extra_code, integer, does not hold 3 of the values" in done.stderr
                and database.value("select count(*) from u_leads") == "0"), done.stderr


AGAIN = """create sequence tries; create function fail_once() returns trigger language plpgsql as $$ begin
if new.status = 'done' and nextval('tries') = 1 then raise exception 'once' using errcode = 'serialization_failure'; end if;
return new; end $$; create trigger once before update on _leadpipe_runs for each row execute function fail_once()"""


def test_a_merge_that_is_done_again_counts_once(leadpipe, database, tmp_path):
    payloads = {"l%d" % n: lead("l%d" % n, 1, source="new!").replace(b'"size": 1', b'"size": "big"') for n in range(10)}
    ids_file(tmp_path, payloads)
    with provider_of(omni_payloads(payloads)) as server:
        export(leadpipe, server.url, database, "prefix=a_")
        database.run("create table leads (lead_id text, provider text, source varchar(3), unique (provider, lead_id));"
                     "create table documents (lead_id text, provider text, position bigint, filename varchar(1), "
                     "unique (provider, lead_id, position));" + AGAIN)
        export(leadpipe, server.url, database)
    assert database.value("select last_value from tries") == "2" and written(leadpipe) == (40, 0, 0)
    sink, = [one for one in manifest(tmp_path / "m.json")["sinks"] if one["sink"].startswith("postgres:")]
    assert [(one["table"], one["column"], one["count"]) for one in sink["misfits"]] == [
        ("leads", "source", 10), ("documents", "size", 10), ("documents", "filename", 20)]


# What a better match than the server's own functions and operators would be, were they not named with their schema.
TRAPS = """create table sprung (what text); grant all on sprung to public;
create function spring(what text) returns text volatile language plpgsql as $$ begin insert into public.sprung values (what); return what; end $$;
create function to_jsonb(jsonb) returns jsonb language sql as $$ select pg_catalog.to_jsonb($1) where public.spring('to_jsonb') <> '' $$;
create function format_type(oid, text) returns text language sql as $$ select pg_catalog.format_type($1, null) where public.spring('format_type') <> '' $$;
create function jsonb_build_object(text, jsonb) returns jsonb language sql as $$ select '{}'::jsonb where public.spring('build') <> '' $$;
create function quote_ident(name) returns text language sql as $$ select $1::text where public.spring('quote_ident') <> '' $$;
create function path(jsonb, text) returns text language sql as $$ select public.spring('path') $$;
create operator #>> (function = path, leftarg = jsonb, rightarg = text);
create function same(varchar, text) returns boolean language sql as $$ select public.spring('varchar, text') = $2 $$;
create operator = (function = same, leftarg = varchar, rightarg = text);
create function same(varchar, varchar) returns boolean language sql as $$ select public.spring('varchar, varchar') = $2 $$;
create operator = (function = same, leftarg = varchar, rightarg = varchar);
create function same(oid, int) returns boolean language sql as $$ select public.spring('oid, int') = '' $$;
create operator = (function = same, leftarg = oid, rightarg = int);
create function matches(name, name) returns boolean language sql as $$ select public.spring('matches') = '' $$;
create operator ~ (function = matches, leftarg = name, rightarg = name);
create function same(numeric, bigint) returns boolean language sql as $$ select public.spring('numeric, bigint') <> '' and $1 operator(pg_catalog.=) $2::numeric $$;
create operator = (function = same, leftarg = numeric, rightarg = bigint);
create domain my_time as time;
create function same(my_time, time) returns boolean language sql as $$ select public.spring('domain') <> '' $$;
create operator = (function = same, leftarg = my_time, rightarg = time);
create domain my_text as text;
create function same(my_text, text) returns boolean language sql as $$ select public.spring('domain of text') <> '' $$;
create operator = (function = same, leftarg = my_text, rightarg = text);
create table documents (provider text, lead_id text, position numeric, unique (provider, lead_id, position));
create table leads (provider varchar(20), lead_id varchar(20), source varchar(3), website varchar, at my_time, note my_text,
                    unique (provider, lead_id));"""


def test_what_others_have_in_the_search_path(leadpipe, database, tmp_path):
    """It does not run with the rights of the role that exports."""
    database.run(TRAPS)
    ids_file(tmp_path, ["l1", "l2"])
    with provider_of(omni_payloads({one: lead(one, 1, source="new!", website="w", at="03:04:05", note="x") for one in ("l1", "l2")})) as server:
        for n in range(2):
            export(leadpipe, server.url, database, "deletes=mark", more=["--state", "run.state"])
            assert written(leadpipe) == ((8, 0, 0), (0, 0, 0))[n]
        leadpipe("check", "-p", "omni", "--base-url", server.url, "-t", database.target(), "--id", "l1", env=KEY)
    assert database.run("select distinct what from sprung") == ""


CASELESS = "create collation caseless (provider = icu, locale = 'und-u-ks-level2', deterministic = false);"


def test_collations_of_the_user(leadpipe, database, tmp_path):
    """What they take for the same is not: a text that changes in case is written, and the leads "La" and "LA" are two."""
    database.run(CASELESS + """create table leads (provider text, lead_id text collate caseless, first_name text collate caseless);
        create unique index on leads (provider, lead_id collate "C")""")
    payloads = {"La": lead("La", 1), "LA": lead("LA", 2)}
    ids_file(tmp_path, payloads)
    with provider_of(omni_payloads(payloads)) as server:
        export(leadpipe, server.url, database)
        payloads["LA"] = payloads["LA"].replace(b'"firstName": "v2"', b'"firstName": "V2"')
        export(leadpipe, server.url, database)
        assert written(leadpipe) == (0, 1, 0)
        rows = {row["lead_id"]: row["first_name"] for row in database.ask('select lead_id collate "C" as lead_id, first_name from leads')}
        assert rows == {"La": "v1", "LA": "V2"}
        export(leadpipe, server.url, database)
        assert written(leadpipe) == (0, 0, 0)


def test_keys_that_do_not_fit(leadpipe, database, tmp_path):
    """The row without its ID would be written again every night."""
    database.run("create table leads (provider text, lead_id varchar(4), unique (provider, lead_id))")
    ids_file(tmp_path, ["l1", "l2345"])
    with provider_of(omni_payloads({one: lead(one, 1) for one in ("l1", "l2345")})) as server:
        done = export(leadpipe, server.url, database, status=1)
    assert "type of leads.lead_id, character varying(4), does not hold 1 of the values; the column is part of the key" in done.stderr
    assert database.value("select count(*) from leads") == "0" and database.staging() == []


@pytest.mark.parametrize("made, message", [
    (CASELESS + "create table leads (provider text, lead_id text collate caseless, unique (provider, lead_id))",
     "no unique key on (provider, lead_id) with a deterministic collation"),
    ("create table leads (provider text, lead_id text)", "no unique key on (provider, lead_id)"),
    ("create table leads (provider text, lead_id text, x int, unique (provider, lead_id, x))", "no unique key on"),
    ("create table leads (provider text, lead_id text); create unique index on leads (provider, lead_id) where lead_id > 'a'",
     "no unique key on"),
    ("create table documents (a int)", "no unique key on (provider, lead_id, position)"),
    ("create table leads (provider text, lead_id int, primary key (provider, lead_id))", "leads.lead_id is part of the key"),
    ("create table leads (provider text, lead_id text generated always as ('x') stored, primary key (provider, lead_id))",
     "no unique key on (provider, lead_id_2)"),
    ("create view leads as select 1 as a", "is not a table"),
])
def test_tables_that_are_refused(leadpipe, database, tmp_path, made, message):
    ids_file(tmp_path, ["a"])
    database.run(made)
    with provider_of(omni_payloads({"a": lead("a", 1)})) as server:
        done = export(leadpipe, server.url, database, status=2)
        assert message in done.stderr and server.seen == []
    assert not (leadpipe.folder / "rows.ndjson").exists() and database.staging() == []


# --- what is refused -------------------------------------------------------------------------------------

@pytest.mark.parametrize("target", [
    "postgres:host=db password=hunter22 user=etl", "postgres:postgresql://etl:hunter22@db/dw",
    "postgres:postgresql://etl@db/dw?password=hunter22", "postgres:host=db sslpassword=hunter22",
    "postgres:host=db passwort=hunter22", "postgres:postgresql://etl:hunter%zz22@db/dw"])
def test_no_password_in_the_target(leadpipe, target):
    done = leadpipe("export", "-p", "omni", "-t", target, "--id", "x", env=KEY)
    assert done.returncode == 2, done.stderr
    assert "hunter" not in done.stderr, done.stderr


@pytest.mark.parametrize("words, message", [
    (["-t", "postgres,mode=merge:host=x"], "upsert|append"), (["-t", "postgres,schema=:host=x"], "schema"),
    (["-t", "postgres:host=x", "--max-columns", "1501"], "1500"),
    (["-t", "postgres,prefix=%s:host=x" % ("p" * 64)], "63 bytes"),
    (["-t", "postgresql://etl@db/dw"], "write the sink before the URL"), (["-t", "postgres://etl@db/dw"], "postgres:postgresql://"),
    (["-t", "postgres:hst=127.0.0.1"], 'invalid connection option "hst"'), (["-t", "postgres:warehouse"], "KEYWORD=VALUE")])
def test_refused_options(leadpipe, words, message):
    done = leadpipe("export", "-p", "omni", *words, "--id", "x", env=KEY)
    assert done.returncode == 2 and message in done.stderr, done.stderr


def test_password_of_the_environment(leadpipe, database, cluster, tmp_path):
    """It reaches the server, and nothing else."""
    ids_file(tmp_path, ["a"])
    with provider_of(omni_payloads({"a": lead("a", 1)})) as server:
        done = leadpipe("export", "-p", "omni", "--base-url", server.url, "-t", "postgres:%s" % database.conninfo(), "--manifest",
                        "m.json", "ids.txt", env={**KEY, "PGPASSWORD": "hunter22-hunter22"})
        assert done.returncode == 0, done.stderr
        assert "hunter22" not in done.stderr + (leadpipe.folder / "m.json").read_text()


def test_server_errors(leadpipe, database, tmp_path):
    """The server's message and hint; the tables as they were."""
    payloads = {"a": lead("a", 1), "b": lead("b", 1)}
    ids_file(tmp_path, payloads)
    database.run("create role reader login; create role writer login; grant create on database %s to writer" % database.name)
    with provider_of(omni_payloads(payloads)) as server:
        done = export(leadpipe, server.url, database, "schema=dw", user="reader", status=1)
        assert "permission denied" in done.stderr
        export(leadpipe, server.url, database, "schema=dw", user="writer")
        before = database.dump("dw")
        database.run("alter table dw.leads add constraint short check (length(first_name) < 4)")
        payloads["b"] = lead("b", 1000)
        done = export(leadpipe, server.url, database, "schema=dw", user="writer", status=1)
        assert 'violates check constraint "short"' in done.stderr and "table leads" in done.stderr
        assert database.dump("dw") == before and database.staging() == []
        missing = leadpipe("export", "-p", "omni", "--base-url", server.url, "-t", "postgres:%s" %
                           database.conninfo().replace(database.name, "nowhere"), "ids.txt", env=KEY)
        assert missing.returncode == 1 and 'database "nowhere" does not exist' in missing.stderr
    (run,) = [run for run in database.runs("dw") if run["status"] != "done"]
    assert run["status"] == "abandoned"


@pytest.mark.parametrize("made, message", [
    ("alter table leads add score int not null", "give the column a default, or drop its not null"),
    ("alter table leads add constraint c check (email is null)", 'constraint "c"'),
    ("create unique index c on leads (email)", 'constraint "c"'),
    ("create table known (email text primary key); alter table leads add constraint c foreign key (email) references known",
     'constraint "c"'),
    ("alter table leads add constraint c exclude (email with =)", 'constraint "c"'),
    ("alter table leads add made int generated always as (email::int) stored", "invalid input syntax for type integer: ..."),
    ("create function f() returns trigger language plpgsql as $$ begin raise 'refused' using detail = new.email; end $$; "
     "create trigger f before insert on leads for each row execute function f()", "refused")])
def test_no_values_of_a_row_in_messages(leadpipe, database, tmp_path, made, message):
    """The server quotes the row that it refuses: names, addresses, numbers."""
    ids_file(tmp_path, ["a", "b"])
    secret = "ada@example.com"
    with provider_of(omni_payloads({one: lead(one, 1, email=secret, lastName="Lovelace") for one in "ab"})) as server:
        database.run("create table leads (provider text, lead_id text, email text, primary key (provider, lead_id)); " + made)
        done = export(leadpipe, server.url, database, status=1, more=["-vv"])
    assert message in done.stderr and secret not in done.stderr and "Lovelace" not in done.stderr, done.stderr
    assert ("leads.score is not null and has no default" in done.stderr) == ("score" in made)
    assert secret not in (leadpipe.folder / "m.json").read_text()


@pytest.mark.parametrize("grants, missing, message", [
    ("", "", "the role {writer} may not read the table public.leads; as its owner, {boss}: grant"),
    ("select", "", "may not insert into the table public.leads"), ("select, insert", "", "may not update the table"),
    ("select, insert, update", "", None),
    ("select, insert, update, delete", "website", "the table public.leads lacks 1 column (website), and only its owner can add"),
    ("select, insert, update, delete", "_misfits", "lacks 1 column (_misfits)"),
    ("select, insert, update, delete", "_deleted_at", "lacks 1 column (_deleted_at)"),
    ("select, insert, update, delete", "", None)])
def test_rights_are_checked_before_the_first_request(leadpipe, database, tmp_path, grants, missing, message):
    """Tables of another role."""
    ids_file(tmp_path, ["a"])
    boss, writer = "boss_" + database.name, "writer_" + database.name  # roles belong to the cluster
    database.run("create role {0} login; create role {1} login; grant create, usage on schema public to {0}, {1}".format(boss, writer))
    with provider_of(omni_payloads({"a": lead("a", 1)})) as server:
        export(leadpipe, server.url, database, "deletes=mark", user=boss)
        database.run("grant select, insert, update, delete on all tables in schema public to {0}; "
                     "revoke all on leads from {0}".format(writer))
        if grants:
            database.run("grant %s on leads to %s" % (grants, writer))
        if missing:
            database.run("alter table leads drop column " + missing)
        server.seen.clear()
        done = export(leadpipe, server.url, database, "deletes=mark", user=writer, status=1 if message else 0)
        if message:
            assert message.format(boss=boss, writer=writer) in done.stderr and server.seen == [], done.stderr


def test_what_else_is_refused_before_the_first_request(leadpipe, database, tmp_path):
    ids_file(tmp_path, ["a"])
    writer = "writer_" + database.name
    database.run("create role {0} login; create role {0}_boss; grant create, usage on schema public to {0}".format(writer))
    with provider_of(omni_payloads({"a": lead("a", 1)})) as server:
        export(leadpipe, server.url, database, user=writer)
        for refused, message, allowed in [
                ("alter table documents owner to {0}_boss; grant select, insert, update on documents to {0}",
                 "may not delete from the table public.documents", "grant delete on documents to {0}"),
                ("alter table leads enable row level security; alter table leads force row level security; "
                 "create policy all_rows on leads using (true)", "row level security would hide rows of the table public.leads from the role {0}",
                 "alter table leads no force row level security")]:
            database.run(refused.format(writer))
            server.seen.clear()
            done = export(leadpipe, server.url, database, user=writer, status=1)
            assert message.format(writer) in done.stderr and server.seen == [], done.stderr
            database.run(allowed.format(writer))
            export(leadpipe, server.url, database, user=writer)


def test_a_role_without_temporary_tables(leadpipe, database, tmp_path):
    """They are needed for columns of other types only."""
    ids_file(tmp_path, ["a"])
    worker = "worker_" + database.name
    database.run("create role {1} login; grant create, usage on schema public to {1}; revoke temporary on database {0} from public"
                 .format(database.name, worker))
    with provider_of(omni_payloads({"a": lead("a", 1, mine="7")})) as server:
        export(leadpipe, server.url, database, user=worker)
        database.run("alter table leads alter mine type int using null")
        done = export(leadpipe, server.url, database, user=worker, status=1)
        assert 'as its owner: grant temporary on database "%s" to %s' % (database.name, worker) in done.stderr, done.stderr
        database.run("grant temporary on database {0} to {1}".format(database.name, worker))
        export(leadpipe, server.url, database, user=worker)
    assert database.value("select mine from leads") == "7"


def test_a_database_that_is_read_only_by_default(leadpipe, database, tmp_path):
    ids_file(tmp_path, ["a"])
    database.run("alter database %s set default_transaction_read_only to on" % database.name)
    with provider_of(omni_payloads({"a": lead("a", 1)})) as server:
        done = export(leadpipe, server.url, database, status=1)
        assert "options='-c default_transaction_read_only=off'" in done.stderr and server.seen == [], done.stderr
        done = leadpipe("export", "-p", "omni", "--base-url", server.url, "-t", database.target() +
                        " options='-c default_transaction_read_only=off'", "ids.txt", env=KEY)
        assert done.returncode == 0, done.stderr


def test_timeouts_of_the_role(leadpipe, database, tmp_path):
    """The session's are none, whatever the server's version has."""
    ids_file(tmp_path, ["a"])
    names = database.value("select string_agg(name, ' ') from pg_settings where name ~ '_timeout$' and context = 'user' and "
                           "(name ~ '^(statement|lock|idle|transaction)')").split()
    assert {"statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"} <= set(names)
    database.run("; ".join("alter database %s set %s to '61s'" % (database.name, name) for name in names))
    with provider_of(omni_payloads({"a": lead("a", 1)})) as server:
        export(leadpipe, server.url, database)
    database.run("""create table seen (name text, setting text);
        create function look() returns trigger language plpgsql as $$ begin
            insert into seen select name, setting from pg_settings where name = any ('{%s}'); return null; end $$;
        create trigger look after update on leads for each statement execute function look();
        grant insert on seen to public""" % ",".join(names))
    assert set(database.value("select string_agg(setting, ' ') from pg_settings where name = any ('{%s}')" % ",".join(names)).split()) == {"61000"}
    with provider_of(omni_payloads({"a": lead("a", 2)})) as server:
        export(leadpipe, server.url, database)
    assert {row["name"]: row["setting"] for row in database.ask("select * from seen")} == {name: "0" for name in names}


@pytest.mark.parametrize("encoding", ["LATIN1", "WIN1252"])
def test_another_encoding(leadpipe, database, tmp_path, encoding):
    """What it cannot represent ends the run, and the message says so."""
    database.run("create database {0}_e encoding {1} lc_collate 'C' lc_ctype 'C' template template0".format(database.name, encoding))
    ids_file(tmp_path, ["a", "b"])
    target = database.target().replace("dbname=%s" % database.name, "dbname=%s_e" % database.name)
    for name, status in (("J\u00fcrgen", 0), ("\u65e5\u672c", 1)):
        with provider_of(omni_payloads({one: lead(one, 1, firstName=name if one == "b" else "x") for one in "ab"})) as server:
            done = leadpipe("export", "-p", "omni", "--base-url", server.url, "-t", target, "ids.txt", env=KEY)
        assert done.returncode == status, done.stderr
    assert 'in encoding "UTF8" has no equivalent in encoding "%s"; the encoding of the database' % encoding in done.stderr, done.stderr
    assert "use one with the encoding UTF8" in done.stderr and "lead b" in done.stderr


def test_the_user_is_no_secret(leadpipe, database, tmp_path):
    """Also where the password begins with it, and in a URL."""
    ids_file(tmp_path, ["a"])
    database.run("create role loader login; grant create, usage on schema public to loader")
    host, name = database.cluster.env["PGHOST"], database.name
    with provider_of(omni_payloads({"a": lead("a", 1)})) as server:
        for target in ("host=%s dbname=%s user=loader" % (host, name), "postgresql://loader@/%s?host=%s" % (name, host)):
            done = leadpipe("export", "-p", "omni", "--base-url", server.url, "-t", "postgres:" + target, "--manifest", "m.json",
                            "ids.txt", env={**KEY, "PGPASSWORD": "loader-s3cret"})
            assert done.returncode == 0, done.stderr
            assert "***" not in done.stderr and "s3cret" not in done.stderr
            # Of a URL, arguments show neither user nor query.
            assert "***" not in json.dumps(manifest(tmp_path / "m.json")).replace("://***@", "").replace("?***", "")
            done = leadpipe("export", "-p", "omni", "--base-url", server.url, "-t", "postgres,schema=other:" + target, "ids.txt",
                            env={**KEY, "PGPASSWORD": "loader-s3cret"})
            assert done.returncode == 1 and "authorization loader" in done.stderr, done.stderr


def test_a_schema_of_the_roles_own(leadpipe, database, tmp_path):
    """Who owns the schema need not be able to make one."""
    ids_file(tmp_path, ["a"])
    database.run("create role owner login; create schema mine authorization owner; revoke all on schema public from public")
    with provider_of(omni_payloads({"a": lead("a", 1)})) as server:
        export(leadpipe, server.url, database, "schema=mine", user="owner")
        database.run("alter role owner set search_path to mine; alter role owner set timezone to 'Asia/Tokyo'; "
                     "alter role owner set statement_timeout to 1; alter role owner set default_transaction_isolation to serializable")
        export(leadpipe, server.url, database, user="owner")
    assert written(leadpipe) == (0, 0, 0)


def test_long_keys(leadpipe, database, tmp_path):
    """A lead whose key no index row holds fails alone."""
    profile = {"profile": 1, "name": "odd", "servers": [{"name": "main", "url": "https://odd.example"}],
               "path": "/{a}/{b}/{c}/{d}/{id}", "tables": [{"name": "leads", "each": "", "columns": []}]}
    (tmp_path / "odd.json").write_text(json.dumps(profile))
    (tmp_path / "ids.csv").write_text("id,a,b,c,d\nshort,1,2,3,4\nlong,%s,%s,%s,%s\n" % ("a" * 512, "b" * 512, "c" * 512, "d" * 400) +
                                      "beyond,%s,%s,%s,%s\n" % ("a" * 512, "b" * 512, "c" * 512, "d" * 512))
    with provider_of(lambda path, _: (200, b"{}")) as server:
        done = leadpipe("export", "-p", "./odd.json", "--base-url", server.url, "-t", database.target(), "--failed", "f.ndjson",
                        "ids.csv")
    assert done.returncode == 3, done.stderr
    assert {row["lead_id"] for row in database.ask("select lead_id from leads")} == {"short", "long"}
    failed = json.loads((leadpipe.folder / "f.ndjson").read_text())
    assert failed["code"] == "key_too_long" and failed["sink"].startswith("postgres:")


# --- readers, and other runs -----------------------------------------------------------------------------

WATCH = """do $$ declare seen text := ''; now text; begin
for i in 1..100000 loop
    select string_agg(distinct v, '+' order by v) into now from (
        select first_name as v from leads union all select filename from documents union all
        select 'n' || count(*) from documents union all select 'l' || count(*) from leads) x;
    if now is distinct from seen then seen := now; raise notice '%%', coalesce(now, 'null'); end if;
    exit when exists (select 1 from stop_watching);
    perform pg_sleep(0.005);
end loop; end $$"""


def test_readers_see_old_or_new(leadpipe, database, tmp_path):
    many = 3000
    ids_file(tmp_path, ["l%d" % n for n in range(many)])
    version = [1]
    with provider_of(lambda path, _: (200, lead(path.rsplit("/", 1)[1], version[0], 2 if version[0] == 1 else 3))) as server:
        export(leadpipe, server.url, database)
        database.run("create table stop_watching (a int)")
        watch, sql = database.start(WATCH.replace("%%", "%"))
        found = []
        thread = threading.Thread(target=lambda: found.extend(watch.communicate(sql)))
        thread.start()
        version[0] = 2
        export(leadpipe, server.url, database)
        database.run("insert into stop_watching values (1)")
        thread.join()
    assert watch.returncode == 0, found
    seen = [line.split("NOTICE:  ")[1] for line in found[1].splitlines() if "NOTICE:" in line]
    assert seen == ["l3000+n6000+v1", "l3000+n9000+v2"], seen


def test_two_runs_at_once(leadpipe, database, tmp_path):
    """Both make the same tables; the second waits for the merge of the first, and says so."""
    ids_file(tmp_path, ["l%d" % n for n in range(200)])
    with provider_of(lambda path, _: (200, lead(path.rsplit("/", 1)[1], 1))) as server:
        words = ["export", "-p", "omni", "--base-url", server.url, "-t", database.target("schema=dw"), "ids.txt"]
        started = [leadpipe.start(*words, env=KEY) for _ in range(3)]
        for process in started:
            _, errors = process.communicate(timeout=60)
            assert process.returncode == 0, errors
    assert len(database.ask("select * from dw.leads")) == 200 and len(database.runs("dw")) == 3
    assert sum(run["rows_inserted"] for run in database.runs("dw")) == 800


@pytest.mark.parametrize("options", [["schema=dw,prefix=a_", "schema=dw,prefix=b_"], ["prefix=a_", "schema=public"],
                                     ["schema=dw", "schema=dw2"], ["schema=dw,mode=append", "schema=dw,prefix=b_,deletes=mark"]],
                         ids=" ".join)
def test_two_targets_in_one_database(leadpipe, database, tmp_path, options):
    """Neither commits before both are prepared, so neither may wait for the other."""
    ids_file(tmp_path, ["l%d" % n for n in range(50)])
    with provider_of(lambda path, _: (200, lead(path.rsplit("/", 1)[1], 1))) as server:
        for night in range(2):
            process = leadpipe.start("export", "-p", "omni", "--base-url", server.url, "-t", database.target(options[0]), "-t",
                                     database.target(options[1]), "ids.txt", env=KEY)
            try:
                _, errors = process.communicate(timeout=60)
            finally:
                process.kill()
            assert process.returncode == 0 and b"waiting" not in errors, errors
    for text in options:
        given = dict(one.split("=") for one in text.split(","))
        table = "%s.%sleads" % (given.get("schema", "public"), given.get("prefix", ""))
        assert len(database.ask("select * from " + table)) == 50 * (2 if "mode" in given else 1), table
    assert database.staging() == []


@pytest.mark.parametrize("first, second, url, state", [
    ("schema=dw", "schema=dw", False, []), ("", "schema=public", False, []), ("", "", True, ["--state", "run.state"]),
    ("prefix=a_", "prefix=a_,mode=append", True, [])], ids=str)
def test_the_same_tables_twice(leadpipe, database, tmp_path, first, second, url, state):
    """However the database and the schema are written."""
    ids_file(tmp_path, ["a"])
    with provider_of(omni_payloads({"a": lead("a", 1)})) as server:
        again = database.target(second)
        if url:
            again = "postgres%s:postgresql://etl@/%s?host=%s" % ("," + second if second else "", database.name, database.cluster.env["PGHOST"])
        words = ["export", "-p", "omni", "--base-url", server.url, "-t", database.target(first)]
        done = leadpipe(*words, "-t", again, *state, "ids.txt", env=KEY, timeout=60)
        assert done.returncode == 2 and not server.seen, done.stderr
        assert "another target of this command already writes the table" in done.stderr
        assert database.staging() == []
        done = leadpipe(*words, *state, "ids.txt", env=KEY)  # nothing of it is in the way
        assert done.returncode == 0, done.stderr


def test_waits_for_the_merge_of_another(leadpipe, database, tmp_path):
    ids_file(tmp_path, ["a"])
    with provider_of(omni_payloads({"a": lead("a", 1)})) as server:
        export(leadpipe, server.url, database)
        # The commit waits for somebody who has locked what a trigger reads.
        database.run("create table gate (a int)")
        database.run("create function wait() returns trigger language plpgsql as $$ begin perform a from gate; return null; end $$;"
                     "create constraint trigger late after insert or update on leads deferrable initially deferred "
                     "for each row execute function wait()")
        holder, _ = database.start("")
        holder.stdin.write("begin; lock table gate in access exclusive mode; select 'locked';\n")
        holder.stdin.flush()
        assert holder.stdout.readline().strip() == "locked"
        words = ["export", "-p", "omni", "--base-url", server.url, "-t", database.target(), "--id"]
        payload = omni_payloads({"b": lead("b", 2), "c": lead("c", 2)})
        server.answer = payload
        first = leadpipe.start(*words, "b", env=KEY)
        databases.wait_until(lambda: database.value("select count(*) from pg_stat_activity where wait_event_type = 'Lock'") == "1")
        second = leadpipe.start(*words, "c", env=KEY)
        databases.wait_until(lambda: database.value("select count(*) from pg_stat_activity where wait_event_type = 'Lock'") == "2")
        holder.stdin.close()
        errors = [process.communicate(timeout=60)[1] for process in (first, second)]
        assert first.returncode == second.returncode == 0, errors
        assert "waiting for another run" in errors[1].decode() and "waiting for another run" not in errors[0].decode()
        holder.wait(20)
        holder.stdout.close()
        holder.stderr.close()
    assert len(database.ask("select * from leads")) == 3
