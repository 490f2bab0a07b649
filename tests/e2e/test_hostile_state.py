"""A state whose checksums are right and that lies: nothing of others is touched, nothing of others is sent."""

import sqlite3
import zlib

import pytest

import resumes
import runs
from resumes import IDS, STATE

HOOK = "hostile"

SEALS = [
    ("run", "phase, run_id, started_ms, settings, prepared, record"),
    ("checkpoint", "high, key_a, key_b, handed, missing, unchanged, replaced, other_ids, active_ms, marks, columns, totals, gaps"),
    ("marks", "sink, mark"), ("deliveries", "number, sink, last_seq, id, leads"),
    ("prepared", "part, text"), ("failures", "seq, by_sink, summary, line"),
]


def checksum(*values):
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
        db.create_function("checksum", -1, checksum)
        for statement in statements:
            db.execute(*statement) if isinstance(statement, tuple) else db.execute(statement)
        for table, columns in SEALS:
            db.execute("UPDATE %s SET checksum = checksum(%s)" % (table, columns))
        db.execute("UPDATE deliveries SET body_checksum = checksum(body) WHERE body IS NOT NULL")
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
    assert any(words in message for words in (STATE + ": is damaged", "in the state is damaged", "does not write",
                                              "did not write", "is not the file that")), (what, message)
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
    ["UPDATE deliveries SET number = 0 WHERE number = (SELECT min(number) FROM deliveries)"],
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
    stopped.resume(IDS, status=3)


RECORD_OF_NOTHING = (
    '{"ids_read":0,"ids_unique":0,"ids_duplicates":0,"ids_others":0,"ids_expected":0,"exported":0,"unchanged":0,"missing":0,"failed":0,'
    '"requests":0,"retries":0,"bytes_received":0,"replaced":0,"other_ids":0,"codes_beyond":0,"members_beyond":0,"leads_beyond":0,'
    '"missing_allowed":0,"exit_status":%d,"withheld":%d,"ended_ms":1,"active_ms":1,"first_failure":"","first_beyond":"","sinks":['
    '{"deliveries":0,"delivered":0,"failed":0,"is_delivery":0,"files":[{"rows":0,"bytes":0,"path":"leads.csv"}]},'
    '{"deliveries":0,"delivered":0,"failed":0,"is_delivery":1,"files":[]}]}')


def rename(source, target, data=b""):
    """How a file sink says what it would rename, as core/file/renames.h has it."""
    what = b"%d:%d:" % (len(data), zlib.crc32(data)) if target else b""
    return b"%s\0%s\0%s\0" % (str(source).encode(), str(target).encode(), what)


def test_renames_of_others(stopped, tmp_path_factory):
    """A state that says that its run was published, and names files of its own choice."""
    others = tmp_path_factory.mktemp("others")
    (others / "from").write_bytes(b"planted")
    (others / "to").write_bytes(b"precious")
    part, final = stopped.folder / ".leads.csv.leadpipe-part", stopped.folder / "leads.csv"
    own = rename(part, final, part.read_bytes())
    there = b"planted"
    texts = [
        rename(others / "from", others / "to", there), rename(others / "from", ""), rename(others / "from", final, there),
        rename(part, others / "to", part.read_bytes()), own + rename(others / "from", others / "to", there),
        own + rename(others / "to", ""), own + own, own + rename(part, ""), b"", own[:-1], own + b"x", b"\0" * 3,
        rename(part, final, b"something else"),
    ]
    for status, withheld in ((0, 0), (3, 1)):
        record = RECORD_OF_NOTHING % (status, withheld)
        for text in texts[:-1] if withheld else texts:  # what is removed is not read
            change(stopped.folder, ("UPDATE run SET phase = 2, prepared = 4, record = ?", (record,)), "DELETE FROM prepared",
                   ("INSERT INTO prepared VALUES (0, ?, 0), (1, x'', 0), (2, x'', 0), (3, x'', 0)", (text,)))
            refused(stopped, text)
            assert (others / "from").read_bytes() == b"planted" and (others / "to").read_bytes() == b"precious"


@pytest.mark.parametrize("texts", [[], [b""] * 3, [b""] * 5, [b"", b"x", b"", b""], [b"", b"", rename("/x", "/y"), b""],
                                   [b"", b"", b"", rename("/x", "/y")]], ids=lambda texts: "%d-%d" % (len(texts), len(b"".join(texts))))
def test_texts_of_no_output(stopped, texts):
    """One text too few or too many, and texts for what has nothing to finish."""
    part, final = stopped.folder / ".leads.csv.leadpipe-part", stopped.folder / "leads.csv"
    texts = [rename(part, final, part.read_bytes())] * bool(texts) + texts[1:]
    change(stopped.folder, ("UPDATE run SET phase = 2, prepared = ?, record = ?", (len(texts), RECORD_OF_NOTHING % (0, 0))),
           "DELETE FROM prepared", *[("INSERT INTO prepared VALUES (?, ?, 0)", (i, text)) for i, text in enumerate(texts)])
    refused(stopped, texts)
