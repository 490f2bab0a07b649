"""Faults on order: an ID such as `lead-7~status=503~times=2` says what to do.

The parts after the first `~` (a character that no client has to escape in a
URL) are orders: one fault, and modifiers.  The first `times` fetches of that
ID show the fault (all of them, if `times` is not said), later ones answer the
lead.  A word that is not known is answered 400, so that a slip in a test shows.

Modifiers: times=N, slow=MS, retryafter=SECONDS, retrydate=imf|rfc850|asctime
with in=SECONDS, retrytext=TEXT.  Faults: `SHOWS` here and `MAKERS` in bodies.py.
"""

import asyncio
import hashlib
import math
import time
import zlib
from http import HTTPStatus

import bodies
from http1 import LAST_CHUNK, REASONS, chunk, head

MODIFIERS = ("times", "slow", "retryafter", "retrydate", "in", "retrytext")
PERCENT_FAULTS = (("status", "429"), ("status", "500"), ("status", "503"), ("reset", None), ("cut", None),
                  ("half", None), ("drip", None))
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
MEGABYTE = 1 << 20


class Fault:
    """What one fetch shall see."""

    def __init__(self, name, value=None, times=None, options=()):
        self.name = name
        self.value = value
        self.times = times
        self.options = dict(options)

    def number(self, default):
        return int(self.value) if self.value else default

    def headers(self):
        """Retry-After, if it was ordered."""
        if "retrydate" in self.options:
            when = math.ceil(time.time() + int(self.options.get("in") or 0))  # whole seconds, not too soon
            return [("Retry-After", http_date(when, self.options["retrydate"]))]
        return retry_after(self.options.get("retrytext", self.options.get("retryafter")))

    def with_retry_after(self, seconds):
        if seconds is not None and self.value in ("429", "503"):
            return Fault(self.name, self.value, self.times, {"retryafter": seconds})
        return self


def ordered(lead_id, attempt):
    """The fault that this attempt (from 1) at an ID with orders shall see, or None."""
    fault, options = None, {}
    for word in lead_id.split("~")[1:]:
        name, equals, value = word.partition("=")
        if name in MODIFIERS:
            options[name] = value
        elif fault is None and (name in SHOWS or name in bodies.MAKERS):
            fault = Fault(name, value if equals else None)
        else:
            return Fault("unknown", word)
    for name in ("times", "slow", "in", "retryafter"):
        if not options.get(name, "0").isdigit():
            return Fault("unknown", "%s=%s" % (name, options[name]))
    if "times" in options and attempt > int(options["times"]):
        return None
    if fault is None:
        fault = Fault("status", "429") if {"retryafter", "retrydate", "retrytext"} & set(options) else Fault("none")
    fault.options = options
    return fault


def planned(lead_id, percent):
    """The fault of `fault_percent` for an ID, with its `times`; None for the IDs that are spared."""
    digest = hashlib.sha256(b"percent/" + lead_id.encode("utf-8", "surrogatepass")).digest()
    if int.from_bytes(digest[:4], "big") >= percent / 100 * 2**32:
        return None
    name, value = PERCENT_FAULTS[digest[4] % len(PERCENT_FAULTS)]
    return Fault(name, value, times=1 + digest[5] % 2)


async def show(fault, exchange):
    """Lets the client see the fault."""
    slow = fault.options.get("slow")
    if slow:
        await asyncio.sleep(float(slow) / 1000)
    try:
        await SHOWS.get(fault.name, _body)(fault, exchange)
    except ValueError:  # the order's value; every fault looks at it before it sends a byte
        exchange.refuse(400, "the sandbox does not understand %s=%s" % (fault.name, fault.value))


def code_of(status):
    """A provider's word for a status, such as TOO_MANY_REQUESTS."""
    return HTTPStatus(status).name if status in REASONS else "ERROR"


def retry_after(seconds):
    return [] if seconds is None else [("Retry-After", str(seconds))]


def http_date(when, form):
    """A time in one of the three forms of HTTP: imf, rfc850 or asctime."""
    t = time.gmtime(when)
    day, month, clock = DAYS[t.tm_wday], MONTHS[t.tm_mon - 1], time.strftime("%H:%M:%S", t)
    if form == "rfc850":
        return "%s, %02d-%s-%02d %s GMT" % (day, t.tm_mday, month, t.tm_year % 100, clock)
    if form == "asctime":
        return "%s %s %2d %s %d" % (day[:3], month, t.tm_mday, clock, t.tm_year)
    return "%s, %02d %s %d %s GMT" % (day[:3], t.tm_mday, month, t.tm_year, clock)


# --- answers that are well-formed HTTP ---------------------------------------------------------

async def _none(fault, exchange):
    """Only modifiers were given: the lead, perhaps late."""
    exchange.answer_lead()

