"""Reads event streams with a parser from PyPI: a request a line comes in, what was seen goes out as a line."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import httpx_sse
import sseclient

Seen = tuple[str, str, str]


def with_httpx_sse(client: httpx.Client, url: str, headers: dict[str, str]) -> Iterator[Seen]:
    with httpx_sse.connect_sse(client, "GET", url, headers=headers) as source:
        for event in source.iter_sse():
            yield event.event, event.data, event.id


def with_sseclient_py(client: httpx.Client, url: str, headers: dict[str, str]) -> Iterator[Seen]:
    last = ""
    with client.stream("GET", url, headers={**headers, "Accept": "text/event-stream"}) as response:
        for event in sseclient.SSEClient(response.iter_bytes()).events():
            # It tells each event's own id; that of the last one is its user's to remember.
            last = last if event.id is None else event.id
            yield event.event, event.data, last


READERS = {"httpx-sse": with_httpx_sse, "sseclient-py": with_sseclient_py}


def main() -> None:
    read = READERS[sys.argv[1]]
    with httpx.Client(timeout=60, trust_env=False) as client:
        for line in sys.stdin:
            request: dict[str, Any] = json.loads(line)
            seen: list[Seen] = []
            error = None
            try:
                for event in read(client, request["url"], request["headers"]):
                    seen.append(event)
            except Exception as thrown:  # noqa: BLE001: whatever a parser throws is part of what is compared.
                error = type(thrown).__name__
            print(json.dumps({"seen": seen, "error": error}), flush=True)


main()
