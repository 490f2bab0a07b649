#!/usr/bin/env python3
"""Checks the outputs of one leadpipe run against tables flattened from the payloads anew.

    check.py --provider omni --ids ids.txt --payloads DIR --csv out/ --ndjson leads.ndjson

Every output given is read strictly and compared cell by cell. Exit status 0: all the same, and a
line says how much was compared; 1: the differences are printed; 2: wrong usage.
"""

import argparse
import os
import sys
import urllib.parse

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, TESTS)

from reference import compare, readers, values  # noqa: E402
from reference.documented import TABLES  # noqa: E402
from reference.flatten import Flattener, LazyFlattener  # noqa: E402
from reference.ids import read_ids  # noqa: E402
from reference.jsonval import scrub, parse, raw_text  # noqa: E402
from reference.openfile import ReadError  # noqa: E402
from reference.walk import classify  # noqa: E402

OUTPUTS = ("csv", "ndjson", "ndjson_rows", "ndjson_raw", "ndjson_tables", "msgpack", "msgpack_rows",
           "msgpack_raw", "msgpack_tables", "webhook", "webhook_raw")
KEEP_MAX = 5000  # more leads than these are flattened anew for each output


def options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    add = parser.add_argument
    add("--provider", required=True, choices=sorted(TABLES))
    add("--ids", required=True, metavar="FILE", help="the IDs given to the run")
    add("--absent", metavar="FILE", help="of these, IDs that must not be in any output, such as "
        "missing ones or a --failed list")
    add("--payloads", required=True, metavar="DIR|sandbox",
        help="DIR has ID.json, the ID percent-encoded; sandbox asks tests/sandbox/leads.py")
    add("--agent-id", metavar="ID", help="the run's --param agentId")
    add("--revision", type=int, default=0, help="for sandbox payloads")
    add("--nonce", default="0", help="for sandbox payloads")
    add("--signed-urls", choices=("strip", "keep", "drop"), default="strip")
    add("--order", choices=("input", "any"), default="input")
    add("--limit", type=int, default=compare.DIFFERENCES_MAX, help="differences shown per output")
    add("--csv", action="append", default=[], metavar="DIR|FILE")
    add("--csv-table", metavar="NAME", help="which table a CSV FILE holds (leads)")
    add("--csv-delimiter", choices=sorted(readers.DELIMITERS), default="comma")
    add("--csv-eol", choices=sorted(readers.EOLS), default="lf")
    add("--csv-bom", action="store_true")
    add("--csv-no-header", action="store_true")
    add("--csv-excel-safe", action="store_true")
    for kind in ("ndjson", "msgpack"):
        for layout in ("", "-rows", "-raw"):
            add("--" + kind + layout, action="append", default=[], metavar="FILE")
        add("--" + kind + "-tables", action="append", default=[], metavar="DIR",
            help="a file for each table")
    add("--webhook", action="append", default=[], metavar="FILE",
        help="NDJSON of deliveries: {\"body\": text}, {\"body_base64\": text} or bodies")
    add("--webhook-raw", action="append", default=[], metavar="FILE")
    add("--webhook-type", metavar="NAME", help="the sink's option type")
    args = parser.parse_args()
    if not any(getattr(args, output) for output in OUTPUTS):
        parser.error("no output to check was given")
    return args


def payload_source(args):
    """A function (lead_id, agent_id) -> payload bytes."""
    if args.payloads != "sandbox":
        def from_directory(lead_id, _):
            name = urllib.parse.quote(lead_id, safe="") + ".json"
            with open(os.path.join(args.payloads, name), "rb") as file:
                return file.read()
        return from_directory
    sys.path.insert(0, os.path.join(TESTS, "sandbox"))
    from leads import payload

    def from_sandbox(lead_id, agent_id):
        return payload(args.provider, lead_id, agent_id, revision=args.revision,
                       nonce=args.nonce)
    return from_sandbox


