"""A plain script: a pool of threads, each with a connection that it keeps.

    threads.py BASE-URL IDS-FILE FOLDER CONCURRENCY KEY

With requests where that is installed, else with what Python brings."""

import http.client
import sys
import threading
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

import tables

try:
    import requests
except ImportError:
    requests = None

base_url, ids_path, folder, concurrency, key = sys.argv[1:]
headers = {"x-api-key": key}
local = threading.local()


def fetch_with_requests(lead_id):
    if not hasattr(local, "session"):
        local.session = requests.Session()
        local.session.headers.update(headers)
    answer = local.session.get("%s/leads/%s" % (base_url, lead_id), timeout=30)
    answer.raise_for_status()
    return lead_id, answer.content


def fetch_plainly(lead_id):
    url = urllib.parse.urlsplit(base_url)
    if not hasattr(local, "connection"):
        local.connection = http.client.HTTPConnection(url.netloc, timeout=30)
    local.connection.request("GET", "%s/leads/%s" % (url.path, lead_id), headers=headers)
    answer = local.connection.getresponse()
    body = answer.read()
    if answer.status != 200:
        raise RuntimeError("%s: %d" % (lead_id, answer.status))
    return lead_id, body


out = tables.Tables(folder)
with ThreadPoolExecutor(int(concurrency)) as pool:
    fetch = fetch_with_requests if requests else fetch_plainly
    for lead_id, body in pool.map(fetch, tables.read_ids(ids_path)):
        out.add(lead_id, body)
out.close()
