"""--summary and --summary-file: how a run ended, for programs, whatever the end."""

import json
import signal

import pytest

from test_signals import start

SINK = ["-t", "csv:out/"]


def summary_of(text):
    """The only summary among messages as text."""
    found = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    assert len(found) == 1, text
    assert (found[0]["subject"], found[0]["level"]) == ("summary", "info")
    return found[0]


def test_json_on_standard_error(leadpipe, sandbox, control):
    done = leadpipe("export", *sandbox.provider(), *SINK, "--summary", "json", "--id", "plain-1", "--id", "a~status=400",
                    env=sandbox.env)
    summary = summary_of(done.stderr)
    assert done.returncode == 3 and done.stderr.startswith("leadpipe: 1 failed ")  # messages stay text
    assert "IDs  " not in done.stderr
    assert (summary["exit_status"], summary["published"], summary["error"]) == (3, True, None)
    assert summary["ledger"] == {"exported": 1, "unchanged": 0, "missing": 0, "failed": 1, "pending": 0}
    assert summary["started_at"] <= summary["ended_at"]


def test_text_among_json_messages(leadpipe, sandbox, control):
    done = leadpipe("export", *sandbox.provider(), *SINK, "--summary", "text", "--log-format", "json", "--id", "plain-1",
                    env=sandbox.env)
    assert (done.returncode, done.stderr[:14]) == (0, "IDs       1 re")


@pytest.mark.parametrize("words, begins", [(["--summary", "json"], '{"at":"'), (["--summary=text"], "IDs       1 read")])
def test_asked_for_in_quiet(leadpipe, sandbox, control, words, begins):
    done = leadpipe("export", *sandbox.provider(), *SINK, "-q", *words, "--id", "plain-1", env=sandbox.env)
    assert done.returncode == 0 and done.stderr.startswith(begins)


@pytest.mark.parametrize("words, form", [([], "json"), (["--summary", "json"], "json"), (["--summary", "text"], "text"),
                                         (["--log-format", "json"], "json"), (["-q"], "json")])
def test_file(leadpipe, sandbox, control, tmp_path, words, form):
    (tmp_path / "end").write_text("what was there")
    done = leadpipe("export", *sandbox.provider(), *SINK, "--summary-file", "end", *words, "--id", "plain-1",
                    env=sandbox.env)
    text = (tmp_path / "end").read_text()
    assert (done.returncode, done.stderr) == (0, "")
    if form == "json":
        assert summary_of(text)["ids"] == {"read": 1, "unique": 1, "duplicates": 0}
    else:
        assert text.startswith("IDs       1 read, 1 unique") and "out/leads.csv: 1 row" in text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["end", "out"]


def test_name_of_the_file(leadpipe, sandbox, control, tmp_path):
    done = leadpipe("export", *sandbox.provider(), *SINK, "--summary-file", "{run_id}.json", "--id", "plain-1",
                    env=sandbox.env)
    path, = tmp_path.glob("*.json")
    assert done.returncode == 0 and json.loads(path.read_text())["run_id"] == path.stem
    done = leadpipe("export", "-p", "omni", "-t", "csv", "--summary-file", "{run_id}.json", "--id", "plain-1")
    assert done.returncode == 2 and list(tmp_path.glob("*.json")) == [path]  # it has no run id


ASKED = "--summary-file=end"
# A line that cannot be read; one that is read and makes no sense; settings that do not work; a file that is two.
REFUSALS = [
    ([ASKED, "--no-such-option", *SINK, "ids"], "unknown option --no-such-option"),
    (["--no-such-option", "-qp", "--summary-file", *SINK, ASKED, "ids"], "unknown option --no-such-option"),
    ([ASKED, "-p"], "--provider: missing value"),
    (["-p", "omni", *SINK, "--attempts", "0", ASKED, "ids"], "--attempts: \"0\" is not"),
    (["-p", "omni", "ids", ASKED], "-t SINK is required"),
    (["-p", "no-such-provider", *SINK, ASKED, "ids"], "no-such-provider"),
    (["-p", "omni", *SINK, "--cacert", "none.pem", ASKED, "ids"], "none.pem"),
    (["-p", "omni", *SINK, "--failed", "ids", ASKED, "ids"], "ids"),
]


