"""A job file that cannot be read is a run that was refused: what watches it hears of that."""

import json

import pytest

from test_metrics import Metrics
from test_ping import SECRET, Service

HIDDEN = "s3cr3t-v4lue"
TO = "to: [{csv: {target: out/}}]\n"
# what is wrong -> the text of the file, before what reports and behind it; what is said
FAULTS = {
    "no key": ("nonsense: 1\n", TO, 'job.yaml:1:1: unknown option "nonsense"'),
    "behind": ("provider: omni\n", TO + "nonsense: 1\n", 'unknown option "nonsense"'),
    "value": ("concurrency: lots\n", TO, "job.yaml:1:14: concurrency"),
    "sink": ("", "to: [{nosuch: {target: x}}]\n", "unknown sink"),
    "secret": ("password: %s\n" % HIDDEN, TO, "a secret must not be in a job file"),
    "combination": ("provider: omni\nid: a\nids: b\n", TO, "--id and FILE"),
    "no sink": ("provider: omni\n", "", "-t SINK is required"),
    "twice": ("provider: omni\n", "provider: omni\n", "given twice"),
    "YAML": ("provider: omni\n", "to: [\n", "not valid YAML"),
}
# nothing can be read of these
UNREADABLE = {"empty": (b"", "is empty"), "tab": (b"provider:\tomni\n", "a tab"), "bytes": (b"\xff\xfe", "UTF-8"),
              "large": (b"#" * (1 << 20) + b"\n", "1 MiB"), "list": (b"[1]\n", "must be a map"),
              "YAML": (b"to: [\n", "not valid YAML"), "missing": (None, "No such file"), "folder": ("mkdir", "directory")}


@pytest.fixture
def service():
    one = Service()
    yield one
    one.close()


def check(leadpipe, done, service, says, job="job"):
    assert done.returncode == 2 and says in done.stderr and done.stderr.count("leadpipe: ") == 1, done.stderr
    assert done.stdout == b"" and HIDDEN not in done.stderr
    assert service.suffixes() == ["/2"]
    summary = json.loads(service.pings[0][2])
    assert summary["exit_status"] == 2 and says in summary["error"] and HIDDEN not in str(summary)
    assert Metrics(leadpipe.folder / "night.prom", job)["exit_status"] == 2


@pytest.mark.parametrize("what", FAULTS)
@pytest.mark.parametrize("place", ["file", "command line"])
def test_faults(leadpipe, service, what, place):
    """By the options on the command line; and by those in the file, as far as it can be read."""
    before, behind, says = FAULTS[what]
    reports = {"metrics": "night.prom", "ping": service.url}
    in_file = "".join("%s: %s\n" % one for one in reports.items()) if place == "file" else ""
    words = [] if place == "file" else ["--metrics", "night.prom", "--ping", service.url]
    (leadpipe.folder / "job.yaml").write_text(before + in_file + behind)
    check(leadpipe, leadpipe("run", "job.yaml", *words), service, says)


@pytest.mark.parametrize("what", UNREADABLE)
def test_nothing_can_be_read(leadpipe, service, what):
    content, says = UNREADABLE[what]
    if content == "mkdir":
        (leadpipe.folder / "job.yaml").mkdir()
    elif content is not None:
        (leadpipe.folder / "job.yaml").write_bytes(content)
    check(leadpipe, leadpipe("run", "job.yaml", "--metrics", "night.prom", "--ping", service.url), service, says)


def test_a_wrong_command_line(leadpipe, service):
    (leadpipe.folder / "job.yaml").write_text("provider: omni\n" + TO)
    words = ["--metrics", "night.prom", "--ping", service.url]
    check(leadpipe, leadpipe("run", "job.yaml", *words, "--nonsense"), service, "--nonsense")


def test_the_command_line_beats_the_file(leadpipe, service):
    (leadpipe.folder / "job.yaml").write_text("metrics: other.prom\nping: http://127.0.0.1:1/\njob-name: other\nnonsense: 1\n" + TO)
    words = ["--metrics", "night.prom", "--ping", service.url, "--job-name", "mine"]
    check(leadpipe, leadpipe("run", "job.yaml", *words), service, "nonsense", job="mine")
    assert not (leadpipe.folder / "other.prom").exists()


@pytest.mark.parametrize("text", ["metrics: job.yaml\nnonsense: 1\n", "metrics: ''\nnonsense: 1\n", "metrics: s3://b/k\nnonsense: 1\n",
                                  "metrics: [a, b]\nnonsense: 1\n", "ping: ftp://x/\nnonsense: 1\n", "summary-file: job.yaml\nnonsense: 1\n"])
def test_what_reports_is_wrong(leadpipe, text):
    """Nothing is overwritten, and what is wrong with the job is said."""
    (leadpipe.folder / "job.yaml").write_text(text)
    done = leadpipe("run", "job.yaml")
    assert done.returncode == 2 and done.stderr.count("leadpipe: ") == 1, done.stderr
    assert (leadpipe.folder / "job.yaml").read_text() == text and len(list(leadpipe.folder.iterdir())) == 1


def test_a_command_after_it(leadpipe):
    (leadpipe.folder / "job.yaml").write_text("on-failure: touch told\nnonsense: 1\n")
    assert leadpipe("run", "job.yaml").returncode == 2
    assert (leadpipe.folder / "told").exists()


def test_the_caret_stays_below_its_message(leadpipe):
    (leadpipe.folder / "job.yaml").write_text("log-format: text\nsummary: json\nnonsense: 1\n")
    lines = leadpipe("run", "job.yaml").stderr.splitlines()
    assert lines[0].startswith("leadpipe: job.yaml:3:1:") and lines[1:3] == ["    nonsense: 1", "    ^"]
    assert [json.loads(line)["exit_status"] for line in lines[3:]] == [2]


def test_json(leadpipe):
    (leadpipe.folder / "job.yaml").write_text("log-format: json\nnonsense: 1\n")
    lines = leadpipe("run", "job.yaml").stderr.splitlines()
    assert len(lines) >= 1 and all(isinstance(json.loads(line), dict) for line in lines)


def test_printing_tells_nobody(leadpipe, service):
    (leadpipe.folder / "job.yaml").write_text("ping: %s\nnonsense: 1\n" % service.url)
    assert leadpipe("run", "--print", "job.yaml").returncode == 2 and service.pings == []
    assert SECRET not in leadpipe("run", "job.yaml").stderr
