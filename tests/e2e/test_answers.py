"""Every kind of answer that a provider can give: what becomes of the lead, and after how many tries.

Each fault gets a run of its own beside a good lead, which must come out whatever the other does.
"""

import re

import pytest

import runs

GOOD = "tiny-good"
TRIES = 2

# fault: stage, HTTP status, code, tries, what the text says
FAILS = {
    "status=400": ("fetch", 400, "http_400", 1, "HTTP 400: Bad Request"),
    "status=402": ("fetch", 402, "http_402", 1, "HTTP 402"),
    "status=403": ("fetch", 403, "http_403", 1, "HTTP 403"),
    "status=405": ("fetch", 405, "http_405", 1, "HTTP 405"),
    "status=408": ("fetch", 408, "http_408", TRIES, "HTTP 408"),
    "status=418": ("fetch", 418, "http_418", 1, "HTTP 418"),
    "status=422": ("fetch", 422, "http_422", 1, "HTTP 422"),
    "status=425": ("fetch", 425, "http_425", TRIES, "HTTP 425"),
    "status=429": ("fetch", 429, "http_429", TRIES, "HTTP 429"),
    "status=500": ("fetch", 500, "http_500", TRIES, "HTTP 500"),
    "status=501": ("fetch", 501, "http_501", 1, "HTTP 501"),
    "status=502": ("fetch", 502, "http_502", TRIES, "HTTP 502"),
    "status=503": ("fetch", 503, "http_503", TRIES, "HTTP 503"),
    "status=504": ("fetch", 504, "http_504", TRIES, "HTTP 504"),
    "status=505": ("fetch", 505, "http_505", 1, "HTTP 505"),
    "status=519": ("fetch", 519, "http_519", 1, "HTTP 519"),
    "status=520": ("fetch", 520, "http_520", TRIES, "HTTP 520"),
    "status=524": ("fetch", 524, "http_524", TRIES, "HTTP 524"),
    "status=525": ("fetch", 525, "http_525", 1, "HTTP 525"),
    "status=204": ("parse", 204, "not_json", 1, "not JSON"),
    "status=301": ("fetch", 301, "redirect", 1, "redirect not followed"),
    "redirect=elsewhere.example:81": ("fetch", 302, "redirect", 1, "redirect to http://elsewhere.example:81/"),
    "successfalse": ("fetch", 200, "LEAD_UNAVAILABLE", 1, "The lead is not available"),
    "nolead": ("fetch", 200, "no_lead", 1, "/lead"),
    "leadnull": ("fetch", 200, "no_lead", 1, "/lead"),
    "leadarray": ("fetch", 200, "no_lead", 1, "/lead"),
    "leadtext": ("fetch", 200, "no_lead", 1, "/lead"),
    "rootarray": ("fetch", 200, "no_lead", 1, "/lead"),
    "roottext": ("fetch", 200, "no_lead", 1, "/lead"),
    "rootnull": ("fetch", 200, "no_lead", 1, "/lead"),
    "only=7b7d": ("fetch", 200, "no_lead", 1, "/lead"),
    "html": ("parse", 200, "not_json", TRIES, "the response is an HTML page, not JSON: \""),
    "empty": ("parse", 200, "not_json", TRIES, "the response is not JSON"),
    "half": ("parse", 200, "not_json", TRIES, "the response is not JSON"),
    "junkafter": ("parse", 200, "not_json", TRIES, "there is text after the value"),
    "twice": ("parse", 200, "not_json", TRIES, "there is text after the value"),
    "nul": ("parse", 200, "not_json", TRIES, "a control character in a string"),
    "control": ("parse", 200, "not_json", TRIES, "a control character in a string"),
    "nan": ("parse", 200, "not_json", TRIES, "not JSON"),
    "single": ("parse", 200, "not_json", TRIES, "not JSON"),
    "trailingcomma": ("parse", 200, "not_json", TRIES, "not JSON"),
    "lie=less": ("parse", 200, "not_json", TRIES, "an unclosed string"),
    "cuthead": ("parse", 200, "not_json", TRIES, "not JSON"),
    "badgzip=cut": ("parse", 200, "not_json", TRIES, "not JSON"),
    "deep=201": ("parse", 200, "too_complex", 1, "nested deeper than 200"),
    "deep=10000": ("parse", 200, "too_complex", 1, "nested deeper than 200"),
    "cut": ("fetch", None, "cut_short", TRIES, "truncated"),
    "cutchunk": ("fetch", None, "cut_short", TRIES, "truncated"),
    "cutlast": ("fetch", None, "cut_short", TRIES, "truncated"),
    "lie=more": ("fetch", None, "cut_short", TRIES, "truncated"),
    "finish": ("fetch", None, "closed", TRIES, "Empty reply"),
    "reset": ("fetch", None, "closed", TRIES, ""),
    "resetbody": ("fetch", None, "closed", TRIES, ""),
    "badgzip": ("fetch", None, "encoding", TRIES, "content unencoding"),
    "badencoding": ("fetch", None, "encoding", TRIES, "content encoding"),
    "badstatusline": ("fetch", None, "protocol", TRIES, "the response is not HTTP"),
    "nohttp": ("fetch", None, "protocol", TRIES, "the response is not HTTP"),
    "huge=3000000000": ("fetch", 200, "too_large", 1, "larger than 33554432 bytes (--max-body)"),
    "hugelength=3000000000": ("fetch", 200, "too_large", 1, "larger than 33554432 bytes (--max-body)"),
    "bomb=1000000000": ("fetch", 200, "too_large", 1, "larger than 33554432 bytes (--max-body)"),
    "retryafter=0": ("fetch", 429, "http_429", TRIES, "HTTP 429"),
    "retrytext=soon": ("fetch", 429, "http_429", TRIES, "HTTP 429"),
}

