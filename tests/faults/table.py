#!/usr/bin/env python3
"""Makes all bad days of days.py happen, and prints one table: what happened, exit status, ledger.

    table.py [--slow] [--bin PROGRAM] [NAME]...

--slow adds those that take a minute.  Exit status 1 when one did not come through as it must.
"""

import argparse
import os
import pathlib
import sys
import tempfile
import traceback


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these")
    parser.add_argument("--slow", action="store_true", help="those that take a minute, too")
    parser.add_argument("--bin", help="the program (default: $LEADPIPE_BIN or build/release/leadpipe)")
    given = parser.parse_args(arguments)
    if given.bin:
        os.environ["LEADPIPE_BIN"] = str(pathlib.Path(given.bin).resolve())
    import days  # looks for the program
    known = {one.name for one in days.DAYS}
    wrong = [name for name in given.names if name not in known]
    if wrong:
        parser.error("%s: no such day; there are %s" % (wrong[0], ", ".join(sorted(known))))
    failed = 0
    print("| fault | what happened | exit status | ledger at the end |\n|---|---|---|---|")
    for one in days.DAYS:
        if one.name in given.names or (not given.names and (given.slow or not one.slow)):
            failed += not show(days, one)
    return 1 if failed else 0


def show(days, one):
    missing = one.missing()
    if missing:
        print("%s: left out, %s" % (one.name, missing), file=sys.stderr)
        return True
    with tempfile.TemporaryDirectory() as folder:
        try:
            with days.world(pathlib.Path(folder)) as world:
                came = one.happen(world)
        except AssertionError:
            print("| %s | **not as it must be: %s** | | |" % (one.fault, one.name), flush=True)
            traceback.print_exc()
            return False
    print("| %s | %s | %s | %s |" % (one.fault, came.what, came.statuses, came.ledger), flush=True)
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
