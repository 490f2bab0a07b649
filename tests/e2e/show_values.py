#!/usr/bin/env python3
"""Numbers and strings that are easily spoilt, and what each sink makes of them.

    python3 tests/e2e/show_values.py          prints the bytes that the program writes

test_values.py checks the same values.
"""

import pathlib
import subprocess
import sys
import tempfile

from conftest import BINARY, clean_environment
from outputs import omni_payloads, provider_of, unpacked

# What stands in the payload, digit for digit: (member, JSON text).
NUMBERS = (
    ("n1", b"10000000000000000999"), ("n2", b"0.1"), ("n3", b"1e-7"), ("n4", b"1046.8333333333335"),
    ("n5", b"1.10"), ("n6", b"-0"), ("n7", b"18446744073709551616"), ("n8", b"-9223372036854775809"),
    ("n9", b"9007199254740993"), ("n10", b"1E400"), ("n11", b"1.0"), ("n12", b"-0.0"),
)
STRINGS = (
    ("s1", rb'"say \"hi\""'), ("s2", rb'"two\nlines"'), ("s3", rb'"one, two"'), ("s4", '"👩‍🚀 ok"'.encode()),
    ("s5", rb'"a\u0000b"'), ("s6", rb'"x\ud83dy"'), ("s7", b'""'), ("s8", b"null"), ("s9", rb'"\u00e9\ud83d\ude00\/"'),
    ("s10", b'"=1+1"'), ("s11", b'"+16782319992"'), ("s12", b'"a\xffb"'), ("s13", rb'"cr\r\nlf"'), ("s14", rb'"a;b\tc"'),
)
NESTED = (("j1", rb'{ "n" : 1.10, "s" : "\u0000, \"", "list" : [ -0, 10000000000000000999 ] }'),)

SINKS = ("csv:leads.csv", "csv,excel-safe,delimiter=semicolon,eol=crlf,bom:excel.csv", "ndjson:lead.ndjson",
         "ndjson,layout=rows:rows.ndjson", "ndjson,layout=raw:raw.ndjson", "msgpack:lead.msgpack.gz",
         "msgpack,layout=raw,gzip=0:raw.msgpack")


def payload(members=NUMBERS + STRINGS + NESTED):
    extra = b",".join(b'"%s":%s' % (name.encode(), text) for name, text in members)
    return (b'{"lead":{"id":"v",%s},"status":null,"checklistItems":[],"documents":[],"actionLogs":[],'
            b'"matchingLeads":[],"lastAction":null,"nextFollowUp":null,"nextDraft":null}' % extra)


def main():
    with provider_of(omni_payloads({"v": payload()})) as server, tempfile.TemporaryDirectory() as folder:
        words = [word for sink in SINKS for word in ("-t", sink)]
        subprocess.run([str(BINARY), "export", "-p", "omni", "--base-url", server.url, "--id", "v", "-q", *words],
                       env=clean_environment({"OMNI_API_KEY": "k"}), cwd=folder, check=True)
        for sink in SINKS:
            data = unpacked(pathlib.Path(folder) / sink.split(":", 1)[1])
            print("== %s\n%s" % (sink, data.split(b"workspace_id")[-1] if "csv" in sink else data))
            if sink.startswith("msgpack"):
                print(data.hex(" "))


if __name__ == "__main__":
    sys.exit(main())
