"""Names and codes that differ only in what becomes U+FFFD, or in less than a snake_case name shows: as
many members, columns and values as were received."""

import csv
import json
import signal
import subprocess
import urllib.parse

import pytest

import runs
from outputs import check, ids_file, objects_of, omni_payloads, provider_of

FFFD = "\ufffd"
KEY = {"OMNI_API_KEY": "k"}


def lead(members):
    return b'{"lead":{"source":"x",' + members + b"}}"


def code(text, value):
    return b'{"checklistItem":{"code":' + text + b'},"value":' + value + b"}"


def checklist(*items):
    return b'{"lead":{},"checklistItems":[{"items":[' + b",".join(items) + b"]}]}"


# payloads of one run, in order, and the columns that come of them at the end of `leads`, with their values
CASES = {
    "bytes": ([lead(b'"H\xf6he":3,"H\xfche":4')], {"h%she" % FFFD: ["3"], "h%she_2" % FFFD: ["4"]}),
    "surrogates": ([lead(rb'"a\ud800":1,"a\ud801":2,"a\uD800":3')], {"a" + FFFD: ["3"], "a%s_2" % FFFD: ["2"]}),
    "NUL": ([lead(rb'"a\u0000":1,"a\ud800":2')], {"a" + FFFD: ["1"], "a%s_2" % FFFD: ["2"]}),
    "U+FFFD itself": ([lead(b'"\xef\xbf\xbda":1,"\xffa":2,"\\ufffda":3')], {FFFD + "a": ["3"], FFFD + "a_2": ["2"]}),
    "cut characters": ([lead(b'"\xe2\x82x":1,"\xe2x":2,"\xc3x":3')],
                       {FFFD + "x": ["1"], FFFD + "x_2": ["2"], FFFD + "x_3": ["3"]}),
    "each keeps its column": ([lead(b'"H\xf6he":1'), lead(b'"H\xfche":2'), lead(b'"H\xfche":3,"H\xf6he":4')],
                              {"h%she" % FFFD: ["1", "", "4"], "h%she_2" % FFFD: ["", "2", "3"]}),
    "codes": ([checklist(code(b'"\xf6"', b'"1"')),
               checklist(code(b'"\xfc"', b'"2"'), code(b'"\xf6"', b'"3"'), code(b'"\xfc"', b'"4"'))],
              {"checklist_" + FFFD: ["1", "3"], "checklist_%s_2" % FFFD: ["", "2"], "checklist_%s_2_2" % FFFD: ["", "4"]}),
    "members of an address": ([checklist(code(b'"home"', b'{"\xf6":1,"\xfc":2}'))],
                              {"checklist_home_" + FFFD: ["1"], "checklist_home_%s_2" % FFFD: ["2"]}),
    "json": ([lead(rb'"j":{"\ud800":1,"\ud801":{"\u0000":2,"\ud800":[3]}}')],
             {"j": ['{"%s":1,"%s_2":{"%s":2,"%s_2":[3]}}' % ((FFFD,) * 4)]}),
    "normalised otherwise": ([lead("\"\u00e9\":1,\"e\u0301\":2".encode())], {"\u00e9": ["1"], "e\u0301": ["2"]}),
    "case and blanks": ([lead(b'"A b":1,"aB":2,"a_b":3')], {"a_b": ["1"], "a_b_2": ["2"], "a_b_3": ["3"]}),
}
SINKS = {"csv": "csv/", "ndjson": "lead.ndjson", "ndjson_rows": "rows.ndjson", "ndjson_raw": "raw.ndjson",
         "msgpack": "lead.mp", "msgpack_rows": "rows.mp", "msgpack_raw": "raw.mp"}


def sink_words():
    for name, target in SINKS.items():
        kind, _, layout = name.partition("_")
        yield from ("-t", "%s%s:%s" % (kind, ",layout=" + layout if layout else "", target))


def payload_files(folder, payloads):
    (folder / "payloads").mkdir()
    for one, body in payloads.items():
        (folder / "payloads" / (urllib.parse.quote(one, safe="") + ".json")).write_bytes(body)


@pytest.mark.parametrize("name", CASES)
def test_every_value_is_there(leadpipe, name):
    bodies, wanted = CASES[name]
    payloads = {"L%d" % n: body for n, body in enumerate(bodies)}
    ids = ids_file(leadpipe.folder, payloads)
    payload_files(leadpipe.folder, payloads)
    with provider_of(omni_payloads(payloads)) as server:
        done = leadpipe("export", "-p", "omni", "--base-url", server.url, *sink_words(), ids, env=KEY)
    assert done.returncode == 0, done.stderr
    with open(leadpipe.folder / "csv" / "leads.csv", newline="") as file:
        header, *rows = csv.reader(file)
    found = {column: [row[header.index(column)] for row in rows] for column in header[-len(wanted):]}
    assert found == wanted
    check(leadpipe.folder, "omni", ids, payloads="payloads", **SINKS)


