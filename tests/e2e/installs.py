"""The program as it is installed and packaged, by the files of its build."""

import contextlib
import fcntl
import subprocess

from conftest import BINARY, SLOWNESS, clean_environment

BUILD = BINARY.parent


@contextlib.contextmanager
def install_lock():
    """CMake lists what it installs in one file of the build: one test at a time."""
    with open(BUILD / ".install-lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def installed(folder):
    with install_lock():
        subprocess.run(["cmake", "--install", str(BUILD), "--prefix", str(folder)], check=True,
                       stdout=subprocess.DEVNULL, env=clean_environment(), timeout=120 * SLOWNESS)
    return folder
