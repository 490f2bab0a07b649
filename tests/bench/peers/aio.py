"""A plain script with asyncio and aiohttp.

    aio.py BASE-URL IDS-FILE FOLDER CONCURRENCY KEY"""

import asyncio
import sys

import aiohttp

import tables

base_url, ids_path, folder, concurrency, key = sys.argv[1:]


async def work(session, ids, out):
    for lead_id in ids:
        async with session.get("%s/leads/%s" % (base_url, lead_id)) as answer:
            answer.raise_for_status()
            body = await answer.read()
        out.add(lead_id, body)


async def main():
    out = tables.Tables(folder)
    ids = iter(tables.read_ids(ids_path))
    connector = aiohttp.TCPConnector(limit=int(concurrency))
    timeout = aiohttp.ClientTimeout(total=None, sock_read=30)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout,
                                     headers={"x-api-key": key}) as session:
        await asyncio.gather(*(work(session, ids, out) for _ in range(int(concurrency))))
    out.close()


asyncio.run(main())
