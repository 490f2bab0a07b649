"""When something is tried again, when not, and what holds back whom.

Delays are read from the sandbox's log of requests, not from how long a test takes.
"""

import time

import pytest

import runs

SLACK_S = 0.15  # a request that was on its way when the answer came


def log_of(control):
    return sorted(control.requests(), key=lambda request: request["at"])


def starts_between(requests, begin, end):
    return [round(request["at"] - begin, 3) for request in requests if begin < request["at"] < end]


@pytest.mark.parametrize("fault", ["status=500", "status=502", "html"])
def test_attempts(leadpipe, sandbox, control, fault):
    """Given up after so many tries, and not earlier."""
    ids = ["tiny-a~%s~times=3" % fault, "tiny-b~%s~times=4" % fault]
    run = runs.export(leadpipe, sandbox, "--attempts", 4, ids=ids)
    assert (run.status, run.exported) == (3, [ids[0]])
    assert (control.attempts(ids[0]), control.attempts(ids[1]), run.failed[0]["attempts"]) == (4, 4, 4)
    assert run.summary["requests"] == {"total": 8, "retries": 6}


def test_attempts_one(leadpipe, sandbox, control):
    run = runs.export(leadpipe, sandbox, "--attempts", 1, ids=["tiny-a~status=503~times=1", "tiny-b"])
    assert (run.status, run.exported, run.summary["requests"]["retries"]) == (3, ["tiny-b"], 0)


def test_retry_max_time_of_a_lead(leadpipe, sandbox, control):
    """A lead's time is up before its tries are; the others continue, for the origin is well."""
    ids = ["tiny-%d~slow=20" % n for n in range(200)]
    ids.insert(1, "tiny-bad~status=500")
    run = runs.export(leadpipe, sandbox, "--attempts", 100, "--retry-max-time", "500ms", "-j", 2, ids=ids)
    assert (run.status, run.outcomes()) == (3, {"exported": 200, "failed": 1})
    assert 2 <= run.failed[0]["attempts"] < 20, run.failed


HOLDS = {
    "429 seconds": ("retryafter=1", 1.0),
    "503 seconds": ("status=503~retryafter=1", 1.0),
    # Dates have whole seconds: what is two away may be little more than one.
    "429 IMF-fixdate": ("retrydate=imf~in=2", 1.0),
    "429 RFC 850": ("retrydate=rfc850~in=2", 1.0),
    "429 asctime": ("retrydate=asctime~in=2", 1.0),
    "503 IMF-fixdate": ("status=503~retrydate=imf~in=2", 1.0),
}


@pytest.mark.parametrize("form", HOLDS)
def test_retry_after_holds_back_every_request(leadpipe, sandbox, control, form):
    fault, least_s = HOLDS[form]
    control.set(latency_ms=20)
    ids = ["tiny-%d" % n for n in range(100)]
    ids.insert(20, "tiny-busy~%s~times=1" % fault)
    run = runs.export(leadpipe, sandbox, "-j", 4, ids=ids)
    assert (run.status, run.outcomes()) == (0, {"exported": 101}), run.done.stderr
    requests = log_of(control)
    [refused] = [request["at"] for request in requests if request["status"] in (429, 503)]
    held = starts_between(requests, refused + SLACK_S, refused + least_s - 0.05)
    assert held == [], "requests %s seconds after the refusal" % held
    assert len([request for request in requests if request["at"] < refused]) >= 15
    assert len([request for request in requests if request["at"] > refused + least_s - 0.05]) >= 60


@pytest.mark.parametrize("fault, says", [
    ("retryafter=3600", "60m"), ("status=503~retryafter=86400", "24h0m"), ("retrydate=imf~in=7300", "2h1m"),
    ("retryafter=99999999999999999999", "")])
def test_retry_after_too_long(leadpipe, sandbox, control, fault, says):
    """Ends the run at once, saying how long and what is allowed."""
    ids = ["tiny-1", "tiny-busy~" + fault] + ["tiny-%d~slow=5" % n for n in range(1000)]
    run = runs.export(leadpipe, sandbox, "-j", 2, ids=ids, timeout=20)
    assert run.status == 1
    error = run.errors()[0]
    assert "Retry-After" in error and says in error and "5m" in error, error
    assert run.ledger["failed"] == 0 and run.ledger["exported"] < 50, "it continued for long: %s" % run.ledger


def test_retry_after_too_long_for_what_is_allowed(leadpipe, sandbox, control):
    run = runs.export(leadpipe, sandbox, "--retry-max-time", "2s", ids=["tiny~retryafter=3"], timeout=20)
    assert run.status == 1 and "3s" in run.errors()[0] and "2s" in run.errors()[0], run.errors()


def test_admission(leadpipe, sandbox, control):
    """Ten at a time and 429 beyond: `auto` finds its way, and no lead is lost."""
    control.set(admit=10, latency_ms=20)
    run = runs.export(leadpipe, sandbox, "-j", "auto", input="\n".join("tiny-%d" % n for n in range(1500)))
    assert (run.status, run.outcomes()) == (0, {"exported": 1500}), run.done.stderr
    requests = run.manifest["requests"]
    refused = requests["statuses"].get("429", 0)
    share = 100.0 * refused / requests["total"]
    print("429: %d of %d requests, %.2f %%" % (refused, requests["total"], share))
    assert requests["total"] == 1500 + refused == 1500 + requests["retries"]
    assert share < 10, "a client that adapts is not refused so often"


def test_auto_grows(leadpipe, sandbox, control):
    """A server that keeps up is asked more at once than the 8 of the beginning, and never over 64."""
    control.set(latency_ms=20)
    run = runs.export(leadpipe, sandbox, input="\n".join("tiny-%d" % n for n in range(1500)))
    assert run.status == 0
    most = control.stats()["max_in_progress"]
    assert 8 < most <= 64, most


