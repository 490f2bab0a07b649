"""Writes JSON text by hand, so that every byte is chosen.

`json.dumps` cannot write `1.10`, a lone surrogate escape, two members of one
name or a byte that is not UTF-8.  A lead is therefore a tree of dict, list,
str, int, bool and None, in which a `Raw` stands for text that goes out exactly
as it is.  A `Raw` may be a key too; each is equal only to itself, so that a
dict can hold two members of one name.
"""

from json.encoder import encode_basestring as quote


class Raw:
    """A token written as it stands: `Raw('1.10')`, `Raw(rb'"\\xff"')`."""

    __slots__ = ("text",)

    def __init__(self, token):
        if isinstance(token, bytes):
            token = token.decode("utf-8", "surrogateescape")
        self.text = token

    def __repr__(self):
        return "Raw(%r)" % self.text


class Style:
    """Where the blanks go.  `indent` None keeps everything on one line."""

    def __init__(self, colon=":", comma=",", indent=None, newline="\n", before="", after=""):
        self.colon = colon
        self.comma = comma
        self.indent = indent
        self.newline = newline
        self.before = before
        self.after = after


COMPACT = Style()
STYLES = {
    "compact": COMPACT,
    "spaced": Style(colon=": ", comma=", "),
    "pretty": Style(colon=": ", indent="  ", after="\n"),
    "tabs": Style(colon=" :\t", indent="\t", newline="\r\n", before="\r\n", after="\r\n"),
    "ragged": Style(colon=" :  ", comma=" ,\n", before=" \t\n", after="  \n\n"),
}


def encode(tree, style=COMPACT):
    """The bytes of a tree."""
    if style.indent is not None:
        text = _indented(tree, style, style.newline)
    elif style.colon == ":" and style.comma == ",":
        text = _compact(tree)
    else:
        text = _one_line(tree, style)
    return (style.before + text + style.after).encode("utf-8", "surrogateescape")


def _scalar(value):
    if value is None:
        return "null"
    kind = type(value)
    if kind is str:
        return quote(value)
    if kind is Raw:
        return value.text
    if kind is bool:
        return "true" if value else "false"
    if kind is int:
        return str(value)
    raise TypeError("not a JSON tree: %r (a fraction must be a Raw)" % (value,))


def _compact(value):
    kind = type(value)
    if kind is str:
        return quote(value)
    if kind is dict:
        return "{" + ",".join([_scalar(k) + ":" + _compact(v) for k, v in value.items()]) + "}"
    if kind is list:
        return "[" + ",".join([_compact(v) for v in value]) + "]"
    return _scalar(value)


def _one_line(value, style):
    if isinstance(value, dict):
        members = [_scalar(k) + style.colon + _one_line(v, style) for k, v in value.items()]
        return "{" + style.comma.join(members) + "}"
    if isinstance(value, list):
        return "[" + style.comma.join(_one_line(v, style) for v in value) + "]"
    return _scalar(value)


def _indented(value, style, newline):
    deeper = newline + style.indent
    if isinstance(value, dict) and value:
        members = [_scalar(k) + style.colon + _indented(v, style, deeper) for k, v in value.items()]
        return "{" + deeper + ("," + deeper).join(members) + newline + "}"
    if isinstance(value, list) and value:
        elements = [_indented(v, style, deeper) for v in value]
        return "[" + deeper + ("," + deeper).join(elements) + newline + "]"
    return _one_line(value, style)
