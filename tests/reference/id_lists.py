"""What a list of IDs asks for, decided from its bytes alone and in another way than the program does it.

records(data, form, delimiter) gives a Record for everything that a list consists of, in order: IDs, malformed lines,
headers, comments, blank lines.  So every line of it is accounted for: their `lines` add up to lines_of(data).  Read as
docs/leadpipe.1 has it; only the names id, lead_id and leadId are known for an ID.
"""

import json
import re
import typing
import unicodedata

ID_BYTES_MAX = 512
LINE_BYTES_MAX = 1 << 20
NAMES = ("id", "lead_id", "leadId")

# Unicode's Default_Ignorable_Code_Point as far as tests use it, and the separators.
INVISIBLE = set("\u00ad\u034f\u061c\u180e\u200b\u200c\u200d\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e"
                "\u2060\u2066\u2069\ufe0e\ufe0f\ufeff\U000e0020")
SHAPING = set("\u200c\u200d\ufe0e\ufe0f")
LINE_END = re.compile(rb"\r\n|\n|\r")


class Record(typing.NamedTuple):
    kind: str  # id, bad, header, comment, blank
    line: int  # where it begins
    lines: int
    id: typing.Optional[str] = None
    param: typing.Optional[str] = None  # its value for this ID; None: it has none of its own


def lines_of(data):
    """How many lines there are; what is behind the last line end is one, unless it is empty."""
    ends = list(LINE_END.finditer(data))
    return len(ends) + (len(data) > (ends[-1].end() if ends else 0))


def _is_blank(c):
    return c in " \t" or c in INVISIBLE or (ord(c) > 127 and unicodedata.category(c) == "Zs")


def _trim(text):
    while text and _is_blank(text[0]):
        text = text[1:]
    while text and _is_blank(text[-1]):
        if text[-1] in SHAPING and len(text) > 1 and ord(text[-2]) > 127:
            break
        text = text[:-1]
    return text


