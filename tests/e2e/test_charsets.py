"""JSON in another charset than UTF-8 is decoded by what the server declares, or refused: never damaged.

And what comes in place of JSON: an HTML page says in the message what it says.
"""

import json

import pytest

from raw_server import KEEP, RawServer, good, whole
from test_broken_bodies import export, serve

NAME = "Zoë Müller"


def body(name, one="bad"):
    return json.dumps({"status": "OK", "lead": {"id": one, "firstName": name}}, ensure_ascii=False)


def answer(charset, data):
    return [whole("200 OK", data, "Content-Type: application/json" + charset), KEEP]


DECODED = {
    "ISO-8859-1": ("; charset=ISO-8859-1", body(NAME).encode("latin-1"), NAME),
    "quoted": ('; Charset="iso-8859-1"', body(NAME).encode("latin-1"), NAME),
    "Windows": ("; charset=windows-1252", body("5 € “x”").encode("cp1252"), "5 € “x”"),
    "Cyrillic": ("; charset=windows-1251", body("Даша").encode("cp1251"), "Даша"),
    "Japanese": ("; charset=Shift_JIS", body("日本").encode("shift_jis"), "日本"),
    "UTF-16": ("; charset=utf-16", body(NAME).encode("utf-16"), NAME),
    "UTF-16 without a mark": ("; charset=utf-16", body(NAME).encode("utf-16-be"), NAME),
    "UTF-16 that nobody declared": ("", body(NAME).encode("utf-16"), NAME),
    "UTF-32 that nobody declared": ("", body(NAME).encode("utf-32"), NAME),
    "UTF-8 with another name": ("; charset=ISO-8859-1", body(NAME).encode(), NAME),
    "UTF-8": ("; charset=UTF-8", body(NAME).encode(), NAME),
}

REFUSED = {
    "unknown": ("; charset=x-unheard-of", body(NAME).encode(), "the unknown charset x-unheard-of", 1),
    "not valid in it": ("; charset=utf-16", body(NAME).encode("utf-16")[:-1], "not valid in its charset", 2),
    "no ASCII": ("; charset=us-ascii", body(NAME).encode("latin-1"), "not valid in its charset", 2),
}


def test_decoded(leadpipe):
    names = list(DECODED)
    with RawServer(lambda path, n: answer(*DECODED[names[int(path.rsplit("-", 1)[1])]][:2])) as server:
        run = export(leadpipe, server, ids=["lead-%d" % n for n in range(len(names))], timeout=15)
    assert run.status == 0, run.done.stderr
    assert {name: row["first_name"] for name, row in zip(names, run.rows)} == {name: DECODED[name][2] for name in names}


@pytest.mark.parametrize("how", REFUSED)
def test_refused(leadpipe, how):
    charset, data, says, tries = REFUSED[how]
    with serve(answer(charset, data)) as server:
        run = export(leadpipe, server, "-j", 1, "--attempts", 2, ids=["good", "bad"], timeout=15)
    [row] = run.failed
    assert (run.status, row["stage"], row["code"], row["attempts"]) == (3, "parse", "charset", tries), row
    assert says in row["error"]


def test_error_in_another_charset(leadpipe):
    text = '{"message":"%s"}' % NAME
    with serve([whole("400 x", text.encode("latin-1"), "Content-Type: application/json; charset=latin1"), KEEP]) as server:
        run = export(leadpipe, server, "-j", 1, ids=["good", "bad"], timeout=15)
    assert run.failed[0]["error"] == "HTTP 400: " + NAME


@pytest.mark.parametrize("page, says", [
    (b"<html><head><title>Sign in &amp; go on</title>", '"Sign in & go on"'),
    (b"<!DOCTYPE html><style>p{}</style><h1>We are down</h1><p>for a while", '"We are down for a while"'),
    (b"<title>\x1b[31m the key is key-that-is-long </title>", '"[31m the key is ***"'),
    (b"<html></html>", "an HTML page, not JSON"),
])
def test_html_in_place_of_json(leadpipe, page, says):
    with serve([whole("200 OK", page, "Content-Type: text/html"), KEEP]) as server:
        run = export(leadpipe, server, "-j", 1, "--attempts", 1, ids=["good", "bad"], timeout=15,
                     env={"OMNI_API_KEY": "key-that-is-long"})
    [row] = run.failed
    assert (row["code"], row["http_status"]) == ("not_json", 200) and says in row["error"], row
    assert "key-that" not in run.done.stderr + row["error"] and "\x1b" not in run.done.stderr
