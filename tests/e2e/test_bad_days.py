"""Everything around an export goes wrong, one thing at a time; tests/faults/days.py says what and how."""

import sys

import pytest

from conftest import ROOT

sys.path.insert(0, str(ROOT / "tests" / "faults"))

import days  # noqa: E402


# Days that take a minute of real time are for the night.
def params():
    return [pytest.param(one, id=one.name, marks=[pytest.mark.nightly] if one.slow else []) for one in days.DAYS]


@pytest.mark.parametrize("day", params())
def test_day(leadpipe, sandbox, control, tmp_path, day):
    if day.missing():
        pytest.skip(day.missing())
    world = days.World(tmp_path, leadpipe, sandbox, control)
    with world.stack:
        came = day.happen(world)
    assert came.what and came.runs
