"""Which column a source gets, and what freedom the contract leaves there.

A new column comes with the first lead that has it. Within one lead the order in which sources of
different groups come is free; each group keeps its own order. That matters for the place of a
column, and for its name where two sources of different groups wish for one name in the same
lead. Such names are kept as branches: every naming that some allowed order leads to.
"""

import re

BRANCHES_MAX = 64
ORDERS_MAX = 5000


class TooManyNamings(Exception):
    """More clashes in one lead than can be tried out."""


def stem(name):
    """What names that can clash with each other have in common: x, x_2 and x_2_2 are x."""
    return re.sub(r"(_[0-9]+)+$", "", name)


def lowest_free(wish, taken):
    """The wished name, or the lowest _n from 2 that is free."""
    name, n = wish, 2
    while name in taken:
        name, n = "%s_%d" % (wish, n), n + 1
    return name


def merges(sequences):
    """Every order of all elements that keeps the order within each sequence."""
    if not any(sequences):
        yield ()
    for i, sequence in enumerate(sequences):
        if sequence:
            rest = sequences[:i] + [sequence[1:]] + sequences[i + 1:]
            for order in merges(rest):
                yield (sequence[0],) + order


def by_group(sources):
    groups = {}
    for source in sources:
        groups.setdefault(source.group, []).append(source)
    return list(groups.values())


class Columns:
    """The columns of one table, lead by lead."""

    def __init__(self, documented, reserved=()):
        self.documented = list(documented)
        self.taken = set(documented) | set(reserved)
        self.batches = []   # for each lead that brought new columns: their sources
        self.known = set()
        self.branches = {}  # stem -> [{source: name}], the namings that are possible

    def add(self, rows):
        """Learn the sources of one lead's rows."""
        new = list(dict.fromkeys(key for row in rows for key in row
                                 if not isinstance(key, str) and key not in self.known))
        if not new:
            return
        self.known.update(new)
        self.batches.append(new)
        by_stem = {}
        for source in new:
            by_stem.setdefault(stem(source.base), []).append(source)
        for name, sources in by_stem.items():
            self._branch(name, sources)

    def _branch(self, name, sources):
        grown = []
        for branch in self.branches.get(name, [{}]):
            taken = self.taken.union(branch.values())
            for order in self._orders(sources, taken):
                naming, used = dict(branch), set(taken)
                for source in order:
                    naming[source] = lowest_free(source.base, used)
                    used.add(naming[source])
                if naming not in grown:
                    grown.append(naming)
        if len(grown) > BRANCHES_MAX:
            raise TooManyNamings(name)
        self.branches[name] = grown

    @staticmethod
    def _orders(sources, taken):
        """The orders that can make a difference; the first is the order of the walk."""
        yield sources
        wishes = {source.base for source in sources}
        if len(wishes) == len(sources) and not wishes & taken:
            return
        for count, order in enumerate(merges(by_group(sources))):
            if count > ORDERS_MAX:
                raise TooManyNamings(sources[0].base)
            yield order

    def names(self):
        """Source to column name; where several namings are possible, the walk's."""
        return {source: name for branches in self.branches.values()
                for source, name in branches[0].items()}

    def columns(self):
        """All column names in order; among a lead's new ones, in the walk's order."""
        names = self.names()
        return self.documented + [names[source] for batch in self.batches for source in batch]

    def header_fits(self, header, names):
        """Whether a header is in an allowed order, for one naming. Returns what is wrong."""
        documented = list(header[:len(self.documented)])
        if documented != self.documented:
            return "documented columns are %s instead of %s" % (documented, self.documented)
        rest = list(header[len(self.documented):])
        for batch in self.batches:
            chunk, rest = rest[:len(batch)], rest[len(batch):]
            wanted = [names[source] for source in batch]
            if sorted(chunk) != sorted(wanted):
                return "columns %s stand where %s belong" % (chunk, wanted)
            for group in by_group(batch):
                own = [names[source] for source in group]
                if sorted(own, key=chunk.index) != own:
                    return "columns %s are not in the order %s" % (chunk, own)
        return "columns too many: %s" % rest if rest else None
