"""The power goes off: what was not synced is lost, and still an export is resumed to the same end."""

import pytest

import rigs
from conftest import SANITIZER

import crash
import every_call

pytestmark = [rigs.needs_state, rigs.needs_library, pytest.mark.slow]
tmp_path = rigs.in_memory

LEADS = "800" if SANITIZER is None else "400"


@pytest.mark.parametrize("more", [[], ["--eager", "--seed", "2"]])
def test_at_any_time(tmp_path, more):
    assert crash.main(["4", "--leads", LEADS, "--kills", "5", "--power-cut", "--folder", str(tmp_path), *more]) == 0


def test_at_each_call(tmp_path):
    stride = "19" if SANITIZER is None else "41"
    assert every_call.main(["--stride", stride, "--offset", "5", "--power-cut", "--folder", str(tmp_path)]) == 0


@pytest.mark.parametrize("variant", ["drop", "content", "names"])
def test_while_files_get_their_names(tmp_path, variant):
    """The state says that all is complete: then all must be on disk, unfinished names too."""
    assert every_call.main(["--op", "rename", "--power-cut", "--variant", variant, "--folder", str(tmp_path)]) == 0


def test_between_checkpoints(tmp_path):
    stride = "37" if SANITIZER is None else "131"
    assert every_call.main(["--eager", "--leads", "120", "--stride", stride, "--power-cut", "--folder", str(tmp_path)]) == 0
