"""A run that is resumed: with which commands and which IDs, what it then reports, and what it leaves.

Kills, power cuts and full disks are the rigs' (test_crash.py, test_power_cut.py, test_disk_full_state.py).
"""

import gzip
import json
import os

import pytest

import resumes
import runs
from resumes import DONE, IDS, LEDGER, STATE, Resumed, assert_nothing_beside, assert_whole
from test_profile_file import CASES, PROFILE, answer
from outputs import lead_ids_of, provider_of

# --- resuming -------------------------------------------------------------------------------------

@pytest.mark.parametrize("parts", [[40], [1], [len(IDS)], [5, 5, 33, 70], [0, 40]])
def test_resumes_from_a_pipe(resumed, one_go, control, parts):
    """Each part reads the IDs from the beginning."""
    control.reset()
    control.set(nonce="same")
    for n in parts:
        if n == 0 or n == 5 and control.attempts(IDS[4]):
            continue
        resumed.part(IDS[:n])
    run = resumed.resume(IDS, status=3)
    assert_whole(resumed, run, one_go)
    assert {one: n for one, n in control.stats(ids="all")["by_id"].items() if n != 1} == {}


def test_resumes_from_compressed_ids(resumed, one_go, tmp_path):
    resumed.part(DONE)
    (tmp_path / "ids.txt.gz").write_bytes(gzip.compress(resumes.lines(IDS).encode()))
    assert_whole(resumed, resumed.resume(None, "ids.txt.gz", status=3), one_go)


def test_resumes_from_several_files(resumed, one_go, tmp_path):
    """The IDs are what counts, not how they come."""
    resumed.part(DONE)
    (tmp_path / "ids.1").write_text("# the first\n" + resumes.lines(IDS[:7] + IDS[:3]))
    (tmp_path / "ids.2").write_text("lead_id,name\n" + "".join("%s,x\n" % one for one in IDS[7:]))
    run = resumed.resume(None, "ids.1", "ids.2", status=3)
    assert run.summary["ids"] == {"read": len(IDS) + 3, "unique": len(IDS), "duplicates": 3}
    assert resumed.outputs() == {**one_go[0], **{name: data for name, data in resumed.outputs().items()
                                                 if name.startswith("alone/")}}


def test_what_is_reported(resumed, one_go, control):
    first = resumed.part(DONE, "-v")
    assert first.outcomes() == {"exported": 38, "missing": 1, "failed": 1}
    assert [row["id"] for row in first.failed] == ["bad~status=400"]
    assert [row["id"] for row in first.missing] == ["gone~missing"]
    assert any("run the same command again to resume" in one["message"] for one in first.messages), first.messages
    second = resumed.part(IDS[:50])
    whole = resumed.resume(IDS, status=3)
    assert_whole(resumed, whole, one_go)
    assert first.summary["run_id"] == second.summary["run_id"] == whole.summary["run_id"] == whole.manifest["run_id"]
    assert first.summary.get("started_at") == whole.summary.get("started_at")
    assert whole.manifest["started_at"] < whole.manifest["ended_at"]
    assert second.summary["requests"]["total"] == 50
    assert whole.manifest["requests"]["latency_ms"]["max"] > 0


def test_time_is_that_of_all_parts(resumed):
    resumed.part(["tiny-1", "tiny-2~slow=700"])
    assert resumed.resume(["tiny-1", "tiny-2~slow=700"]).summary["seconds"] >= 0.7


def test_retries_are_sums(resumed):
    resumed.part(["tiny-1", "tiny-2~status=500~times=2", "tiny-3"], until="tiny-2~status=500~times=2",
                 wait=lambda: resumed.control.attempts("tiny-2~status=500~times=2") == 3)
    run = resumed.resume(["tiny-1", "tiny-2~status=500~times=2", "tiny-3", "tiny-4~status=503~times=1"])
    assert run.summary["requests"] == {"total": 7, "retries": 3}
    assert run.manifest["requests"]["statuses"] == {"200": 4, "500": 2, "503": 1}


