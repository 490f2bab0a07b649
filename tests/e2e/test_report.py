"""--report: a run as a page.  It is parsed as strictly as HTML can be, and looked at in a browser."""

import collections
import json
import os
import signal
import sqlite3

import pytest

from browser import CHROMIUM, Browser
from conftest import SANITIZER
from pages import Page
from test_signals import start, wait_until


def export(leadpipe, sandbox, *words, **more):
    more.setdefault("env", sandbox.env)
    return leadpipe("export", *sandbox.provider(), "-t", "csv:out/", "--report", "r.html", *words, **more)


def number(text):
    return int(text.replace(",", ""))


def body(member):
    """An order: the sandbox answers 200 with this."""
    return "only=" + json.dumps(member).encode().hex()


def test_good_run(leadpipe, sandbox, control, tmp_path):
    ids = "".join("plain-%d\n" % n for n in range(1200)) + "x~missing\na~status=503~times=1\nplain-1\n"
    hook = sandbox.hook("report")
    done = export(leadpipe, sandbox, "-t", "sqlite:leads.db", "-t", "webhook:" + hook, "--manifest", "m.json",
                  "--job-name", "nightly", input=ids)
    assert done.returncode == 0, done.stderr
    page, manifest = Page(tmp_path / "r.html"), json.loads((tmp_path / "m.json").read_text())
    assert page.title == "Succeeded" and page.head.startswith("nightly ") and "The outputs are published." in page.head
    assert {name: page.count(name) for name in ("exported", "unchanged", "missing", "failed", "pending")} == {
        "exported": 1201, "unchanged": 0, "missing": 1, "failed": 0, "pending": 0}
    assert (page.count("requests"), page.count("retries")) == (1203, 1)
    assert "1,203 IDs read, 1,202 unique, 1 duplicate." in page.all("p", "note")[0]
    facts = dict(page.tables("The run"))
    assert (facts["Job"], facts["Provider"], facts["Exit status"]) == ("nightly", "omni", "0")
    assert facts["Run"] == manifest["run_id"] and facts["Server"] == sandbox.omni
    assert page.all("pre")[0].startswith("leadpipe export -p omni --base-url ")
    sinks = page.tables("Sinks")
    for file in manifest["sinks"][0]["files"]:
        assert [file["path"], "{:,}".format(file["rows"]), "{:,}".format(file["bytes"])] in sinks
    assert ["inserted", "{:,}".format(manifest["sinks"][1]["inserted"])] in sinks
    assert ["delivered", "{:,}".format(manifest["sinks"][2]["delivered"])] in sinks
    statuses = {row[0]: number(row[1]) for row in page.tables("Requests")[1:]}
    assert statuses == {"200 OK": 1201, "404 Not Found": 1, "503 Service Unavailable": 1}
    assert not {"Failed leads", "New columns", "Values that do not fit their column"} & set(page.sections())


def test_charts_add_up(leadpipe, sandbox, control, tmp_path):
    """Every lead and every response is in the charts, by the hints of their columns."""
    control.set(latency_ms=30, jitter_ms=60)
    ids = "".join("tiny-%d\n" % n for n in range(400))
    assert export(leadpipe, sandbox, "-j", "16", input=ids).returncode == 0
    page = Page(tmp_path / "r.html")
    plots = page.elements("figure")
    rects = [e for e in page.elements("rect", within=plots[0]) if e.get("class") is None]
    hints = [page.words(e) for e in rects]
    assert len(hints) >= 10 and all(": " in hint for hint in hints)
    leads = sum(float(e.get("width")) * float(hint.split(": ")[1].split("/s")[0].replace(",", ""))
                for e, hint in zip(rects, hints))
    seconds = float(page.head.split(", ")[1].split(" s")[0])
    assert 0.8 < leads / 1000 * seconds / 400 < 1.2
    assert [text.split(" ")[0] for text in page.all("figcaption")] == ["Leads", "Requests", "Time"]
    latencies = [page.words(e) for e in page.elements("rect", within=plots[2])]
    assert sum(number(text.split(": ")[1]) for text in latencies) == 400
    assert 30 <= float(page.figures("Requests")["half within"]) <= 500


@pytest.mark.parametrize("down, class_, text", [
    ({"down": "503", "down_for_s": 1}, "s-down", "The provider was down for "),
    ({"faults": {"tiny-120": "retryafter=1~times=1"}}, "s-held", "Requests were held back (Retry-After or 429) for ")])
