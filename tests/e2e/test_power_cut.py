"""The power goes off: what was not synced is lost, and still an export goes on to the same end."""

import rigs
from conftest import SANITIZER

import crash
import every_call

pytestmark = [rigs.needs_state, rigs.needs_library]

LEADS = "1500" if SANITIZER is None else "400"


def test_at_any_time(tmp_path):
    assert crash.main(["6", "--leads", LEADS, "--kills", "5", "--power-cut", "--folder", str(tmp_path)]) == 0


def test_at_each_call(tmp_path):
    stride = "13" if SANITIZER is None else "41"
    assert every_call.main(["--stride", stride, "--offset", "5", "--power-cut", "--folder", str(tmp_path)]) == 0