def test_failed_of_before_and_after(resumed):
    """The list has both, in the order of the IDs, and the exit status is of both."""
    before = ["tiny-1", "a~status=400", "tiny-2"]
    first = resumed.part(before)
    assert [row["id"] for row in first.failed] == ["a~status=400"]
    run = resumed.resume(before + ["b~missing", "tiny-3", "c~successfalse"], status=3)
    assert [row["id"] for row in run.failed] == ["a~status=400", "c~successfalse"]
    assert [row["code"] for row in run.failed] == ["http_400", "LEAD_UNAVAILABLE"]
    assert run.outcomes() == {"exported": 3, "missing": 1, "failed": 2}


def test_status_of_before_counts(resumed):
    """All that is wrong was before; what comes after is fine."""
    resumed.part(["a~status=400", "tiny-1"])
    assert resumed.resume(["a~status=400", "tiny-1", "tiny-2"], status=3).outcomes() == {"exported": 2, "failed": 1}


def test_found_before_counts(resumed):
    """All that was found was found before."""
    resumed.part(["tiny-1", "a~missing"])
    assert resumed.resume(["tiny-1", "a~missing", "b~missing"]).outcomes() == {"exported": 1, "missing": 2}


@pytest.mark.parametrize("expect, status", [(4, 0), (3, 3), (5, 3)])
def test_expect_is_about_the_whole(resumed, expect, status):
    resumed.part(["tiny-1", "tiny-2"], "--expect", expect)
    resumed.resume(["tiny-1", "tiny-2", "tiny-3", "tiny-4"], "--expect", expect, status=status)


def test_any_order(leadpipe, sandbox, control):
    """Every lead exactly once, whatever came when."""
    resumed = Resumed(leadpipe, sandbox, control)
    ids = ["tiny-%d~slow=%d" % (n, n * 37 % 60) for n in range(60)]
    resumed.part(ids[:20], "--order", "any")
    resumed.part(ids[:45], "--order", "any")
    run = resumed.resume(ids, "--order", "any")
    assert sorted(run.exported) == sorted(ids)
    rows = (resumed.folder / "out" / "leads.csv").read_text().splitlines()[1:]
    assert sorted(row.split(",")[1] for row in rows) == sorted(ids)
    assert set(control.stats(ids="all")["by_id"].values()) == {1}


def test_any_order_with_one_that_waits(leadpipe, sandbox, control):
    """A lead that is not done when the run is stopped has no row yet; those behind it have theirs."""
    resumed = Resumed(leadpipe, sandbox, control)
    ids = ["tiny-0", "tiny-1~status=503~times=1~retryafter=0"] + ["tiny-%d" % n for n in range(2, 30)]
    ids[1] = "tiny-1~hang~times=1"
    resumed.part(ids[:20], "--order", "any", "--timeout", "1s")
    run = resumed.resume(ids, "--order", "any")
    assert sorted(run.exported) == sorted(ids)
    assert {one: n for one, n in control.stats(ids="all")["by_id"].items() if n != 1} == {ids[1]: 2}


# --- the same command, and others -------------------------------------------------------------------

def base_url_of(url):
    return ["-p", "omni", "--base-url", url]


