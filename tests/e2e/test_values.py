"""Numbers and strings that are easily spoilt: the very bytes that each sink writes."""

import struct

import msgpack

from outputs import body_of, omni_payloads, provider_of, unpacked
from show_values import NUMBERS, SINKS, STRINGS, payload

FFFD = "\ufffd"
# member: CSV, excel-safe CSV with semicolons, JSON; numbers are the same digits in all of them
TEXTS = {
    "s1": ('"say ""hi"""', '"say ""hi"""', r'"say \"hi\""'),
    "s2": ('"two\nlines"', '"two\nlines"', r'"two\nlines"'),
    "s3": ('"one, two"', "one, two", '"one, two"'),
    "s4": ("👩‍🚀 ok", "👩‍🚀 ok", '"👩‍🚀 ok"'),
    "s5": ("a" + FFFD + "b", "a" + FFFD + "b", '"a' + FFFD + 'b"'),
    "s6": ("x" + FFFD + "y", "x" + FFFD + "y", '"x' + FFFD + 'y"'),
    "s7": ('""', '""', '""'),
    "s8": ("", "", "null"),
    "s9": ("é😀/", "é😀/", '"é😀/"'),
    "s10": ("=1+1", "'=1+1", '"=1+1"'),
    "s11": ("+16782319992", "+16782319992", '"+16782319992"'),
    "s12": ("a" + FFFD + "b", "a" + FFFD + "b", '"a' + FFFD + 'b"'),
    "s13": ('"cr\r\nlf"', '"cr\r\nlf"', r'"cr\r\nlf"'),
    "s14": ("a;b\tc", '"a;b\tc"', r'"a;b\tc"'),
}
JSON_CELL = '{"n":1.10,"s":"' + FFFD + ', \\"","list":[-0,10000000000000000999]}'
CSV_JSON_CELL = '"' + JSON_CELL.replace('"', '""') + '"'


def fixstr(text):
    """A MessagePack string below 32 bytes."""
    data = text.encode()
    assert len(data) < 32
    return bytes([0xA0 | len(data)]) + data


def float64(value):
    return b"\xcb" + struct.pack(">d", value)


PACKED_NUMBERS = {
    "n1": b"\xcf" + struct.pack(">Q", 10000000000000000999),
    "n2": float64(0.1),
    "n3": float64(1e-7),
    "n4": float64(1046.8333333333335),
    "n5": float64(1.1),
    "n6": float64(-0.0),                     # the sign is part of the number
    "n7": fixstr("18446744073709551616"),    # one more than 64 bits hold
    "n8": fixstr("-9223372036854775809"),
    "n9": b"\xcf" + struct.pack(">Q", 9007199254740993),
    "n10": fixstr("1E400"),
    "n11": float64(1.0),
    "n12": float64(-0.0),
}
PACKED_TEXTS = {
    "s1": 'say "hi"', "s2": "two\nlines", "s3": "one, two", "s4": "👩‍🚀 ok", "s5": "a" + FFFD + "b",
    "s6": "x" + FFFD + "y", "s7": "", "s8": None, "s9": "é😀/", "s10": "=1+1", "s11": "+16782319992",
    "s12": "a" + FFFD + "b", "s13": "cr\r\nlf", "s14": "a;b\tc",
}


def packed(name):
    value = PACKED_NUMBERS.get(name)
    if value is None:
        text = PACKED_TEXTS[name]
        value = b"\xc0" if text is None else fixstr(text)
    return fixstr(name) + value


def packed_members():
    nested = (b"\x83" + fixstr("n") + float64(1.1) + fixstr("s") + fixstr(FFFD + ', "') + fixstr("list") + b"\x92"
              + float64(-0.0) + PACKED_NUMBERS["n1"])
    return b"".join(packed(name) for name, _ in NUMBERS + STRINGS) + fixstr("j1") + nested


def json_members():
    members = ['"%s":%s' % (name, text.decode()) for name, text in NUMBERS]
    members += ['"%s":%s' % (name, TEXTS[name][2]) for name, _ in STRINGS]
    return ",".join(members + ['"j1":' + JSON_CELL]).encode()


