"""--metrics: the figures of every run, however it ends, as Prometheus reads them.

The files are read with Prometheus's own client library, and by rules of the text format that it is lenient about.
"""

import json
import math
import os
import re
import signal
import stat
import time

import pytest
from prometheus_client.parser import text_string_to_metric_families

from test_signals import start

SUCCESS = "leadpipe_last_success_timestamp_seconds"
FAMILIES = {
    "leadpipe_last_start_timestamp_seconds": "gauge", "leadpipe_last_end_timestamp_seconds": "gauge", SUCCESS: "gauge",
    "leadpipe_exit_status": "gauge", "leadpipe_published": "gauge", "leadpipe_duration_seconds": "gauge", "leadpipe_leads": "gauge",
    "leadpipe_requests": "gauge", "leadpipe_retries": "gauge", "leadpipe_received_bytes": "gauge",
    "leadpipe_request_latency_seconds": "summary", "leadpipe_sink_rows": "gauge", "leadpipe_sink_bytes": "gauge",
    "leadpipe_deliveries": "gauge",
}
LABEL = r'[a-z]+="(?:[^"\\\n]|\\["\\n])*"'
SAMPLE = re.compile(r'([a-z_]+)\{%s(?:,%s)*\} (\d+(?:\.\d+)?|NaN)' % (LABEL, LABEL))


class Metrics:
    """A file, whose form is checked."""

    def __init__(self, path, job="leadpipe"):
        data = path.read_bytes()
        text = data.decode("utf-8")
        assert text.endswith("\n") and "\r" not in text
        self.samples = {}
        families = {family.name: family for family in text_string_to_metric_families(text)}
        assert {name: family.type for name, family in families.items()} == FAMILIES
        for family in families.values():
            assert family.documentation, family.name
            for sample in family.samples:
                labels = dict(sample.labels)
                assert labels.pop("job") == job
                key = (sample.name, tuple(sorted(labels.items())))
                assert key not in self.samples, key
                self.samples[key] = sample.value
        self._check_lines(text)

    def _check_lines(self, text):
        """HELP, TYPE, and then all samples of one family: no blank lines, no other comments."""
        current, heads = None, []
        for line in text.split("\n")[:-1]:
            if line.startswith("# HELP "):
                current = line.split(" ")[2]
                heads.append(current)
                assert len(line.split(" ")) > 4
            elif line.startswith("#"):
                assert line == "# TYPE %s %s" % (current, FAMILIES[current])
            else:
                name = SAMPLE.fullmatch(line).group(1)
                assert name == current or name in (current + "_sum", current + "_count"), line
        assert heads == list(FAMILIES)

    def __getitem__(self, name):
        return self.get(name)

    def get(self, name, **labels):
        return self.samples[("leadpipe_" + name, tuple(sorted(labels.items())))]

    @property
    def success(self):
        return self["last_success_timestamp_seconds"]

    def leads(self):
        return {dict(key[1])["outcome"]: value for key, value in self.samples.items() if key[0] == "leadpipe_leads"}


def export(leadpipe, sandbox, *words, **more):
    more.setdefault("env", sandbox.env)
    return leadpipe("export", *sandbox.provider(), "-t", "csv:out/", "--metrics", "lp.prom", *words, **more)


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("path, options, name", [
    ("nightly.yaml", [], "nightly"), ("jobs/every.hour.yaml", [], "every.hour"), (".hidden", [], ".hidden"), ("plain", [], "plain"),
    ("nightly.yaml", ["--job-name", "other"], "other"), ("named.yaml", [], "in the file")])
def test_name_of_a_job_file(leadpipe, sandbox, tmp_path, path, options, name):
    """Of a refused run, too."""
    (tmp_path / "jobs").mkdir()
    for refused in False, True:
        job = {"provider": "omni", "base-url": sandbox.omni, "id": "plain-1", "metrics": str(tmp_path / "lp.prom"),
               "to": [{"csv": {"target": str(tmp_path / "out/")}}]}
        if path == "named.yaml":
            job["job-name"] = name
        if refused:
            job["api-key-file"] = "no/such/file"
        (tmp_path / path).write_text(json.dumps(job))
        done = leadpipe("run", path, *options, env=sandbox.env)
        assert (done.returncode == 0) == (not refused), done.stderr
        Metrics(tmp_path / "lp.prom", job=name)