# what is said instead: (sinks, further arguments, provider's arguments), what the message must say
OTHERS = {
    "target": (["-t", "csv:other/", "-t", "ndjson:out.ndjson"], [], None, ["--to", "csv:out/", "csv:other/"]),
    "file": (["-t", "csv:out/", "-t", "ndjson:b.ndjson"], [], None, ["--to", "ndjson:out.ndjson", "ndjson:b.ndjson"]),
    "kind": (["-t", "csv:out/", "-t", "msgpack:out.ndjson"], [], None, ["--to", "msgpack:out.ndjson"]),
    "delimiter": (["-t", "csv,delimiter=tab:out/", "-t", "ndjson:out.ndjson"], [], None, ["delimiter=tab"]),
    "eol": (["-t", "csv,eol=crlf:out/", "-t", "ndjson:out.ndjson"], [], None, ["eol=crlf"]),
    "excel-safe": (["-t", "csv,excel-safe:out/", "-t", "ndjson:out.ndjson"], [], None, ["excel-safe"]),
    "bom": (["-t", "csv,bom:out/", "-t", "ndjson:out.ndjson"], [], None, ["bom"]),
    "header": (["-t", "csv,header=no:out/", "-t", "ndjson:out.ndjson"], [], None, ["header=no"]),
    "layout": (["-t", "csv:out/", "-t", "ndjson,layout=raw:out.ndjson"], [], None, ["layout=raw"]),
    "gzip": (["-t", "csv:out/", "-t", "ndjson,gzip=3:out.ndjson"], [], None, ["gzip=3"]),
    "more": (["-t", "csv:out/", "-t", "ndjson:out.ndjson", "-t", "csv:x.csv"], [], None, ["--to", "csv:x.csv", "not given then"]),
    "less": (["-t", "csv:out/"], [], None, ["--to", "ndjson:out.ndjson", "given then"]),
    "URLs": (None, ["--signed-urls", "keep"], None, ["--signed-urls", "strip", "keep"]),
    "order": (None, ["--order", "any"], None, ["--order", "input", "any"]),
    "max-body": (None, ["--max-body", "1M"], None, ["--max-body", "1048576"]),
    "max-columns": (None, ["--max-columns", "300"], None, ["--max-columns", "2000", "300"]),
    "changed-only": (None, ["--changed-only"], None, ["--changed-only"]),
    "server": (None, [], base_url_of("http://127.0.0.1:1/omni/api/v1"), ["server", "http://127.0.0.1:1/"]),
}


def assert_refused(resumed, *fragments, ids=IDS, **said):
    """Nothing is asked for, nothing changes, the message says what differs and what to do."""
    before = runs.listing(resumed.folder)
    requests = resumed.control.stats(ids="none")["requests"]
    more = said.pop("more", [])
    run = resumed.resume(ids, *more, status=2, **said)
    text = "".join(run.errors())
    assert len(run.messages) == 1 and STATE in text and "--fresh" in text, run.messages
    for fragment in fragments:
        assert fragment in text, text
    assert resumed.control.stats(ids="none")["requests"] == requests
    after = runs.listing(resumed.folder)
    assert sorted(after) == sorted(before)
    assert [name for name in before if before[name] != after[name]] == []


@pytest.mark.parametrize("other", OTHERS)
def test_another_command(resumed, one_go, other):
    sinks, more, provider, fragments = OTHERS[other]
    resumed.part(DONE)
    runs.forget_lists(resumed.folder)
    assert_refused(resumed, *fragments, sinks=sinks, more=more, provider=provider)
    assert_whole(resumed, resumed.resume(IDS, status=3), one_go)


def test_another_parameter(leadpipe, sandbox, control):
    resumed = Resumed(leadpipe, sandbox, control, provider="convocore")
    resumed.part(["tiny-1", "tiny-2"])
    runs.forget_lists(resumed.folder)
    assert_refused(resumed, "--param", "agentId=agent-1", "agentId=agent-2", more=["--param", "agentId=agent-2"],
                   ids=["tiny-1", "tiny-2", "tiny-3"])
    assert resumed.resume(["tiny-1", "tiny-2", "tiny-3"]).outcomes() == {"exported": 3}


@pytest.fixture
def bureau(tmp_path):
    def served(path, headers):
        return answer(path.replace("/second/", "/api/"), headers)
    with provider_of(served) as server:
        servers = [{"name": name, "url": "%s/%s" % (server.url, path)} for name, path in (("main", "api"), ("spare", "second"))]
        (tmp_path / "bureau.json").write_text(json.dumps(dict(PROFILE, servers=servers)))
        yield server


