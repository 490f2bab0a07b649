"""Plain writers of every output, to test the readers and the comparison with."""

import gzip
import json
import os

import msgpack

from . import values
from .documented import KEYS
from .jsonval import dumps_compact, scrub, parse, raw_text


def csv_text(columns, rows, delimiter=",", eol="\n"):
    def field(value):
        text = values.to_csv(value)
        if text is None:
            return ""
        if not text or any(character in text for character in '",;\t\r\n'):
            return '"' + text.replace('"', '""') + '"'
        return text

    lines = [columns] + [[row.get(column) for column in columns] for row in rows]
    return "".join(delimiter.join(map(field, line)) + eol for line in lines)


def write_csv(directory, flattener, **dialect):
    os.makedirs(str(directory), exist_ok=True)
    for table in flattener.schema.tables:
        text = csv_text(flattener.columns(table), flattener.rows(table), **dialect)
        with open(os.path.join(str(directory), table + ".csv"), "w", encoding="utf-8",
                  newline="") as file:
            file.write(text)


def named_leads(flattener):
    """(lead_id, {table: rows under their column names})"""
    names = {table: columns.names() for table, columns in flattener.schema.tables.items()}
    for lead_id, tables in flattener.leads():
        yield lead_id, {table: [{names[table].get(key, key): value for key, value in row.items()}
                                for row in rows] for table, rows in tables.items()}


def lead_objects(flattener):
    for _, tables in named_leads(flattener):
        lead = dict(tables["leads"][0])
        for table, rows in tables.items():
            if table != "leads":
                lead[table] = [{key: row[key] for key in row if key not in KEYS[flattener.provider]}
                               for row in rows]
        yield lead


def row_objects(flattener):
    for _, tables in named_leads(flattener):
        for table, rows in tables.items():
            for row in rows:
                yield dict(_table=table, **row)


def ndjson(objects):
    return "".join(dumps_compact(members) + "\n" for members in objects)


def raw_ndjson(provider, payloads):
    return "".join('{"provider":%s,"lead_id":%s,"payload":%s}\n'
                   % (json.dumps(provider), json.dumps(lead_id), raw_text(payload))
                   for lead_id, payload in payloads)


def msgpack_bytes(objects):
    return gzip.compress(b"".join(msgpack.packb(values.to_msgpack(members))
                                  for members in objects))


def raw_objects(provider, payloads):
    return [{"provider": provider, "lead_id": lead_id, "payload": scrub(parse(payload))}
            for lead_id, payload in payloads]


def webhook_bodies(objects, batch=1):
    objects = list(objects)
    for start in range(0, len(objects), batch):
        part = objects[start:start + batch]
        event = {"type": "leads.exported" if batch > 1 else "lead.exported",
                 "timestamp": "2026-01-30T02:00:00.000Z", "data": part if batch > 1 else part[0]}
        yield dumps_compact(event).encode()