def test_success(leadpipe, sandbox, control, tmp_path):
    begun = time.time()
    ids = "".join("plain-%d\n" % n for n in range(20)) + "x~missing\na~status=503~times=1\n"
    done = export(leadpipe, sandbox, "-t", "webhook:" + sandbox.hook("metrics"), "--manifest", "m.json", input=ids)
    ended = time.time()
    m = Metrics(tmp_path / "lp.prom")
    manifest = json.loads((tmp_path / "m.json").read_text())
    assert (done.returncode, m["exit_status"]) == (0, 0), done.stderr
    assert begun - 0.01 <= m["last_start_timestamp_seconds"] <= m["last_end_timestamp_seconds"] <= ended + 0.01
    assert m.success == m["last_end_timestamp_seconds"]
    assert 0 < m["duration_seconds"] <= ended - begun + 0.01
    assert m.leads() == {"exported": 21, "unchanged": 0, "missing": 1, "failed": 0, "pending": 0}
    assert m.get("requests", status="200") == 21
    assert (m.get("requests", status="404"), m.get("requests", status="503"), m["retries"]) == (1, 1, 1)
    assert m["received_bytes"] > 0
    assert m["request_latency_seconds_count"] == 23
    quantiles = [m.get("request_latency_seconds", quantile=q) for q in ("0.5", "0.9", "0.99")]
    assert 0 < quantiles[0] <= quantiles[1] <= quantiles[2] <= manifest["requests"]["latency_ms"]["max"] / 1000 + 1e-6
    for quantile, name in zip(quantiles, ("p50", "p90", "p99")):
        assert math.isclose(quantile, manifest["requests"]["latency_ms"][name] / 1000, abs_tol=1e-6)
    assert 0 < m["request_latency_seconds_sum"] <= 23 * manifest["requests"]["latency_ms"]["max"] / 1000
    files = manifest["sinks"][0]["files"]
    assert m.get("sink_rows", sink="csv:out/", operation="written") == sum(file["rows"] for file in files) > 20
    assert m.get("sink_bytes", sink="csv:out/") == sum(path.stat().st_size for path in (tmp_path / "out").iterdir())
    hook = manifest["sinks"][1]["sink"]
    assert m.get("deliveries", sink=hook, outcome="delivered") == manifest["sinks"][1]["delivered"] > 0
    assert m.get("deliveries", sink=hook, outcome="failed") == 0


def test_latency_is_in_seconds(leadpipe, sandbox, control, tmp_path):
    control.set(latency_ms=200)
    export(leadpipe, sandbox, "--id", "plain-1", "--id", "plain-2")
    m = Metrics(tmp_path / "lp.prom")
    assert m.get("request_latency_seconds", quantile="0.5") >= 0.19
    assert 0.4 <= m["request_latency_seconds_sum"] < 40


def test_databases(leadpipe, sandbox, control, tmp_path):
    words = ["export", *sandbox.provider(), "--metrics", "lp.prom", "-t", "sqlite:leads.db"]
    leadpipe(*words, "--id", "plain-1", "--id", "plain-2", env=sandbox.env)
    first = Metrics(tmp_path / "lp.prom")
    assert first.get("sink_rows", sink="sqlite:leads.db", operation="inserted") > 0
    leadpipe(*words, "--id", "plain-1", env=sandbox.env)
    second = Metrics(tmp_path / "lp.prom")
    assert second.get("sink_rows", sink="sqlite:leads.db", operation="inserted") == 0


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777])
@pytest.mark.parametrize("before", [None, 0o600, 0o666])
def test_mode(leadpipe, sandbox, control, tmp_path, umask, before):
    """Who scrapes is another user, whatever the mask of the one that runs."""
    path = tmp_path / "lp.prom"
    if before:
        path.write_text("")
        path.chmod(before)
    (tmp_path / "out").mkdir()
    export(leadpipe, sandbox, "--id", "plain-1", preexec_fn=lambda: os.umask(umask))
    assert mode_of(path) == 0o644 and Metrics(path)["exit_status"] in (0, 1)


def test_failed_runs_keep_the_last_success(leadpipe, sandbox, control, tmp_path):
    path = tmp_path / "lp.prom"
    export(leadpipe, sandbox, "--id", "plain-1")
    success = Metrics(path).success
    assert success > 0
    export(leadpipe, sandbox, "--id", "a~status=400")
    m = Metrics(path)
    assert (m["exit_status"], m.success, m.leads()["failed"]) == (3, success, 1)
    assert m["last_end_timestamp_seconds"] > success
    export(leadpipe, sandbox, "--id", "plain-1", "--id", "plain-2", "--id", "plain-3", env={"OMNI_API_KEY": "wrong-key-here"})
    m = Metrics(path)
    assert (m["exit_status"], m.success, m.get("requests", status="401")) == (1, success, 3)
    export(leadpipe, sandbox, "--id", "plain-1", "--expect", "2")
    m = Metrics(path)
    assert (m["exit_status"], m.success) == (3, success)
    export(leadpipe, sandbox, "--id", "plain-1")
    assert Metrics(path).success > success


