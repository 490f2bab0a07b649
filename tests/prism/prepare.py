#!/usr/bin/env python3
"""Makes of a public OpenAPI description one that Prism can serve.

    prepare.py DESCRIPTION.json OUT.json [--path REGEX]...

As published, HubSpot's descriptions make Prism answer 500: an `"example": null` is taken for an answer, and
errors have the type `*/*`. Zoho's refer to other files on the network, and of two kinds of answer that must
not both fit, both do. Those of Pipedrive name paths below the path of their server, which Prism does not add.
Nothing else is changed: what a request may be stays.
"""

import argparse
import json
import re
import sys
from urllib.parse import urlsplit

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


def cleaned(value):
    """The value without examples that are null, with JSON for any type, and with no reference elsewhere.

    A schema is never null, so that a property which is called `example` stays."""
    if isinstance(value, list):
        return [cleaned(one) for one in value]
    if not isinstance(value, dict):
        return value
    if not value.get("$ref", "#").startswith("#"):
        return {}
    return {"application/json" if name == "*/*" else name: cleaned(member) for name, member in value.items()
            if not (name in ("example", "examples") and member is None)}


def either(value):
    """The value with anyOf in the place of oneOf."""
    if isinstance(value, list):
        return [either(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {"anyOf" if name == "oneOf" else name: either(member) for name, member in value.items()}


def prepared(description, keep=()):
    """The description for Prism; `keep`: regular expressions, of which a path must contain one."""
    result = cleaned(description)
    schemes = result.get("components", {}).get("securitySchemes", {})
    for name, scheme in schemes.items():
        if not scheme:  # it is in another file: that there must be a credential is left of it
            schemes[name] = {"type": "apiKey", "in": "header", "name": "Authorization"}
    for item in result["paths"].values():
        for method in METHODS:
            if method in item:
                item[method]["responses"] = either(item[method].get("responses", {}))
    prefix = urlsplit((result.get("servers") or [{"url": ""}])[0]["url"]).path.rstrip("/")
    paths = {prefix + path: item for path, item in result["paths"].items()
             if not keep or any(re.search(one, prefix + path) for one in keep)}
    if not paths:
        raise ValueError("no path is left")
    result["paths"] = paths
    result["servers"] = [{"url": "http://127.0.0.1"}]
    return result


def operations(description):
    """(method, path) of all."""
    return sorted((method, path) for path, item in description["paths"].items() for method in METHODS if method in item)


def main():
    parser = argparse.ArgumentParser(description="Makes of a public OpenAPI description one that Prism can serve.")
    parser.add_argument("description")
    parser.add_argument("out")
    parser.add_argument("--path", action="append", default=[], help="keep only paths that contain this expression")
    chosen = parser.parse_args()
    try:
        with open(chosen.description, encoding="utf-8") as file:
            result = prepared(json.load(file), chosen.path)
    except (OSError, ValueError, KeyError) as error:
        sys.exit("prepare: %s: %s" % (chosen.description, error))
    with open(chosen.out, "w", encoding="utf-8") as file:
        json.dump(result, file, indent=1, ensure_ascii=False)
        file.write("\n")


if __name__ == "__main__":
    main()
