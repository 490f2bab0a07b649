"""The rigs of tests/faults for end-to-end tests, and whether there is anything to try them on."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import pytest

from conftest import BINARY, ROOT, SANITIZER, clean_environment

sys.path.insert(0, str(ROOT / "tests" / "faults"))

import powercut  # noqa: E402

LIBRARY = powercut.library(BINARY.parent)


def state_is_refused():
    done = subprocess.run([BINARY, "export", "-p", "omni", "-t", "ndjson:-", "--state", "x", "--id", "x"], env=clean_environment(),
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=BINARY.parent)
    return "--state: not available" in done.stderr


needs_state = pytest.mark.skipif(state_is_refused(), reason="this version does not resume runs: --state is refused")
needs_library = pytest.mark.skipif(not LIBRARY.exists() or SANITIZER is not None,
                                   reason="faultfs.so is there on Linux only, and a sanitizer is asked before it")


@pytest.fixture
def in_memory(tmp_path):
    """A module's own `tmp_path`, where faults of the disk are made by faultfs.so: the real disk would only be waited for."""
    if not os.access("/dev/shm", os.W_OK | os.X_OK) or shutil.disk_usage("/dev/shm").free < 1 << 30:
        yield tmp_path
        return
    folder = pathlib.Path(tempfile.mkdtemp(prefix="leadpipe-test-", dir="/dev/shm"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