def test_outages(leadpipe, sandbox, control, tmp_path, down, class_, text):
    control.set(latency_ms=30, **down, **({"after_requests": 100} if "down" in down else {}))
    done = export(leadpipe, sandbox, "-j", "8", input="".join("tiny-%d\n" % n for n in range(250)))
    assert done.returncode == 0, done.stderr
    page = Page(tmp_path / "r.html")
    assert page.count("exported") == 250 and page.count("retries") >= 1
    spans = page.elements("rect", class_)
    assert len(spans) == 3  # in both charts and in the strip
    assert float(spans[0].get("width")) > 100 and float(spans[0].get("x")) > 10
    said, = [item for item in page.all("li") if item.startswith(text)]
    assert 0.5 < float(said[len(text):].split(" ")[0]) < 8
    assert page.elements("rect", "s-retries")


def test_stopped_and_resumed(leadpipe, sandbox, control, tmp_path):
    (tmp_path / "ids").write_text("".join("tiny-%d\n" % n for n in range(1500)))
    control.set(latency_ms=20, faults={"tiny-50": "status=400", "tiny-1400": "status=400"})
    process = leadpipe.start("export", *sandbox.provider(), "-t", "csv:out/", "--report", "r.html", "--state", "state", "-j", "8",
                             "ids", env=sandbox.env)
    wait_until(lambda: control.stats(ids="none")["requests"] > 200)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    page = Page(tmp_path / "r.html")
    assert (process.returncode, page.title) == (143, "Stopped")
    assert "Stopped by SIGTERM." in page.head and "stopped before its end" in page.head
    assert page.count("pending") > 0 and page.count("fetched but not published") >= 200
    assert "Incomplete, because the run stopped early; existing files are unchanged." in page.all("p")
    control.set(latency_ms=0)
    done = leadpipe(*process.args[1:], env=sandbox.env)
    whole = Page(tmp_path / "r.html")
    assert done.returncode == 3, done.stderr
    assert (whole.count("exported"), whole.count("failed"), whole.count("pending")) == (1498, 2, 0)
    assert "The run was resumed: " in whole.head and "Over time" in whole.sections()
    failed = whole.tables("Failed leads")  # one of them is of the first part
    assert sorted(row[0] for row in failed if row[0].startswith("tiny-")) == ["tiny-1400", "tiny-50"]
    assert whole.all("span", "count") == ["2"]


def test_killed(leadpipe, sandbox, control, tmp_path):
    export(leadpipe, sandbox, "--id", "plain-1")
    before = (tmp_path / "r.html").read_bytes()
    process = start(leadpipe, sandbox, control, tmp_path, "--report", "r.html")
    process.kill()
    process.communicate(timeout=60)
    assert (tmp_path / "r.html").read_bytes() == before
    control.reset()
    export(leadpipe, sandbox, "--id", "plain-1")
    assert [one.name for one in tmp_path.glob("*r.html*")] == ["r.html"]


def test_failed_runs(leadpipe, sandbox, control, tmp_path):
    path = tmp_path / "r.html"
    ids = ["--id", "plain-1", "--id", "plain-2", "--id", "plain-3"]
    assert export(leadpipe, sandbox, *ids, env={"OMNI_API_KEY": "wrong-key-here"}).returncode == 1
    page = Page(path)
    assert page.title == "Failed" and "401" in page.head and "wrong-key-here" not in page.text
    assert export(leadpipe, sandbox, "--id", "plain-1", "--expect", "2").returncode == 3
    page = Page(path)
    assert page.title == "Finished, but not complete" and "2 unique IDs were expected, but 1 were read." in page.head
    assert export(leadpipe, sandbox, "--id", "a~missing").returncode == 3
    assert Page(path).title == "Not published" and "because no lead was found" in Page(path).head


def test_list_that_does_not_end(leadpipe, sandbox, control, tmp_path):
    control.lists(leads={"": ["tiny-%d" % n for n in range(30)]}, page_size=10, token="loop")
    assert export(leadpipe, sandbox, "--all").returncode == 3
    page = Page(tmp_path / "r.html")
    assert page.title == "Finished, but not complete" and page.count("exported") == 30
    assert "The provider may have more leads than it listed" in page.head