def test_another_profile_or_server(leadpipe, sandbox, control, bureau, tmp_path):
    """A profile is what is in it: one of another name is resumed, one with another content is not."""
    words = ["-p", "bureau.json", "--param", "depot=north & south"]
    env = {"BUREAU_KEY": "s3cret"}
    resumed = Resumed(leadpipe, sandbox, control)
    resumed.part(["2"], provider=words, env=env, until="2", wait=lambda: len(bureau.seen) == 1)
    runs.forget_lists(resumed.folder)
    text = (tmp_path / "bureau.json").read_text()
    other = json.loads(text)
    other["tables"][0]["columns"].pop()
    (tmp_path / "other.json").write_text(json.dumps(other))
    assert_refused(resumed, "--provider", "bureau", provider=["-p", "other.json", *words[2:]], env=env, ids=list(CASES)[1:])
    assert_refused(resumed, "server", "/api", "/second", provider=[*words, "--server", "spare"], env=env,
                   ids=list(CASES)[1:])
    (tmp_path / "renamed.json").write_text(text)
    run = resumed.resume(["2", "C 1/ü"], provider=["-p", "renamed.json", *words[2:]], env=env)
    assert run.exported == ["2", "C 1/ü"] and len(bureau.seen) == 2


@pytest.mark.parametrize("provider", ["omni", "convocore"])
def test_a_built_in_profile_of_another_version(leadpipe, sandbox, control, provider, tmp_path):
    """It is what is in it, too: a run is resumed with a copy, and not where the tables are others by now."""
    resumed = Resumed(leadpipe, sandbox, control, provider=provider)
    resumed.part(IDS[:5])
    shown = leadpipe("providers", "--show", provider).stdout
    (tmp_path / "copy.json").write_bytes(shown)
    other = json.loads(shown)
    other["tables"][1]["columns"].pop()
    (tmp_path / "other.json").write_text(json.dumps(other))
    usual = sandbox.provider(provider)
    runs.forget_lists(resumed.folder)
    assert_refused(resumed, "--provider", provider, provider=["-p", "other.json", *usual[2:]], ids=IDS[:5])
    run = resumed.resume(IDS[:6], provider=["-p", "copy.json", *usual[2:]])
    assert run.exported == IDS[:6] and control.attempts(IDS[0]) == 1


OTHER_IDS = {
    "the first is another": ["other"] + IDS[1:],
    "the last that is done is another": DONE[:-1] + ["other"] + IDS[40:],
    "one is missing": IDS[:10] + IDS[11:],
    "one is more": IDS[:10] + ["more"] + IDS[10:],
    "two are swapped": [IDS[1], IDS[0]] + IDS[2:],
    "the last that is done is swapped with the next": DONE[:-1] + [IDS[40], IDS[39]] + IDS[41:],
    "shorter than what is done": DONE[:-1],
    "none at all": [],
    "all others": ["x-%d" % n for n in range(100)],
}


@pytest.mark.parametrize("how", OTHER_IDS)
def test_other_ids(resumed, one_go, how):
    resumed.part(DONE)
    runs.forget_lists(resumed.folder)
    before = runs.listing(resumed.folder)
    requests = resumed.control.stats(ids="none")["requests"]
    done = resumed.leadpipe(*resumed.words(), input=resumes.lines(OTHER_IDS[how]), env=resumed.sandbox.env)
    assert done.returncode == 2, done.stderr
    [text] = [json.loads(line)["message"] for line in done.stderr.splitlines()]
    assert "the IDs are not those of the unfinished run in " + STATE in text and "--fresh" in text, text
    assert resumed.control.stats(ids="none")["requests"] == requests
    after = runs.listing(resumed.folder)
    assert [name for name in {**before, **after} if before.get(name) != after.get(name)] == []
    assert_whole(resumed, resumed.resume(IDS, status=3), one_go)


def test_other_parameters_of_lines(leadpipe, sandbox, control):
    resumed = Resumed(leadpipe, sandbox, control, provider="convocore")
    table = "id,agentId\ntiny-1,a\ntiny-2,%s\ntiny-3,c\n"
    process = resumed.start("--id-format", "csv", stdin=-1)
    process.stdin.write((table % "b").encode()[:-9])
    process.stdin.flush()
    runs.wait_until(lambda: control.attempts("tiny-2") == 1, "tiny-2 is asked for")
    process.terminate()
    assert resumed.ended(process).status == 143
    done = leadpipe(*resumed.words("--id-format", "csv"), input=table % "x", env=sandbox.env)
    assert done.returncode == 2 and "the IDs are not those" in done.stderr, done.stderr
    assert resumed.resume(table % "b", "--id-format", "csv").exported == ["tiny-1", "tiny-2", "tiny-3"]


