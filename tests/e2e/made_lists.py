"""Makes lists of IDs of every form, malformed at random in every way that test_ids.py and test_ids_formats.c know.

What a list says is not decided here but by tests/reference/id_lists.py, from its bytes.
"""

import gzip
import json

DELIMITERS = {"comma": ",", "tab": "\t", "semicolon": ";"}
ENDS = ("\n", "\r\n", "\r", "mixed")
SHAPES = ([("csv", name, end) for name in DELIMITERS for end in ENDS] +
          [(form, "comma", end) for form in ("lines", "ndjson") for end in ENDS])
PARAM = "agentId"

PLAIN = ["", "x", "Anna", "a b", "1.5", "ü", "\u4f60\u597d", "-", "'", "=1+1", "1,5", "caf\udce9"]
QUOTED = ["", "a\nb", "a\r\nb", "a\rb", '""', '""quoted""', "x,y;z\tw", "line\n\nline", "tiny-1\na,b", "a\x0bb"]
MALFORMED = ['a"b', '"a"b', '"a', 'a"', "a\0b", "a\x0bb", '""""e', '"b"c', '5" pipe', "\x0cc", "a\x1e", '"\0"', '"']

# Blanks of any kind, and what cannot be seen: it does not count around an ID.
AROUND = [" ", "\t", "\u00a0", "\ufeff", "\u200b", "\u200c", "\u200d", "\u00ad", "\u2060", "\u3000", "\u202f", "\u200e",
          "\u202a", "\u180e", "\u2028", "\ufe0f", "\u00a0\ufeff \u200b"]
ODD_IDS = ["é%d", "a b%d", "q?x=%d", "a/%d", "%%2f%d", "../%d", "...%d", ".a%d", "a#%d", "a # b%d", "a&b;c=%d", "a+%d",
           "<%d>", "a,b%d", "{c%d}", '"d%d"', 'e"%d', "a;%d", "\U0001f469\u200d\U0001f4bb%d", "\u2764\ufe0f%d",
           "\u0645\u06cc\u200c\u062e%d", "\u5c71\u3000\u5ddd%d", "%d", "-%d.50", "%d\u2764\ufe0f"]
BAD_IDS = ["", ".", "..", "y" * 513, "é" * 257, "a\x7fb", "a\u0085b", "\u0085x", "a\x1b[2J", "a\x01", "caf\udce9",
           "a\udced\udca0\udc80", "a\u200bb", "a\u00a0b", "a\ufeffb", "a\u200db", "a\u202eb", "a\U000e0020b"]
PARAM_VALUES = ["", "", " ", "agent-1", "agent-2", "\u00a0agent-1\u200b", "a/b?c&d", "é", "..", "a\x7f", "x\u200by"]


