"""A state whose checksums are right and that lies: nothing of others is touched, nothing of others is sent."""

import sqlite3
import zlib

import pytest

import resumes
import runs
from resumes import IDS, STATE

HOOK = "hostile"

SEALS = [
    ("run", "phase, run_id, started_ms, terms, renames, record"),
    ("checkpoint", "high, key_a, key_b, handed, missing, unchanged, mended, other_ids, active_ms, marks, columns, totals, holes"),
    ("marks", "sink, mark"), ("deliveries", "number, sink, last_place, id, leads"),
    ("renames", "position, source, target, bytes, crc"), ("failures", "place, by_sink, summary, line"),
]


def seal(*values):
    """What core/state/state_query.c makes of the values of a row."""
    crc = 0
    for value in values:
        if isinstance(value, int):
            crc = zlib.crc32((value & (1 << 64) - 1).to_bytes(8, "little"), crc)
            continue
        data = value.encode() if isinstance(value, str) else value
        length = -1 if data is None else len(data)
        crc = zlib.crc32((length & (1 << 64) - 1).to_bytes(8, "little"), crc)
        crc = zlib.crc32(data or b"", crc)
    return crc


def change(folder, *statements):
    with sqlite3.connect(folder / STATE) as db:
        db.create_function("seal", -1, seal)
        for statement in statements:
            db.execute(*statement) if isinstance(statement, tuple) else db.execute(statement)
        for table, columns in SEALS:
            db.execute("UPDATE %s SET seal = seal(%s)" % (table, columns))
        db.execute("UPDATE deliveries SET body_seal = seal(body) WHERE body IS NOT NULL")
    db.close()


@pytest.fixture
def stopped(leadpipe, sandbox, control):
    """A run that was stopped with deliveries that have no answer."""
    one = resumes.Resumed(leadpipe, sandbox, control,
                          sinks=["-t", "csv:leads.csv", "-t", "webhook,attempts=9:" + sandbox.hook(HOOK)])
    control.hook(HOOK, status=500)
    one.part(IDS[:20])
    return one


def refused(one, what):
    before = runs.listing(one.folder)
    sent = len(one.control.deliveries(HOOK))
    done = one.leadpipe(*one.words(), input=resumes.lines(IDS), env=one.sandbox.env)
    assert done.returncode == 2, (what, done.returncode, done.stderr)
    [message] = done.stderr.splitlines()
    assert STATE + ": is damaged" in message or "in the state is damaged" in message or "does not write" in message, what
    assert len(one.control.deliveries(HOOK)) == sent
    after = runs.listing(one.folder)
    assert {name: data for name, data in after.items() if STATE not in name} == \
           {name: data for name, data in before.items() if STATE not in name}


PHASE_2 = "UPDATE run SET phase = 2"
RECORD = "UPDATE run SET record = '{}'"


LIES = [
    [PHASE_2],
    [PHASE_2, RECORD],
    [PHASE_2, "UPDATE run SET record = '[1'"],
    ["DELETE FROM marks WHERE sink = 1", "UPDATE checkpoint SET marks = 1"],
    ["DELETE FROM marks", "UPDATE checkpoint SET marks = 0"],
    ["UPDATE checkpoint SET handed = handed - 1"],
    ["UPDATE checkpoint SET totals = '9=9'"],
    ["UPDATE marks SET mark = '' WHERE sink = 0"],
    ["UPDATE deliveries SET sink = 0"],
    ["UPDATE deliveries SET sink = 7"],
    ["UPDATE deliveries SET id = 'msg_0123456789abcdef0123456789abcdef'"],
    ["UPDATE deliveries SET id = 'msg_' || char(13, 10) || 'X-Evil: yes, and more of it, 32'"],
    ["UPDATE deliveries SET body = CAST('{\"type\":\"evil\"}' AS BLOB) WHERE body IS NOT NULL"],
    ["UPDATE deliveries SET leads = replace(leads, '-', '_')"],
]


def test_lies(stopped):
    state = (stopped.folder / STATE).read_bytes()
    with sqlite3.connect(stopped.folder / STATE) as db:
        [[n]] = db.execute("SELECT count(*) FROM deliveries WHERE body IS NOT NULL").fetchall()
    db.close()
    assert n > 0
    for statements in LIES:
        (stopped.folder / STATE).write_bytes(state)
        change(stopped.folder, *statements)
        refused(stopped, statements)
    (stopped.folder / STATE).write_bytes(state)
    stopped.control.hook(HOOK, status=200)
    stopped.go_on(IDS, status=3)


def test_renames_of_others(stopped, tmp_path_factory):
    """A state that says that its run was published, and names files of its own choice."""
    others = tmp_path_factory.mktemp("others")
    (others / "from").write_bytes(b"planted")
    (others / "to").write_bytes(b"precious")
    record = ('{"ids_read":0,"ids_unique":0,"ids_duplicates":0,"exported":0,"unchanged":0,"missing":0,"failed":0,'
              '"requests":0,"retries":0,"bytes_received":0,"mended":0,"other_ids":0,"codes_beyond":0,"members_beyond":0,"leads_beyond":0,'
              '"exit_status":0,"ended_ms":1,"active_ms":1,"first_failure":"","sinks":['
              '{"deliveries":0,"delivered":0,"failed":0,"is_delivery":0,"files":[{"rows":0,"bytes":0,"columns":0,"path":"leads.csv"}]},'
              '{"deliveries":0,"delivered":0,"failed":0,"is_delivery":1,"files":[]}]}')
    for target in (str(others / "to"), ""):
        crc = zlib.crc32(b"planted")
        change(stopped.folder, ("UPDATE run SET phase = 2, renames = 1, record = ?", (record,)), "DELETE FROM renames",
               ("INSERT INTO renames VALUES (0, ?, ?, 7, ?, 0)", (str(others / "from"), target, crc)))
        refused(stopped, target)
        assert (others / "from").read_bytes() == b"planted" and (others / "to").read_bytes() == b"precious"
