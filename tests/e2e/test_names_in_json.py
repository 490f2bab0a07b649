"""Paths may hold any bytes but NUL, and JSON is UTF-8: whatever names a path is JSON for a strict decoder."""

import base64
import json
import os

import pytest

NAMES = [b"caf\xe9", b"\xff\xfe", b"cut\xc3", b"\xe2\x82", b"\xe2\x82x", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf8\x88\x80\x80\x80", b"\xf4\x90\x80\x80",
         b"\x80", b"quote\"and\\", b"line\nend", b"\x01\x1b[31m\x7f", "ü\N{GRINNING FACE}\u2028".encode(), b"\xef\xbb\xbfbom", b"n" * 120 + b"\xe9" * 130]


def strict(data):
    """Lines of JSON as RFC 8259 has it."""
    def refuse(word):
        raise ValueError(word)

    return [json.loads(line, parse_constant=refuse) for line in data.decode("utf-8", "strict").split("\n") if line]


def text(name):
    return name.decode("utf-8", "replace")


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name)[2:-1][:40])
def test_every_output_that_is_json(leadpipe, sandbox, control, name):
    control.set(nonce="0")
    folder = os.fsencode(leadpipe.folder)
    given = os.fsdecode(name)
    hook = "http://127.0.0.1:1/" + given if b"\n" not in name and min(name) >= 0x20 and b"\x7f" not in name else None
    ids = [word for one in ("plain-1", "bad~status=400", "gone~missing") for word in ("--id", one)]
    done = leadpipe("export", "-v", "--log-format", "json", *sandbox.provider(), "-t", "ndjson:" + given, "-t", "csv:d/" + given + "/",
                    *(["-t", "webhook,attempts=1:" + hook] if hook else []), "--failed", given + "-f", "--missing", given + "-g",
                    "--manifest", given + "-m", *ids, env=sandbox.env)
    assert done.returncode == 3, done.stderr
    assert strict(done.stderr.encode())[-1]["sinks"][0]["files"][0]["path"] == text(name)
    with open(os.path.join(folder, name + b"-m"), "rb") as file:
        manifest, = strict(file.read())
    assert "ndjson:" + text(name) in manifest["arguments"] and text(name + b"-m") in manifest["arguments"]
    assert manifest["sinks"][0]["sink"] == "ndjson:" + text(name)
    for file, path in ((manifest["sinks"][0]["files"][0], name), (manifest["sinks"][1]["files"][0], b"d/" + name + b"/leads.csv")):
        assert file["path"] == text(path)
        assert ("path_base64" in file) == (text(path).encode() != path)
        found = base64.b64decode(file["path_base64"], validate=True) if "path_base64" in file else file["path"].encode()
        assert found == path and os.path.getsize(os.path.join(folder, found)) == file["bytes"]
    with open(os.path.join(folder, name + b"-f"), "rb") as file:
        failed = strict(file.read())
    assert {row["sink"] for row in failed} <= {None, "webhook:" + text(os.fsencode(hook or ""))}
    assert len(failed) == (2 if hook else 1)
    with open(os.path.join(folder, name + b"-g"), "rb") as file:
        assert len(strict(file.read())) == 1


@pytest.mark.parametrize("name", NAMES[:4], ids=lambda name: ascii(name)[2:-1])
def test_state(leadpipe, sandbox, control, name):
    """The same command again finds that it is the same, and what a state holds is valid."""
    given = os.fsdecode(name)
    words = ["export", *sandbox.provider(), "-t", "csv:" + given, "--state", given + "s", "--failed", given + "f", "--id", "plain-1",
             "--id", "bad~status=400"]
    for more in ([], ["--changed-only"], ["--changed-only"]):
        done = leadpipe(*words, *more, "--manifest", given + "m", env=sandbox.env)
        assert done.returncode == 3, done.stderr
        with open(os.path.join(os.fsencode(leadpipe.folder), name + b"m"), "rb") as file:
            assert strict(file.read())[0]["published"] is True


def test_messages_about_such_files(leadpipe, sandbox, control):
    """The program's own errors, too; nothing reaches the terminal that is no text."""
    for words in (["-t", "csv:x", "nowhere\udce9"], ["-t", "csv:no\udce9/x", "--id=a"], ["-t", "csv:x", "--api-key-file", "no\udce9"],
                  ["-t", "csv:x", "--state", "no\udce9/s", "--id=a"], ["-t", "no\udce9:x", "--id=a"], ["--no\udce9", "-t", "csv:x"],
                  ["-t", "csv,table=no\udce9:x", "--id=a"], ["-t", "csv:x", "--id", "no\udce9"]):
        for form in ("json", "text"):
            done = leadpipe("export", *sandbox.provider(), "--log-format", form, *words, env=sandbox.env)
            assert done.returncode == 2, done
            assert "\ufffd" in done.stderr or "\\xe9" in done.stderr or "api-key-file" in done.stderr or "?" in done.stderr, done
            if form == "json":
                assert strict(done.stderr.encode())
