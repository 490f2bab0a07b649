"""The leads of the rigs: what each ID meets follows from the ID, so that every run has the same outcome."""

import gzip

UNWANTED = "unwanted"  # the receiver refuses a body that holds this


def lead_id(number):
    """Mostly small leads; some ordinary, some odd, some with a column that only they have; and faults."""
    roll = number * 7919 % 1000
    if roll >= 100:
        return "tiny-%d" % number
    if roll >= 90:
        return "newcode-%d-%d" % (number // 500, number)
    if roll >= 60:
        return "lead-%d" % number
    if roll >= 24:
        return "plain-%d" % number
    if roll == 23:
        return "tiny-%s-%d" % (UNWANTED, number)
    return "tiny-%d~%s" % (number, FAULTS[roll % len(FAULTS)])


# More than 2 % of the leads; how many fetches the server sees of one that is never fetched again.
FAULTS = ("status=500~times=1", "cut~times=1", "missing", "status=400", "half~times=1", "gone", "successfalse",
          "status=503~times=1", "status=500", "otherid", "reset~times=1")
FETCHES = {"status=500~times=1": 2, "cut~times=1": 2, "half~times=1": 2, "status=503~times=1": 2, "reset~times=1": 2,
           # None: as many as there are tries, more when a stop came between them. A payload of another lead is
           # asked for once more before it is believed.
           "status=500": None, "otherid": None}


def fetches_of(identifier):
    """How often it may be fetched by a run that is never killed; None: that depends."""
    _, _, orders = identifier.partition("~")
    return FETCHES.get(orders, 1) if orders else 1


def lines(n):
    """The ID input: also comments, repeated IDs and lines that are no IDs."""
    made = ["# %d leads" % n]
    for number in range(n):
        made.append(lead_id(number))
        if number % 97 == 50:
            made += ["", lead_id(number - 30)]
        if number % 1500 == 700:
            made.append("no\tID-%d" % number)
    return made


def listed(n):
    """What a provider's list has: each lead once."""
    return [lead_id(number) for number in range(n)]


def write(folder, n):
    """ids.txt and ids.txt.gz."""
    text = "".join(line + "\n" for line in lines(n)).encode()
    (folder / "ids.txt").write_bytes(text)
    (folder / "ids.txt.gz").write_bytes(gzip.compress(text))


def revisions(n):
    """Every third lead has changed, for the sandbox's setting `revision`."""
    return {lead_id(number): 1 for number in range(0, n, 3)}
