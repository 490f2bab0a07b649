"""Compares the tables that were expected with those that a sink wrote."""

import itertools

from . import values
from .columns import stem
from .jsonval import Num, dumps_compact, minify
from .openfile import ReadError

DIFFERENCES_MAX = 50
HEADERS_TRIED_MAX = 256


class Encoding:
    """How a sink shows values: conversion, equality, and whether absent and null are the same."""

    def __init__(self, name, convert, same=values.same, null_is_absent=False):
        self.name = name
        self.convert = convert
        self.same = same
        self.null_is_absent = null_is_absent


CSV = Encoding("csv", values.to_csv, null_is_absent=True)
CSV_EXCEL_SAFE = Encoding("csv", values.to_csv, values.same_excel_safe, null_is_absent=True)
JSON = Encoding("json", values.to_json)
MSGPACK = Encoding("msgpack", values.to_msgpack)


class Counts:
    """What was compared, over all sinks."""

    def __init__(self):
        self.leads = self.rows = self.cells = 0
        self.tables = set()


class Enough(Exception):
    """There are as many differences as are worth reading."""


class Choices:
    """For each table the namings that no row has spoken against yet, by stem of the names.

    Only stems for which the contract allows more than one naming are here. Used for all sinks of
    a run, it demands that they agree.
    """

    def __init__(self, schema):
        self.fixed, self.open = {}, {}
        for table, columns in schema.tables.items():
            self.open[table] = {name: list(branches) for name, branches in columns.branches.items()
                                if len(branches) > 1}
            self.fixed[table] = {source: name for stem_, branches in columns.branches.items()
                                 if len(branches) == 1 for source, name in branches[0].items()}

    def names(self, table):
        """Every complete naming of a table that is still possible."""
        for combination in itertools.product(*self.open[table].values()):
            names = dict(self.fixed[table])
            for branch in combination:
                names.update(branch)
            yield names


class Comparison:
    """One sink against the expectation."""

    def __init__(self, expected, encoding, tables=None, choices=None, counts=None, label=None,
                 limit=DIFFERENCES_MAX):
        self.expected = expected
        self.encoding = encoding
        self.tables = list(tables or expected.schema.tables)
        self.choices = choices or Choices(expected.schema)
        self.counts = counts or Counts()
        self.label = label or encoding.name
        self.limit = limit
        self.check_key_order = True
        self.differences = []

    def differ(self, text):
        self.differences.append("%s: %s" % (self.label, text))
        if len(self.differences) >= self.limit:
            self.differences.append("%s: ... no further differences shown" % self.label)
            raise Enough

    # --- leads

    def run(self, actual, headers=None):
        """Compare; actual gives (lead_id, {table: rows}). Returns the differences."""
        self.check_key_order = headers is None
        try:
            self._leads(_merged(actual))
            for table, header in (headers or {}).items():
                self._header(table, header)
        except Enough:
            pass
        except ReadError as error:
            self.differences.append("%s: %s" % (self.label, error))
        self.counts.tables.update(self.tables)
        return self.differences

    def _leads(self, actual):
        order = {lead_id: n for n, lead_id in enumerate(dict.fromkeys(self.expected.ids()))}
        found_id, found = next(actual, (None, None))
        for wanted_id, wanted in _merged(self.expected.leads()):
            while found is not None and order.get(found_id, -1) < order[wanted_id]:
                self._stray(found_id, order)
                found_id, found = next(actual, (None, None))
            if found is None or found_id != wanted_id:
                if self._has_rows(wanted):
                    self.differ("lead %r: expected at this place, not there" % wanted_id)
                continue
            self._lead(wanted_id, wanted, found)
            found_id, found = next(actual, (None, None))
        while found is not None:
            self._stray(found_id, order)
            found_id, found = next(actual, (None, None))

    def _has_rows(self, tables):
        """A lead without rows in the tables that were written leaves no trace there."""
        return any(tables[table] for table in self.tables)

    def _stray(self, lead_id, order):
        self.differ("lead %r: %s" % (lead_id, "there twice or out of order" if lead_id in order
                                     else "there, but not expected"))

    def _lead(self, lead_id, wanted, found):
        self.counts.leads += 1
        for table in self.tables:
            wanted_rows, found_rows = wanted[table], found.get(table, [])
            if len(wanted_rows) != len(found_rows):
                self.differ("%s: lead %r: expected %d rows, found %d"
                            % (table, lead_id, len(wanted_rows), len(found_rows)))
            for number, (wanted_row, found_row) in enumerate(zip(wanted_rows, found_rows)):
                self._row(table, "%s: lead %r, row %d" % (table, lead_id, number),
                          wanted_row, found_row)

    # --- rows

    def _row(self, table, where, wanted_row, found_row):
        if self.check_key_order:
            self._key_order(table, where, found_row)
        fixed, undecided = self._named(table, wanted_row)
        found = self._without_nulls(found_row)
        for name, branches in self.choices.open[table].items():
            self._undecided(table, where, name, branches, undecided.get(name, {}), fixed, found)
        for column in fixed.keys() | found.keys():
            self._cell(where, column, fixed, found)
        self.counts.rows += 1
        self.counts.cells += len(wanted_row)

    def _named(self, table, row):
        """The row's cells under their column names, and by stem those that have none yet."""
        fixed, undecided, names = {}, {}, self.choices.fixed[table]
        for key, value in row.items():
            value = self.encoding.convert(value)
            if value is None and self.encoding.null_is_absent:
                continue
            if isinstance(key, str):
                fixed[key] = value
            elif key in names:
                fixed[names[key]] = value
            else:
                undecided.setdefault(stem(key.base), {})[key] = value
        return fixed, undecided

    def _without_nulls(self, row):
        if not self.encoding.null_is_absent:
            return dict(row)
        return {column: value for column, value in row.items() if value is not None}

    def _undecided(self, table, where, name, branches, cells, fixed, found):
        """Keep the namings that this row fits; where none is left, compare by the first."""
        columns = {column for branch in branches for column in branch.values()}
        part = {column: found[column] for column in columns if column in found}
        fitting = [branch for branch in branches
                   if self._same_cells({branch[source]: cells[source] for source in cells}, part)]
        if fitting:
            self.choices.open[table][name] = fitting
            for column in part:
                del found[column]
        else:
            fixed.update((branches[0][source], value) for source, value in cells.items())

    def _same_cells(self, wanted, found):
        return (wanted.keys() == found.keys()
                and all(self.encoding.same(wanted[column], found[column]) for column in wanted))

    def _cell(self, where, column, wanted, found):
        if column in wanted and column in found:
            if self.encoding.same(wanted[column], found[column]):
                return
        self.differ("%s, column %r: expected %s, found %s"
                    % (where, column, _show(wanted, column), _show(found, column)))

    def _key_order(self, table, where, row):
        """Documented columns come first and in order, also in objects."""
        documented = self.expected.schema.tables[table].documented
        keys = list(row)
        wanted = [column for column in documented if column in row]
        if keys[:len(wanted)] != wanted:
            self.differ("%s: columns are in the order %s, expected first %s"
                        % (where, keys, wanted))

    def _header(self, table, header):
        columns = self.expected.schema.tables[table]
        first = None
        for names in itertools.islice(self.choices.names(table), HEADERS_TRIED_MAX):
            wrong = columns.header_fits(header, names)
            if wrong is None:
                return
            first = first or wrong
        self.differ("%s: header: %s" % (table, first))


