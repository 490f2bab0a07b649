"""A secret that is echoed in another form than it was sent in: which encoding, in which place."""

import base64
import html
import json
import urllib.parse

import pytest

import runs
from tiny_server import TinyServer

KEY = "sk/live/A-b+9_0123456789~xyzW"
SIGNING = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def base64_of(text):
    return base64.b64encode(text.encode()).decode()


def urlsafe_of(text):
    return base64.urlsafe_b64encode(text.encode()).decode()


ENCODINGS = {
    "as it is": lambda s: s,
    "upper case": str.upper,
    "json, slashes": lambda s: s.replace("/", "\\/"),
    "json, all": lambda s: "".join("\\u%04x" % ord(c) for c in s),
    "json in json": lambda s: s.replace("/", "\\\\\\/"),
    "c, hexadecimal": lambda s: "".join("\\x%02X" % ord(c) for c in s),
    "c, octal": lambda s: "".join("\\%03o" % ord(c) for c in s),
    "percent": lambda s: urllib.parse.quote(s, safe=""),
    "percent, lower case": lambda s: urllib.parse.quote(s, safe="").replace("%2F", "%2f").replace("%2B", "%2b"),
    "percent, all": lambda s: "".join("%%%02x" % ord(c) for c in s),
    "percent, twice": lambda s: urllib.parse.quote(urllib.parse.quote(s, safe=""), safe=""),
    "percent, javascript's escape()": lambda s: "".join("%%u%04X" % ord(c) for c in s),
    "html, decimal": lambda s: "".join("&#%d;" % ord(c) for c in s),
    "html, hexadecimal": lambda s: "".join("&#x%X;" % ord(c) for c in s),
    "html, names": lambda s: s.replace("/", "&sol;").replace("+", "&plus;").replace("_", "&lowbar;"),
    "html, twice": lambda s: html.escape(s.replace("/", "&#x2F;")),
    "quoted-printable": lambda s: "".join("=%02X" % ord(c) for c in s),
    "base64": base64_of,
    "base64 behind one byte": lambda s: base64_of(":" + s),
    "base64 behind two bytes": lambda s: base64_of("u:" + s),
    "base64 before others": lambda s: base64_of(s + ":user"),
    "base64 of user and password": lambda s: "Basic " + base64_of("api-user:" + s),
    "base64url": lambda s: urlsafe_of("?>" + s).rstrip("="),
    "base64, twice": lambda s: base64_of(base64_of(s)),
    "base64 of json": lambda s: base64_of(json.dumps({"key": s}).replace("/", "\\/")),
    "base64 in a url": lambda s: urllib.parse.quote(base64_of(s), safe=""),
    "hexadecimal": lambda s: s.encode().hex(),
    "hexadecimal, upper case": lambda s: s.encode().hex().upper(),
    "hexadecimal, with colons": lambda s: s.encode().hex(":"),
}

# Where the provider puts it: status and body.
PLACES = {
    "message": lambda s: (400, json.dumps({"message": "the key %s is wrong" % s})),
    "code": lambda s: (400, json.dumps({"code": s})),
    "plain text": lambda s: (400, "the key %s is wrong" % s),
    "page": lambda s: (403, "<html><title>%s</title><p>%s</p></html>" % (s, s)),
    "no success": lambda s: (200, json.dumps({"success": False, "message": s, "code": s})),
    "text with 200": lambda s: (200, "%s is no JSON" % s),
    "another id": lambda s: (200, json.dumps({"lead": {"id": s}})),
}


def forms(text):
    """Of a secret: what must be found nowhere. Long enough that it helps somebody, or stands out."""
    plain = text.removeprefix("whsec_").removeprefix("Bearer ")
    return {plain, plain.upper(), plain[:16], plain[-16:], base64_of(plain)[:16], plain.encode().hex()[:20]}