ALLOWED = [["-j", "3"], ["-j", "auto"], ["--rate", "1000/s"], ["--timeout", "20s", "--connect-timeout", "5s"],
           ["--attempts", "9", "--retry-max-time", "1m"], ["--progress", "always"], ["-v"], ["-q"],
           ["--log-format", "text"], ["--log-format", "json"], ["--expect", str(len(IDS))], ["--api-key-file", "key"]]


@pytest.mark.parametrize("more", ALLOWED, ids=" ".join)
def test_what_may_change(resumed, one_go, more, tmp_path):
    (tmp_path / "key").write_text(resumed.sandbox.key)
    resumed.part(DONE, "-j", "2")
    done = resumed.leadpipe(*resumed.words(*more), input=resumes.lines(IDS), env=resumed.sandbox.env)
    assert done.returncode == 3, done.stderr
    assert {name: data for name, data in resumed.outputs().items() if not name.startswith("alone/")} == one_go[0]
    assert resumed.control.attempts(IDS[0]) == 2, "once here, once in one go"


# of a webhook: what is said in the first part and in the second; what the refusal names, None: it resumes
HOOK_OPTIONS = {
    "pace": ("concurrency=2,rate=900,timeout=9s,attempts=4,retry-max-time=1m", "concurrency=1", None),
    "header": ("header=X-Night: 1", "header=X-Night: 2", None),
    "no header": ("header-env=X-Token: SIGN", "", None),
    "secret": ("secret-env=SIGN", "secret-env=OTHER", None),
    "no secret": ("secret-env=SIGN", "", None),
    "batch": ("batch=2", "batch=3", "batch=3"),
    "layout": ("", "layout=raw", "layout=raw"),
    "type": ("", "type=crm", "type=crm"),
}


@pytest.mark.parametrize("change", HOOK_OPTIONS)
def test_webhook_options(resumed, control, change):
    first, second, named = HOOK_OPTIONS[change]
    env = {**resumed.sandbox.env, "SIGN": "whsec_" + "c2lnbmluZyBrZXkgb2YgYSB0ZXN0", "OTHER": "whsec_" + "YW5vdGhlciBrZXkgb2YgYSB0ZXN0"}

    def sinks(options):
        return ["-t", "%s:%s" % (",".join(filter(None, ["webhook", options])), resumed.sandbox.hook("h"))]

    resumed.part(["tiny-1", "tiny-2"], sinks=sinks(first), env=env)
    if named:
        runs.forget_lists(resumed.folder)
        assert_refused(resumed, named, ids=["tiny-1", "tiny-2", "tiny-3"], sinks=sinks(second), env=env)
        second = first
    run = resumed.resume(["tiny-1", "tiny-2", "tiny-3"], sinks=sinks(second), env=env)
    assert run.outcomes() == {"exported": 3}
    accepted = [lead for one in control.deliveries("h") if one["status"] == 200 for lead in lead_ids_of(one)]
    assert sorted(accepted) == ["tiny-1", "tiny-2", "tiny-3"]


def test_another_receiver(resumed):
    """The query string is a part of the target, and may hold a token: that it differs is seen, not what it is."""
    def sinks(token):
        return ["-t", "webhook:" + resumed.sandbox.hook("h", body=token)]

    resumed.part(["tiny-1"], sinks=sinks("first"))
    runs.forget_lists(resumed.folder)
    done = resumed.leadpipe(*resumed.words(sinks=sinks("second")), input="tiny-1\n", env=resumed.sandbox.env)
    assert done.returncode == 2 and "/hooks/h" in done.stderr, done.stderr
    assert "first" not in done.stderr and "second" not in done.stderr


