"""cmake/rooms.cmake: which headers a file may include."""
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEADERS = {
    "low/public.h": "/* For all. */\n/* Private to nobody. */\n",
    "low/lowercase.h": "/* A member is private to the parser. */\n",
    "low/private.h": "/* A part. Private to low. */\n",
    "low/wrapped.h": "/* A part; see [x; y] and \"z\". Private\n * to low.\n *\n * More. */\n",
    "low/first.h": "/* Private to low: a part. */\n",
    "high/own.h": "/* A part. Private to high. */\n",
    "other/public.h": "/* For all. */\n",
}


@pytest.mark.parametrize("header,error", [
    ("low/public.h", None),
    ("low/lowercase.h", None),
    ("high/own.h", None),
    ("low/private.h", "high/x.c includes low/private.h, which is private to its room"),
    ("low/wrapped.h", "high/x.c includes low/wrapped.h, which is private to its room"),
    ("low/first.h", "high/x.c includes low/first.h, which is private to its room"),
    ("other/public.h", "high/x.c includes other/public.h, but high may use only: low"),
])
def test_include(tmp_path, header, error):
    for path, text in HEADERS.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    (tmp_path / "high/x.c").write_text('#include <stdio.h>\n#include "high/own.h"\n#include "%s"\n' % header, encoding="utf-8")
    script = tmp_path / "check.cmake"
    script.write_text("""cmake_minimum_required(VERSION 3.20)
include(%s/cmake/rooms.cmake)
leadpipe_check_includes(high ${CMAKE_SOURCE_DIR}/high/x.c low)
""" % ROOT, encoding="utf-8")
    done = subprocess.run(["cmake", "-P", script], cwd=tmp_path, capture_output=True, text=True)
    message = " ".join(done.stderr.split())
    assert (done.returncode != 0) == (error is not None), message
    assert error is None or error in message