class List:
    """One list, a row at a time; `rng` decides what is wrong with it."""

    def __init__(self, rng, shape, prefix, has_param, first=0):
        self.rng, self.prefix, self.has_param, self.n = rng, prefix, has_param, first
        self.form, delimiter, self.end = shape
        self.delimiter = DELIMITERS[delimiter]
        self.columns = rng.randint(2, 5)
        self.where, self.where_param = rng.sample(range(self.columns), 2)
        self.make = {"csv": self.csv_row, "lines": self.lines_row, "ndjson": self.ndjson_row}[self.form]

    def line_end(self):
        return self.rng.choice(["\n", "\r\n", "\r"]) if self.end == "mixed" else self.end

    def one_id(self):
        """New, or one that was there."""
        rng = self.rng
        self.n += 1
        number = self.n if rng.random() < 0.9 else rng.randint(1, self.n)
        style = rng.random()
        if style < 0.85:
            return "%s-%d" % (self.prefix, number)
        if style < 0.93:
            return rng.choice(ODD_IDS) % number
        if style < 0.94:
            return ("%s-%d" % (self.prefix, number)).rjust(512, "y")
        return rng.choice(AROUND) + "%s-%d" % (self.prefix, number) + rng.choice(AROUND)

    def csv_field(self, text):
        if self.rng.random() < 0.2 or set(text) & set('"\r\n' + self.delimiter):
            return '"%s"' % text.replace('"', '""')
        return text

    def csv_row(self):
        rng = self.rng
        if rng.random() < 0.005:
            return rng.choice(["", " ", "\u00a0", "\t \t"])
        fields = [rng.choice(PLAIN) if rng.random() < 0.8 else '"%s"' % rng.choice(QUOTED)
                  for _ in range(self.columns)]
        fields = [field if self.delimiter not in field or field[0] == '"' else "x" for field in fields]
        fields[self.where] = self.csv_field(self.one_id())
        if self.has_param:
            fields[self.where_param] = self.csv_field(rng.choice(PARAM_VALUES))
        if rng.random() < 0.06:
            self.spoil(fields)
        row = self.delimiter.join(fields)
        return row if rng.random() < 0.99 else row.replace(self.delimiter, "", 1)

    def spoil(self, fields):
        """Something wrong in one of the columns, or with their number."""
        rng = self.rng
        kind = rng.randrange(10)
        if kind < 6:
            fields[rng.randrange(len(fields))] = rng.choice(MALFORMED)
        elif kind == 6:
            fields.append(rng.choice(["", "x"]))
        elif kind == 7:
            del fields[rng.randrange(1, len(fields)):]
        elif kind == 8:
            fields[rng.randrange(len(fields))] = '"%s' % rng.choice(QUOTED)  # and is never closed, or later
        else:
            fields[self.where] = self.csv_field(rng.choice(BAD_IDS))

    def lines_row(self):
        rng = self.rng
        kind = rng.random()
        if kind < 0.9:
            return rng.choice(["", " ", "\t"]) + self.one_id() + rng.choice(["", " ", "\u00a0"])
        return rng.choice(["", " ", "\u00a0\ufeff", "# a comment", "#", " # of today, all", "a\0b", "a\x1b[2J",
                           "\udcff\udcfe\0", rng.choice(BAD_IDS), rng.choice(BAD_IDS)])

    def ndjson_row(self):
        rng = self.rng
        name = rng.choice(["id", "lead_id", "leadId", "ID", "Lead_ID", "LEADID"])
        members = {"x": [1, {"id": "no"}], name: self.one_id()}
        if self.has_param and rng.random() < 0.5:
            members[rng.choice([PARAM, "AGENTID"])] = rng.choice([*PARAM_VALUES, None, 7, True, []])
        kind = rng.random()
        if kind < 0.82:
            return json.dumps(members, ensure_ascii=rng.random() < 0.5)
        one = json.dumps({name: members[name]})
        inner = one[1:-1]
        if kind < 0.9:
            return rng.choice([
                '{"id":%d}' % self.n, '{"id":-%d.50}' % self.n, '{"id":1000000000000000%d}' % self.n,
                '{"lead_id":"no","id":"n-%d"}' % self.n, '{"id":"no","id":"n-%d"}' % self.n,
                '{"id":null,"leadId":"n-%d"}' % self.n, '{"id":"\\u0074\\ud83d\\ude00%d"}' % self.n,
                '{"ID":"no","id":"n-%d"}' % self.n, '{%s,"y":"\\u0000\udcff"}' % inner, "  %s \t" % one])
        return rng.choice([
            one + one, one[:-1], one + ",", "", " ", "{}", "[]", "[%s]" % one, "null", '"id"', "x", "{%s,}" % inner,
            '{"id":true}', '{"id":["a"]}', '{"id":{}}', '{"id":null}', '{"id":""}', '{"id":1.5e}', '{"id":01}',
            '{"id":NaN}', '{"id":"\udcff"}', '{"id":"a\\u0000b"}', '{"id":"\\udead"}', '{"id":"a\\n"}', '{"id":"a\tb"}',
            '{"ID":"a","Id":"a"}', json.dumps({"id": rng.choice(BAD_IDS)}), "'id'", '{"name":"a"}'])

    def header(self):
        """What stands before the rows."""
        rng = self.rng
        if self.form == "lines":
            return [rng.choice(["# of today, all", "first", "", "first # one"]) + self.line_end(), "second\n"]
        if self.form == "ndjson":
            return [rng.choice(["", " "]) + self.line_end(), '{"id":"first"}' + self.line_end()]
        names = ["c%d" % i for i in range(self.columns)]
        names[self.where] = rng.choice(["id", "ID", "lead_id", "LeadId", '"Lead_ID"', " id ", '"id"', "leadId"])
        if self.has_param:
            names[self.where_param] = rng.choice([PARAM, "agentid", ' "AgentID" '])
        elif rng.random() < 0.3:
            names[self.where_param] = rng.choice(["LEADID"] if names[self.where] in ("id", "ID") else ['"a name"'])
        if rng.random() < 0.2:
            names[-1] = '"c\n%d"' % self.columns if self.where != self.columns - 1 and not self.has_param else names[-1]
        before = rng.choice([[], [], ["# of Monday, Tuesday", ""], ["", " "], ["sep=" + self.delimiter]])
        return [line + self.line_end() for line in [*before, self.delimiter.join(names)]]

    def rows(self, n):
        """`n` texts with their line ends, some without."""
        rows = [self.make() + (self.line_end() if self.rng.random() < 0.999 else "") for _ in range(n)]
        if self.rng.random() < 0.5:
            rows[self.rng.randrange(n)] = "y" * ((1 << 20) + 1) + self.line_end()
        return rows


class MadeList:
    """What a file of the name `name` holds: `data`, perhaps compressed in `content`."""

    def __init__(self, rng, number, made, head, rows):
        self.made, self.head, self.rows = made, head, rows
        self.form, self.delimiter = made.form, made.delimiter
        self.name = "%02d.%s" % (number, made.form)
        # in half of the lists the last row has no line end
        text = "".join(head) + "".join(rows) + (made.make() if rng.random() < 0.5 else "")
        mark = b"\xef\xbb\xbf" if rng.random() < 0.3 else b""
        self.data = self.content = mark + text.encode("utf-8", "surrogateescape")
        packed = rng.random()
        if packed < 0.2:
            self.name, self.content = self.name + ".gz", gzip.compress(self.data, 1)
        elif packed < 0.3:
            half = len(self.data) // 2
            self.content = gzip.compress(self.data[:half], 1) + gzip.compress(self.data[half:], 1)


def lists(rng, n, has_param=False):
    """Lists of every shape with n rows in all; several have IDs in common."""
    made = []
    for i, shape in enumerate(SHAPES):
        one = List(rng, shape, "l%d" % (i % 15), has_param and rng.random() < 0.7)
        made.append(MadeList(rng, i, one, one.header(), one.rows(n // len(SHAPES))))
    return made


def of_another_night(rng, before):
    """The same lists: a tenth of the rows is gone, and a tenth is new."""
    after = []
    for i, old in enumerate(before):
        rows = []
        for row in old.rows:
            if rng.random() < 0.9:
                rows.append(row)
            if rng.random() < 0.1:
                rows.append(old.made.make() + old.made.line_end())
        after.append(MadeList(rng, i, old.made, old.head, rows))
    return after
