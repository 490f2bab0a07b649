"""Readers of every sink's output, into one model.

leads readers: (lead_id, {table: [{column: value}]}), one for each lead, in the output's order.
raw readers: (lead_id, provider, payload), where the payload is minified JSON text, or for
MessagePack a value. They check on the way all that a format demands of itself.
"""

import base64
import itertools
import os

import msgpack

from .documented import KEYS, TABLES
from .jsonval import NotJson, minify, parse_strict, parse_text, split_array
from .openfile import ReadError, open_bytes, open_text_lines
from .readcsv import DELIMITERS, EOLS, CsvTable  # noqa: F401
from .values import FORMULA_START

GUARDED = tuple("'" + start for start in FORMULA_START)


# --- csv

def csv_tables(target, provider, table=None, **dialect):
    """The CsvTables of a target: a directory with every table, or one file with one."""
    if not os.path.isdir(target):
        return {table or "leads": CsvTable(target, **dialect)}
    names = {name[:-3] if name.endswith(".gz") else name: name for name in os.listdir(target)}
    wanted = {name + ".csv": name for name in TABLES[provider]}
    if set(names) != set(wanted) or len(names) != len(os.listdir(target)):
        raise ReadError(target, "files", "%s instead of %s"
                        % (sorted(os.listdir(target)), sorted(wanted)))
    return {wanted[name]: CsvTable(os.path.join(target, names[name]), **dialect)
            for name in sorted(names)}


def csv_leads(tables, excel_safe=False):
    """The leads of CsvTables. Where there is no table leads, its own rows show the leads."""
    groups = {name: _Groups(table, excel_safe) for name, table in tables.items()}
    main = "leads" if "leads" in groups else next(iter(groups))
    while groups[main].lead_id is not None:
        lead_id = groups[main].lead_id
        yield lead_id, {name: group.take(lead_id) for name, group in groups.items()}
    for name, group in groups.items():
        if group.lead_id is not None:
            raise ReadError(tables[name].path, "lead %r" % group.lead_id,
                            "rows of a lead that table %s does not have at this place" % main)


class _Groups:
    """The rows of a table, taken lead by lead."""

    def __init__(self, table, excel_safe):
        def lead_id(row):
            text = row.get("lead_id")
            return text[1:] if excel_safe and text and text.startswith(GUARDED) else text

        self._groups = itertools.groupby(table.rows(), key=lead_id)
        self._advance()

    def _advance(self):
        self.lead_id, rows = next(self._groups, (None, ()))
        self._rows = list(rows)

    def take(self, lead_id):
        if self.lead_id != lead_id:
            return []
        rows = self._rows
        self._advance()
        return rows


# --- a directory with a file of objects for each table

class ObjectsTable:
    """The rows of a file of objects, without `_table`."""

    def __init__(self, path, objects):
        self.path, self._objects = path, objects

    def rows(self):
        for place, row in self._objects(self.path):
            if "_table" in row:
                raise ReadError(self.path, place, "a row names its table")
            yield row


def object_tables(directory, provider, kind):
    """The ObjectsTables of a directory. kind: "ndjson" or "msgpack"."""
    objects = {"ndjson": ndjson_objects, "msgpack": msgpack_objects}[kind]
    names = {name[:-3] if name.endswith(".gz") else name: name for name in os.listdir(directory)}
    wanted = ["%s.%s" % (name, kind) for name in TABLES[provider]]
    if sorted(names) != sorted(wanted) or len(names) != len(os.listdir(directory)):
        raise ReadError(directory, "files", "%s instead of %s" % (sorted(os.listdir(directory)), sorted(wanted)))
    return {name: ObjectsTable(os.path.join(directory, names["%s.%s" % (name, kind)]), objects)
            for name in TABLES[provider]}


def object_table_leads(directory, provider, kind):
    """The leads of a directory with a file for each table."""
    return csv_leads(object_tables(directory, provider, kind))


# --- objects, common to ndjson, msgpack and webhook