def test_fixed_concurrency(leadpipe, sandbox, control):
    control.set(latency_ms=20)
    run = runs.export(leadpipe, sandbox, "-j", 5, input="\n".join("tiny-%d" % n for n in range(100)))
    assert run.status == 0 and control.stats()["max_in_progress"] == 5


def test_rate_counts_retries(leadpipe, sandbox, control):
    """20 a second: 30 leads, a third of them twice, take no less than 39 times 50 ms.

    Times are taken from before the program started, so that a busy machine can only add to them;
    30 starts and a retry's back-off would be over before.
    """
    ids = ["tiny-%d%s" % (n, "~status=500~times=1" if n % 3 == 0 else "") for n in range(30)]
    began = time.time()
    run = runs.export(leadpipe, sandbox, "--rate", "20/s", "-j", 20, ids=ids)
    assert (run.status, run.summary["requests"]) == (0, {"total": 40, "retries": 10})
    starts = sorted(request["at"] - began for request in log_of(control))
    early = [(n, start) for n, start in enumerate(starts) if start < 0.05 * n - 0.02]
    assert len(starts) == 40 and not early, early


def test_rate_per_minute(leadpipe, sandbox, control):
    run = runs.export(leadpipe, sandbox, "--rate", "600/m", ids=["tiny-%d" % n for n in range(6)])
    starts = [request["at"] for request in log_of(control)]
    assert run.status == 0 and starts[-1] - starts[0] > 0.45, starts


@pytest.mark.parametrize("provider, variable", [("omni", "OMNI_API_KEY"), ("convocore", "CONVOCORE_API_KEY")])
@pytest.mark.parametrize("n_ids", [1, 2, 1000])
def test_wrong_key(leadpipe, sandbox, control, provider, variable, n_ids):
    """However few leads there are: it is the key, and no lead's fault; nor are all of them asked for."""
    env = {variable: "wr0ng-key"}
    run = runs.export(leadpipe, sandbox, provider=provider, env=env, input="\n".join("tiny-%d" % n for n in range(n_ids)))
    assert run.status == 1
    error = run.errors()[0]
    assert all(text in error for text in ("credentials refused", "401", variable)), error
    assert "wr0ng-key" not in run.done.stderr
    assert len(control.requests()) <= min(n_ids, 64)


def test_refused_while_connecting(leadpipe, sandbox, control):
    """The run ends while more connections are being made: by chance, so more than once."""
    for _ in range(25):
        run = runs.export(leadpipe, sandbox, env={"OMNI_API_KEY": "wr0ng-key"},
                          input="\n".join("tiny-%d" % n for n in range(1000)))
        assert run.status == 1, run.done


def test_all_forbidden(leadpipe, sandbox, control):
    run = runs.export(leadpipe, sandbox, "-j", 1, ids=["tiny-%d~status=403" % n for n in range(3)] + ["tiny-4"])
    assert run.status == 1 and "403" in run.errors()[0] and "credentials refused" in run.errors()[-1]


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize("silent", [1, 2, 5])
def test_first_ones_unanswered(leadpipe, sandbox, control, silent, concurrency):
    """Leads without an answer say nothing about the key: those behind them do, however many wait for that."""
    ids = ["tiny-%d~reset" % n for n in range(silent)] + ["tiny-%d~status=401" % n for n in range(silent, 200)]
    run = runs.export(leadpipe, sandbox, "-j", concurrency, "--attempts", 1, "--retry-max-time", "60s", ids=ids)
    assert run.status == 1 and "credentials refused" in run.errors()[-1], run.done.stderr
    assert len(control.requests()) <= silent + 64


def test_too_large_is_an_answer(leadpipe, sandbox, control):
    ids = ["tiny-0~huge=100000"] + ["tiny-%d~status=401" % n for n in range(1, 50)]
    run = runs.export(leadpipe, sandbox, "-j", 8, "--max-body", "50K", ids=ids)
    assert (run.status, len(run.failed)) == (3, 50), run.done.stderr


@pytest.mark.parametrize("ids", [
    ["tiny-1", "tiny-2~status=401", "tiny-3~status=403", "tiny-4~status=403"],
    ["tiny-2~status=401", "tiny-3~status=403", "tiny-1", "tiny-4~status=403"],
    ["tiny-2~status=403", "tiny-1~missing", "tiny-3~status=403", "tiny-4"],
])
def test_some_forbidden(leadpipe, sandbox, control, ids):
    """One other answer among the first three shows that the key is good."""
    run = runs.export(leadpipe, sandbox, "-j", 1, ids=ids)
    refused = [one for one in ids if "status=40" in one]
    assert (run.status, [row["id"] for row in run.failed]) == (3, refused), run.done.stderr
    assert {row["attempts"] for row in run.failed} == {1}


@pytest.mark.parametrize("other", ["tiny-3", "tiny-3~missing", "tiny-3~status=422"])
def test_a_quick_response_counts_before_slow_refusals(leadpipe, sandbox, control, other):
    """As with the messages of a webhook: one other response shows that the key is good, also of a later lead."""
    ids = ["tiny-%d~status=403~slow=400" % n for n in range(3)] + [other, "tiny-4~status=403", "tiny-5"]
    run = runs.export(leadpipe, sandbox, "-j", 6, ids=ids)
    assert run.status == 3, run.done.stderr
    assert [row["id"] for row in run.failed if row["http_status"] == 403] == ids[:3] + ids[4:5]
    assert run.exported == [one for one in ("tiny-3", "tiny-5") if one in ids]
