"""--on-success and --on-failure: commands that are run after a run."""

import json
import os
import shlex
import signal
import sys
import time

import pytest

from conftest import SLOWNESS
from raw_server import RawServer
from test_signals import start, wait_until

# Records what it was given.
RECORD = """
import json, os, signal, sys
json.dump({"words": sys.argv[2:], "input": sys.stdin.read(), "environment": dict(os.environ), "group": os.getpgid(0) == os.getpid(),
           "sigpipe": signal.getsignal(signal.SIGPIPE) == signal.SIG_DFL, "files": sorted(os.listdir("/proc/self/fd"))[:-1],
           "blocked": len(signal.pthread_sigmask(signal.SIG_BLOCK, []))},
          open(sys.argv[1], "w"))
"""


@pytest.fixture
def script(tmp_path):
    (tmp_path / "record.py").write_text(RECORD)
    # without Python's own handling of SIGPIPE
    return "%s -c %s" % (sys.executable, shlex.quote("import signal; exec(open('record.py').read())"))


def export(leadpipe, sandbox, *words, **more):
    more.setdefault("env", sandbox.env)
    return leadpipe("export", *sandbox.provider(), "-t", "csv:out/", *words, **more)


def record(tmp_path, name="hook"):
    return json.loads((tmp_path / name).read_text())


def both(script):
    return ["--on-success", script + " success", "--on-failure", script + " failure"]


def test_success(leadpipe, sandbox, control, tmp_path, script):
    done = export(leadpipe, sandbox, "--id", "plain-1", "--id", "x~missing", *both(script), "--job-name", "a night", "--manifest", "m")
    assert done.returncode == 0 and not (tmp_path / "failure").exists()
    made, manifest = record(tmp_path, "success"), json.loads((tmp_path / "m").read_text())
    summary, env = json.loads(made["input"]), made["environment"]
    assert summary["subject"] == "summary" and summary["run_id"] == manifest["run_id"] and summary["exit_status"] == 0
    ours = {name: value for name, value in env.items() if name.startswith("LEADPIPE_")}
    for name in "STARTED_AT", "ENDED_AT":
        assert ours.pop("LEADPIPE_" + name) == manifest[name.lower()]
    assert ours == {"LEADPIPE_JOB": "a night", "LEADPIPE_RUN_ID": manifest["run_id"], "LEADPIPE_EXIT_STATUS": "0",
                    "LEADPIPE_PUBLISHED": "true", "LEADPIPE_EXPORTED": "1", "LEADPIPE_UNCHANGED": "0", "LEADPIPE_MISSING": "1",
                    "LEADPIPE_FAILED": "0", "LEADPIPE_PENDING": "0"}
    assert made["group"] and made["blocked"] == 0 and made["files"] == ["0", "1", "2"]


@pytest.mark.parametrize("words, status", [
    (["--id", "a~status=400"], 3), (["--id", "plain-1", "--expect", "2"], 3), (["--no-such-option"], 2),
    (["--cacert", "none.pem", "--id", "plain-1"], 2), (["--attempts", "0"], 2)])
def test_failure(leadpipe, sandbox, control, tmp_path, script, words, status):
    done = export(leadpipe, sandbox, *both(script), *words)
    made = record(tmp_path, "failure")
    assert done.returncode == status and not (tmp_path / "success").exists()
    assert json.loads(made["input"])["exit_status"] == int(made["environment"]["LEADPIPE_EXIT_STATUS"]) == status


def test_stopped(leadpipe, sandbox, control, tmp_path, script):
    process = start(leadpipe, sandbox, control, tmp_path, *both(script))
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    made = record(tmp_path, "failure")
    assert process.returncode == int(made["environment"]["LEADPIPE_EXIT_STATUS"]) == 143
    assert made["environment"]["LEADPIPE_PUBLISHED"] == "false" and int(made["environment"]["LEADPIPE_PENDING"]) > 0


@pytest.mark.parametrize("more", [[], ["--no-such-option"], ["--cacert", "none.pem"]])
def test_secrets_are_taken_out(leadpipe, sandbox, control, tmp_path, script, more):
    secrets = {"OMNI_API_KEY": sandbox.key, "HOOK_AUTH": "Bearer abcdefghijklmnop", "https_proxy": "http://user:hunter2hunter2@127.0.0.1:9/",
               "COPY_OF_IT": "x" + sandbox.key, "LEADPIPE_OLD": "1"}
    done = export(leadpipe, sandbox, "--id", "plain-1", *both(script), "-t",
                  "webhook,header-env=Authorization: HOOK_AUTH:" + sandbox.hook("hooks"), *more, env={**secrets, "HARMLESS": "kept", "A": ""})
    name = "failure" if more else "success"
    made = record(tmp_path, name)
    assert done.returncode == (2 if more else 0), done.stderr
    assert made["environment"]["HARMLESS"] == "kept" and made["environment"]["A"] == "" and "PATH" in made["environment"]
    left = json.dumps(made)
    assert "abcdefghijklmnop" not in left and "LEADPIPE_OLD" not in left
    if not more:
        assert not set(secrets) & set(made["environment"]) and sandbox.key not in left and "hunter2" not in left
    else:
        assert "OMNI_API_KEY" not in left and "hunter2" not in left