def _lead_object(path, place, provider, members):
    """(lead_id, tables) of an object of layout `lead`."""
    children = [name for name in TABLES[provider] if name != "leads"]
    if list(members)[-len(children):] != children:
        raise ReadError(path, place, "the object does not end with %s" % children)
    leads = {key: value for key, value in members.items() if key not in children}
    keys = {key: _text(path, place, leads, key) for key in KEYS[provider]}
    tables = {"leads": [leads]}
    for name in children:
        tables[name] = [_child_row(path, place, name, keys, row)
                        for row in _array(path, place, name, members[name])]
    return keys["lead_id"], tables


def _child_row(path, place, table, keys, row):
    if not isinstance(row, dict) or set(row) & set(keys):
        raise ReadError(path, place, "a row of %s is no object, or repeats %s"
                        % (table, sorted(keys)))
    return dict(keys, **row)


def _array(path, place, name, value):
    if not isinstance(value, list):
        raise ReadError(path, place, "%s is no array" % name)
    return value


def _text(path, place, members, key):
    if not isinstance(members.get(key), str):
        raise ReadError(path, place, "no text %s" % key)
    return members[key]


def _row_objects(path, provider, objects):
    """(lead_id, tables) from objects of layout `rows`."""
    def lead_id_of(numbered):
        return _text(path, numbered[0], numbered[1], "lead_id")

    for lead_id, group in itertools.groupby(objects, key=lead_id_of):
        tables = {table: [] for table in TABLES[provider]}
        for place, row in group:
            if next(iter(row)) != "_table" or row["_table"] not in tables:
                raise ReadError(path, place, "_table is not first, or unknown")
            tables[row.pop("_table")].append(row)
        yield lead_id, tables


def _raw_object(path, place, members):
    if list(members) != ["provider", "lead_id", "payload"]:
        raise ReadError(path, place, "members %s" % list(members))
    return (_text(path, place, members, "lead_id"), _text(path, place, members, "provider"),
            members["payload"])


def _leads(path, provider, layout, objects):
    if layout == "rows":
        return _row_objects(path, provider, objects)
    return (_lead_object(path, place, provider, members) for place, members in objects)


# --- ndjson

def _ndjson_lines(path, compressed):
    for number, line in enumerate(open_text_lines(path, compressed), 1):
        if not line.endswith("\n"):
            raise ReadError(path, number, "the last line does not end")
        yield number, line[:-1]


def _ndjson_object(path, place, text):
    try:
        value = parse_strict(text)
    except NotJson as error:
        raise ReadError(path, place, error) from None
    if not isinstance(value, dict):
        raise ReadError(path, place, "no object")
    return value


def ndjson_objects(path, compressed=None):
    """(number, object) of each line of the file."""
    for number, line in _ndjson_lines(path, compressed):
        yield number, _ndjson_object(path, number, line)


def ndjson_leads(path, provider, layout="lead", compressed=None):
    """The leads of an NDJSON file of layout `lead` or `rows`."""
    return _leads(path, provider, layout, ndjson_objects(path, compressed))


def ndjson_raw(path, compressed=None):
    for number, line in _ndjson_lines(path, compressed):
        yield _raw_text(path, number, line)


def _raw_text(path, place, text):
    """(lead_id, provider, minified payload text) of an object of layout `raw`."""
    text = minify(text)
    try:
        payload = parse_text(text)["payload"]  # also: it is JSON at all
        before, after = text[:-1].split('"payload":', 1)
        if parse_text(after) != payload:
            raise ValueError("payload is not the last member")
    except (ValueError, KeyError, TypeError) as error:
        raise ReadError(path, place, "no raw object: %s" % error) from None
    members = _ndjson_object(path, place, before + '"payload":null}')
    lead_id, provider, _ = _raw_object(path, place, members)
    return lead_id, provider, after


# --- msgpack

def _refuse_ext(code, _):
    raise ValueError("extension type %d" % code)


def _unique_members(pairs):
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a map has one key twice")
    return members


