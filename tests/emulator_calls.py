"""Signed calls to every endpoint, by the emulator's test client of tests/emulator/conftest.py."""

from urllib.parse import quote, urlencode

import orjson


async def call(client, method, path, query="", body=None):
    """One signed request to a path below the service's."""
    target = client.target(path) + ("?" + query if query else "")
    data = b"" if body is None else orjson.dumps(body)
    return await client.call(method, target, data, client.headers(target, method=method))


async def listed(client, **query):
    """The list that a query gives."""
    return await call(client, "GET", "messages", urlencode(query, quote_via=quote))
