"""What a lead becomes by a destination, from the contract of the sink `push` alone.

    leads = leads_of("omni", [("lead-1", payload), ...])
    destination = Destination(text_or_path, params={"stage": "new"}, run={"run_id": ..., "exported_at": ...})
    for made in destination.made(leads):
        made.lead_id, made.item (a value of jsonval), made.text (compact JSON), made.url
        made.fault      None, or why the lead is not sent: (code, place in the item, message)

Values are those of jsonval: numbers keep their digits.  How it reads what the contract leaves open is said
in README.md, one line each, and each is one function or one constant here.
"""

import math
import re
from typing import Any, NamedTuple

from .flatten import Schema
from .jsonval import NotJson, Num, dumps_compact, parse_strict, parse_text, scrub
from .typed import MISFIT, TIME, _time
from .walk import Failed, clean_urls, find_root, walk

JSON_BLANKS = " \t\n\r"
# Unicode's White_Space, and two that cannot be seen either
WHITE = ("\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029"
         "\u202f\u205f\u3000\u200b\ufeff")
SEPARATORS = re.compile("[%s().\\-/]" % WHITE)
DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
VALUE_MEMBERS = {"do", "as", "map", "else", "default", "null", "required"}
DIRECTIVES = {"$field": VALUE_MEMBERS, "$payload": VALUE_MEMBERS, "$rows": set(), "$param": set(), "$concat": set(),
              "$items": set(), "$run": set()}
OMITTED = object()
OMITTED_ELEMENT = object()  # and with it the element of the innermost array around it


class WrongDestination(ValueError):
    """The reference does not know what this says: the JSON pointer of the place, and what is there."""


class Fault(NamedTuple):
    code: str      # "required", "map", "do", "as", "url", "size"
    place: str     # JSON pointer into the destination's `item`, or "url"
    message: str


class _Failed(Exception):
    def __init__(self, code, place, message):
        super().__init__(message)
        self.fault = Fault(code, place, message)


class Lead(NamedTuple):
    lead_id: str
    tables: dict   # {table: [row: {column: value}]}
    root: Any      # what $payload points into


class Made(NamedTuple):
    lead_id: str
    item: Any = None
    text: str = None
    url: str = None
    fault: Fault = None


# --- leads -----------------------------------------------------------------------------------------------

def leads_of(provider, payloads, signed_urls="strip"):
    """Leads of (ID, payload bytes) or (ID, payload, agent ID), in the order of the run; those that cannot
    be exported are left out."""
    schema, walked = Schema(provider), []
    for lead_id, payload, *agent in payloads:
        try:
            rows = walk(provider, lead_id, payload, *(agent or [None]), signed_urls)
            root = find_root(provider, payload)
        except Failed:
            continue
        schema.add(rows)
        if provider == "omni" and signed_urls != "keep":
            root = clean_urls(root, signed_urls)
        walked.append((lead_id, rows, scrub(root)))
    names = {table: columns.names() for table, columns in schema.tables.items()}
    for lead_id, rows, root in walked:
        tables = {table: [{names[table].get(key, key): scrub(value) for key, value in row.items()} for row in of_table]
                  for table, of_table in rows.items()}
        yield Lead(lead_id, tables, root)


def find(value, pointer):
    """What a JSON pointer (RFC 6901) leads to; None where there is nothing."""
    if pointer and not pointer.startswith("/"):
        raise WrongDestination("%r is no JSON pointer" % pointer)
    for step in pointer.split("/")[1:]:
        step = step.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and re.fullmatch("0|[1-9][0-9]*", step) and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


# --- transforms ------------------------------------------------------------------------------------------

def text_of(value):
    """A value as a text: numbers by their digits, true and false, what nests as compact JSON."""
    return value if isinstance(value, str) else dumps_compact(value)


def instant(text):
    """Microseconds since 1970 of an RFC 3339 time, whatever its fraction has beyond them; None: it is none."""
    found = TIME.fullmatch(text)
    if not found:
        return None
    fraction = found.group(7) or ""
    start = found.start(7)
    cut = text if len(fraction) <= 6 else text[:start + 6] + text[start + len(fraction):]
    microseconds = _time(cut)
    return None if microseconds is MISFIT else microseconds


