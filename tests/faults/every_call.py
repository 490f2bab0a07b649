#!/usr/bin/env python3
"""Kills a small export at each single call on the disk, in turn, and resumes it.

    every_call.py [--leads N] [--op OP] [--stride N] [--offset N] [--twice] [--power-cut] [--bin PATH]
    every_call.py --fail ENOSPC|EIO|... [--for-good] [--leads N] [--stride N] [--offset N] [--bin PATH]

Where crash.py kills at any time, this misses no moment between two calls: the first run dies at the
first write, sync, rename, creation or removal, the next at the second, and so on, until one comes to
its end unharmed.  With --twice the run that is resumed is killed at the same number once more.

With --fail the call fails instead: only this one, or this and all that follow (--for-good), until the
run has ended and the same command resumes.
"""

import argparse
import itertools
import random
import sys

import crash
import kills
import powercut
from books import Difference

WHEN = ("before", "mid", "after")


def fault(chosen, number, dice):
    if chosen.fail is None:
        return "kill=" + dice.choice(WHEN)
    return ("" if chosen.for_good else "to=%d " % number) + "fail=" + chosen.fail


def stories(rig, chosen):
    dice = random.Random(chosen.offset)
    for number in itertools.count(chosen.offset, chosen.stride):
        reference = crash.reference_of(rig, crash.BATCHES[number % len(crash.BATCHES)], "file")
        kill = kills.Kill(rules="op=%s from=%d %s" % (chosen.op, number, fault(chosen, number, dice)),
                          variant=(chosen.variant or dice.choice(powercut.VARIANTS)) if chosen.power_cut else None)
        story = crash.Story(rig, number, reference, [kill] * (2 if chosen.twice else 1))
        yield story
        if not story.met:
            return


def main(arguments=None):
    parser = argparse.ArgumentParser(description="Kills an export at each call on the disk.")
    crash.add_options(parser)
    parser.add_argument("--stride", type=int, default=1, help="only every Nth call")
    parser.add_argument("--offset", type=int, default=1, help="the first call")
    parser.add_argument("--op", default="any", help="only calls of this kind, such as rename")
    parser.add_argument("--twice", action="store_true")
    parser.add_argument("--variant", choices=powercut.VARIANTS, help="of the power cut (default: any)")
    parser.add_argument("--fail", metavar="ERROR", help="calls fail with this error, and do not kill")
    parser.add_argument("--for-good", action="store_true", help="with --fail: all calls from there on")
    parser.set_defaults(leads=40)
    chosen = parser.parse_args(arguments)
    rig = crash.Rig(chosen)
    return crash.tell_all(rig, stories(rig, chosen))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Difference as error:
        sys.exit("every_call: %s" % error)