def test_words(leadpipe, sandbox, control, tmp_path, script):
    """As Python splits them, and nothing is expanded."""
    command = script + r""" hook a 'b  c' "d \"e\" \$f" g\ h $HOME * `i` ; "" '' j'k'"l" > out"""
    done = export(leadpipe, sandbox, "--id", "plain-1", "--on-success", command)
    assert done.returncode == 0
    assert record(tmp_path)["words"] == [word.replace(r"\$f", "$f") for word in shlex.split(command)[4:]]


@pytest.mark.parametrize("option", ["--on-success", "--on-failure"])
@pytest.mark.parametrize("command", ["a 'b", 'a "b', "a \\", "'", "''", " ", 'a "b\\"'])
def test_commands_refused(leadpipe, sandbox, tmp_path, option, command):
    done = export(leadpipe, sandbox, "--id", "plain-1", option, command)
    assert done.returncode == 2 and done.stderr.startswith("leadpipe: %s: " % option) and done.stderr.count("\n") == 1


def test_output_goes_to_standard_error(leadpipe, sandbox, control):
    done = leadpipe("export", *sandbox.provider(), "-t", "ndjson:-", "--id", "plain-1", "--on-success",
                    "sh -c 'echo said; echo cried >&2'", env=sandbox.env)
    assert done.returncode == 0 and b"said" not in done.stdout and done.stdout.count(b"\n") == 1
    assert done.stderr.endswith("said\ncried\n")


@pytest.mark.parametrize("command, message", [
    ("sh -c 'exit 7'", "the command ended with exit status 7"), ("sh -c 'kill -9 $$'", "the command was killed by signal 9"),
    ("/no/such/program", "the command cannot be started: No such file or directory"),
    ("./ids", "the command cannot be started: Permission denied"), ("true", None)])
@pytest.mark.parametrize("lead, status", [("plain-1", 0), ("a~status=400", 3)])
def test_how_it_ended(leadpipe, sandbox, control, tmp_path, command, message, lead, status):
    (tmp_path / "ids").write_text("")
    option = "--on-failure" if status else "--on-success"
    done = export(leadpipe, sandbox, "--id", lead, option, command)
    assert done.returncode == status
    assert [line for line in done.stderr.splitlines() if "--on-" in line] == (
        ["leadpipe: warning: %s: %s" % (option, message)] if message else [])
    if not message:
        done = export(leadpipe, sandbox, "-v", "--id", lead, option, command)
        assert "leadpipe: %s: the command ended with exit status 0\n" % option in done.stderr


def test_ended_children_ignored(leadpipe, sandbox, control):
    """Who started us may have SIGCHLD ignored, and a program inherits that."""
    done = export(leadpipe, sandbox, "--id", "plain-1", "--on-success", "sh -c 'exit 7'",
                  preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
    assert done.returncode == 0 and "the command ended with exit status 7" in done.stderr


def test_a_file_at_the_end_fails(leadpipe, sandbox, control, tmp_path, script):
    """The run went well, but its summary is not there: the command learns the status that the program ends with."""
    done = export(leadpipe, sandbox, "--id", "plain-1", *both(script), "--summary-file", "/dev/full")
    assert done.returncode == 1 and not (tmp_path / "success").exists()
    made = record(tmp_path, "failure")
    assert json.loads(made["input"])["exit_status"] == 1 and made["environment"]["LEADPIPE_EXIT_STATUS"] == "1"


@pytest.mark.parametrize("command", ["true", "sh -c 'exec <&-; sleep 0.2'", "sleep 0.2", "head -c 1"])
def test_input_that_is_not_read(leadpipe, sandbox, control, tmp_path, command):
    """Of a summary that is larger than a pipe: many sinks."""
    sinks = [word for n in range(30) for word in ("-t", "csv:%s/%d/" % ("/".join(200 * "x" for _ in range(12)), n))]
    done = export(leadpipe, sandbox, *sinks, "--summary-file", "end", "--id", "plain-1", "--on-success", command)
    assert (tmp_path / "end").stat().st_size > 1 << 17, done.stderr
    assert (done.returncode, "--on-success" in done.stderr) == (0, False)


def test_large_input_is_whole(leadpipe, sandbox, control, tmp_path, script):
    sinks = [word for n in range(30) for word in ("-t", "csv:%s/%d/" % ("/".join(200 * "x" for _ in range(12)), n))]
    done = export(leadpipe, sandbox, *sinks, "--summary-file", "end", "--id", "plain-1", "--on-success", script + " hook")
    assert done.returncode == 0
    made, written = json.loads(record(tmp_path)["input"]), json.loads((tmp_path / "end").read_text())
    made.pop("at"), written.pop("at")
    assert made == written


def processes(word):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % pid, "rb") as file:
                if word.encode() in file.read().split(b"\0"):
                    found.append(int(pid))
        except OSError:
            pass
    return found