REFUSALS = [["--no-such-option"], ["--attempts", "0"], ["--cacert", "none.pem"], ["-t", "nothing"], ["--fresh"], ["--all"]]


@pytest.mark.parametrize("words", REFUSALS)
def test_refused(leadpipe, sandbox, control, tmp_path, words):
    for _ in range(2):
        done = export(leadpipe, sandbox, "--id", "plain-1", *words)
        page = Page(tmp_path / "r.html")
        assert (done.returncode, page.title) == (2, "Refused")
        message = done.stderr.split("leadpipe: ", 1)[1].strip()
        assert message in page.all("p", "reason") and "Nothing was done" in page.head
        assert export(leadpipe, sandbox, "--id", "plain-1").returncode == 0
        assert Page(tmp_path / "r.html").title == "Succeeded"


@pytest.mark.parametrize("words", [
    ["-t", "webhook,secret-env=s3cretpw!:http://127.0.0.1:1/"], ["-t", "push,param=token=s3cretpw!:hubspot-contacts"],
    ["--api-key-file", "s3cretpw!"], ["-t", "postgres:postgresql://u:s3cretpw!@h/d"], ["--param", "token=s3cretpw!", "--cacert", "none.pem"]])
def test_refused_with_a_secret_at_the_wrong_place(leadpipe, sandbox, tmp_path, words):
    """The message may name a file that is not there; the page does not repeat the command."""
    done = export(leadpipe, sandbox, "--id", "plain-1", *words)
    page = Page(tmp_path / "r.html")
    assert (done.returncode, page.title) == (2, "Refused"), done.stderr
    assert not page.all("pre") and ("s3cretpw" in page.text) == ("s3cretpw" in done.stderr)


@pytest.mark.parametrize("content", ["plain-1\n", '{"id":"plain-1"}\n', "<!DOCTYPE html>\n<p>mine</p>\n", "\0"])
@pytest.mark.parametrize("words", [["--no-such-option"], ["--cacert", "none.pem"], []])
def test_refused_run_keeps_files_of_others(leadpipe, sandbox, tmp_path, content, words):
    """By mistake the file may be an input, a key, a state."""
    (tmp_path / "ids").write_text(content)
    done = leadpipe("export", *sandbox.provider(), "-t", "csv:out/", "--report", "ids", *words, "ids", env=sandbox.env)
    assert done.returncode == 2 and (tmp_path / "ids").read_text() == content


@pytest.mark.parametrize("words", [["--failed", "file"], ["--state", "file"], ["--report", "none/file"], ["-t", "ndjson:file"],
                                   ["--metrics", "file"]])
def test_refused_because_of_the_file(leadpipe, sandbox, tmp_path, words):
    given = [] if "--report" in words else ["--report", "file"]
    done = leadpipe("export", *sandbox.provider(), "-t", "csv:out/", "--id", "plain-1", *given, *words, env=sandbox.env)
    assert done.returncode == 2 and "--report" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", ["-", "/dev/null", "s3://bucket/key", "/dev/stderr"])
def test_only_files(leadpipe, sandbox, path):
    done = leadpipe("export", *sandbox.provider(), "-t", "csv:out/", "--report", path, "--id", "plain-1", env=sandbox.env)
    assert done.returncode == 2 and "--report: " in done.stderr


def test_cannot_be_written(leadpipe, sandbox, control, tmp_path):
    """At its end: the outputs are published, and the exit status says that something is missing."""
    control.set(latency_ms=1000)
    (tmp_path / "reports").mkdir()
    process = leadpipe.start("export", *sandbox.provider(), "-t", "csv:out/", "--report", "reports/r.html", "--id", "plain-1",
                             env=sandbox.env)
    wait_until(lambda: control.stats()["in_progress"] == 1)
    (tmp_path / "reports").rmdir()
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 1 and b"leadpipe: --report: reports/" in stderr
    assert (tmp_path / "out" / "leads.csv").exists()


def test_names_of_the_file(leadpipe, sandbox, control, tmp_path):
    done = leadpipe("export", *sandbox.provider(), "-t", "csv:out/", "--id", "plain-1", "--report", "{run_id}.html", "--manifest",
                    "m.json", env=sandbox.env)
    assert done.returncode == 0, done.stderr
    Page(tmp_path / (json.loads((tmp_path / "m.json").read_text())["run_id"] + ".html"))


