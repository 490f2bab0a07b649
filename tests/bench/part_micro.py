"""What single steps cost: micro.c."""

import json

from report import Section, number

TITLES = [
    ("parse, text only", "check and copy the text (raw outputs)"),
    ("parse, tree", "parse into a tree"),
    ("flatten", "tree to rows, columns settled"),
    ("flatten, fingerprint", "the same, with a fingerprint (SHA-256)"),
    ("flatten, content hash", "the same, with a content hash (XXH3)"),
    ("csv", "CSV, all tables"),
    ("ndjson,layout=lead", "NDJSON, one object a lead"),
    ("ndjson,layout=rows", "NDJSON, one object a row"),
    ("ndjson,layout=raw", "NDJSON, payload as received"),
    ("msgpack,gzip=0", "MessagePack, one object a lead"),
    ("msgpack,gzip=0,layout=raw", "MessagePack, payload"),
    ("csv,gzip=6", "CSV, all tables, gzip 6"),
    ("ndjson,layout=raw,gzip=1", "NDJSON, payload, gzip 1"),
    ("ndjson,layout=raw,gzip=6", "NDJSON, payload, gzip 6"),
    ("ndjson,layout=raw,gzip=9", "NDJSON, payload, gzip 9"),
]


def micro(ctx):
    ctx.say("single steps")
    cases = {}
    with ctx.output() as folder:
        cost = ctx.run([ctx.micro, ctx.corpus().folder, folder])
    for line in cost.stdout.splitlines():
        case = json.loads(line)
        cases.setdefault(case["case"], {}).update(case)
    section = Section(
        "Single steps", ["step", "ns/lead", "MB/s", "bytes/lead"],
        ["One thread, no network, leads of %s bytes on average. Bytes: memory held for the lead "
         "when parsing and flattening, else written. MB/s: of the payload."
         % number(ctx.corpus().mean_bytes)])
    for name, title in TITLES:
        case = cases[name]
        section.add(title, number(case["ns"]), number(case["body_bytes"] * 1000 / case["ns"]),
                    number(case.get("written", case["bytes"])))
    return section