@pytest.mark.nightly
def test_one_that_does_not_end(leadpipe, sandbox, control, tmp_path):
    """60 seconds, and then it is ended with what it has started, also if it ignores SIGTERM."""
    begun = time.monotonic()
    done = export(leadpipe, sandbox, "--id", "plain-1", "--on-success", "sh -c 'trap \"\" TERM; sleep 4711.5 & sleep 4712.5; sleep 4713.5'",
                  timeout=120)
    took = time.monotonic() - begun
    assert done.returncode == 0 and 64 < took < 75 * SLOWNESS
    assert "warning: --on-success: the command had not ended after 60 seconds and was killed" in done.stderr
    wait_until(lambda: not [pid for n in (1, 2, 3) for pid in processes("471%d.5" % n)])


def test_signal_while_it_runs(leadpipe, sandbox, control, tmp_path):
    """The command is not left behind; the status is that of the run."""
    process = leadpipe.start("export", *sandbox.provider(), "-t", "csv:out/", "--id", "plain-1", "--on-success", "sleep 4714.5", env=sandbox.env)
    wait_until(lambda: processes("4714.5") and not [pid for pid in processes("4714.5") if pid == process.pid])
    process.send_signal(signal.SIGTERM)
    assert process.wait(5 * SLOWNESS) == 0
    wait_until(lambda: not processes("4714.5"))


def test_after_everything_else(leadpipe, sandbox, control, tmp_path):
    """What it looks at is there: outputs, manifest, metrics, summary."""
    done = export(leadpipe, sandbox, "--id", "plain-1", "--manifest", "m", "--metrics", "p", "--summary-file", "s", "--on-success",
                  "sh -c 'ls m p s out/leads.csv'")
    assert done.returncode == 0 and done.stderr.endswith("m\nout/leads.csv\np\ns\n")


def test_command_is_kept_nowhere(leadpipe, sandbox, control, tmp_path):
    """It may have a secret in it, such as a URL."""
    command = "sh -c 'exit 1' https://hooks.example/T0/abcdefghijkl"
    done = export(leadpipe, sandbox, "--id", "plain-1", "-vv", "--on-success", command, "--manifest", "m", "--state", "s", "--metrics", "p")
    assert done.returncode == 0 and "abcdefghijkl" not in done.stderr
    for name in "m", "s", "p":
        assert b"abcdefghijkl" not in (tmp_path / name).read_bytes()


def test_a_program_alone_is_no_secret(leadpipe, sandbox, control, tmp_path):
    """Its name may be in other texts, which must not lose it: variables, paths, messages."""
    script = tmp_path / "notify"
    script.write_text("#!/bin/sh\nenv\n")
    script.chmod(0o755)
    done = export(leadpipe, sandbox, "--id", "plain-1", "--on-success", str(script), "--manifest", "m", "-t", "csv:%s.csv" % script,
                  env={**sandbox.env, "NOTIFIER": str(script)})
    assert done.returncode == 0 and "NOTIFIER=%s\n" % script in done.stderr and "***" not in done.stderr
    assert b"--on-success" in (tmp_path / "m").read_bytes() and b"%s.csv" % bytes(script) in (tmp_path / "m").read_bytes()


COMMANDS = ["sh -c 'exit 1 # https://hooks.example/T0/abcdefghijkl; done' x", "sh -c 'exit 1' --key=4711abcdefghijklabcd",
            "sh -c 'exit 1' 'a http b' https://hooks.example/4711abcdefghijkl?x=abcdefghijkl"]


@pytest.mark.parametrize("command", ["mail-of-nobody -s night ops", *COMMANDS])
def test_only_what_may_be_a_secret_is_redacted(leadpipe, sandbox, control, tmp_path, command):
    """A message that ends as a command begins stays whole, in the list of failed leads, too; a secret in its arguments, which a
    server may echo, does not."""
    secret = next((word for word in ("https://hooks.example/T0/abcdefghijkl", "4711abcdefghijklabcd", "4711abcdefghijkl") if word in command), None)
    body = json.dumps({"message": "for %s no such email" % (secret or "you")}).encode()
    with RawServer(lambda path, n: [b"HTTP/1.1 422 No\r\nContent-Length: %d\r\n\r\n" % len(body) + body]) as server:
        done = leadpipe("export", "-p", "omni", "--base-url", server.url, "-t", "csv:out/", "--id", "a", "--failed", "f", "--on-failure",
                        command, env=sandbox.env)
    assert done.returncode == 3
    said = "HTTP 422: for %s no such email" % ("***" if secret else "you")
    assert said in done.stderr and json.loads((tmp_path / "f").read_text())["error"] == said, done.stderr
