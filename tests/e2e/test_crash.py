"""Killed and stopped at any time, an export is resumed and leaves what one leaves that was never interrupted.

tests/faults/README.md says what is compared; here are few and small runs.
"""

import pytest

import rigs
from conftest import SANITIZER

import crash
import every_call

pytestmark = [rigs.needs_state, rigs.needs_library, pytest.mark.slow]
tmp_path = rigs.in_memory

LEADS = "800" if SANITIZER is None else "400"


@pytest.mark.parametrize("more", [
    ["--signal", "KILL"], ["--signal", "KILL", "--eager"], ["--signal", "TERM"], ["--signal", "TERM", "--eager"],
    ["--all", "--eager", "--signal", "MIXED"], ["--all", "--signal", "TERM"],
    ["--signal", "MIXED"], ["--signal", "MIXED", "--changed-only"], ["--signal", "MIXED", "--order", "any"],
], ids=" ".join)
def test_at_any_time(tmp_path, more):
    """By a kill; by a stop; by these, a second signal or a disk that fails."""
    assert crash.main(["3", "--leads", LEADS, "--kills", "5", "--folder", str(tmp_path), *more]) == 0


def test_killed_at_each_call(tmp_path):
    stride = "19" if SANITIZER is None else "41"
    assert every_call.main(["--stride", stride, "--twice", "--folder", str(tmp_path)]) == 0