def test_other_places_of_lists(resumed, one_go):
    resumed.part(DONE)
    run = resumed.resume(IDS, status=3)
    (resumed.folder / runs.OUT).unlink()
    (resumed.folder / runs.MANIFEST).unlink()
    resumed.part(DONE)
    done = resumed.leadpipe(*resumed.words("--failed", "f2.ndjson", "--manifest", "m2.json"), input=resumes.lines(IDS),
                            env=resumed.sandbox.env)
    assert done.returncode == 3, done.stderr
    listed, reported = runs.json_lines(resumed.folder / "f2.ndjson"), runs.json_file(resumed.folder / "m2.json")
    assert [row["id"] for row in listed] == [row["id"] for row in run.failed]
    assert reported["ledger"] == run.manifest["ledger"]


# --- the end, and after it ---------------------------------------------------------------------------

def test_finished_run_begins_anew(resumed, control):
    first = resumed.resume(IDS[:20])
    again = resumed.resume(IDS[:20])
    assert first.manifest["run_id"] != again.manifest["run_id"]
    assert first.ledger == again.ledger and again.summary["requests"]["total"] == 20
    assert set(control.stats(ids="all")["by_id"].values()) == {2}
    assert_nothing_beside(resumed.folder)


def test_finished_state_takes_another_command(resumed):
    resumed.resume(IDS[:5])
    run = resumed.resume(["tiny-77"], sinks=["-t", "ndjson,layout=rows:" + runs.OUT])
    assert run.exported == ["tiny-77"]


@pytest.mark.parametrize("same", [True, False])
def test_fresh(resumed, one_go, same):
    first = resumed.part(DONE)
    if same:
        run = resumed.resume(IDS, "--fresh", status=3)
        assert_whole(resumed, run, one_go)
    else:
        run = resumed.resume(["tiny-5"], "--fresh", sinks=["-t", "csv,bom:out/", "-t", "ndjson,layout=rows:" + runs.OUT])
        assert run.exported == ["tiny-5"]
    assert run.manifest["run_id"] != first.summary["run_id"]
    assert run.summary["requests"]["total"] == (len(IDS) if same else 1)


def test_fresh_without_a_state(resumed):
    assert resumed.resume(["tiny-1"], "--fresh").exported == ["tiny-1"]


@pytest.mark.parametrize("word", ["--fresh", "--changed-only"])
def test_words_that_need_a_state(leadpipe, sandbox, word):
    done = leadpipe("export", *sandbox.provider(), "-t", "csv:out/", word, "--id", "x", env=sandbox.env)
    assert done.returncode == 2 and word in done.stderr and "--state" in done.stderr, done.stderr
    assert os.listdir(leadpipe.folder) == []


def test_leads_that_are_removed_meanwhile(resumed):
    """The earlier output of the user stays until the run is complete."""
    (resumed.folder / "out").mkdir()
    (resumed.folder / "out" / "leads.csv").write_text("earlier\n")
    resumed.part(DONE)
    assert (resumed.folder / "out" / "leads.csv").read_text() == "earlier\n"
    resumed.part(IDS[:60])
    assert (resumed.folder / "out" / "leads.csv").read_text() == "earlier\n"
    resumed.resume(IDS, status=3)
    assert (resumed.folder / "out" / "leads.csv").read_text().count("\n") > 60


@pytest.mark.parametrize("change", ["removed", "shortened", "emptied"])
def test_unfinished_file_that_somebody_changed(resumed, change):
    """What is not what was left cannot be resumed; that is said, and nothing is published."""
    resumed.part(DONE)
    part = resumed.folder / ("." + runs.OUT + ".leadpipe-part")
    if change == "removed":
        part.unlink()
    else:
        os.truncate(part, part.stat().st_size // 2 if change == "shortened" else 0)
    done = resumed.leadpipe(*resumed.words(), input=resumes.lines(IDS), env=resumed.sandbox.env)
    assert done.returncode in (1, 2) and runs.OUT in done.stderr, done.stderr
    assert not (resumed.folder / runs.OUT).exists() and not runs.json_file(resumed.folder / runs.MANIFEST)["published"]
    assert resumed.resume(IDS, "--fresh", status=3).outcomes() == LEDGER
