"""A run that finds nothing, or too little, leaves the earlier outputs; and what a run that stops leaves."""

import contextlib
import json
import os
import signal
import sqlite3

import pytest

import pages
import resumes
import rigs
import runs
from outputs import lead_ids_of, omni_payloads, provider_of

EARLIER = "what an earlier run left\n"
STAYS = "nothing was published, and earlier outputs are unchanged"


def write_earlier(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(EARLIER)


def is_earlier(path):
    return path.read_text() == EARLIER


def found(n, of):
    """IDs, of which the first `n` are found and the others are missing."""
    return ["tiny-%d" % i for i in range(n)] + ["gone-%d~missing" % i for i in range(of - n)]


# --- nothing found ---------------------------------------------------------------------------------

NOTHING = {
    "missing": (["a~missing", "b~gone"], "returned 404 or 410 for every request (missing: 2)"),
    "failed": (["a~status=400", "b~successfalse"], "no lead was found (missing: 0, failed: 2); "),
    "both": (["a~status=400", "b~missing"], "no lead was found (missing: 1, failed: 1); "),
    "bad lines": (["..", "x" * 600], "no lead was found (missing: 0, failed: 2); "),
}


@pytest.mark.parametrize("what", NOTHING)
def test_nothing_found(leadpipe, sandbox, control, what):
    ids, text = NOTHING[what]
    names = ["out/leads.csv", "out/documents.csv", "x.ndjson", "x.mp", "x.csv.gz", "pq/leads.parquet", "x.parquet"]
    write_earlier(leadpipe.folder, *names, runs.FAILED, runs.MISSING, runs.MANIFEST)
    run = runs.Run(leadpipe.folder, leadpipe(
        "export", *sandbox.provider(), *runs.command(out=None), "-t", "csv:out/", "-t", "ndjson:x.ndjson", "-t", "msgpack:x.mp",
        "-t", "csv:x.csv.gz", "-t", "parquet:pq/", "-t", "parquet,row-group=1:x.parquet", "-q", env=sandbox.env, input=resumes.lines(ids)))
    assert run.status == 3 and all(is_earlier(leadpipe.folder / name) for name in names), run.done.stderr
    assert sorted(os.listdir(leadpipe.folder / "out")) == ["documents.csv", "leads.csv"] and runs.temporaries(leadpipe.folder) == []
    assert os.listdir(leadpipe.folder / "pq") == ["leads.parquet"]
    errors = run.errors()
    assert text in errors[-1] and STAYS in errors[-1], errors
    assert (run.manifest["exit_status"], run.manifest["published"]) == (3, False)
    assert all(sink["files"] == [] for sink in run.manifest["sinks"])
    ledger = run.manifest["ledger"]
    assert (len(run.failed), len(run.missing)) == (ledger["failed"], ledger["missing"]) and sum(ledger.values()) == 2


def test_nothing_found_leaves_a_database(leadpipe, sandbox, control):
    """Where a wrong address answers 404 for everything, and gone leads are deleted."""
    def night(*faults):
        control.set(faults={"tiny-%d" % n: fault for n, fault in enumerate(faults)})
        done = leadpipe("export", *sandbox.provider(), "-t", "sqlite,deletes=delete:leads.db", "--id", "tiny-0", "--id", "tiny-1",
                        env=sandbox.env)
        with contextlib.closing(sqlite3.connect(leadpipe.folder / "leads.db")) as database:
            return done, database.execute("select lead_id, _run_id from leads order by 1").fetchall()
    first, rows = night()
    assert first.returncode == 0 and [lead_id for lead_id, _ in rows] == ["tiny-0", "tiny-1"]
    second, left = night("missing", "missing")
    assert second.returncode == 3 and left == rows and STAYS in second.stderr, second.stderr


def test_no_ids_is_a_success(leadpipe, sandbox, control):
    write_earlier(leadpipe.folder, runs.OUT)
    run = runs.export(leadpipe, sandbox, input="")
    assert (run.status, run.rows, run.manifest["published"]) == (0, [], True)


def test_no_ids_where_some_were_expected(leadpipe, sandbox, control):
    run = runs.export(leadpipe, sandbox, "-t", "csv:x.csv", "--expect", 3, input="")
    assert (run.status, run.rows) == (3, None) and not (leadpipe.folder / "x.csv").exists()
    assert "there were no IDs; " + STAYS in run.errors()


def test_fewer_ids_than_expected(leadpipe, sandbox, control):
    """What was read is published, as it was asked for by name."""
    run = runs.export(leadpipe, sandbox, "--expect", 3, ids=["tiny-1"])
    assert (run.status, run.exported, run.manifest["published"]) == (3, ["tiny-1"], True)


def test_what_a_receiver_refused_was_found(leadpipe, sandbox, control):
    """A dead receiver fails its own leads, all of them, and leaves the file complete."""
    control.hook("dead", status=422)
    run = runs.export(leadpipe, sandbox, "-t", "webhook:" + sandbox.hook("dead"), ids=["tiny-1", "tiny-2"])
    assert (run.status, run.exported, run.outcomes()) == (3, ["tiny-1", "tiny-2"], {"failed": 2})


@pytest.mark.parametrize("kind", ["csv", "ndjson", "parquet"])
def test_standard_output(leadpipe, sandbox, control, kind):
    """What went there cannot be taken back; but of nothing there is not even a header."""
    done = leadpipe("export", *sandbox.provider(), "-t", kind + ":-", "--id", "x~missing", env=sandbox.env)
    assert (done.returncode, done.stdout) == (3, b"")
    done = leadpipe("export", *sandbox.provider(), "-t", kind + ":-", "--max-missing", "0", "--id", "tiny-1", "--id", "x~missing",
                    env=sandbox.env)
    assert done.returncode == 3 and (done.stdout.count(b"\n") == 1 if kind == "ndjson" else not done.stdout)


# --- --max-missing -----------------------------------------------------------------------------------

@pytest.mark.parametrize("limit, n_found, of, withheld", [
    ("0", 3, 3, False), ("0", 2, 3, True), ("1", 2, 3, False), ("1", 1, 3, True), ("18446744073709551615", 1, 3, False),
    ("0%", 3, 3, False), ("0%", 2, 3, True), ("100%", 1, 3, False), ("100%", 0, 3, True), ("33%", 2, 3, True),
    ("33.3333%", 2, 3, True), ("33.3334%", 2, 3, False), ("25%", 3, 4, False), ("24.9999%", 3, 4, True),
    ("10%", 36, 40, False), ("10%", 35, 40, True), ("12%", 36, 40, False), ("50%", 0, 0, False), ("0", 0, 0, False)])
def test_max_missing(leadpipe, sandbox, control, limit, n_found, of, withheld):
    ids = found(n_found, of)
    write_earlier(leadpipe.folder, "x.csv", "x.parquet")
    run = runs.export(leadpipe, sandbox, "-t", "csv:x.csv", "-t", "parquet:x.parquet", "--max-missing", limit, input=resumes.lines(ids))
    data = (leadpipe.folder / "x.parquet").read_bytes()
    assert data == EARLIER.encode() if withheld else data[:4] == data[-4:] == b"PAR1"
    assert (run.status, run.manifest["published"]) == (3 * withheld, not withheld), run.done.stderr
    assert is_earlier(leadpipe.folder / "x.csv") == withheld and (run.rows is None) == withheld
    assert [row["id"] for row in run.missing] == ids[n_found:]


def test_max_missing_says_what_is_wrong(leadpipe, sandbox, control):
    words = ["export", *sandbox.provider(), "-t", "csv:x.csv", "--max-missing", "30%", "-q", *runs.id_words(found(2, 4))]
    text = "leadpipe: --max-missing: 2 of 4 leads are missing, but at most 1 (30%%) may be; %s" + STAYS + "\n"
    assert leadpipe(*words, env=sandbox.env).stderr == text % "use --missing FILE to list them; "
    assert leadpipe(*words, "--missing", "m", env=sandbox.env).stderr == text % ""


@pytest.mark.parametrize("limit, says", [("0", "at most 0 may be"), ("10%", "at most 0 (10%) may be"), ("0.0001%", "at most 0 (0.0001%) may be"),
                                         ("33.3333%", "at most 0 (33.3333%) may be")])
def test_max_missing_in_the_words_of_the_command(leadpipe, sandbox, control, limit, says):
    """A percentage is shown with the number that it comes to."""
    words = ["export", *sandbox.provider(), "-t", "csv:x.csv", "--max-missing", limit, "-q", *runs.id_words(found(2, 3))]
    assert "1 of 3 leads are missing, but %s; " % says in leadpipe(*words, env=sandbox.env).stderr


def test_what_failed_is_not_missing(leadpipe, sandbox, control):
    run = runs.export(leadpipe, sandbox, "--max-missing", "0", input="tiny-1\nb~status=400\n..\n")
    assert (run.status, run.exported, run.manifest["published"]) == (3, ["tiny-1"], True)


def test_delivered_stays_delivered(leadpipe, sandbox, control):
    run = runs.export(leadpipe, sandbox, "--max-missing", "0", "-t", "webhook:" + sandbox.hook("h"), ids=found(2, 3))
    assert (run.status, run.rows, run.outcomes()) == (3, None, {"exported": 2, "missing": 1})
    assert [lead_ids_of(one) for one in control.deliveries("h")] == [["tiny-0"], ["tiny-1"]]
    assert run.manifest["sinks"][0]["delivered"] == 2


# --- what is said of the leads that were fetched ----------------------------------------------------

WITHHELD = ["--max-missing", "0", *runs.id_words(["tiny-1", "tiny-2", "x~missing"])]
STOPPED = ["-j", "1", "--retry-max-time", "2s", *runs.id_words(["tiny-1", "tiny-2", "tiny-3~status=429~retryafter=600"])]
FINISHED = runs.id_words(["tiny-1", "tiny-2"])
FILES, HOOK = ["-t", "csv:out/"], ["-t", "webhook:%s"]
UNPUBLISHED, DELIVERED = "fetched but not published", "fetched and delivered but not published"


@pytest.mark.parametrize("words, sinks, status, says", [
    (FINISHED, FILES, 0, "exported"), (WITHHELD, FILES, 3, UNPUBLISHED), (STOPPED, FILES, 1, UNPUBLISHED),
    (STOPPED, ["-t", "sqlite:x.db"], 1, UNPUBLISHED), (WITHHELD, FILES + HOOK, 3, DELIVERED)])
def test_the_summary_does_not_claim_what_was_not_published(leadpipe, sandbox, control, words, sinks, status, says):
    """Their outcome is `exported` wherever programs read it; a person is told whether the outputs have them."""
    sinks = [word.replace("%s", sandbox.hook("claims")) for word in sinks]
    reports = ["--metrics", "lp.prom", "--report", "r.html", "--manifest", runs.MANIFEST, "--state", "state"]
    done = leadpipe("export", *sandbox.provider(), *sinks, *reports, *words, env=sandbox.env)
    assert done.returncode == status, done.stderr
    assert "\nleads     2 %s, " % says in "\n" + done.stderr, done.stderr
    page = pages.Page(leadpipe.folder / "r.html")
    assert page.count(says) == 2 and says in page.all("span", "key")
    metrics = (leadpipe.folder / "lp.prom").read_text()
    assert 'leadpipe_leads{job="leadpipe",outcome="exported"} 2\n' in metrics
    assert 'leadpipe_published{job="leadpipe"} %d\n' % (status == 0) in metrics
    manifest = runs.json_file(leadpipe.folder / runs.MANIFEST)
    assert (manifest["ledger"]["exported"], manifest["published"]) == (2, status == 0)
    assert len(control.deliveries("claims")) == (2 if "webhook" in str(sinks) else 0)
    shown = leadpipe("status", "state").stdout.decode()
    assert status == 1 or "leads     2 %s, " % says in shown, shown


@pytest.mark.parametrize("sinks, says", [(HOOK, "exported"), (FILES + HOOK, DELIVERED)])
def test_delivered_by_a_run_that_was_stopped(leadpipe, sandbox, control, sinks, says):
    """What a receiver has accepted is where it should be, whatever becomes of the files."""
    sinks = [word.replace("%s", sandbox.hook("accepts")) for word in sinks]
    reader, writer = os.pipe()
    process = leadpipe.start("export", *sandbox.provider(), *sinks, stdin=reader, env=sandbox.env)
    os.close(reader)
    os.write(writer, b"tiny-1\ntiny-2\n")
    runs.wait_until(lambda: len(control.deliveries("accepts")) == 2, "2 deliveries")
    process.send_signal(signal.SIGTERM)
    text = process.communicate(timeout=60)[1].decode()
    os.close(writer)
    assert process.returncode == 143 and "\nleads     2 %s, " % says in text, text


SENT = "what was sent to standard output, a pipe or a device cannot be taken back"


def sent(leadpipe, sandbox, sinks, words, status):
    """What is said of a run whose first sink writes to standard output, as text, as JSON and in the report."""
    texts = []
    for form in "text", "json":
        done = leadpipe("export", *sandbox.provider(), *sinks, "--report", "r.html", "--summary", form, *words, env=sandbox.env)
        assert done.returncode == status, done.stderr
        texts.append(done.stderr)
    return done.stdout, texts[0], json.loads(texts[1].splitlines()[-1]), pages.Page(leadpipe.folder / "r.html")


def test_a_preview_on_standard_output_is_there(leadpipe, sandbox, control):
    out, text, _, _ = sent(leadpipe, sandbox, ["-t", "push,preview=-:hubspot-contacts"], runs.id_words(["plain-1", "x~missing"]) +
                           ["--max-missing", "0"], 3)
    assert len(out.splitlines()) == 1 and "\nleads     1 exported, " in text, text
    assert "sink      push:hubspot-contacts: not published; its reader already has %d bytes, which" % len(out) in text, text


@pytest.mark.parametrize("sinks, says", [(["-t", "ndjson:-"], "exported"),
                                         (["-t", "ndjson:-", "-t", "csv:out/"], "fetched but perhaps not published")])
def test_what_went_to_standard_output_is_there(leadpipe, sandbox, control, sinks, says):
    """It was written as the leads came; it is not called unpublished, nor are files that do not exist called unchanged."""
    out, text, summary, page = sent(leadpipe, sandbox, sinks, WITHHELD, 3)
    assert len(out.splitlines()) == 2 and "\nleads     2 %s, " % says in text, text
    assert "nothing was published, and earlier outputs are unchanged, but %s\n" % SENT in text
    assert "\nsink      ndjson:-: not published; its reader already has %d bytes, which cannot be taken back\n" % len(out) in text
    assert text.count("existing files are unchanged") == sinks.count("csv:out/")
    assert (summary["published"], summary["message"]) == (False, "the run finished, but its outputs were not published; " + SENT)
    assert "Not published; its reader already has %d bytes, which cannot be taken back." % len(out) in page.all("p")
    assert "But %s." % SENT in page.head and page.count(says) == 2


def test_standard_output_of_a_run_that_was_stopped(leadpipe, sandbox, control):
    """A part of it is there, as far as it has left the buffer; of CSV there is nothing before the end."""
    words = ["-j", "1", "--retry-max-time", "2s",
             *runs.id_words(["size40k-%d" % n for n in range(4)] + ["tiny-3~status=429~retryafter=600"])]
    out, text, summary, page = sent(leadpipe, sandbox, ["-t", "ndjson:-"], words, 1)
    assert 64 * 1024 <= len(out) < 4 * 60 * 1024 and "\nleads     4 fetched but perhaps not published, " in text, text
    assert "sink      ndjson:-: incomplete, because the run stopped early; its reader already has " in text
    assert summary["message"] == "the run stopped early, and its outputs were not published; " + SENT
    out, text, summary, page = sent(leadpipe, sandbox, ["-t", "csv:-"], words, 1)
    assert out == b"" and "\nleads     4 fetched but not published, " in text and "reader" not in text, text
    assert summary["message"] == "the run stopped early, and its outputs were not published"


@pytest.mark.parametrize("words, message", [
    (FINISHED, "the run finished"), (WITHHELD, "the run finished, but its outputs were not published"),
    (STOPPED, "the run stopped early, and its outputs were not published")])
def test_the_summary_for_programs(leadpipe, sandbox, control, words, message):
    done = leadpipe("export", *sandbox.provider(), *FILES, "--summary-file", "end.json", *words, env=sandbox.env)
    end = runs.json_file(leadpipe.folder / "end.json")
    assert (end["message"], end["published"], end["ledger"]["exported"]) == (message, words is FINISHED, 2), done.stderr


# --- --missing ----------------------------------------------------------------------------------------

def test_missing_list(leadpipe, sandbox, control):
    run = runs.export(leadpipe, sandbox, ids=["b~gone", "tiny-1", "a~missing", "c~status=400"])
    assert [list(row) for row in run.missing] == [
        ["id", "stage", "sink", "http_status", "code", "error", "attempts", "at"]] * 2
    assert [(row["id"], row["stage"], row["sink"], row["http_status"], row["code"], row["error"], row["attempts"])
            for row in run.missing] == [
        ("b~gone", "fetch", None, 410, "http_410", "HTTP 410: gone", 1),
        ("a~missing", "fetch", None, 404, "http_404", "HTTP 404: not found", 1)]
    assert [row["id"] for row in run.failed] == ["c~status=400"]


def test_missing_list_is_an_input(leadpipe, sandbox, control):
    """With its parameters; what was added meanwhile is found then."""
    words = ["export", *sandbox.provider("convocore"), "-t", "ndjson:x.ndjson", "--missing"]
    (leadpipe.folder / "ids.csv").write_text("id,agentId\ntiny-1,a & b\ngone-1~missing,a & b\ngone-2~missing~times=1,agent-9\n")
    assert leadpipe(*words, "m", "ids.csv", env=sandbox.env).returncode == 0
    rows = runs.json_lines(leadpipe.folder / "m")
    assert [(row["id"], row["agentId"]) for row in rows] == [("gone-1~missing", "a & b"), ("gone-2~missing~times=1", "agent-9")]
    done = leadpipe(*words, "m2", "m", env=sandbox.env)
    assert done.returncode == 0, done.stderr
    assert [row["id"] for row in runs.json_lines(leadpipe.folder / "m2")] == ["gone-1~missing"]


# --- with a state -------------------------------------------------------------------------------------

def test_the_run_is_finished(resumed, control):
    """The same command begins a new one; no unfinished file is in its way."""
    write_earlier(resumed.folder, "out/leads.csv")
    words = ["export", *resumed.sandbox.provider(), "--state", resumes.STATE, *runs.command("-t", "csv:out/")]
    first = runs.Run(resumed.folder, resumed.leadpipe(*words, input="a~missing\nb~missing\n", env=resumed.sandbox.env))
    assert first.status == 3 and first.manifest["published"] is False
    assert is_earlier(resumed.folder / "out/leads.csv") and first.rows is None
    assert runs.temporaries(resumed.folder) == [] and os.listdir(resumed.folder / "out") == ["leads.csv"]
    again = resumed.resume(["tiny-1"])
    assert again.exported == ["tiny-1"] and again.manifest["run_id"] != first.manifest["run_id"]
    assert (again.missing, again.failed) == ([], [])


def test_the_whole_run_counts(resumed):
    """What was missing before the run was resumed is missing; and the limit may change meanwhile."""
    ids = found(3, 6)
    first = resumed.part(ids[:4], "--max-missing", "0")
    assert (first.outcomes(), [row["id"] for row in first.missing]) == ({"exported": 3, "missing": 1}, ids[3:4])
    resumed.part(ids[:5], "--max-missing", "0")
    run = resumed.resume(ids, "--max-missing", "2", status=3)
    assert (run.rows, [row["id"] for row in run.missing]) == (None, ids[3:]) and not run.manifest["published"]
    resumed.part(ids[:4])
    run = resumed.resume(ids, "--max-missing", "3")
    assert run.exported == ids[:3] and [row["id"] for row in run.missing] == ids[3:]


def test_found_by_a_sink_before(leadpipe, sandbox, control):
    """All that a receiver refused was refused before the run was resumed."""
    control.hook("dead", status=422)
    resumed = resumes.Resumed(leadpipe, sandbox, control, sinks=["-t", "ndjson:" + runs.OUT, "-t", "webhook:" + sandbox.hook("dead")])
    resumed.part(["tiny-1"], wait=lambda: control.deliveries("dead"))
    run = resumed.resume(["tiny-1", "b~missing"], status=3)
    assert (run.exported, run.outcomes()) == (["tiny-1"], {"failed": 1, "missing": 1})


def changed_only(leadpipe, sandbox, ids, *more):
    return runs.export(leadpipe, sandbox, "--state", "s", "--changed-only", *more, input=resumes.lines(ids))


def test_withheld_is_not_accepted(leadpipe, sandbox, control):
    """What was not published comes again, and what was published before does not."""
    assert changed_only(leadpipe, sandbox, ["tiny-1", "tiny-2"]).exported == ["tiny-1", "tiny-2"]
    control.set(revision={"tiny-1": 5})
    ids = ["tiny-1", "tiny-2", "tiny-3", "b~missing"]
    run = changed_only(leadpipe, sandbox, ids, "--max-missing", "0")
    assert (run.status, run.rows, run.outcomes()) == (3, None, {"exported": 2, "unchanged": 1, "missing": 1})
    run = changed_only(leadpipe, sandbox, ids)
    assert (run.status, run.exported, run.outcomes()) == (0, ["tiny-1", "tiny-3"], {"exported": 2, "unchanged": 1, "missing": 1})
    assert changed_only(leadpipe, sandbox, ids).outcomes() == {"unchanged": 3, "missing": 1}


def test_unchanged_is_found(leadpipe, sandbox, control):
    changed_only(leadpipe, sandbox, ["tiny-1"])
    run = changed_only(leadpipe, sandbox, ["tiny-1", "b~missing"])
    assert (run.status, run.rows, run.manifest["published"]) == (0, [], True)


# --- runs that stop -----------------------------------------------------------------------------------

LISTS = (runs.FAILED, runs.MISSING)


def stopped(leadpipe, sandbox, *more, status=1, env=None, **popen):
    """A run with earlier lists, output and manifest there, that ends before its end."""
    write_earlier(leadpipe.folder, runs.OUT, *LISTS)
    (leadpipe.folder / runs.MANIFEST).write_text('{"published": true}')
    done = leadpipe("export", *sandbox.provider(), *runs.command(), *more, env=env or sandbox.env, **popen)
    assert done.returncode == status, done.stderr
    assert is_earlier(leadpipe.folder / runs.OUT) and runs.temporaries(leadpipe.folder) == []
    reported = runs.json_file(leadpipe.folder / runs.MANIFEST)
    assert (reported["exit_status"], reported["published"]) == (status, False)
    assert reported["ids"]["unique"] == sum(reported["ledger"].values())
    return reported


def test_stopped_at_its_start(leadpipe, sandbox, control):
    """Last night's lists are not replaced by empty ones; the manifest is tonight's."""
    reported = stopped(leadpipe, sandbox, "--id", "tiny-1", "--id", "tiny-2", env={"OMNI_API_KEY": "wrong"})
    assert all(is_earlier(leadpipe.folder / name) for name in LISTS)
    assert reported["ledger"]["pending"] == 2 == reported["ids"]["unique"]


def test_stopped_by_a_long_retry_after(leadpipe, sandbox, control):
    """With something in them the lists are tonight's."""
    reported = stopped(leadpipe, sandbox, "-j", "1", "--retry-max-time", "2s", *runs.id_words(
        ["tiny-1", "a~status=400", "b~missing", "tiny-2~status=429~retryafter=600", "tiny-3"]))
    assert reported["ledger"] == {"exported": 1, "unchanged": 0, "missing": 1, "failed": 1, "pending": 2}
    assert [[row["id"] for row in runs.json_lines(leadpipe.folder / name)] for name in LISTS] == [["a~status=400"], ["b~missing"]]


def test_one_list_has_rows(leadpipe, sandbox, control):
    stopped(leadpipe, sandbox, "-j", "1", "--retry-max-time", "2s", *runs.id_words(
        ["tiny-1", "b~missing", "tiny-2~status=429~retryafter=600"]))
    assert is_earlier(leadpipe.folder / runs.FAILED)
    assert [row["id"] for row in runs.json_lines(leadpipe.folder / runs.MISSING)] == ["b~missing"]


def test_stopped_by_an_outage(leadpipe, sandbox, control):
    control.set(down="reset")
    stopped(leadpipe, sandbox, "--retry-max-time", "1s", "--attempts", "100", *runs.id_words(found(9, 9)))
    assert all(is_earlier(leadpipe.folder / name) for name in LISTS)


@pytest.mark.parametrize("sink", ["ndjson:/dev/full", "csv:/dev/full", "parquet:/dev/full"])
def test_stopped_by_a_full_device(leadpipe, sandbox, control, sink):
    """As it is written, or when all is complete: no file has changed before."""
    reported = stopped(leadpipe, sandbox, "-t", sink, "--id", "tiny-1")
    assert [sink.get("files") for sink in reported["sinks"]] == [[], []]


def test_refused_touches_nothing(leadpipe, sandbox, control):
    """Exit status 2, before the first request: the lists and the manifest are last night's."""
    names = (*LISTS, runs.OUT, runs.MANIFEST)
    write_earlier(leadpipe.folder, *names)
    (leadpipe.folder / "ids").write_text("name\nx\n")
    for words in (["--id-format", "csv", "ids"], ["--max-missing", "x", "--id", "a"], ["--missing", "no/m", "--id", "a"]):
        done = leadpipe("export", *sandbox.provider(), *runs.command(), *words, env=sandbox.env)
        assert done.returncode == 2, done.stderr
        assert all(is_earlier(leadpipe.folder / name) for name in names) and runs.temporaries(leadpipe.folder) == []


def test_second_signal(leadpipe, sandbox, control):
    """Stops at once: nothing is written any more."""
    names = (*LISTS, runs.OUT, runs.MANIFEST)
    write_earlier(leadpipe.folder, *names)
    control.set(down="hang")
    process = leadpipe.start("export", *sandbox.provider(), *runs.command(), "--timeout", "5m", "--id", "tiny-1", env=sandbox.env)
    runs.wait_until(lambda: control.requests(), "a request")
    process.send_signal(signal.SIGTERM)
    process.stderr.readline()
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 143 and all(is_earlier(leadpipe.folder / name) for name in names)


def test_outputs_that_cannot_be_renamed(leadpipe, sandbox, control):
    """All was fetched, and a name is taken by a folder in the last moment: the manifest says so."""
    def answer(path, headers):
        if not (leadpipe.folder / runs.OUT).is_dir():
            (leadpipe.folder / runs.OUT).unlink()
            (leadpipe.folder / runs.OUT).mkdir()
        return payload(path, headers)

    write_earlier(leadpipe.folder, runs.OUT, *LISTS)
    payload = omni_payloads({"tiny-1": b'{"lead":{"id":"tiny-1"}}'})
    with provider_of(answer) as server:
        done = leadpipe("export", "-p", "omni", "--base-url", server.url, *runs.command(), "--id", "tiny-1",
                        env={"OMNI_API_KEY": "k"})
    assert done.returncode == 1 and runs.OUT in done.stderr, done.stderr
    reported = runs.json_file(leadpipe.folder / runs.MANIFEST)
    assert (reported["exit_status"], reported["published"], reported["ledger"]["exported"]) == (1, False, 1)
    assert all(is_earlier(leadpipe.folder / name) for name in LISTS) and runs.temporaries(leadpipe.folder) == []


# --- the manifest's columns ---------------------------------------------------------------------------

def test_columns_of_records(leadpipe, sandbox, control):
    """Those of the objects, by layout: a reader can make a table before it has read a row."""
    run = runs.export(leadpipe, sandbox, "-t", "ndjson,layout=rows:rows", "-t", "ndjson,layout=raw:raw", "-t", "msgpack:mp",
                      "-t", "csv:out/", ids=["tiny-0", "rich-2", "newcode-1-a"])
    rows, raw, packed, tables, lead = run.manifest["sinks"]
    columns = {file["table"]: file["columns"] for file in tables["files"]}
    children = [name for name in columns if name != "leads"]
    assert lead["files"][0]["columns"] == packed["files"][0]["columns"] == columns["leads"] + children
    assert raw["files"][0]["columns"] == ["provider", "lead_id", "payload"]
    wanted = list(dict.fromkeys(["_table"] + [name for table in columns.values() for name in table]))
    assert rows["files"][0]["columns"] == wanted
    assert len([name for name in columns["leads"] if name.startswith("checklist_")]) > 3
    for path, names in (("rows", wanted), (runs.OUT, lead["files"][0]["columns"])):
        members = [list(row) for row in runs.json_lines(leadpipe.folder / path)]
        assert all(set(row) <= set(names) for row in members)
        # Each object has them in that order, where its table does.
        assert path == "rows" or all(row == sorted(row, key=lambda name: (name in children, names.index(name))) for row in members)


def test_manifest_through_a_pipe(leadpipe, sandbox, control):
    """Its reader, too, gets it once, and after the outputs."""
    read, write = os.pipe()
    done = leadpipe("export", *sandbox.provider(), "-t", "ndjson:x", "--manifest", "/dev/fd/%d" % write, "--id", "tiny-1",
                    env=sandbox.env, pass_fds=[write])
    os.close(write)
    with os.fdopen(read) as pipe:
        reported = json.load(pipe)
    assert done.returncode == 0 and reported["published"], done.stderr


# --- cut off at the end -------------------------------------------------------------------------------

@rigs.needs_library
@pytest.mark.parametrize("name, kind", [("failed.ndjson", "csv"), ("missing.ndjson", "csv"), ("manifest.json", "csv"), ("out", "csv"),
                                        ("manifest.json", "parquet"), ("out", "parquet")])
def test_cut_off_after_it_was_decided(leadpipe, sandbox, control, name, kind):
    """The same command does not publish either, whatever it would allow; it asks nobody, and clears up."""
    earlier = "leads." + kind
    write_earlier(leadpipe.folder, "out/" + earlier, *LISTS, runs.MANIFEST)
    words = ["export", *sandbox.provider(), "--state", resumes.STATE, "--changed-only", *runs.command(out=None), "-t", kind + ":out/"]
    rules = "op=rename path=%s kill=before" % name if name != "out" else "op=unlink path=out/* kill=before"
    faults = {"LD_PRELOAD": str(rigs.LIBRARY), "FAULTFS_FOLDER": str(leadpipe.folder), "FAULTFS_RULES": rules}
    given = {"input": resumes.lines(found(1, 3) + ["b~status=400"])}
    cut = leadpipe(*words, "--max-missing", "1", env={**sandbox.env, **faults}, **given)
    assert cut.returncode == -signal.SIGKILL, cut.stderr
    requests = len(control.requests())
    run = runs.check(runs.Run(leadpipe.folder, leadpipe(*words, env=sandbox.env, **given)))
    assert (run.status, len(control.requests())) == (3, requests)
    assert any("2 of 4 leads are missing, but at most 1 may be; " in text for text in run.errors()), run.errors()
    assert is_earlier(leadpipe.folder / "out" / earlier) and os.listdir(leadpipe.folder / "out") == [earlier]
    assert not run.manifest["published"] and len(run.failed) == 1 and len(run.missing) == 2
    again = runs.check(runs.Run(leadpipe.folder, leadpipe(*words, env=sandbox.env, **given)))
    assert again.outcomes() == {"exported": 1, "missing": 2, "failed": 1}
