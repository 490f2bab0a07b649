"""What a value of a payload looks like in each encoding, and when two values are the same."""

import re
from decimal import Decimal, InvalidOperation

from .jsonval import Num, dumps_compact

INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)\Z")
FORMULA_START = ("=", "+", "-", "@", "\t", "\r")
NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?\Z")
PHONE = re.compile(r"\+[0-9][0-9 ().-]{5,}\Z")
NEARLY_PHONE = re.compile(r"\+[0-9 ()./-]+\Z")


def to_json(value):
    """NDJSON and webhooks hold values as they are."""
    return value


def to_csv(value):
    """A CSV field: None for null, else its text."""
    if value is None or isinstance(value, str):
        return value
    return dumps_compact(value)


def to_msgpack(value):
    """MessagePack's own types; numbers by number_to_msgpack()."""
    if isinstance(value, Num):
        return number_to_msgpack(value.text)
    if isinstance(value, list):
        return [to_msgpack(element) for element in value]
    if isinstance(value, dict):
        return {key: to_msgpack(member) for key, member in value.items()}
    return value


def number_to_msgpack(text):
    """An int where 64 bits hold it, a float where that is the same number, else the text."""
    if INTEGER.match(text) and text != "-0":
        number = int(text) if len(text) <= 20 else 2 ** 64
        if -2 ** 63 <= number < 2 ** 64:
            return number
    number = float(text)
    try:
        return number if Decimal(repr(number)) == Decimal(text) else text
    except InvalidOperation:
        return text


def same(a, b):
    """Equality of type and value, all the way down: 1 is not 1.0 or true, -0.0 is not 0.0."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float):
        return repr(a) == repr(b)
    return a == b


def same_excel_safe(wanted, found):
    """Equality of CSV fields where text that would be a formula is guarded by an apostrophe.

    Numbers and phone numbers must not be guarded; what is neither clearly one of them nor clearly
    a formula may be or not.
    """
    if wanted is not None and found is not None and wanted.startswith("\n"):
        return found in (wanted, "'" + wanted)
    if wanted is None or found is None or not wanted.startswith(FORMULA_START):
        return wanted == found
    if NUMBER.match(wanted) or PHONE.match(wanted):
        return found == wanted
    if len(wanted) == 1 or wanted[0] in "\t\r" or NEARLY_PHONE.match(wanted):
        return found in (wanted, "'" + wanted)
    return found == "'" + wanted
