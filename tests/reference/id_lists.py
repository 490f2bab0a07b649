"""What a list of IDs asks for, decided from its bytes alone and in another way than the program does it.

outcomes(data, form, delimiter) gives [(line, id)] for every line or row that says something, in order; `id` is None
where it is malformed.  Every other line is blank or a comment, so that all lines are accounted for: lines_of() counts
them.  Read as docs/leadpipe.1 has it; only the names id, lead_id and leadId are known.
"""

import json
import re
import unicodedata

ID_BYTES_MAX = 512
NAMES = ("id", "lead_id", "leadid")

# Unicode's Default_Ignorable_Code_Point as far as tests use it, and the separators.
INVISIBLE = set("\u00ad\u034f\u061c\u200b\u200c\u200d\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e"
                "\u2060\u2066\u2069\ufeff")
SHAPING = set("\u200c\u200d\ufe0e\ufe0f")
LINE_END = re.compile(rb"\r\n|\n|\r")


def lines_of(data):
    """How many lines there are; what is behind the last line end is one, unless it is empty."""
    ends = list(LINE_END.finditer(data))
    return len(ends) + (len(data) > (ends[-1].end() if ends else 0))


def _is_blank(c):
    return c in " \t" or c in INVISIBLE or (ord(c) > 127 and unicodedata.category(c) == "Zs")


def _trim(text):
    while text and (_is_blank(text[0]) or text[0] in SHAPING):
        text = text[1:]
    while text and (_is_blank(text[-1]) or text[-1] in SHAPING):
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
    for before, c in zip("\0" + text, text):
        if unicodedata.category(c) == "Cc":
            return None
        if c in SHAPING:
            if ord(before) < 128:
                return None
        elif c in INVISIBLE or (ord(c) > 127 and c != "\u3000" and unicodedata.category(c) == "Zs"):
            return None
    return text


def _blank(raw):
    return not _trim(raw.decode("utf-8", "surrogateescape"))


def _lines(data):
    """(number, bytes without the end, offset behind it, has an end)"""
    at, number = 0, 1
    while at < len(data):
        end = LINE_END.search(data, at)
        yield number, data[at:end.start() if end else len(data)], end.end() if end else len(data), bool(end)
        at, number = (end.end() if end else len(data)), number + 1


def _of_lines(data):
    for number, line, _, _ in _lines(data):
        if not _blank(line) and not _trim(line.decode("utf-8", "surrogateescape")).startswith("#"):
            yield number, valid(line)


def _of_object(line):
    try:
        members = json.loads(line.decode("utf-8"), parse_constant=lambda _: 1 / 0)
    except (UnicodeDecodeError, ValueError, ZeroDivisionError):
        return None
    if not isinstance(members, dict):
        return None
    for name in ("id", "lead_id", "leadId"):
        value = members.get(name)
        if value is not None:
            return valid(value.encode("utf-8", "surrogatepass")) if isinstance(value, str) else None
    return None


def _of_ndjson(data):
    for number, line, _, _ in _lines(data):
        if not _blank(line):
            yield number, _of_object(line)


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


def _of_csv(data, delimiter):
    reader = _Csv(data, delimiter)
    starts = {0: 1}
    for number, _, behind, _ in _lines(data):
        starts[behind] = number + 1
    at, header, where = 0, None, 0
    while at < len(data):
        number = starts[at]
        end = LINE_END.search(data, at)
        line, next_line = data[at:end.start() if end else len(data)], end.end() if end else len(data)
        row = reader.row(at)
        if _blank(line):
            at = next_line
            continue
        if header is None:
            header = [_trim(name.decode()).lower() for name in row[0]]
            where = min((header.index(name) for name in NAMES if name in header),
                        key=lambda column: NAMES.index(header[column]))
            at = row[1]
            continue
        if row is None or (row[1] > next_line and len(row[0]) != len(header)):
            yield number, None  # and the next line is a row of its own
            at = next_line
            continue
        fields, at, has_end = row
        short = where < len(fields) < len(header) and has_end
        yield number, valid(fields[where]) if len(fields) == len(header) or short else None


def outcomes(data, form, delimiter=","):
    """`form` is lines, csv or ndjson."""
    if data.startswith(b"\xef\xbb\xbf"):
        data = data[3:]
    if form == "csv":
        return list(_of_csv(data, delimiter.encode()))
    return list(_of_lines(data) if form == "lines" else _of_ndjson(data))