# Answers that are odd and good all the same.
GOOD_ANSWERS = ["bom", "utf16", "badutf8", "latin1", "deep=200", "otherid", "drip=1", "chunked", "nolength", "hints", "gzip",
                "close", "idle=1", "slow=20", "huge=3000000", "hugelength=3000000"]

# Every fault above that is tried again, shown once only, and a few that need a time-out.
PASSING = [fault for fault, row in FAILS.items() if row[3] == TRIES]


@pytest.mark.parametrize("fault", FAILS)
def test_fails(leadpipe, sandbox, control, fault):
    bad = "tiny-bad~" + fault
    run = runs.export(leadpipe, sandbox, "--attempts", TRIES, "-j", 1, ids=[GOOD, bad])
    stage, status, code, tries, text = FAILS[fault]
    assert (run.status, run.exported) == (3, [GOOD]), run.done.stderr
    [row] = run.failed
    seen = {name: row[name] for name in ("id", "stage", "sink", "http_status", "code", "attempts")}
    assert seen == {"id": bad, "stage": stage, "sink": None, "http_status": status, "code": code, "attempts": tries}
    assert text in row["error"], row["error"]
    assert control.attempts(bad) == tries  # none that libcurl made by itself
    assert run.summary["requests"] == {"total": 1 + tries, "retries": tries - 1}


def test_header_too_large(leadpipe, sandbox, control):
    """Whatever libcurl's version calls this."""
    run = runs.export(leadpipe, sandbox, "--attempts", 2, "-j", 1, ids=[GOOD, "tiny-bad~hugeheader"])
    assert (run.status, run.exported) == (3, [GOOD])
    assert (run.failed[0]["stage"], run.failed[0]["http_status"]) == ("fetch", None)
    assert re.search("(?i)header.* too large|too large.* header", run.failed[0]["error"]), run.failed


@pytest.mark.parametrize("fault", ["hang", "stall", "stallbody"])
def test_silence_times_out(leadpipe, sandbox, control, fault):
    bad = "tiny-bad~" + fault
    run = runs.export(leadpipe, sandbox, "--attempts", 2, "--timeout", "150ms", "-j", 1, ids=[GOOD, bad])
    assert (run.status, run.outcomes()) == (3, {"exported": 1, "failed": 1})
    row = run.failed[0]
    assert (row["stage"], row["http_status"], row["code"], row["attempts"]) == ("fetch", None, "timeout", 2)
    assert "timed out" in row["error"]


