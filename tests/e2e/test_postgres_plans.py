"""What a second night makes the server do grows with the night, not with its square: by the server's own account."""

import json

import pytest

import databases
from outputs import ids_file, omni_payloads, provider_of
from test_postgres import KEY, lead

# The planner knows little of tables that were just filled: what it chooses must be right all the same.
EXPLAIN = " ".join("-c " + setting for setting in (
    "session_preload_libraries=auto_explain", "auto_explain.log_min_duration=0", "auto_explain.log_analyze=on",
    "auto_explain.log_timing=off", "auto_explain.log_format=json", "auto_explain.log_nested_statements=on"))

cluster = pytest.fixture(scope="module")(databases.postgres_cluster)


@pytest.fixture
def database(cluster):
    return databases.Database(cluster)


def plans(text):
    """Those in a server's log; their lines begin with a tab."""
    lines = iter(text.splitlines())
    for line in lines:
        if not line.endswith(" plan:"):
            continue
        body = []
        for line in lines:
            if not line.startswith("\t"):
                break
            body.append(line)
        yield json.loads("\n".join(body))


def rows_of(node):
    """How many rows a node and those below it have handled, with those that were looked at and dropped."""
    handled = sum(count for name, count in node.items() if name == "Actual Rows" or name.startswith("Rows Removed by"))
    return node["Actual Loops"] * handled + sum(rows_of(child) for child in node.get("Plans", ()))


# Small enough that the server may take a nested loop for good, and that it takes one statement as long as another.
SMALL, LARGE = 200, 1000


def night(leadpipe, database, options, payloads, asked):
    log = database.cluster.folder / "log"
    begin = log.stat().st_size
    with provider_of(omni_payloads(payloads)) as server:
        done = leadpipe("export", "-p", "omni", "--base-url", server.url, "-t", database.target(options), "--state", "state",
                        "--max-gone", "100%", ids_file(leadpipe.folder, asked), env={**KEY, "PGOPTIONS": EXPLAIN})
    assert done.returncode == 0, done.stderr
    with open(log, "rb") as file:
        file.seek(begin)
        found = list(plans(file.read().decode()))
    assert any("documents" in plan["Query Text"] for plan in found)
    return sum(rows_of(plan["Plan"]) for plan in found if "Plan" in plan), len(found)


def with_members(text, n):
    """All objects of the payload have members that nobody knows."""
    members = {"x%d" % i: "x" for i in range(n)}
    payload = json.loads(text)
    payload["lead"].update(members)
    for row in payload["documents"] + payload["matchingLeads"]:
        row.update(members)
    return json.dumps(payload).encode()


def two_nights(leadpipe, database, options, n, changed, members=0):
    """n leads; on the second night `changed` of them say something else, as many are new, as many gone. One lead has
    undocumented `members` on the first night, and is not asked for on the second."""
    schema = "schema=n%d" % n
    options = ",".join(filter(None, (schema, options)))
    first = {"l%d" % i: lead("l%d" % i, 1) for i in range(n)}
    before = {**first, "other": with_members(lead("other", 1), members)}
    night(leadpipe, database, options, before, before)
    (leadpipe.folder / "state").unlink()
    second = {name: first[name] for i, name in enumerate(first) if i >= changed}
    second.update(("l%d" % i, lead("l%d" % i, 2)) for i in range(n - changed, n + changed))
    handled = night(leadpipe, database, options, second, list(dict.fromkeys([*first, *second])))
    assert database.value("select count(*) from n%d.leads where first_name = 'v2'" % n) == str(2 * changed)
    return handled


@pytest.mark.parametrize("options, share", [("", 100), ("deletes=mark", 100), ("deletes=delete", 100), ("deletes=mark", 2),
                                            ("deletes=delete", 2), ("mode=append", 2)])
def test_rows_handled_grow_with_the_night(leadpipe, database, options, share):
    """One lead in `share` differs."""
    small, few = two_nights(leadpipe, database, options, SMALL, SMALL // share)
    large, many = two_nights(leadpipe, database, options, LARGE, LARGE // share)
    assert many == few  # statements
    assert SMALL < small and large < 1.5 * LARGE / SMALL * small


@pytest.mark.parametrize("share, members", [(100, 12), (3, 40)])
def test_columns_that_no_lead_of_the_night_has(leadpipe, database, share, members):
    """They are null in all rows that are staged and in nearly all of the table, but the server expects hardly any such row, whatever
    its statistics say."""
    small, _ = two_nights(leadpipe, database, "", LARGE // 2, LARGE // 2 // share, members=members)
    large, _ = two_nights(leadpipe, database, "", 4 * LARGE, 4 * LARGE // share, members=members)
    assert large < 1.5 * 8 * small