# ---- failures, misfits, columns --------------------------------------------------------------------------------------

def test_reasons(leadpipe, sandbox, control, tmp_path):
    orders = ["status=400"] * 30 + ["html"] * 12 + ["successfalse"] * 3
    ids = "".join("n%d~%s\n" % (n, order) for n, order in enumerate(orders)) + "plain-1\nbad\x01id\n"
    done = export(leadpipe, sandbox, "--attempts", "1", "--failed", "f.ndjson", input=ids)
    assert done.returncode == 3, done.stderr
    page = Page(tmp_path / "r.html")
    listed = [json.loads(line) for line in (tmp_path / "f.ndjson").read_text().splitlines()]
    groups = collections.Counter((row["stage"], row["http_status"], row["code"]) for row in listed)
    assert [number(text) for text in page.all("span", "count")] == sorted(groups.values(), reverse=True) == [30, 12, 3, 1]
    headings = page.all("h3", within=page.sections()["Failed leads"])
    assert headings[0].startswith("30 The request failed, status 400")
    assert headings[1].startswith("12 The response cannot be used, status 200, not_json")
    assert headings[2].startswith("3 The request failed, status 200, LEAD_UNAVAILABLE")
    assert headings[3].startswith("1 The line is not an ID")
    errors = {row["id"]: row["error"] for row in listed}
    examples = [row for row in page.tables("Failed leads") if row[0] in errors]
    assert len(examples) == 10 + 10 + 3 and all(errors[id] == error for id, error in examples)
    assert "And 20 more." in page.all("p") and "All of them are in f.ndjson." in page.all("p")


def test_of_many_reasons(leadpipe, sandbox, control, tmp_path):
    """As many as there are leads, each as long as can be."""
    orders = [body({"success": False, "message": "m" * 90 + str(n), "code": "C%d" % n}) for n in range(60)]
    ids = "".join("n%d~%s\n" % (n, order) for n, order in enumerate(orders)) + "plain-1\n"
    done = export(leadpipe, sandbox, "--attempts", "1", input=ids)
    assert done.returncode == 3, done.stderr
    page = Page(tmp_path / "r.html")
    assert [number(text) for text in page.all("span", "count")] == [1] * 20 + [40]
    assert page.all("h3", within=page.sections()["Failed leads"])[-1] == "40 Other reasons"
    assert "And 30 more." in page.all("p") and len(page.bytes) < 100000


def test_misfits(leadpipe, sandbox, control, tmp_path):
    lead = json.dumps({"lead": {"id": "L1", "createdAt": "yesterday <b>", "isTest": "no"}}).encode().hex()
    done = export(leadpipe, sandbox, "-t", "sqlite:leads.db", "--manifest", "m.json", "--id", "L1~only=" + lead)
    assert done.returncode == 0, done.stderr
    counted = json.loads((tmp_path / "m.json").read_text())["sinks"][1]["misfits"]
    rows = Page(tmp_path / "r.html").tables("Values that do not fit their column")[1:]
    assert [[row[0], row[2], row[3]] for row in rows] == [
        ["%s.%s" % (m["table"], m["column"]), "sqlite:leads.db", str(m["count"])] for m in counted] and len(rows) == 2
    assert sqlite3.connect(tmp_path / "leads.db").execute("select count(*) from leads where _misfits is not null").fetchone() == (1,)


def test_new_columns(leadpipe, sandbox, control, tmp_path):
    def columns(*ids):
        done = export(leadpipe, sandbox, "--state", "state", *(word for id in ids for word in ("--id", id)))
        assert done.returncode == 0, done.stderr
        page = Page(tmp_path / "r.html")
        return page.all("li", within=page.sections()["New columns"]) if "New columns" in page.sections() else []

    assert columns("newcode-1-a", "plain-1") == []  # there was no run before
    assert columns("newcode-1-a", "plain-1") == []
    assert columns("newcode-1-a", "newcode-2-b", "plain-1") == ["leads.checklist_code_2"]
    assert columns("newcode-2-b", "newcode-1-a", "plain-1") == []


# ---- hostile texts ---------------------------------------------------------------------------------------------------