def export(leadpipe, payloads, *options):
    with provider_of(omni_payloads(payloads)) as server:
        words = [word for sink in SINKS for word in ("-t", sink)]
        ids = [word for one in payloads for word in ("--id", one)]
        done = leadpipe("export", "-p", "omni", "--base-url", server.url, *ids, *words, *options,
                        env={"OMNI_API_KEY": "k"})
    assert done.returncode == 0, done.stderr
    return done


def test_csv(leadpipe):
    export(leadpipe, {"v": payload()})
    names = [name for name, _ in NUMBERS + STRINGS] + ["j1"]
    digits = [text.decode() for _, text in NUMBERS]
    text = (leadpipe.folder / "leads.csv").read_bytes().decode()
    header, row = text.split("\n", 1)
    assert header.endswith("," + ",".join(names))
    want = ",".join(digits + [TEXTS[name][0] for name, _ in STRINGS] + [CSV_JSON_CELL]) + "\n"
    assert row[-len(want) - 1:] == "," + want
    text = (leadpipe.folder / "excel.csv").read_bytes().decode()
    header, row = text.split("\r\n", 1)
    assert header.startswith("\ufeffprovider;lead_id;")
    assert header.endswith(";" + ";".join(names))
    want = ";".join(digits + [TEXTS[name][1] for name, _ in STRINGS] + [CSV_JSON_CELL]) + "\r\n"
    assert row[-len(want) - 1:] == ";" + want


def test_ndjson(leadpipe):
    export(leadpipe, {"v": payload()})
    for name in ("lead.ndjson", "rows.ndjson"):
        data = (leadpipe.folder / name).read_bytes()
        start = data.index(b'"n1":')
        assert data[start:start + len(json_members())] == json_members()
    assert (leadpipe.folder / "rows.ndjson").read_bytes().endswith(json_members() + b"}\n")


def test_ndjson_raw_keeps_what_is_valid_as_it_came(leadpipe):
    """Escapes stay escapes; blanks between tokens go; bytes that are not UTF-8 become U+FFFD."""
    export(leadpipe, {"v": payload()})
    sent = payload().replace(b'{ "n" : 1.10, "s" : "', b'{"n":1.10,"s":"').replace(b', "list" : [ -0, ', b',"list":[-0,')
    sent = sent.replace(b"0999 ] }", b"0999]}").replace(b"\xff", FFFD.encode())
    want = b'{"provider":"omni","lead_id":"v","payload":' + sent + b"}\n"
    assert (leadpipe.folder / "raw.ndjson").read_bytes() == want


def test_msgpack(leadpipe):
    export(leadpipe, {"v": payload()})
    for name in ("lead.msgpack.gz", "raw.msgpack"):
        data = unpacked(leadpipe.folder / name)
        start = data.index(fixstr("n1"))
        assert data[start:start + len(packed_members())] == packed_members()


def test_webhook(leadpipe, sandbox, control):
    export(leadpipe, {"v": payload()}, "-t", "webhook:" + sandbox.hook("values"),
           "-t", "webhook,layout=raw:" + sandbox.hook("raw"))
    lead, = control.deliveries("values")
    assert json_members() in body_of(lead)
    raw, = control.deliveries("raw")
    assert (leadpipe.folder / "raw.ndjson").read_bytes().strip() in body_of(raw)


def test_what_was_replaced_is_counted(leadpipe):
    """The \\u0000 twice, the lone surrogate and the bad byte are in the summary; no lead is lost."""
    done = export(leadpipe, {"v": payload(), "w": payload(NUMBERS)})
    replaced = [line for line in done.stderr.splitlines() if "U+FFFD" in line]
    assert len(replaced) == 1 and replaced[0].endswith(": 4"), done.stderr


def test_integers_at_the_edges_of_every_msgpack_form(leadpipe):
    edges = [0, 127, 128, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1,
             -1, -32, -33, -128, -129, -32768, -32769, -2**31, -2**31 - 1, -2**63]
    members = [("e%d" % n, str(value).encode()) for n, value in enumerate(edges)]
    export(leadpipe, {"v": payload(members)})
    data = unpacked(leadpipe.folder / "lead.msgpack.gz")
    want = b"".join(msgpack.packb("e%d" % n) + msgpack.packb(value) for n, value in enumerate(edges))
    assert want in data