def assert_nowhere(folder, secrets, but=(), **texts):
    """Neither as it is nor in any of the encodings above; rows aside, which are the payload's."""
    for name, content in runs.listing(folder).items():
        if name not in but:
            texts[name] = content.decode("utf-8", "replace")
    for secret in secrets:
        for how, encode in ENCODINGS.items():
            for name, text in texts.items():
                assert encode(secret) not in text, (name, how, text[:2000])
        for form in forms(secret):
            for name, text in texts.items():
                assert form not in text, (name, form, text[:2000])


@pytest.fixture
def server():
    made = []

    def make(answer):
        made.append(TinyServer(answer))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_provider(leadpipe, server, tmp_path, log_format):
    """Every encoding in every place, a lead for each, with everything that is written."""
    table = [(how, place) for how in ENCODINGS for place in PLACES]

    def answer(path, headers):
        how, place = table[int(path.rsplit("/", 1)[1])]
        status, body = PLACES[place](ENCODINGS[how](KEY))
        return status, {}, body.encode()

    done = leadpipe("export", "-p", "omni", "--base-url", server(answer).url, "-t", "ndjson:rows", "-t", "csv:csv/",
                    "--attempts", 1, "--failed", "failed", "--manifest", "manifest", "--state", "state", "-v", "-v",
                    "--log-format", log_format, input="".join("%d\n" % n for n in range(len(table))),
                    env={"OMNI_API_KEY": KEY})
    assert done.returncode == 3, done.stderr
    rows = [json.loads(line) for line in (tmp_path / "rows").read_text().splitlines()]
    # What the payload says is not ours to change.
    assert [row["id"] for row in rows] == [encode(KEY) for encode in ENCODINGS.values()]
    failed = [json.loads(line) for line in (tmp_path / "failed").read_text().splitlines()]
    assert len(failed) + len(rows) == len(table)
    for lead in failed:
        how, place = table[int(lead["id"])]
        shown = lead["error"] + lead["code"] if place != "text with 200" else "***"
        assert "***" in shown or "left out" in shown, (how, place, lead)
    assert_nowhere(tmp_path, [KEY], but=("rows", "csv/leads.csv"), stderr=done.stderr)


def test_receiver(leadpipe, sandbox, control, server, tmp_path):
    """The same of webhooks: header, header-env, secret-env, and what their URLs hold."""
    env = {**sandbox.env, "AUTH": "Bearer auth/t0ken+" + "k" * 12, "SIGN": SIGNING}
    secrets = ["plain/h3ader+" + "q" * 12, env["AUTH"].split()[-1], SIGNING, "t0ken/of+the-url-" + "z" * 9, KEY]
    answered = [iter(ENCODINGS.values()) for _ in secrets]

    def answer(path, headers):
        number = int(path[1])
        return 400, {}, ('{"error":"not with %s"}' % next(answered[number])(secrets[number])).encode()

    receiver = server(answer)
    words = []
    for number in range(len(secrets)):
        words += ["-t", "webhook,concurrency=1,header=X-Plain: %s,header-env=Authorization: AUTH,secret-env=SIGN,"
                        "header=X-Key: %s:%s/%d?token=%s" % (secrets[0], KEY, receiver.url, number, secrets[3])]
    done = leadpipe("export", *sandbox.provider(), *words, "--failed", "failed", "--manifest", "manifest", "--state",
                    "state", "-vv", input="".join("tiny-%d\n" % n for n in range(len(ENCODINGS))), env=env)
    assert done.returncode == 3, done.stderr
    assert len(receiver.requests) == len(ENCODINGS) * len(secrets)
    assert receiver.requests[0][1]["X-Plain"] == secrets[0]
    failed = [json.loads(line) for line in (tmp_path / "failed").read_text().splitlines()]
    assert len(failed) == len(ENCODINGS)
    assert all("not with" in lead["error"] and "***" in lead["error"] for lead in failed), failed
    assert_nowhere(tmp_path, secrets, stderr=done.stderr)


@pytest.mark.parametrize("proxy", ["http://bob:pr0xy-passw0rd@127.0.0.1:9", "http//bob:pr0xy-passw0rd@127.0.0.1",
                                   "bob:pr0xy-passw0rd@127.0.0.1:9", "ftp://bob:pr0xy-passw0rd@127.0.0.1",
                                   "http://bob:pr0xy-passw0rd@127.0.0.1:notaport", "http://bob:pr0xy-passw0rd@ho st/"])