def msgpack_objects(path, compressed=None):
    """(place, object) of each object of the file, which must be in its shortest form."""
    place = 0
    try:
        with open_bytes(path, compressed) as stream, open_bytes(path, compressed) as again:
            unpacker = msgpack.Unpacker(stream, raw=False, strict_map_key=True,
                                        unicode_errors="strict", ext_hook=_refuse_ext,
                                        object_pairs_hook=_unique_members)
            for value in unpacker:
                _refuse_binary(value)
                end = unpacker.tell()
                if again.read(end - place) != msgpack.packb(value):
                    raise ValueError("not in its shortest form")
                if not isinstance(value, dict):
                    raise ValueError("no map")
                yield "byte %d" % place, value
                place = end
            if again.read(1):
                raise ValueError("the last object does not end")
    except ReadError:
        raise
    except (ValueError, EOFError, OSError, msgpack.UnpackException) as error:
        raise ReadError(path, "byte %d" % place, error or type(error).__name__) from None


def _refuse_binary(value):
    if isinstance(value, dict):
        for member in value.values():
            _refuse_binary(member)
    elif isinstance(value, list):
        for element in value:
            _refuse_binary(element)
    elif value is not None and not isinstance(value, (str, bool, int, float)):
        raise ValueError("a value of type %s" % type(value).__name__)


def msgpack_leads(path, provider, layout="lead", compressed=None):
    return _leads(path, provider, layout, msgpack_objects(path, compressed))


def msgpack_raw(path, compressed=None):
    for place, members in msgpack_objects(path, compressed):
        yield _raw_object(path, place, members)


# --- webhook

def webhook_bodies(path):
    """The bodies of deliveries from an NDJSON file of what a receiver got.

    A line is {"body": "text", ...}, {"body_base64": "...", ...} or the body itself.
    """
    for number, line in _ndjson_lines(path, None):
        members = parse_text(line)
        if isinstance(members.get("body"), str):
            yield members["body"].encode("utf-8", "surrogatepass")
        elif isinstance(members.get("body_base64"), str):
            yield base64.b64decode(members["body_base64"], validate=True)
        else:
            yield line.encode("utf-8")


def _deliveries(bodies, event):
    """(place, minified text of `data`, whether it is a batch); a repeated body counts once."""
    seen = set()
    for number, body in enumerate(bodies, 1):
        if body in seen:
            continue
        seen.add(body)
        place = "delivery %d" % number
        try:
            text = body.decode("utf-8", "strict")
            members = parse_text(text)
            head, data = minify(text).split('"data":', 1)
            head = parse_strict(head + '"data":null}')
        except (ValueError, TypeError) as error:
            raise ReadError("webhook", place, "no event: %s" % error) from None
        if list(members) != ["type", "timestamp", "data"]:
            raise ReadError("webhook", place, "members %s" % list(members))
        batch = isinstance(members["data"], list)
        wanted = event or ("leads.exported" if batch else "lead.exported")
        if head["type"] != wanted or head["timestamp"] in (None, "", [], {}):
            raise ReadError("webhook", place, "type %r, timestamp %r"
                            % (head["type"], head["timestamp"]))
        yield place, data[:-1], batch


def _webhook_objects(bodies, event):
    for place, text, batch in _deliveries(bodies, event):
        try:
            data = parse_strict(text)
        except NotJson as error:
            raise ReadError("webhook", place, error) from None
        for members in data if batch else [data]:
            if not isinstance(members, dict):
                raise ReadError("webhook", place, "a lead is no object")
            yield place, members


def webhook_leads(bodies, provider, event=None):
    """The leads of webhook bodies of layout `lead`. event: the sink's option type, if given."""
    return _leads("webhook", provider, "lead", _webhook_objects(bodies, event))


def webhook_raw(bodies, event=None):
    for place, text, batch in _deliveries(bodies, event):
        for item in split_array(text) if batch else [text]:
            yield _raw_text("webhook", place, item)
