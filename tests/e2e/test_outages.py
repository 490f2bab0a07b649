"""An origin that is gone for a while costs no lead; one that stays away ends the run."""

import socket

import pytest

import runs

N_LEADS = 400
DOWN_S = 1.2


@pytest.fixture
def control(control):
    """While nobody listens, nobody hears that it is over either."""
    yield control

    def is_there():
        try:
            return control.stats(ids="none")
        except OSError:
            return None

    runs.wait_until(is_there, "the sandbox listens again")


@pytest.fixture
def nobody():
    """A port of loopback on which nobody listens, as long as the test holds it."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield "http://127.0.0.1:%d/omni/api/v1" % held.getsockname()[1]


@pytest.mark.parametrize("how, concurrency", [
    ("refuse", "auto"), ("reset", "auto"), ("hang", "auto"), ("503", "auto"), ("refuse", "40"), ("hang", "4")])
def test_short_outage_costs_no_lead(leadpipe, sandbox, control, how, concurrency):
    """Even with fewer tries a lead than probes are needed, but for 503: that is an answer."""
    control.set(latency_ms=20, down=how, down_for_s=DOWN_S, after_requests=30)
    attempts = 6 if how == "503" else 3
    run = runs.export(leadpipe, sandbox, "-j", concurrency, "--attempts", attempts, "--timeout", "400ms",
                      input="\n".join("tiny-%d" % n for n in range(N_LEADS)))
    assert (run.status, run.outcomes()) == (0, {"exported": N_LEADS}), run.done.stderr
    retries = run.summary["requests"]["retries"]
    # What was in flight, and then one probe at a time.
    limit = (64 if concurrency == "auto" else int(concurrency)) + 20
    assert 0 < retries <= limit, "%d retries" % retries
    warnings = [message["message"] for message in run.messages if message["level"] == "warning"]
    assert any("retrying with one request at a time" in text for text in warnings), warnings


def test_few_requests_while_down(leadpipe, sandbox, control):
    control.set(latency_ms=10, down="503", down_for_s=2, after_requests=30)
    run = runs.export(leadpipe, sandbox, "-j", 20, input="\n".join("tiny-%d" % n for n in range(N_LEADS)))
    assert (run.status, run.outcomes()) == (0, {"exported": N_LEADS}), run.done.stderr
    refused = sorted(request["at"] for request in control.requests() if request["status"] == 503)
    probes = [at for at in refused if at > refused[0] + 0.2]
    assert 1 <= len(probes) <= 8, [round(at - refused[0], 2) for at in refused]


def test_wait_of_503_holds_back(leadpipe, sandbox, control):
    """A gateway that says when it will be back is not asked before."""
    control.set(latency_ms=10, down="503", down_for_s=1, down_retry_after=1, after_requests=30)
    run = runs.export(leadpipe, sandbox, "-j", 20, input="\n".join("tiny-%d" % n for n in range(N_LEADS)))
    assert (run.status, run.outcomes()) == (0, {"exported": N_LEADS}), run.done.stderr
    first = min(request["at"] for request in control.requests() if request["status"] == 503)
    early = [round(request["at"] - first, 2) for request in control.requests() if first + 0.2 < request["at"] < first + 0.9]
    assert early == []


def assert_given_up(run, *fragments):
    assert run.status == 1, run.done.stderr
    error = run.errors()[0]
    for fragment in ("no success for", *fragments):
        assert fragment in error, error
    assert run.ledger["failed"] == 0 and run.ledger["pending"] > 0, run.ledger


@pytest.mark.parametrize("concurrency", ["auto", "2"])
def test_tries_longer_than_the_limit(leadpipe, sandbox, control, concurrency):
    """The first leads are out of time before it is known that the others are not answered either."""
    control.set(down="hang")
    run = runs.export(leadpipe, sandbox, "-j", concurrency, "--timeout", "900ms", "--retry-max-time", "600ms",
                      ids=["tiny-%d" % n for n in range(8)])
    assert_given_up(run, "timed out")


def test_one_that_is_never_answered(leadpipe, sandbox, control):
    """The others were: it fails alone, although it takes all its time and is the last one."""
    run = runs.export(leadpipe, sandbox, "-j", 1, "--timeout", "900ms", "--retry-max-time", "600ms",
                      ids=["tiny-1", "tiny-2", "tiny-3~hang"])
    assert (run.status, run.outcomes()) == (3, {"exported": 2, "failed": 1}), run.done.stderr


@pytest.mark.parametrize("n_ids", [1, 50])
def test_nobody_listens(leadpipe, sandbox, nobody, n_ids):
    run = runs.export(leadpipe, sandbox, "--retry-max-time", "1s", base_url=nobody, timeout=30,
                      input="\n".join("tiny-%d" % n for n in range(n_ids)))
    assert_given_up(run, "127.0.0.1")
    assert run.summary["requests"]["total"] < 30


@pytest.mark.parametrize("how", ["hang", "reset", "503"])
def test_never_answers(leadpipe, sandbox, control, how):
    control.set(down=how)
    run = runs.export(leadpipe, sandbox, "--retry-max-time", "1s", "--timeout", "200ms", "-j", 4, timeout=30,
                      input="\n".join("tiny-%d" % n for n in range(50)))
    assert run.status == 1, run.done.stderr
    assert "no success for" in run.errors()[0], run.errors()


def test_goes_away_for_good(leadpipe, sandbox, control, tmp_path):
    """What was fetched before is not published, and what an earlier run left stays."""
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "leads.csv").write_text("earlier\n")
    control.set(latency_ms=5, down="reset", after_requests=40)
    run = runs.export(leadpipe, sandbox, "--retry-max-time", "1s", "-t", "csv:tables/", timeout=30,
                      input="\n".join("tiny-%d" % n for n in range(N_LEADS)))
    assert_given_up(run)
    assert runs.listing(tmp_path / "tables") == {"leads.csv": b"earlier\n"}
    assert 0 < run.ledger["exported"] <= 40, "what came behind a lead that did not is pending"


def test_unknown_host(leadpipe, sandbox):
    """`invalid` never resolves, with or without a network."""
    run = runs.export(leadpipe, sandbox, "--allow-http", "--retry-max-time", "1s", "--connect-timeout", "500ms",
                      base_url="http://leads.invalid/api", ids=["tiny-1"], timeout=30)
    assert run.status == 1 and "leads.invalid" in run.errors()[0], run.errors()