def test_proxy(leadpipe, sandbox, tmp_path, proxy):
    done = leadpipe("export", "-p", "omni", "--base-url", "https://leads.invalid", "--proxy", proxy, "--manifest",
                    "manifest", "--failed", "failed", "-vv", "-t", "ndjson:rows", "--attempts", 1, "--id", "1",
                    "--retry-max-time", "1s", env=sandbox.env)
    assert done.returncode in (1, 2, 3), done.stderr
    assert_nowhere(tmp_path, ["pr0xy-passw0rd"], stderr=done.stderr)


@pytest.mark.parametrize("url", [
    "https://bob:ur1-passw0rd@crm.example/hook", "http://bob:ur1-passw0rd@crm.example/hook",
    "https://bob:ur1-passw0rd@crm example/hook", "https://bob:ur1/passw0rd@crm.example/", "bob:ur1-passw0rd@crm.example",
    "https//bob:ur1-passw0rd@crm.example/", "https://bob:ur1#passw0rd@crm.example/", "ftp://bob:ur1-passw0rd@crm.example/",
    "https://ur1-passw0rd@crm.example/", "https://crm example/?token=ur1-passw0rd",
    "ur1-passw0rd:https://crm.example/"])
@pytest.mark.parametrize("option", ["webhook", "--base-url"])
def test_url(leadpipe, sandbox, tmp_path, option, url):
    words = ["-t", "webhook:" + url] if option == "webhook" else ["-t", "ndjson:rows", "--base-url", url]
    done = leadpipe("export", "-p", "omni", *words, "--id", "1", "--manifest", "manifest", env=sandbox.env)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    for part in ("passw0rd", "ur1"):
        assert part not in done.stderr, done.stderr
    assert runs.listing(tmp_path) == {}


def test_arguments_hold_no_secret_anywhere(leadpipe, sandbox, control, tmp_path):
    """Given where it should not be: as an ID, as a name."""
    done = leadpipe("export", *sandbox.provider(), "-t", "ndjson:rows", "--manifest", "manifest", "--id",
                    "tiny-1", "--id", sandbox.key, "-vv", env=sandbox.env)
    assert done.returncode in (0, 3), done.stderr
    manifest = json.loads((tmp_path / "manifest").read_text())
    assert sandbox.key not in (tmp_path / "manifest").read_text() and sandbox.key not in done.stderr
    assert "***" in manifest["arguments"] and "tiny-1" in manifest["arguments"]


@pytest.mark.parametrize("words", [["-t", "csv:https://bob:ur1-passw0rd@h/x", "--id=a1"], ["-t", "ndjson,gzip=9:gs://bob:ur1-passw0rd@h/x", "--id=a1"],
                                   ["-t", "ndjson:rows", "https://bob:ur1-passw0rd@h/ids"]])
def test_url_in_the_place_of_a_file(leadpipe, sandbox, tmp_path, words):
    done = leadpipe("export", "-p", "omni", *words, env=sandbox.env)
    assert done.returncode == 2 and "is a URL" in done.stderr, done.stderr
    assert_nowhere(tmp_path, ["ur1-passw0rd"], stderr=done.stderr)


@pytest.mark.parametrize("words", [["-t", "ndjson:s3://bob:ur1-passw0rd@h/x"],
                                   ["-t", "ndjson:s3://b/x", "--s3-endpoint", "http://bob:ur1-passw0rd@127.0.0.1:9"]])
def test_password_beside_a_bucket(leadpipe, sandbox, tmp_path, words):
    done = leadpipe("export", "-p", "omni", "--id", "a1", *words, env={**sandbox.env, "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "wJalr-s3cr3t"})
    assert done.returncode == 2 and ("bucket is not valid" in done.stderr or "no user name or password" in done.stderr), done.stderr
    assert_nowhere(tmp_path, ["ur1-passw0rd", "wJalr-s3cr3t"], stderr=done.stderr)