def valid(raw):
    """The ID in these bytes, or None."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return None
    text = _trim(text)
    if not 1 <= len(text.encode()) <= ID_BYTES_MAX or text in (".", ".."):
        return None
    if text.isascii():
        return text if text.isprintable() else None
    for before, c in zip("\0" + text, text):
        if unicodedata.category(c) == "Cc":
            return None
        if c in SHAPING:
            if ord(before) < 128:
                return None
        elif c in INVISIBLE or (ord(c) > 127 and c != "\u3000" and unicodedata.category(c) == "Zs"):
            return None
    return text


def _text(raw):
    return _trim(raw.decode("utf-8", "surrogateescape"))


def _lines(data):
    """(number, bytes without the end, offset behind it, has an end)"""
    at, number = 0, 1
    while at < len(data):
        end = LINE_END.search(data, at)
        yield number, data[at:end.start() if end else len(data)], end.end() if end else len(data), bool(end)
        at, number = (end.end() if end else len(data)), number + 1


def _record(line, lines, raw_id, param):
    """`param`: bytes, None for none, or False where it is no text."""
    one = valid(raw_id) if raw_id is not None else None
    value = valid(param) if param else param
    if one is None or (param is not None and value in (None, False, b"")):
        return Record("bad", line, lines)
    return Record("id", line, lines, one, value)


def _of_lines(data, _):
    for number, line, _, _ in _lines(data):
        text = _text(line) if len(line) <= LINE_BYTES_MAX else "x"
        if not text or text.startswith("#"):
            yield Record("comment" if text else "blank", number, 1)
        else:
            yield _record(number, 1, line if len(line) <= LINE_BYTES_MAX else None, None)


# --- ndjson -----------------------------------------------------------------------------------------

class _Members(list):
    pass


class _Number(str):
    """As it stands there."""


_DECODER = json.JSONDecoder(object_pairs_hook=_Members, parse_int=_Number, parse_float=_Number,
                            parse_constant=lambda _: 1 / 0)


def _member(members, name):
    """Its value; of several the last one.  One in another case counts where there is none, and must be alone."""
    alike = {key: value for key, value in members if key.lower() == name.lower()}
    if name in alike or not alike:
        return alike.get(name)
    if len(alike) > 1:
        raise ValueError("two members that differ in case")
    return next(iter(alike.values()))


def _bytes_of(value):
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else False


def _of_object(number, line, param):
    bad = Record("bad", number, 1)
    if len(line) > LINE_BYTES_MAX:
        return bad
    try:
        members = _DECODER.decode(line.decode("utf-8", "surrogateescape"))
        if not isinstance(members, _Members):
            return bad
        value = next((one for one in (_member(members, name) for name in NAMES) if one is not None), None)
        own = _member(members, param) if param else None
    except (ValueError, ZeroDivisionError):
        return bad
    return _record(number, 1, _bytes_of(value) or None, None if own is None else _bytes_of(own))


def _of_ndjson(data, param):
    for number, line, _, _ in _lines(data):
        yield _of_object(number, line, param) if _text(line) else Record("blank", number, 1)


# --- csv --------------------------------------------------------------------------------------------

class _Csv:
    """A row is one match: fields of either kind with delimiters between them, up to a line end or the end."""

    def __init__(self, data, delimiter):
        d = re.escape(delimiter)
        blank = b"[ ]*" if delimiter == b"\t" else b"[ \\t]*"
        within = b"[^\"\\x00-\\x08\\x0a-\\x1f" + d + b"]"
        field = blank + b"(?:\"((?:[^\"\\0]|\"\")*)\"" + blank + b"|(" + within + b"*))"
        self.field, self.data = re.compile(field), data
        self.delimiter = delimiter

    def row(self, at):
        """(fields, offset behind its line end, has one), or None where it is malformed."""
        fields = []
        while True:
            match = self.field.match(self.data, at)
            # The regular expression may go back and take a quote for the end of an empty plain field.
            fields.append(match[1].replace(b'""', b'"') if match[1] is not None else match[2])
            at = match.end()
            if self.data[at:at + 1] == self.delimiter:
                at += 1
                continue
            end = LINE_END.match(self.data, at)
            if end or at == len(self.data):
                return fields, end.end() if end else at, bool(end)
            return None


def _column(names, wanted):
    """Where it is, or None; one that is the same in case is better."""
    if wanted in names:
        return names.index(wanted)
    alike = [at for at, name in enumerate(names) if wanted and name.lower() == wanted.lower()]
    return alike[0] if alike else None


class _Header:
    def __init__(self, fields, param):
        names = [_text(name) for name in fields]
        self.columns = len(names)
        self.id = next(at for at in (_column(names, name) for name in NAMES) if at is not None)
        self.param = _column(names, param)
        self.last_used = max(self.id, self.param or 0)

    def record(self, number, lines, row):
        fields, _, has_end = row
        if len(fields) != self.columns and not (self.last_used < len(fields) < self.columns and has_end):
            return Record("bad", number, lines)
        own = None if self.param is None else fields[self.param]
        return _record(number, lines, fields[self.id], own if own and _text(own) else None)


def _of_csv(data, delimiter, param):
    reader = _Csv(data, delimiter)
    starts = {0: 1}
    for number, _, behind, _ in _lines(data):
        starts[behind] = number + 1
    at, header = 0, None
    while at < len(data):
        number = starts[at]
        end = LINE_END.search(data, at)
        line, next_line = data[at:end.start() if end else len(data)], end.end() if end else len(data)
        before, at = at, next_line
        if not _text(line):
            yield Record("blank", number, 1)
        elif header is None and line.lstrip().startswith(b"#"):
            yield Record("comment", number, 1)
        elif header is None and number == 1 and line.lower() == b"sep=" + delimiter:
            yield Record("header", number, 1)
        elif len(line) > LINE_BYTES_MAX:
            yield Record("bad", number, 1)
        else:
            row = reader.row(before)
            if row is None or (header and row[1] > next_line and len(row[0]) != header.columns):
                yield Record("bad", number, 1)  # and the next line is a row of its own
                continue
            at = row[1]
            lines = starts[at] - number
            if header:
                yield header.record(number, lines, row)
            else:
                header = _Header(row[0], param)
                yield Record("header", number, lines)


def records(data, form, delimiter=",", param=None):
    """`form` is lines, csv or ndjson; `param` the name of the provider's parameter."""
    if data.startswith(b"\xef\xbb\xbf"):
        data = data[3:]
    if form == "csv":
        return list(_of_csv(data, delimiter.encode(), param))
    return list((_of_lines if form == "lines" else _of_ndjson)(data, param))