def test_stopped(leadpipe, sandbox, control, tmp_path):
    path = tmp_path / "lp.prom"
    export(leadpipe, sandbox, "--id", "plain-1")
    success = Metrics(path).success
    process = start(leadpipe, sandbox, control, tmp_path, "--metrics", "lp.prom")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    m = Metrics(path)
    assert (process.returncode, m["exit_status"], m.success) == (143, 143, success)
    assert m.leads()["pending"] > 0 and m.leads()["exported"] >= 8
    assert m.get("sink_bytes", sink="ndjson:old.ndjson") == 0


def test_killed(leadpipe, sandbox, control, tmp_path):
    path = tmp_path / "lp.prom"
    export(leadpipe, sandbox, "--id", "plain-1")
    before = path.read_bytes()
    process = start(leadpipe, sandbox, control, tmp_path, "--metrics", "lp.prom")
    process.kill()
    process.communicate(timeout=60)
    assert path.read_bytes() == before
    control.reset()
    export(leadpipe, sandbox, "--id", "plain-1")
    assert Metrics(path).success > Metrics_success(before)
    assert [one.name for one in tmp_path.glob("*lp.prom*")] == ["lp.prom"]


def Metrics_success(data):
    line, = [line for line in data.decode().splitlines() if line.startswith(SUCCESS + "{")]
    return float(line.split()[-1])


REFUSALS = [["--no-such-option"], ["--attempts", "0"], ["--cacert", "none.pem"], ["-t", "nothing"],
            ["--fresh"], ["-p", "omni"]]


@pytest.mark.parametrize("words", REFUSALS)
def test_refused(leadpipe, sandbox, control, tmp_path, words):
    path = tmp_path / "lp.prom"
    for success in (0, None):
        done = export(leadpipe, sandbox, "--id", "plain-1", *words)
        assert done.returncode == 2
        m = Metrics(path)
        assert m["exit_status"] == 2 and sum(m.leads().values()) == 0 and m["request_latency_seconds_count"] == 0
        assert math.isnan(m.get("request_latency_seconds", quantile="0.5"))
        if success is None:
            assert m.success == kept
        else:
            assert m.success == 0 and mode_of(path) == 0o644
            assert export(leadpipe, sandbox, "--id", "plain-1").returncode == 0
            kept = Metrics(path).success
            assert kept > 0


@pytest.mark.parametrize("content", ["plain-1\n", '{"id":"plain-1"}\n', "# HELP other_metric x\nother_metric 1\n", "\0"])
@pytest.mark.parametrize("words", [["--no-such-option"], ["--cacert", "none.pem"], []])
def test_refused_run_keeps_files_of_others(leadpipe, sandbox, tmp_path, content, words):
    """By mistake the file may be an input, a key, a state."""
    (tmp_path / "ids").write_text(content)
    done = leadpipe("export", *sandbox.provider(), "-t", "csv:out/", "--metrics", "ids", *words, "ids", env=sandbox.env)
    assert done.returncode == 2 and (tmp_path / "ids").read_text() == content


@pytest.mark.parametrize("words", [["--failed", "file"], ["--state", "file"], ["--metrics", "none/file"], ["-t", "ndjson:file"]])
def test_refused_because_of_the_file(leadpipe, sandbox, tmp_path, words):
    """Nothing is made where something else is to be."""
    given = [] if "--metrics" in words else ["--metrics", "file"]
    done = leadpipe("export", *sandbox.provider(), "-t", "csv:out/", "--id", "plain-1", *given, *words, env=sandbox.env)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "--metrics" in done.stderr
    assert list(tmp_path.iterdir()) == []