async def _body(fault, exchange):
    """A whole answer with a wrong body."""
    body = bodies.make(fault.name, fault.value, exchange.provider.name, exchange.lead_id, exchange.agent_id,
                       exchange.revision, nonce=exchange.nonce)
    exchange.answer(200, body, "text/html; charset=utf-8" if fault.name == "html" else "application/json")

async def _unknown(fault, exchange):
    exchange.refuse(400, "the sandbox does not know the order %r in this ID" % fault.value)

async def _status(fault, exchange):
    status = fault.number(500)
    exchange.refuse(status, REASONS.get(status, "Something happened"), headers=fault.headers())

async def _missing(fault, exchange):
    exchange.refuse(404, "Lead not found", "NOT_FOUND")

async def _gone(fault, exchange):
    exchange.refuse(410, "Lead was deleted", "GONE")

async def _echokey(fault, exchange):
    exchange.refuse(fault.number(400), "the key %s may not read this lead" % exchange.received_key)

async def _redirect(fault, exchange):
    where = "http://%s%s" % (fault.value or "127.0.0.1:1", exchange.request.target)
    exchange.answer(302, b"", headers=[("Location", where)])

async def _chunked(fault, exchange):
    """The lead, chunked: no fault at all."""
    body = exchange.payload()
    exchange.status = 200
    chunks = b"".join(chunk(body[i:i + 1000]) for i in range(0, len(body), 1000))
    exchange.connection.send(head(200, [("Transfer-Encoding", "chunked")]) + chunks + LAST_CHUNK)

async def _nolength(fault, exchange):
    """The lead, its end shown by the end of the connection: no fault at all."""
    exchange.status = 200
    exchange.connection.send(head(200, close=True) + exchange.payload())
    exchange.connection.close()