class Run:
    """The expectation, and the comparison of each output with it."""

    def __init__(self, args):
        self.args = args
        self.get_payload = payload_source(args)
        absent = set(read_ids(args.absent, args.agent_id)) if args.absent else set()
        self.ids = [pair for pair in read_ids(args.ids, args.agent_id) if pair not in absent]
        if args.provider == "convocore" and not all(agent_id for _, agent_id in self.ids):
            sys.exit("an ID has no agentId: --agent-id is missing")
        self.failed = 0
        self.counts = compare.Counts()
        self.expected = None
        self.expect()

    def payloads(self):
        for lead_id, agent_id in self.ids:
            yield lead_id, self.get_payload(lead_id, agent_id), agent_id

    def expect(self):
        """Flatten all payloads, in the present order of self.ids."""
        args = self.args
        if len(self.ids) > KEEP_MAX:
            self.expected = LazyFlattener(args.provider, args.signed_urls, self.payloads)
            self.failed = len(self.expected.failed)
        else:
            self.expected = Flattener(args.provider, args.signed_urls)
            self.failed = sum(self.expected.add(*lead) != "exported" for lead in self.payloads())
        self.choices = compare.Choices(self.expected.schema)

    def expect_in_order_of(self, leads):
        """With --order any the leads' order, and so that of new columns, is the output's own."""
        place = {lead[0]: n for n, lead in enumerate(leads)}
        self.ids.sort(key=lambda pair: place.get(pair[0], len(place)))
        self.expect()

    def raw_payloads(self):
        for lead_id, payload, _ in self.payloads():
            if classify(self.args.provider, payload) == "exported":
                yield lead_id, payload

    def tables(self, path, open_leads, encoding, headers=None, tables=None, unordered=False):
        if unordered:
            leads = iter(compare.in_order_of(self.expected.ids(), open_leads()))
        else:
            if self.args.order == "any":
                self.expect_in_order_of(open_leads())
            leads = open_leads()
        return compare.compare_tables(self.expected, leads, encoding, headers, tables=tables,
                                      choices=self.choices, counts=self.counts, label=path,
                                      limit=self.args.limit)

    def raw(self, path, open_leads, convert=raw_text, unordered=False):
        if self.args.order == "any":
            unordered = True
        leads = open_leads()
        if unordered:
            leads = compare.in_order_of([pair[0] for pair in self.ids], leads)
        return compare.compare_raw(self.raw_payloads(), leads, self.args.provider, convert, path,
                                   self.args.limit, self.counts)

    def csv(self, path):
        args = self.args
        table = args.csv_table or "leads"
        columns = self.expected.columns(table) if args.csv_no_header else None
        tables = readers.csv_tables(path, args.provider, table, columns=columns,
                                    delimiter=args.csv_delimiter, eol=args.csv_eol,
                                    bom=args.csv_bom)
        encoding = compare.CSV_EXCEL_SAFE if args.csv_excel_safe else compare.CSV
        headers = {name: table.columns for name, table in tables.items()}
        return self.tables(path, lambda: readers.csv_leads(tables, args.csv_excel_safe), encoding, headers,
                           tables=list(tables))

    def outputs(self):
        """(path, function that compares it) of every output given."""
        args, provider = self.args, self.args.provider
        for path in args.csv:
            yield path, self.csv
        for kind, encoding, leads, raw, convert in (
                ("ndjson", compare.JSON, readers.ndjson_leads, readers.ndjson_raw, raw_text),
                ("msgpack", compare.MSGPACK, readers.msgpack_leads, readers.msgpack_raw,
                 lambda payload: values.to_msgpack(scrub(parse(payload))))):
            for layout, option in (("lead", kind), ("rows", kind + "_rows")):
                for path in getattr(args, option):
                    yield path, lambda path, leads=leads, layout=layout, encoding=encoding: (
                        self.tables(path, lambda: leads(path, provider, layout), encoding))
            for path in getattr(args, kind + "_tables"):
                yield path, lambda path, kind=kind, encoding=encoding: self.tables(
                    path, lambda: readers.object_table_leads(path, provider, kind), encoding)
            for path in getattr(args, kind + "_raw"):
                yield path, lambda path, raw=raw, convert=convert: (
                    self.raw(path, lambda: raw(path), convert))
        for path in args.webhook:
            yield path, lambda path: self.tables(
                path, lambda: readers.webhook_leads(readers.webhook_bodies(path), provider,
                                                    args.webhook_type),
                compare.JSON, unordered=True)
        for path in args.webhook_raw:
            yield path, lambda path: self.raw(
                path, lambda: readers.webhook_raw(readers.webhook_bodies(path),
                                                  args.webhook_type), unordered=True)

    def differences(self):
        found, count = [], 0
        for path, check in self.outputs():
            count += 1
            try:
                found += check(path)
            except (ReadError, OSError) as error:
                found.append("%s: %s" % (path, error))
        return found, count


def main():
    args = options()
    run = Run(args)
    differences, count = run.differences()
    for line in differences:
        print(line)
    if differences:
        print("%d differences" % len(differences))
        return 1
    counts = run.counts
    print("the same: %d outputs, %d leads expected (%d payloads give none), compared %d rows with "
          "%d cells of %d tables"
          % (count, len(run.ids) - run.failed, run.failed, counts.rows, counts.cells,
             len(counts.tables)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