DAMAGED = {
    "cut": "# HELP leadpipe_x y\n# TYPE leadpipe_x gauge\n" + SUCCESS + '{job="leadpipe"} 17900',
    "no number": "# HELP leadpipe_x y\n" + SUCCESS + '{job="leadpipe"} x\n',
    "of the future": "# HELP leadpipe_x y\n" + SUCCESS + '{job="leadpipe"} 99999999999.000\n',
    "not a number": "# HELP leadpipe_x y\n" + SUCCESS + '{job="leadpipe"} NaN\n',
    "twice": "# HELP leadpipe_x y\n" + 2 * (SUCCESS + '{job="leadpipe"} 5\n'),
    "another job": "# HELP leadpipe_x y\n" + SUCCESS + '{job="another"} 5\n',
    "something else": "\x1b[2J\0\n" * 1000,
    "huge": "# HELP leadpipe_x y\n" * 500000,
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_file(leadpipe, sandbox, control, tmp_path, name):
    path = tmp_path / "lp.prom"
    path.write_text(DAMAGED[name])
    done = export(leadpipe, sandbox, "--id", "a~status=400")
    m = Metrics(path)
    warnings = [line for line in done.stderr.splitlines() if "--metrics" in line]
    assert (done.returncode, m["exit_status"], m.success) == (3, 3, 0)
    assert len(warnings) == 1 and warnings[0].startswith("leadpipe: warning: --metrics: lp.prom: ") and "\x1b" not in warnings[0]
    done = export(leadpipe, sandbox, "--id", "plain-1")
    assert done.returncode == 0 and "--metrics" not in done.stderr and Metrics(path).success > 0


@pytest.mark.parametrize("job", ["nightly", 'a"b\\c\nd', "Überführung 😀", "{x} 1", "a" * 255])
def test_name_of_the_job(leadpipe, sandbox, control, tmp_path, job):
    export(leadpipe, sandbox, "--id", "plain-1", "--job-name", job)
    success = Metrics(tmp_path / "lp.prom", job).success
    done = export(leadpipe, sandbox, "--no-such-option", "--job-name", job)
    m = Metrics(tmp_path / "lp.prom", job)
    assert (done.returncode, m["exit_status"], m.success) == (2, 2, success)


@pytest.mark.parametrize("job, message", [("", "must not be empty"), (b"a\xff", "UTF-8"), ("a" * 256, "255 bytes")])
def test_name_of_the_job_refused(leadpipe, sandbox, job, message):
    done = leadpipe("export", *sandbox.provider(), "-t", "csv:out/", "--job-name=" + os.fsdecode(job), env=sandbox.env)
    assert done.returncode == 2 and "--job-name: " in done.stderr and message in done.stderr


@pytest.mark.parametrize("path", ["-", "/dev/null", "s3://bucket/key", "/dev/stderr"])
def test_only_files(leadpipe, sandbox, path):
    done = leadpipe("export", *sandbox.provider(), "-t", "csv:out/", "--metrics", path, "--id", "plain-1", env=sandbox.env)
    assert done.returncode == 2 and "--metrics: " in done.stderr


def test_file_that_cannot_be_written(leadpipe, sandbox, control, tmp_path):
    done = leadpipe("export", *sandbox.provider(), "-t", "csv:out/", "--metrics", "none/lp.prom", "--id", "plain-1", env=sandbox.env)
    assert done.returncode == 2 and "--metrics: none/lp.prom" in done.stderr


def test_secrets(leadpipe, sandbox, control, tmp_path):
    """Of a sink's URL no password and no token."""
    hook = sandbox.hook("secret").replace("http://", "http://user:hunter2hunter2@") + "?token=abcdefghijkl"
    export(leadpipe, sandbox, "-t", "webhook:" + hook, "--id", "plain-1")
    text = (tmp_path / "lp.prom").read_text()
    Metrics(tmp_path / "lp.prom")
    assert "hunter2" not in text and "abcdefghijkl" not in text and sandbox.key not in text


def test_resumed(leadpipe, sandbox, control, tmp_path):
    process = start(leadpipe, sandbox, control, tmp_path, "--metrics", "lp.prom", "--state", "state")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    part = Metrics(tmp_path / "lp.prom")
    control.set(latency_ms=0)
    done = leadpipe(*process.args[1:], env=sandbox.env)
    whole = Metrics(tmp_path / "lp.prom")
    assert done.returncode == 0, done.stderr
    assert whole["last_start_timestamp_seconds"] == part["last_start_timestamp_seconds"]
    assert whole["request_latency_seconds_sum"] >= part["request_latency_seconds_sum"] > 0
    assert whole["request_latency_seconds_count"] == sum(
        value for (name, labels), value in whole.samples.items() if name == "leadpipe_requests" and ("status", "none") not in labels)
    assert whole.leads()["exported"] == 5000