def test_raw_layouts_agree(leadpipe):
    """A reader that makes U+FFFD of what it cannot hold finds all values in both, under the same names."""
    body = lead(b'"\xf6":1,"\xfc":2,"\\ud800":3,"\xef\xbf\xbd_2":4,"o":{"\xff":5,"\xfe":6}')
    with provider_of(omni_payloads({"L": body})) as server:
        done = leadpipe("export", "-p", "omni", "--base-url", server.url, *sink_words(), "--id", "L", env=KEY)
    assert done.returncode == 0, done.stderr
    packed, = objects_of(leadpipe.folder / "raw.mp")
    assert packed["payload"]["lead"] == {"source": "x", FFFD: 1, FFFD + "_3": 2, FFFD + "_4": 3, FFFD + "_2": 4,
                                         "o": {FFFD: 5, FFFD + "_2": 6}}
    text = (leadpipe.folder / "raw.ndjson").read_bytes().decode()
    names = [name for name, _ in json.loads(text, object_pairs_hook=list)[2][1][0][1]]
    assert names == ["source", FFFD, FFFD + "_3", "\ud800", FFFD + "_2", "o"]


def test_resumed_run_has_the_same_columns(leadpipe):
    """What a stopped run keeps of its columns, and of leads behind one that waits, is what was received."""
    payloads = {"0": lead(b'"H\xfehe":0'), "a": lead(b'"H\xf6he":1'), "b": lead(b'"H\xfche":2,"H\xf6he":3'), "c": lead(rb'"H\ud800he":4'),
                "d": checklist(code(b'"\xfc"', b'"5"'), code(b'"\xf6"', b'"6"'))}
    waits, good = ["a"], omni_payloads(payloads)

    def answer(path, headers):
        return (500, b"{}") if path.rsplit("/", 1)[1] in waits else good(path, headers)

    with provider_of(answer) as server:
        words = ["export", "-p", "omni", "--base-url", server.url, "--attempts", "100", "-t", "csv:leads.csv",
                 "-t", "ndjson:leads.ndjson", *runs.id_words(payloads)]
        process = leadpipe.start(*words, "--state", "s", env=KEY, stderr=subprocess.PIPE)

        def asked(one):
            return sum(path.endswith("/" + one) for path, _ in server.seen)

        runs.wait_until(lambda: all(map(asked, "bcd")) and asked("a") > 2, "all but a are there")
        process.send_signal(signal.SIGTERM)
        process.stdout.read(), process.stderr.read()
        assert process.wait(60) == 128 + signal.SIGTERM
        waits.clear()
        before = {one: asked(one) for one in "bcd"}
        done = leadpipe(*words, "--state", "s", env=KEY)
        assert done.returncode == 0, done.stderr
        assert {one: asked(one) for one in "bcd"} == before, "they were kept"
        assert [line.rsplit(": ", 1)[1] for line in done.stderr.splitlines() if "U+FFFD" in line] == ["7"]
        resumed = {name: (leadpipe.folder / name).read_bytes() for name in ("leads.csv", "leads.ndjson")}
        assert leadpipe(*words, env=KEY).returncode == 0
    assert resumed == {name: (leadpipe.folder / name).read_bytes() for name in resumed}
    assert resumed["leads.csv"].splitlines()[0].decode().endswith(
        ",h{0}he,h{0}he_2,h{0}he_3,h{0}he_4,checklist_{0},checklist_{0}_2".format(FFFD))


def test_other_bytes_are_other_content(leadpipe):
    """--changed-only: a member or code whose bytes changed is in another column, so it is sent again."""
    payloads = {"a": lead(b'"H\xf6he":1'), "b": checklist(code(b'"\xf6"', b'"1"')), "c": lead(b'"n":1')}
    with provider_of(omni_payloads(payloads)) as server:
        words = ["export", "-p", "omni", "--base-url", server.url, "-t", "ndjson:x.ndjson", "--state", "s",
                 "--changed-only", *runs.id_words(payloads)]
        assert leadpipe(*words, env=KEY).returncode == 0
        payloads.update(a=lead(b'"H\xfche":1'), b=checklist(code(b'"\xfc"', b'"1"')))
        assert leadpipe(*words, env=KEY).returncode == 0
    assert [row["lead_id"] for row in runs.json_lines(leadpipe.folder / "x.ndjson")] == ["a", "b"]