@pytest.mark.parametrize("fault", GOOD_ANSWERS)
def test_good_answers(leadpipe, sandbox, control, fault):
    odd = "tiny-odd~" + fault
    run = runs.export(leadpipe, sandbox, ids=[GOOD, odd])
    assert (run.status, run.exported) == (0, [GOOD, odd]), run.done.stderr
    assert control.attempts(odd) == (2 if fault == "otherid" else 1), "another lead's payload is asked for once more"


@pytest.mark.parametrize("fault", ["missing", "gone", "status=404", "status=410"])
def test_missing(leadpipe, sandbox, control, fault):
    absent = "tiny-absent~" + fault
    run = runs.export(leadpipe, sandbox, ids=[GOOD, absent])
    assert (run.status, run.exported, run.outcomes()) == (0, [GOOD], {"exported": 1, "missing": 1})
    assert control.attempts(absent) == 1


def test_all_missing(leadpipe, sandbox, control):
    run = runs.export(leadpipe, sandbox, ids=["a~missing", "b~gone"])
    assert (run.status, run.outcomes(), run.rows) == (3, {"missing": 2}, None)
    assert run.errors() == ["no lead was found: %s returned 404 or 410 for every request (missing: 2); check the server, "
                            "the path and the parameters (--server, --base-url, --param); nothing was published, and "
                            "earlier outputs are unchanged" % sandbox.omni]


def test_passing_faults_cost_no_lead(leadpipe, sandbox, control):
    """All at once: each fault on the first try of its lead, and a time-out twice."""
    ids = ["tiny-%d~%s~times=1" % (n, fault) for n, fault in enumerate(PASSING)]
    ids += ["tiny-h~hang~times=2", "tiny-s~stallbody~times=2"]
    run = runs.export(leadpipe, sandbox, "--timeout", "1s", ids=ids)
    assert (run.status, run.failed) == (0, []), run.done.stderr
    assert run.exported == ids
    attempts = {one: control.attempts(one) for one in ids}
    assert {one: n for one, n in attempts.items() if n < 2} == {}
    assert sum(attempts.values()) == run.summary["requests"]["total"], attempts  # none that libcurl made by itself


def test_max_body(leadpipe, sandbox, control):
    """The limit is about the payload as it is after decompression, and is not one byte off."""
    run = runs.export(leadpipe, sandbox, "--max-body", "3000000", ids=["tiny~huge=3000000", "tiny~huge=3000001"])
    assert (run.exported, run.failed[0]["id"]) == (["tiny~huge=3000000"], "tiny~huge=3000001")
    assert (run.failed[0]["code"], run.failed[0]["attempts"]) == ("too_large", 1)


def test_replaced_characters_are_counted(leadpipe, sandbox, control):
    run = runs.export(leadpipe, sandbox, ids=["tiny-a~badutf8"])
    assert run.status == 0 and run.summary["replaced_characters"] > 0
    assert "\ufffd" in str(run.rows[0])


def test_other_id_is_counted(leadpipe, sandbox, control):
    run = runs.export(leadpipe, sandbox, "-v", ids=["tiny-a~otherid=tiny-b"])
    assert (run.status, run.summary["other_ids"]) == (0, 1)
    assert any("tiny-b" in message["message"] and message["subject"] == "tiny-a~otherid=tiny-b"
               for message in run.messages), run.messages


def test_memory_is_bounded_by_max_body(leadpipe, sandbox, control, tmp_path):
    """3 GB, and a GB out of 1 MB: neither is held in memory."""
    import resource
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    runs.export(leadpipe, sandbox, "--max-body", "1M", ids=["a~huge=3000000000", "b~bomb=1000000000"])
    after = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    # The peak of all children so far: only a new peak could be this run's.
    assert after == before or after < 150_000, "%d KiB, before %d" % (after, before)
