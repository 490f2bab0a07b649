"""check_reports.cmake: what sanitizers write fails a build, but for the line of a program that was killed."""

import pathlib
import subprocess

import pytest

SCRIPT = pathlib.Path(__file__).with_name("check_reports.cmake")
KILLED = "==10323==Unable to get registers from thread 10263.\n"
LEAK = "==7==ERROR: LeakSanitizer: detected memory leaks\n\nDirect leak of 24 byte(s); 1 object(s) allocated from:\n"
RACE = "WARNING: ThreadSanitizer: data race (pid=7)\n"
OVERFLOW = "core/a.c:3:5: runtime error: signed integer overflow: 1 + [2;3]\n"


def check(folder):
    return subprocess.run(["cmake", f"-DFOLDER={folder}", "-P", str(SCRIPT)], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("texts", [[], [""], [KILLED], [KILLED * 3], ["", KILLED]])
def test_no_finding(tmp_path, texts):
    for number, text in enumerate(texts):
        (tmp_path / f"report.{number}").write_text(text, encoding="utf-8")
    done = check(tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("text", [LEAK, RACE, OVERFLOW, KILLED + LEAK, LEAK + KILLED, KILLED.rstrip("\n") + LEAK, "\n"])
def test_finding(tmp_path, text):
    (tmp_path / "report.1").write_text(KILLED, encoding="utf-8")
    (tmp_path / "report.2").write_text(text, encoding="utf-8")
    done = check(tmp_path)
    assert done.returncode == 1
    assert str(tmp_path / "report.2") in done.stderr
    assert str(tmp_path / "report.1") not in done.stderr
    assert "a sanitizer has found something" in done.stderr
    assert text.replace(KILLED, "").strip() in done.stderr