def lower(character):
    """Unicode's simple mapping: one character for one."""
    return "i" if character == "\u0130" else character.lower() if len(character.lower()) == 1 else character


def upper(character):
    return next((one for one in (character.upper(), character.title()) if len(one) == 1), character)


def phone(text, country):
    """An E.164 number; None where it is none.  `country`: +1, for a number without a + or 00 of its own."""
    text = text.strip(WHITE)
    if text.startswith(("+", "00")):
        text = text[1 if text[0] == "+" else 2:]
        digits = SEPARATORS.sub("", re.sub(r"\(0\)", "", text, count=1))
    else:
        digits = SEPARATORS.sub("", text)
        if not country:
            return None
        if country == "+1":
            digits = digits[1:] if len(digits) == 11 and digits[0] == "1" else digits
            if len(digits) != 10:
                return None
        elif country != "+39" and digits.startswith("0"):
            digits = digits[1:]
        digits = country[1:] + digits if digits else ""
    return "+" + digits if re.fullmatch("[1-9][0-9]{1,14}", digits) else None


def transform(name, text):
    """One word of `do` applied to a text; None where it cannot be."""
    word, _, argument = name.partition(":")
    if name == "trim":
        return text.strip(WHITE)
    if name in ("lower", "upper"):
        return "".join(map(lower if name == "lower" else upper, text))
    if name == "digits":
        return re.sub("[^0-9]", "", text)
    if word == "first" and re.fullmatch("[1-9][0-9]*", argument):
        return text[:int(argument)]
    if text == "" and (word == "e164" or name in ("date", "epoch_s", "epoch_ms")):
        return ""
    if word == "e164" and re.fullmatch(r"(\+[1-9][0-9]*)?", argument) and (argument or ":" not in name):
        return phone(text, argument)
    if name == "date":
        if instant(text) is not None:
            return text[:10]
        return text if DATE.fullmatch(text) and instant(text + "T00:00:00Z") is not None else None
    if name in ("epoch_s", "epoch_ms"):
        microseconds = instant(text)
        return None if microseconds is None else Num(microseconds // (10**6 if name == "epoch_s" else 1000))
    raise WrongDestination("there is no transform %r" % name)


def converted(value, kind):
    """A value by `as`; None where it does not fit.  The value is not null."""
    if kind == "text":
        return text_of(value)
    if kind == "json":
        return value
    if kind == "boolean":
        return value if isinstance(value, bool) else {"true": True, "false": False}.get(value) \
            if isinstance(value, str) else None
    if kind == "number":
        if isinstance(value, Num):
            return value
        return Num(value) if isinstance(value, str) and is_number(value) else None
    raise WrongDestination("there is no type %r" % kind)


def is_number(text):
    try:
        return isinstance(parse_text(text), Num) and text.strip(JSON_BLANKS) == text
    except NotJson:
        return False


# --- templates -------------------------------------------------------------------------------------------

class Template:
    """JSON with directives in it, filled in for one lead."""

    def __init__(self, params, run):
        self._params, self._run = params, run

    def fill(self, template, lead, row, place):
        """The value, or OMITTED."""
        if isinstance(template, list):
            elements = [self.fill(one, lead, row, "%s/%d" % (place, n)) for n, one in enumerate(template)]
            return [one for one in elements if one is not OMITTED and one is not OMITTED_ELEMENT]
        if not isinstance(template, dict):
            return template
        named = [name for name in template if name.startswith("$") and not name.startswith("$$")]
        if named:
            return self._directive(named, template, lead, row, place)
        members = {}
        for name, one in template.items():
            name = name[1:] if name.startswith("$$") else name
            value = self.fill(one, lead, row, "%s/%s" % (place, name.replace("~", "~0").replace("/", "~1")))
            if name in members:
                raise WrongDestination("%s: %r is set twice" % (place, name))
            if value is not OMITTED:
                members[name] = value
        return OMITTED_ELEMENT if any(one is OMITTED_ELEMENT for one in members.values()) else members

    def _directive(self, named, template, lead, row, place):
        name = named[0]
        if len(named) > 1 or name not in DIRECTIVES or set(template) - {name} - DIRECTIVES[name]:
            raise WrongDestination("%s: %s" % (place, ", ".join(template)))
        subject = template[name]
        if name == "$field":
            return self._value(row.get(subject), lead, row, template, place)
        if name == "$payload":
            return self._value(find(lead.root, subject), lead, row, template, place)
        if name == "$param":
            if subject not in self._params:
                raise WrongDestination("%s: no parameter %r" % (place, subject))
            return self._params[subject]
        if name == "$run":
            return self._run[subject]
        if name == "$concat":
            return self._concat(subject, lead, row, place)
        if name == "$rows":
            return self._rows(subject, lead, place)
        raise WrongDestination("%s: $items has no place in an item" % place)

    def _concat(self, parts, lead, row, place):
        values = [self.fill(part, lead, row, "%s/$concat/%d" % (place, n)) for n, part in enumerate(parts)]
        return "".join(text_of(value) for value in values if value is not OMITTED and value is not None)

    def _rows(self, subject, lead, place):
        if set(subject) - {"table", "item", "first", "null"} or subject["table"] not in lead.tables:
            raise WrongDestination("%s/$rows" % place)
        rows = lead.tables[subject["table"]]
        if subject.get("first"):
            if not rows:
                return if_null(subject, place)
            return self.fill(subject["item"], lead, rows[0], place + "/$rows/item")
        filled = [self.fill(subject["item"], lead, row, place + "/$rows/item") for row in rows]
        return [one for one in filled if one is not OMITTED and one is not OMITTED_ELEMENT]

    def _value(self, value, lead, row, how, place):
        """null -> default -> do -> required -> map -> as -> null."""
        subject = how.get("$field", how.get("$payload"))
        if value is None and "default" in how:
            value = self.fill(how["default"], lead, row, place + "/default")
            value = None if value is OMITTED else value
        for name in how.get("do", ()):
            if value is None:
                transform(name, "")  # so that a wrong name is seen all the same
                continue
            if isinstance(value, (dict, list)):
                raise _Failed("do", place, "%s: %s cannot be made of what nests" % (subject, name))
            changed = transform(name, text_of(value))
            if changed is None:
                raise _Failed("do", place, "%s: %s cannot be made of %s" % (subject, name, text_of(value)))
            value = changed
        if how.get("required") and value in (None, ""):
            raise _Failed("required", place, "%s is required" % subject)
        if value is not None and "map" in how:
            if text_of(value) in how["map"]:
                value = how["map"][text_of(value)]
            elif "else" in how:
                value = how["else"]
            else:
                raise _Failed("map", place, "%s: %s is not in the map" % (subject, text_of(value)))
        if value is not None and "as" in how:
            changed = converted(value, how["as"])
            if changed is None:
                raise _Failed("as", place, "%s: %s is no %s" % (subject, text_of(value), how["as"]))
            value = changed
        is_empty = value == "" and how.get("null") == "omit_element"
        return if_null(how, place) if value is None or is_empty else value


def if_null(how, place):
    """What stands in the place of null."""
    said = how.get("null", "omit")
    if said == "omit":
        return OMITTED
    if said == "omit_element":
        return OMITTED_ELEMENT
    if said == "null":
        return None
    if isinstance(said, dict) and set(said) == {"value"}:
        return said["value"]
    raise WrongDestination("%s: null: %r" % (place, said))


# --- destinations ----------------------------------------------------------------------------------------

def byte_size(value, default):
    """`2M` is 2 * 1024 * 1024."""
    if value is None:
        return default
    if isinstance(value, Num):
        return int(value.text)
    number, unit = re.fullmatch("([0-9]+)([KMG]?)", value).groups()
    return int(number) * 1024 ** " KMG".index(unit or " ")


def percent(text):
    """RFC 3986: all but unreserved characters, byte by byte of UTF-8."""
    return "".join(character if character in UNRESERVED else "".join("%%%02X" % byte for byte in character.encode())
                   for character in text)


class Destination:
    """A destination as data; `text` is its JSON, or bytes of it."""

    def __init__(self, text, params=None, run=None):
        self.json = parse_strict(text if isinstance(text, str) else text.decode("utf-8"))
        self._params = params or {}
        self._run = run or {}
        batch = self.json.get("batch", {})
        self.max_items = int(batch["max_items"].text) if "max_items" in batch else 1
        self.max_bytes = byte_size(batch.get("max_bytes"), math.inf)
        self.unique_by = batch.get("unique_by")
        self._template = Template(self._params, self._run)

    def made(self, leads):
        """What becomes of each lead."""
        return [self.make(lead) for lead in leads]

    def make(self, lead):
        try:
            return self._made(lead)
        except _Failed as failed:
            return Made(lead.lead_id, fault=failed.fault)

    def _made(self, lead):
        row = (lead.tables["leads"] or [{}])[0]
        item = self._template.fill(self.json["item"], lead, row, "")
        if item is OMITTED:
            raise WrongDestination("the item itself is omitted")
        text = dumps_compact(item)
        if len(self.body_of([text]).encode()) > self.max_bytes:
            raise _Failed("size", "", "the item is over max_bytes alone")
        return Made(lead.lead_id, item, text, self._url(row))

    def _url(self, row):
        """None where it is a secret, or needs what only a token's answer says."""
        if "url" not in self.json:
            return None
        parts = re.split(r"\{([A-Za-z_][A-Za-z0-9_]*)\}", self.json["url"])
        taken = self.json.get("auth", {}).get("oauth2", {}).get("take", [])
        if any(name in taken for name in parts[1::2]):
            return None
        made, quotes = [], [part.replace("%27", "'").count("'") if n % 2 == 0 else 0 for n, part in enumerate(parts)]
        for n, part in enumerate(parts):
            if n % 2:  # between quotes, as in OData: a quote in the value is doubled
                quoted = sum(quotes[:n]) % 2 and sum(quotes[n:])
                part = self._in_url(part, row)
                part = percent(part.replace("'", "''") if quoted else part)
            made.append(part)
        return "".join(made)

    def _in_url(self, name, row):
        if name in self._params:
            return self._params[name]
        if self.max_items > 1:
            raise WrongDestination("{%s} is no parameter" % name)
        value = row.get(name)
        if value is None or text_of(value) == "":
            raise _Failed("url", "url", "%s is null or empty" % name)
        return text_of(value)

    def body_of(self, texts):
        """The body of a request with these items."""
        if "body" not in self.json:
            return texts[0]
        mark = "\ue000items\ue000"
        filled = dumps_compact(self._body(self.json["body"], mark))
        return filled.replace('"%s"' % mark, "[%s]" % ",".join(texts))

    def _body(self, template, mark):
        if template == {"$items": True}:
            return mark
        if isinstance(template, list):
            return [self._body(one, mark) for one in template]
        if isinstance(template, dict) and not any(name.startswith("$") for name in template):
            return {name: self._body(one, mark) for name, one in template.items()}
        return self._template.fill(template, Lead("", {}, None), {}, "/body")

    def key(self, item):
        """What `unique_by` tells items apart by."""
        return None if self.unique_by is None else dumps_compact(find(item, self.unique_by))


def bisect_bound(bad, size):
    """The most requests for `bad` bad items in a batch of `size`."""
    return 1 + 2 * bad * math.ceil(math.log2(size)) if size > 1 else 1


def load(path, **how):
    with open(path, "rb") as file:
        return Destination(file.read(), **how)


def read_json(text):
    """JSON of the sandbox (its records) with digits kept, to compare with items."""
    return parse_text(text if isinstance(text, str) else text.decode("utf-8"))