@pytest.mark.parametrize("words, message", REFUSALS)
def test_refused(leadpipe, sandbox, tmp_path, words, message):
    (tmp_path / "ids").write_text("plain-1\n")
    done = leadpipe("export", *words, env=sandbox.env)
    summary = summary_of((tmp_path / "end").read_text())
    assert done.returncode == summary["exit_status"] == 2 and message in done.stderr
    assert "leadpipe: %s\n" % summary["error"] == done.stderr
    assert (summary["run_id"], summary["published"]) == (None, False)


def test_refused_on_standard_error(leadpipe):
    done = leadpipe("export", "--summary", "json", "-p", "omni")
    assert done.returncode == summary_of(done.stderr)["exit_status"] == 2
    done = leadpipe("export", "--summary", "text", "-p", "omni")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    done = leadpipe("export", "--failed", "--summary", "json", "-p", "omni", "--", "--summary=json")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)  # a value, and an argument


@pytest.mark.parametrize("content", ["plain-1\n", "\0", '{"id":"plain-1"}\n', "{"])
@pytest.mark.parametrize("words", [["-t", "csv"], ["-t", "csv:out/", "--failed", "ids"], ["-t", "csv:out/", "--attempts", "x"]])
def test_refused_run_keeps_files_of_others(leadpipe, sandbox, tmp_path, content, words):
    """Of a run that is refused nobody knows yet whether the file is an input."""
    (tmp_path / "ids").write_text(content)
    done = leadpipe("export", *sandbox.provider(), *words, "--summary-file", "ids", "ids", env=sandbox.env)
    assert done.returncode == 2 and (tmp_path / "ids").read_text() == content


def test_file_that_is_an_input(leadpipe, sandbox, control, tmp_path):
    (tmp_path / "ids").write_text("plain-1\n")
    done = leadpipe("export", *sandbox.provider(), *SINK, "--summary-file", "ids", "ids", env=sandbox.env)
    assert done.returncode == 2 and "--summary-file" in done.stderr and (tmp_path / "ids").read_text() == "plain-1\n"


def test_stopped(leadpipe, sandbox, control, tmp_path):
    process = start(leadpipe, sandbox, control, tmp_path, "--summary-file", "end.json")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    summary = summary_of((tmp_path / "end.json").read_text())
    assert process.returncode == summary["exit_status"] == 143 and not summary["published"]
    assert sum(summary["ledger"].values()) == summary["ids"]["unique"]


def test_killed(leadpipe, sandbox, control, tmp_path):
    (tmp_path / "end.json").write_text("old\n")
    process = start(leadpipe, sandbox, control, tmp_path, "--summary-file", "end.json")
    process.kill()
    process.communicate(timeout=60)
    assert (tmp_path / "end.json").read_text() == "old\n"


def test_wrong_key(leadpipe, sandbox, control, tmp_path):
    done = leadpipe("export", *sandbox.provider(), *SINK, "--summary-file", "end.json", "--id", "plain-1", "--id", "plain-2",
                    "--id", "plain-3", env={"OMNI_API_KEY": "not-this-one"})
    summary = summary_of((tmp_path / "end.json").read_text())
    assert done.returncode == summary["exit_status"] == 1
    assert "leadpipe: %s\n" % summary["error"] in done.stderr and "not-this-one" not in str(summary)


def test_secret_in_what_is_refused(leadpipe, tmp_path):
    done = leadpipe("export", "-p", "omni", *SINK, "--base-url", "http://user:hunter2hunter2@127.0.0.1:1/x", "--summary-file",
                    "end.json", "--id", "plain-1", env={"OMNI_API_KEY": "k" * 20})
    assert done.returncode == 2 and "hunter2" not in done.stderr + (tmp_path / "end.json").read_text()


def test_file_that_cannot_be_written(leadpipe, sandbox, control, tmp_path):
    """The outputs are there; but somebody relies on the file."""
    words = ["export", *sandbox.provider(), *SINK, "--id", "plain-1"]
    done = leadpipe(*words, "--summary-file", "none/end.json", env=sandbox.env)
    assert done.returncode == 2 and "--summary-file: none/end.json" in done.stderr
    assert done.stderr.count("\n") == 1
    done = leadpipe(*words, "--summary-file", "/dev/full", env=sandbox.env)
    assert done.returncode == 1 and "--summary-file: /dev/full: No space left" in done.stderr
