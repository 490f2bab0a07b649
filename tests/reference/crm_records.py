"""What is in a CRM's store after items were taken, as the sandbox's CRMs tell it (tests/sandbox/README.md).

    records("hubspot", [made.item for made in accepted])  ->  {key: fields}
"""

from .jsonval import dumps_compact

# maker: (the key of an item, its fields, which values clear a field)


def _hubspot_key(item):
    return item["id"].lower() if item.get("idProperty") == "email" else item["id"]


def _hubspot_fields(item):
    return {**item["properties"], **({item["idProperty"]: item["id"]} if "idProperty" in item else {})}


def _without_attributes(item):
    return {name: value for name, value in item.items() if name != "attributes"}


def _first_email(path):
    def key(item):
        for step in path:
            item = item.get(step) if isinstance(item, dict) else item[step] if len(item or []) > step else None
            if item is None:
                return None
        return item.lower()
    return key


def key_and_fields(maker, external=None, url_key=None):
    """`external`: Salesforce's external ID field; `url_key`: Dynamics' (name of the key, function of an item)."""
    pipedrive, close = _first_email(("emails", 0, "value")), _first_email(("contacts", 0, "emails", 0, "email"))
    return {
        "hubspot": (_hubspot_key, _hubspot_fields),
        "salesforce": (lambda item: item[external], _without_attributes),
        "zoho": (lambda item: item["Email"].lower(), dict),
        "pipedrive": (lambda item: pipedrive(item) or item["name"], dict),
        "close": (lambda item: close(item) or item.get("name") or "?", dict),
        "dynamics": (lambda item: url_key[1](item), lambda item: {url_key[0]: url_key[1](item), **item}),
        "slack": (dumps_compact, dict),
    }[maker]


def clears(maker, value):
    if maker == "hubspot":
        return value == ""
    return value is None or (maker == "salesforce" and value == "")


def records(maker, items, **how):
    """{key: fields} after these items in this order."""
    key_of, fields_of = key_and_fields(maker, **how)
    store = {}
    for item in items:
        record = store.setdefault(key_of(item), {})
        for name, value in fields_of(item).items():
            if clears(maker, value):
                record.pop(name, None)
            else:
                record[name] = value
    return store


def differences(expected, found):
    """Lines that say where two stores differ; `found` is `records` of a store, read with digits kept."""
    found = {key: record["fields"] for key, record in found.items()}
    lines = ["%s is missing" % key for key in expected if key not in found]
    lines += ["%s should not be there" % key for key in found if key not in expected]
    for key in expected:
        for name in sorted(set(expected[key]) | set(found.get(key, {}))) if key in found else ():
            sides = [dumps_compact(side[name]) if name in side else "(absent)" for side in (expected[key], found[key])]
            if sides[0] != sides[1]:
                lines.append("%s: %s should be %s and is %s" % (key, name, *sides))
    return lines