def _merged(leads):
    """Leads of one ID that follow each other (one ID with different parameters) as one."""
    for lead_id, group in itertools.groupby(leads, key=lambda lead: lead[0]):
        _, merged = next(group)
        for _, tables in group:
            merged = {name: merged[name] + tables.get(name, []) for name in merged}
        yield lead_id, merged


def _show(cells, column):
    if column not in cells:
        return "nothing"
    value = cells[column]
    text = value.text if isinstance(value, Num) else repr(value)
    return text if len(text) <= 300 else text[:300] + "..."


def compare_tables(expected, actual, encoding=JSON, headers=None, **options):
    """The differences between a Flattener's tables and those of a sink, as readable lines.

    actual gives (lead_id, {table: rows}) lead by lead; headers is {table: columns} where the
    sink has them. Options are those of Comparison.
    """
    return Comparison(expected, encoding, **options).run(actual, headers)


def in_order_of(ids, leads):
    """Leads of a sink without order, in the order of the IDs. Needs memory for all of them."""
    order = {lead_id: n for n, lead_id in enumerate(ids)}
    return sorted(leads, key=lambda lead: order.get(lead[0], len(order)))


def compare_raw(expected, actual, provider, convert=None, label="raw", limit=DIFFERENCES_MAX,
                counts=None):
    """Differences of layout raw. expected: (lead_id, payload) in output order.

    convert makes of a payload what the sink holds; without it they are compared as they are.
    """
    differences, counts = [], counts or Counts()
    try:
        pairs = itertools.zip_longest(expected, actual)
        for wanted, found in pairs:
            if len(differences) >= limit:
                differences.append("%s: ... no further differences shown" % label)
                break
            if wanted is None or found is None:
                differences.append("%s: lead %r: %s" % ((label,) + (
                    (wanted[0], "not there") if wanted else (found[0], "not expected"))))
                continue
            payload = convert(wanted[1]) if convert else wanted[1]
            counts.leads += 1
            if (wanted[0], provider) != found[:2]:
                differences.append("%s: expected lead %r of %s, found %r of %s"
                                   % (label, wanted[0], provider, found[0], found[1]))
            elif not values.same(payload, found[2]):
                differences.append("%s: lead %r: expected payload %.300r, found %.300r"
                                   % (label, wanted[0], payload, found[2]))
    except ReadError as error:
        differences.append("%s: %s" % (label, error))
    return differences