async def _hints(fault, exchange):
    """103 before the answer: no fault at all."""
    exchange.connection.send(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n")
    exchange.answer_lead()

async def _close(fault, exchange):
    """The lead, then the connection ends: no fault at all."""
    exchange.request.keep_alive = False
    exchange.answer_lead()

async def _idle(fault, exchange):
    """The lead; the connection ends a little later, just when it may be used again."""
    pause = fault.number(20) / 1000
    exchange.answer_lead()
    await asyncio.sleep(pause)
    exchange.connection.close()

async def _gzip(fault, exchange):
    """The lead, compressed whatever the client accepts."""
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    exchange.answer(200, packer.compress(exchange.payload()) + packer.flush(), headers=[("Content-Encoding", "gzip")])

async def _drip(fault, exchange):
    """The lead in tiny pieces, `drip` milliseconds apart."""
    pause = fault.number(4) / 1000
    body = exchange.payload()
    exchange.status = 200
    exchange.connection.send(head(200, length=len(body)))
    step = max(1, len(body) // 40)
    for i in range(0, len(body), step):
        exchange.connection.send(body[i:i + step])
        await asyncio.sleep(pause)


# --- answers that break off or never come -----------------------------------------------------

async def _cut(fault, exchange):
    body = exchange.payload()
    exchange.status = 200
    exchange.connection.send(head(200, length=len(body)) + body[:len(body) // 2])
    exchange.connection.close()

async def _cutchunk(fault, exchange):
    body = exchange.payload()
    exchange.status = 200
    exchange.connection.send(head(200, [("Transfer-Encoding", "chunked")]) + chunk(body)[:-len(body) // 2])
    exchange.connection.close()

async def _cutlast(fault, exchange):
    """The whole lead, but the last chunk, which says so, is missing."""
    exchange.status = 200
    exchange.connection.send(head(200, [("Transfer-Encoding", "chunked")]) + chunk(exchange.payload()))
    exchange.connection.close()

async def _cuthead(fault, exchange):
    exchange.connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: appli")
    exchange.connection.close()

async def _finish(fault, exchange):
    """The connection ends in an orderly way, without an answer."""
    exchange.connection.close()

async def _reset(fault, exchange):
    exchange.connection.reset()

async def _resetbody(fault, exchange):
    body = exchange.payload()
    exchange.status = 200
    exchange.connection.send(head(200, length=len(body)) + body[:len(body) // 2])
    await asyncio.sleep(0.05)  # so that the client has this much when the reset comes
    exchange.connection.reset()

async def _stall(fault, exchange):
    exchange.status = 200
    exchange.connection.send(head(200, length=1000))
    await _hang(fault, exchange)

async def _stallbody(fault, exchange):
    body = exchange.payload()
    exchange.status = 200
    exchange.connection.send(head(200, length=len(body)) + body[:len(body) // 2])
    await _hang(fault, exchange)

async def _hang(fault, exchange):
    """Until the client goes."""
    await asyncio.get_running_loop().create_future()


# --- answers that lie or are no HTTP ---------------------------------------------------------------

async def _lie(fault, exchange):
    """Content-Length says more, and the connection ends; or less, and bytes are left over."""
    body = exchange.payload()
    exchange.status = 200
    more = fault.value != "less"
    exchange.connection.send(head(200, length=len(body) + 64 if more else len(body) // 2) + body)
    if more:
        exchange.connection.close()

async def _badgzip(fault, exchange):
    """Says gzip, is not; `badgzip=cut` ends in the middle of a good stream."""
    body = b"this is no gzip stream at all, " * 10
    if fault.value == "cut":
        packer = zlib.compressobj(6, zlib.DEFLATED, 31)
        body = packer.compress(exchange.payload()) + packer.flush()
        body = body[:len(body) * 2 // 3]
    exchange.answer(200, body, headers=[("Content-Encoding", "gzip")])

async def _badencoding(fault, exchange):
    exchange.answer(200, exchange.payload(), headers=[("Content-Encoding", "x-unheard-of")])

async def _badstatusline(fault, exchange):
    exchange.connection.send(b"HTTP/1.1 two hundred fine\r\n\r\n{}")
    exchange.connection.close()

async def _nohttp(fault, exchange):
    exchange.connection.send(b"SSH-2.0-OpenSSH_9.2\r\n")
    exchange.connection.close()

async def _hugeheader(fault, exchange):
    exchange.answer(200, exchange.payload(), headers=[("X-Padding", "x" * fault.number(2 * MEGABYTE))])


# --- bodies too large to hold -----------------------------------------------------------------------

async def _huge(fault, exchange):
    """A lead with a text so long that the body has this many bytes; chunked."""
    await _stream(exchange, fault.number(64 * MEGABYTE), has_length=False)

async def _hugelength(fault, exchange):
    """The same, with Content-Length."""
    await _stream(exchange, fault.number(64 * MEGABYTE), has_length=True)

async def _stream(exchange, total, has_length):
    start, end = _around_a_text(exchange)
    left = max(0, total - len(start) - len(end))
    exchange.status = 200
    connection, wrap = exchange.connection, bytes if has_length else chunk
    if has_length:
        connection.send(head(200, length=len(start) + left + len(end)))
    else:
        connection.send(head(200, [("Transfer-Encoding", "chunked")]))
    connection.send(wrap(start))
    block = wrap(b"x" * 65536)
    while left and not connection.lost:
        connection.send(block if left >= 65536 else wrap(b"x" * left))
        left -= min(left, 65536)
        await connection.drain()
    connection.send(wrap(end) + (b"" if has_length else LAST_CHUNK))

async def _bomb(fault, exchange):
    """A small gzip stream that becomes this many bytes (1 GB): one block, over and over."""
    start, end = _around_a_text(exchange)
    blocks = max(1, fault.number(1024 * MEGABYTE) // MEGABYTE)
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    exchange.status = 200
    connection = exchange.connection
    connection.send(head(200, [("Content-Encoding", "gzip"), ("Transfer-Encoding", "chunked")]))
    # A full flush forgets what went before: the block's compressed bytes are
    # the same every time, and only the checksum has to be worked out for all.
    connection.send(chunk(packer.compress(start) + packer.flush(zlib.Z_FULL_FLUSH)))
    block = b" " * MEGABYTE
    packed = _raw_deflate(block)
    checksum = zlib.crc32(start)
    for _ in range(blocks):
        if connection.lost:
            return
        connection.send(chunk(packed))
        checksum = zlib.crc32(block, checksum)
        await connection.drain()
    checksum = zlib.crc32(end, checksum)
    length = (len(start) + blocks * MEGABYTE + len(end)) & 0xFFFFFFFF
    trailer = checksum.to_bytes(4, "little") + length.to_bytes(4, "little")
    connection.send(chunk(_raw_deflate(end, last=True) + trailer) + LAST_CHUNK)

def _raw_deflate(data, last=False):
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush(zlib.Z_FINISH if last else zlib.Z_FULL_FLUSH)

def _around_a_text(exchange):
    """A small lead's JSON, split within a string."""
    mark = "@here@"
    before, _, after = bodies.Ask(exchange.provider.name, exchange.lead_id, exchange.agent_id, exchange.revision,
                                  exchange.nonce).with_member("padding", mark).partition(mark.encode())
    return before, after


SHOWS = {show_.__name__[1:]: show_ for show_ in (
    _none, _unknown, _status, _missing, _gone, _echokey, _redirect, _chunked, _nolength, _hints, _close, _idle, _gzip,
    _drip, _cut, _cutchunk, _cutlast, _cuthead, _finish, _reset, _resetbody, _stall, _stallbody, _hang, _lie,
    _badgzip, _badencoding, _badstatusline, _nohttp, _hugeheader, _huge, _hugelength, _bomb)}
