"""The rigs of tests/faults for end-to-end tests, and whether there is anything to try them on."""

import subprocess
import sys

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
