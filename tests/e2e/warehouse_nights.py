"""Two nights of a provider whose leads change in every way, and what a warehouse holds after each of them.

`Nights` makes the payloads. `after()` says what the tables hold, from the payloads alone, by tests/reference; `compare()`
compares that with the rows that were read from somewhere, every cell of them with its type.
"""

import itertools
import random
import sys
import urllib.parse

from conftest import ROOT

for folder in ("tests", "tests/sandbox", "tests/fuzz"):
    sys.path.insert(0, str(ROOT / folder))

import jsontext  # noqa: E402
import leads  # noqa: E402
import mutate  # noqa: E402
import oddities  # noqa: E402
from reference import compare as reference_compare  # noqa: E402
from reference import typed, values  # noqa: E402
from reference.columns import BRANCHES_MAX, TooManyNamings, lowest_free  # noqa: E402
from reference.flatten import Schema  # noqa: E402
from reference.walk import Failed, walk  # noqa: E402

AGENT = "agent-1"
FAILS = object()  # in place of a body: the provider answers with 400
ODD_IDS = ("a b", "a/b?c=d#e", "=1+1", "é,ü", '"q"', "%2F", "+1", "日本", "a'b;c", "\\", "x" * 100)
NEW_CODES = 150  # as many columns that are not documented, besides those of oddities


# --- what becomes of a lead on the second night -----------------------------------------------------------

def arrays(value, depth=8):
    """The arrays in a tree, those within first, unless they are nested deeper than tables are."""
    for member in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        if depth:
            yield from arrays(member, depth - 1)
    if isinstance(value, list):
        yield value


def fewer_rows(tree, _):
    for one in arrays(tree):
        del one[-1:]


def no_rows(tree, _):
    for one in arrays(tree):
        one.clear()


def more_rows(tree, _):
    for one in arrays(tree):
        one += one[:1]


def reversed_rows(tree, _):
    for one in arrays(tree):
        one.reverse()


def new_columns(tree, number):
    root = tree.get("lead" if "lead" in tree else "data")
    for members in [tree, root, *[element for one in arrays(tree) for element in one]]:
        if isinstance(members, dict):
            members["since_night_%d" % (number % 5)] = number


def fewer_columns(tree, _):
    root = tree.get("lead" if "lead" in tree else "data")
    for members in [root, *[element for one in arrays(tree) for element in one]]:
        if isinstance(members, dict):
            for name in list(members)[1::2]:
                del members[name]


BENT = (fewer_rows, no_rows, more_rows, reversed_rows, new_columns, fewer_columns)
FATES = BENT + ("revised", "replaced", "gone", "fails", "not asked for") + ("same",) * 9