HOSTILE = ["<script>alert(1)</script>", '"><img src=http://127.0.0.1:9/x onerror=alert(1)>', "</title></style><svg onload=alert(1)>",
           "<!-- --><iframe src=javascript:alert(1)>", "&lt;b&gt;&amp;", "]]><x>", "' style='background:url(http://127.0.0.1:9/)"]
REVERSED = "abc\u202ecba\u2066\u200b\x1b[31m\x07"


def hostile_run(leadpipe, sandbox, tmp_path, *words):
    ids = "".join("%s~status=400\n" % text.replace("~", "") for text in HOSTILE)
    for n, text in enumerate([*HOSTILE, REVERSED, "x" * 5000]):
        ids += "h%d~%s\n" % (n, body({"success": False, "message": text, "code": text[:60]}))
    ids += "e~echokey\nbad %s\nplain-1\n" % REVERSED
    folder = "out<b>&'\"/"
    (tmp_path / "keys").mkdir(exist_ok=True)
    return leadpipe("export", *sandbox.provider(), "-t", "csv:" + folder, "--report", "r.html", "--attempts", "1", "--failed",
                    "<i>failed", "--job-name", HOSTILE[2] + REVERSED, *words, input=ids, env=sandbox.env)


def test_hostile_texts(leadpipe, sandbox, control, tmp_path):
    done = hostile_run(leadpipe, sandbox, tmp_path)
    assert done.returncode == 3, done.stderr
    page = Page(tmp_path / "r.html")
    assert page.head.startswith(HOSTILE[2] + "abc\\u202ecba\\u2066\\u200b\\x1b[31m\\x07")
    shown = {cell for row in page.tables("Failed leads") for cell in row}
    for text in HOSTILE:
        assert text + "~status=400" in shown or text in shown, text
    assert any("abc\\u202ecba" in text for text in shown)
    assert "out<b>&'\"/leads.csv" in [row[0] for row in page.tables("Sinks")]
    assert sandbox.key not in page.text
    assert max(map(len, shown)) < 1000


def test_secrets(leadpipe, sandbox, control, tmp_path):
    hook = sandbox.hook("secret").replace("http://", "http://user:hunter2hunter2@") + "?token=abcdefghijkl"
    for words in [], ["--attempts", "0"], ["--cacert", "none.pem"]:
        export(leadpipe, sandbox, "-t", "webhook:" + hook, "--id", "plain-1", "--id", sandbox.key + "~status=400", *words)
        page = Page(tmp_path / "r.html")
        assert "hunter2" not in page.text and "abcdefghijkl" not in page.text and sandbox.key not in page.text
        (tmp_path / "r.html").unlink()


# ---- in a browser ----------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def browser():
    if not CHROMIUM:
        pytest.skip("chromium is not installed")
    running = Browser()
    yield running
    running.close()


@pytest.mark.skipif(SANITIZER is not None, reason="the same page as without a sanitizer")
def test_browser(leadpipe, sandbox, control, tmp_path, browser):
    """Nothing is loaded or run, nothing is complained of, and nothing is wider than a phone.  A page that does such things is
    found out, with its policy and without."""
    hostile_run(leadpipe, sandbox, tmp_path)
    path = tmp_path / "r.html"
    url = "file://" + os.fspath(path)
    for width, dark in (1200, False), (1200, True), (390, False), (390, True), (320, False):
        browser.look(width, dark)
        assert browser.open(url) == []
        assert browser.evaluate("document.title").endswith(": Finished, but not complete")
        assert browser.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), width
        colour = browser.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, colour[4:-1].split(","))) < 200) == dark, colour
        heights = browser.evaluate("[...document.querySelectorAll('svg')].map(e => Math.round(e.getBoundingClientRect().height))")
        assert len(heights) >= 2 and all(8 <= height <= 200 for height in heights), heights
    browser.look(1200)
    text = path.read_text()
    policy = text[text.index("<meta http-equiv"):text.index("<meta name=\"viewport\"")]
    for bad in ("<script>console.log('ran')</script>", "<img src=http://127.0.0.1:9/x.png alt=x>",
                "<p style='background:url(http://127.0.0.1:9/y.png)'>x</p>", "<img src=x: onerror=console.log(2) alt=x>"):
        for kept in (text, text.replace(policy, "")):
            path.write_text(kept.replace("</main>", bad + "</main>"))
            assert browser.open(url) != [], bad
