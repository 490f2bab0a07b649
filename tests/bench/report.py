"""Tables on the terminal and in Markdown, which are the same."""

import os

BEGIN = "<!-- figures: written by ./build.sh bench --write, do not edit -->"
END = "<!-- end of figures -->"
NEW_PAGE = """# Benchmarks

How to repeat them: `./build.sh bench`. What is measured and how: `tests/bench/README.md`.

%s
%s
""" % (BEGIN, END)


class Section:
    """One table. The first column is text; so are the others with `words`, else figures."""

    def __init__(self, title, columns, remarks=(), words=False):
        self.title, self.columns, self.remarks, self.words = title, columns, list(remarks), words
        self.rows = []

    def add(self, *cells):
        assert len(cells) == len(self.columns), self.title
        self.rows.append([str(cell) for cell in cells])

    def _line(self, cells, widths):
        padded = [cell.ljust(width) if self.words or i == 0 else cell.rjust(width)
                  for i, (cell, width) in enumerate(zip(cells, widths))]
        return "| " + " | ".join(padded) + " |"

    def text(self):
        widths = [max(len(row[i]) for row in [self.columns] + self.rows)
                  for i in range(len(self.columns))]
        rule = ["-" * width if self.words or i == 0 else "-" * (width - 1) + ":"
                for i, width in enumerate(widths)]
        lines = ["## " + self.title, ""]
        for remark in self.remarks:
            lines += [remark, ""]
        lines += [self._line(cells, widths) for cells in [self.columns, rule] + self.rows]
        return "\n".join(lines) + "\n"


def machine_section(facts):
    section = Section("The machine", ["what", "which"], words=True)
    for fact in facts:
        section.add(*fact)
    return section


def _sections_of(figures):
    """{title: text} of what write_page() wrote."""
    found = {}
    for part in ("\n" + figures).split("\n## ")[1:]:
        found[part.partition("\n")[0]] = "## " + part.rstrip("\n") + "\n"
    return found


def write_page(path, sections, keep_others=False):
    """Replaces the figures in the page and leaves the rest of it as it is; keep_others: also figures of other sections."""
    page = NEW_PAGE
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            page = file.read()
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError("%s has no place for figures (%s)" % (path, BEGIN))
    texts = _sections_of(rest.partition(END)[0]) if keep_others else {}
    texts.update((section.title, section.text()) for section in sections)
    figures = "\n".join(texts.values())
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(before + BEGIN + "\n\n" + figures + "\n" + END + after)
    os.replace(path + ".new", path)


def number(value):
    return "{:,.0f}".format(value)


def spread(values, digits=2):
    """Median, with the extremes."""
    ordered = sorted(values)
    middle = (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
    if len(ordered) == 1:
        return "%.*f" % (digits, middle)
    return "%.*f (%.*f–%.*f)" % (digits, middle, digits, ordered[0], digits, ordered[-1])


def mib(value):
    return "%.1f" % (value / 1048576)
