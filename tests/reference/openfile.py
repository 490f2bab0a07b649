"""Opening output files, compressed or not, and saying where one is broken."""

import gzip
import io
import zlib


class ReadError(Exception):
    """An output is not what its format demands."""

    def __init__(self, path, place, message):
        super().__init__("%s: %s: %s" % (path, place, message))


def is_gzip(path):
    with open(path, "rb") as file:
        return file.read(2) == b"\x1f\x8b"


def open_bytes(path, compressed=None):
    """A binary stream of the contents. compressed: True or False demands it, None finds out.

    Without it, a file called .gz must be compressed.
    """
    found = is_gzip(path)
    if compressed is None and str(path).endswith(".gz"):
        compressed = True
    if compressed is not None and compressed != found:
        raise ReadError(path, "start", "gzip: expected %s, found %s" % (compressed, found))
    return gzip.open(path, "rb") if found else open(path, "rb")


def open_text_lines(path, compressed=None):
    """The lines of strict UTF-8 text, each with the line feed that ends it, if one does."""
    number = 0
    try:
        with open_bytes(path, compressed) as stream:
            text = io.TextIOWrapper(stream, "utf-8", errors="strict", newline="\n")
            for number, line in enumerate(text, 1):
                yield line
    except (UnicodeDecodeError, EOFError, OSError, zlib.error) as error:
        raise ReadError(path, number + 1, error) from None