class Nights:
    """`bodies[n]` of night n: {ID: body, None (404) or FAILS (400)}, in the order of the IDs."""

    def __init__(self, provider, count, seed=1):
        self.provider, self.chance, self.mutator = provider, random.Random("%s %d" % (provider, seed)), mutate.Mutator(seed)
        self.bodies = ({}, {})
        names = oddities.names(provider)
        for number in range(count):
            lead_id = self._id(number, names)
            self._add(number, lead_id, "new" if number % 20 == 19 else self.chance.choice(FATES))
        self.bodies[0]["never"] = self.bodies[1]["never"] = None
        self.bodies[0]["fails"] = self.bodies[1]["fails"] = FAILS

    def _id(self, number, names):
        kind = number % 10
        if number == 0:
            return "example"
        if kind < 5:
            return "odd-%s-%d" % (names[(number // 10 * 5 + kind) % len(names)], number)
        if kind == 5:
            return "newcode-%d-%d" % (number % NEW_CODES, number)
        if kind == 6:
            return "%s-%d" % (ODD_IDS[number // 10 % len(ODD_IDS)], number)
        return ("plain-%d", "mutated-%d", "lead-%d")[kind - 7] % number

    def _payload(self, number, lead_id, night, revision=0):
        if lead_id.startswith("mutated-"):
            return self.mutator.payload(self.provider, number + revision)
        return leads.payload(self.provider, lead_id, AGENT, revision, nonce=str(night))

    def _add(self, number, lead_id, fate):
        first, second = self.bodies
        if fate != "new":
            fails = self.chance.random() < 0.02
            first[lead_id] = FAILS if fails else self._payload(number, lead_id, 0)
        if fate in ("same", "new"):
            second[lead_id] = self._payload(number, lead_id, 1)
        elif fate == "revised":
            second[lead_id] = self._payload(number, lead_id, 1, revision=1)
        elif fate == "replaced":
            second[lead_id] = self.mutator.payload(self.provider, 10**6 + number)
        elif fate in ("gone", "fails"):
            second[lead_id] = None if fate == "gone" else FAILS
        elif fate != "not asked for":
            tree = leads.tree(self.provider, lead_id, AGENT, nonce=leads.NONCE_MARK)
            fate(tree, number)
            second[lead_id] = jsontext.encode(tree).replace(leads.NONCE_MARK.encode(), b"1")

    def answer(self, night):
        """For outputs.provider_of()."""
        def answer(path, _):
            body = self.bodies[night].get(urllib.parse.unquote(path.partition("?")[0].rsplit("/", 1)[1]))
            if body is None:
                return 404, b"{}"
            return (400, b"{}") if body is FAILS else (200, body)
        return answer


def add_run(columns, run):
    """The columns of a table that stays, after another run into it: what is new there wishes for the name it has in that run."""
    for stem, namings in run.branches.items():
        grown = []
        for there, new in itertools.product(columns.branches.get(stem, [{}]), namings):
            naming = dict(there)
            for source, name in new.items():
                if source not in naming:
                    naming[source] = lowest_free(name, columns.taken.union(naming.values()))
            if naming not in grown:
                grown.append(naming)
        if len(grown) > BRANCHES_MAX:
            raise TooManyNamings(stem)
        columns.branches[stem] = grown
    columns.known |= run.known


class Flattened:
    """The rows of both nights; `alone[n]` has the columns of night n, `schema` those of tables that both went into.

    Leads that wish for so many names at once that the reference cannot tell who gets which are taken out of `nights`.
    """

    def __init__(self, nights):
        self.provider, self.nights = nights.provider, nights
        for _ in range(100):
            try:
                self._flatten()
                return
            except TooManyNamings:
                for bodies in nights.bodies:
                    bodies.pop(self.at, None)
        raise AssertionError("too many leads of which the reference cannot tell the names")

    def _flatten(self):
        self.rows, self.counts = ({}, {}), ({}, {})
        self.schema, self.alone = Schema(self.provider), (Schema(self.provider), Schema(self.provider))
        for night, bodies in enumerate(self.nights.bodies):
            counts = {"exported": 0, "missing": 0, "failed": 0}
            for self.at, body in bodies.items():
                outcome = "missing" if body is None else "failed"
                if body is not None and body is not FAILS:
                    try:
                        rows = walk(self.provider, self.at, body, AGENT)
                        if rows == self.rows[0].get(self.at):
                            rows = self.rows[0][self.at]  # which need memory once only
                        self.alone[night].add(rows)
                        self.rows[night][self.at], outcome = rows, "exported"
                    except Failed:
                        pass
                counts[outcome] += 1
            self.counts[night].update(counts)
            for table, columns in self.schema.tables.items():
                add_run(columns, self.alone[night].tables[table])


# --- what the tables hold ----------------------------------------------------------------------------------

class Target:
    """How a warehouse holds the values of the types: `target` of the reference, and what it makes of a typed value."""

    def __init__(self, target, show):
        self.target, self.show = typed.TARGETS[target], show

    def row(self, row, kinds):
        cells, misfits = {}, {}
        for key, value in row.items():
            kind = kinds.get(key, "text")  # what is not documented has a Source for a key
            found = typed.typed(value, kind, self.target)
            if found is typed.MISFIT:
                misfits[key] = value
            elif found is not None:
                cells[key] = self.show(found, kind)
        if misfits:
            cells["_misfits"] = self.show(typed.misfits(misfits, self.target), "json")
        return cells


class Tables:
    """All rows of all leads, as reference.compare wants them: rows_of(ID, table, what makes typed cells of a row)."""

    def __init__(self, schema, target, kinds, lead_ids, rows_of):
        self.schema, self.target, self.kinds, self.lead_ids, self.rows_of = schema, target, kinds, lead_ids, rows_of

    def ids(self):
        return self.lead_ids

    def leads(self):
        for lead_id in self.lead_ids:
            yield lead_id, {table: self.rows_of(lead_id, table, lambda row, kinds=kinds: self.target.row(row, kinds))
                            for table, kinds in self.kinds.items()}


def marked(rows, night):
    """Rows with what the run columns say, as the number of the night."""
    return [{**row, "_run_id": night, "_exported_at": night} for row in rows]


def after(flattened, night, mode, deletes, target, kinds, keys):
    """What the tables hold after that night (0 or 1)."""
    first, second = flattened.rows

    def key_of(row, table):
        return tuple(values.to_csv(row[key]) for key in keys[table])

    def merged(lead_id, table, typed_row):
        """Rows of the second night, of which those that are the same are of the first."""
        before = {key_of(row, table): typed_row(row) for row in first.get(lead_id, {}).get(table, ())}
        for row in second[lead_id][table]:
            cells = typed_row(row)
            yield from marked([cells], 0 if values.same(before.get(key_of(row, table)), cells) else 1)

    def rows_of(lead_id, table, typed_row):
        old = marked([typed_row(row) for row in first.get(lead_id, {}).get(table, ())], 0)
        if night == 0:
            return old
        if mode == "append":
            return old + marked([typed_row(row) for row in second.get(lead_id, {}).get(table, ())], 1)
        if lead_id in second:
            return list(merged(lead_id, table, typed_row))
        if mode == "replace":
            return []
        if lead_id not in flattened.nights.bodies[1] or flattened.nights.bodies[1][lead_id] is not None:
            return old  # not asked for, or failed
        if deletes == "mark" and table == "leads":
            return [{**row, "_deleted_at": 1} for row in marked(old, 1)]
        return [] if deletes == "delete" else old

    there = dict.fromkeys(itertools.chain(first, second if night else ()))
    return Tables(flattened.schema, target, kinds, list(there), rows_of)


def alone(flattened, night, target, kinds):
    """What the files of that night hold."""
    rows = flattened.rows[night]
    return Tables(flattened.alone[night], target, kinds, list(rows),
                  lambda lead_id, table, typed_row: [typed_row(row) for row in rows[lead_id][table]])


def compare(expected, rows, keys, label, appended=False):
    """`rows`: {table: dicts without nulls}; where they are `appended`, those of the first night come first. Asserts that all
    are the same; returns how many cells were compared."""
    found = {}
    for table, all_rows in rows.items():
        for row in all_rows:
            found.setdefault(row["lead_id"], {name: [] for name in rows})[table].append(row)
    for tables in found.values():
        for table, own in tables.items():
            positions = [key for key in keys[table] if key not in ("provider", "lead_id", "agent_id")]
            own.sort(key=lambda row: (appended and row["_run_id"], *[int(row[key]) for key in positions]))
    counts = reference_compare.Counts()
    as_it_is = reference_compare.Encoding(label, lambda value: value, null_is_absent=True)
    differences = reference_compare.Comparison(expected, as_it_is, counts=counts, label=label, limit=5).run(
        iter(reference_compare.in_order_of(expected.ids(), found.items())), headers={})
    assert not differences, "\n".join(differences)
    return counts.cells
