"""JSON as a strict receiver reads it: one value, no member twice, and digits kept as they came."""

import json
from json.encoder import encode_basestring


class NotJson(ValueError):
    """The message says what is wrong."""


class Digits:
    """A number as its text: `1.10` is not `1.1`."""

    __slots__ = ("text", "whole")

    def __init__(self, text, whole=False):
        self.text = text
        self.whole = whole

    def __eq__(self, other):
        return isinstance(other, Digits) and self.text == other.text

    def __hash__(self):
        return hash(self.text)

    def __repr__(self):
        return self.text


def _no_constant(text):
    raise NotJson("%s is no JSON number" % text)


def _unique(pairs):
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        raise NotJson("the member %r is there twice" % next(name for name in names if names.count(name) > 1))
    return members


_decoder = json.JSONDecoder(parse_float=Digits, parse_int=lambda text: Digits(text, True), parse_constant=_no_constant,
                            object_pairs_hook=_unique)


def parse(body):
    """The value of the bytes of a body; NotJson."""
    try:
        value = _decoder.decode(body.decode("utf-8"))
        if b"\\u" in body:
            dumps(value).encode("utf-8")
        return value
    except NotJson:
        raise
    except UnicodeDecodeError:
        raise NotJson("the body is not UTF-8") from None
    except UnicodeEncodeError:
        raise NotJson("a text holds half of a surrogate pair") from None
    except (ValueError, RecursionError) as error:
        raise NotJson("the body is no JSON: %s" % error) from None


def dumps(value):
    """Compact JSON text: what was parsed, or made of Python's own numbers."""
    if isinstance(value, str):
        return encode_basestring(value)
    if isinstance(value, Digits):
        return value.text
    if isinstance(value, dict):
        return "{%s}" % ",".join("%s:%s" % (encode_basestring(str(name)), dumps(one)) for name, one in value.items())
    if isinstance(value, (list, tuple)):
        return "[%s]" % ",".join(map(dumps, value))
    return json.dumps(value)


def find(value, pointer):
    """What a JSON pointer (RFC 6901) leads to, or None."""
    for step in pointer.split("/")[1:]:
        step = step.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value
