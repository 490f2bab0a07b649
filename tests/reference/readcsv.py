"""A strict reader of RFC 4180 that distinguishes null (nothing) from the empty string ("")."""

import re

from .openfile import ReadError, open_text_lines

DELIMITERS = {"comma": ",", "tab": "\t", "semicolon": ";"}
EOLS = {"lf": "\n", "crlf": "\r\n"}


def records(path, delimiter="comma", eol="lf", bom=False):
    """(line number, fields) of each record; a field is None or a str."""
    separator = DELIMITERS[delimiter]
    field = re.compile(r'(?:"([^"]*(?:""[^"]*)*)"|([^"\r\n%s]*))(%s|$)' % (separator, separator))
    record, first_line = "", 1
    for number, line in enumerate(open_text_lines(path), 1):
        if number == 1:
            if line.startswith("\ufeff") != bom:
                raise ReadError(path, 1, "no byte order mark" if bom else "a byte order mark")
            line = line[1:] if bom else line
        record += line
        if record.count('"') % 2 == 0:
            if not record.endswith(EOLS[eol]):
                raise ReadError(path, number, "the record does not end with %s" % eol)
            yield first_line, _fields(path, first_line, record[:-len(EOLS[eol])], field)
            record, first_line = "", number + 1
    if record:
        raise ReadError(path, first_line, "a quoted field does not end")


def _fields(path, line, record, field):
    fields, place = [], 0
    while True:
        match = field.match(record, place)
        # $ also matches before a final line feed: only the very end will do
        if not match or (not match.group(3) and match.end() != len(record)):
            raise ReadError(path, line, "field %d is not RFC 4180" % (len(fields) + 1))
        quoted, bare, separator = match.groups()
        fields.append(quoted.replace('""', '"') if quoted is not None else bare or None)
        place = match.end()
        if not separator:
            return fields


class CsvTable:
    """One CSV file: its columns, and its rows as {column: str or None}."""

    def __init__(self, path, columns=None, **dialect):
        """columns: the names, for a file without a header."""
        self.path = path
        self.columns = columns
        self.dialect = dialect
        if columns is None:
            self.columns = self._read_header()

    def _read_header(self):
        for _, fields in records(self.path, **self.dialect):
            if len(set(fields)) != len(fields) or None in fields or "" in fields:
                raise ReadError(self.path, 1, "the header repeats a name or has an empty one")
            self.has_header = True
            return fields
        raise ReadError(self.path, 1, "there is no header")

    has_header = False

    def rows(self):
        skip = self.has_header
        for line, fields in records(self.path, **self.dialect):
            if skip:
                skip = False
                continue
            if len(fields) != len(self.columns):
                raise ReadError(self.path, line, "%d fields under a header of %d"
                                % (len(fields), len(self.columns)))
            yield dict(zip(self.columns, fields))
