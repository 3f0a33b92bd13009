"""A member of a Switchboard room: joins, reads every event once, sends signals, leaves.

The wire that this speaks is described in docs/protocol.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
from httpx_sse import aconnect_sse

ALIVE_AFTER = 30.0
"""Seconds without a request of ours, after which the server is due a proof of life."""
TRIES = 8
LONGEST_WAIT = 30.0
LEAVE_WITHIN = 5.0

Json = dict[str, Any]


class Refused(Exception):
    """An answer that repeating will not change."""

    def __init__(self, status: int, problem: Json) -> None:
        super().__init__(problem.get("detail") or f"the server answered {status}")
        self.status = status
        self.reason: str | None = problem.get("reason")


class Room:
    def __init__(self, http: httpx.AsyncClient, joined: Json) -> None:
        self.peer: str = joined["peer"]
        self.order: int = joined["order"]
        self.peers: list[Json] = joined["peers"]
        self.ice_servers: list[Json] = joined["iceServers"]
        self._http = http
        self._path = f"/rooms/{joined['room']}/peers/{self.peer}"
        self._bearer = {"Authorization": f"Bearer {joined['token']}"}
        self._cursor: str = joined["cursor"]
        # A stream that stays silent for so long is dead, whatever its connection says.
        self._silence = 2.5 * joined["heartbeat_ms"] / 1000
        self._asked = time.monotonic()

    @classmethod
    async def join(cls, url: str, room: str, peer: str | None = None, meta: Any = None) -> Room:
        http = httpx.AsyncClient(base_url=url, timeout=15)
        # Should the answer be lost, the key makes the repeat find the same membership.
        wish = {"peer": peer, "meta": meta, "key": uuid.uuid4().hex}
        body = {name: value for name, value in wish.items() if value is not None}
        try:
            answer = await _repeat(http, "POST", f"/rooms/{room}/peers", json=body)
        except BaseException:
            await http.aclose()
            raise
        return cls(http, answer.json())

    async def send(self, *signals: Json) -> None:
        """Sends signals to peers of the room, in this order; repeats bring nothing twice."""
        body = [{"id": uuid.uuid4().hex, **signal} for signal in signals]
        answer = (await self._request("POST", "/signals", json=body)).json()
        if "refused" in answer:
            problem = answer["refused"]["problem"]
            raise Refused(problem["status"], problem)

    async def leave(self) -> None:
        """Tells the others, unless the server is out of reach: then they learn it when the grace has run out."""
        try:
            with contextlib.suppress(TimeoutError, httpx.TransportError):
                async with asyncio.timeout(LEAVE_WITHIN):
                    await self._request("DELETE", "")
        finally:
            await self._http.aclose()

    async def events(self) -> AsyncIterator[tuple[str, Json]]:
        """Every event once and in order, over as many streams as it takes, until `end` for good."""
        losses = 0
        while True:
            try:
                async for event, data in self._stream():
                    losses = 0
                    yield event, data
                    if event == "end":
                        if data["retry"] == "never":
                            return
                        losses = 1 if data["retry"] == "later" else 0
            except httpx.TransportError:
                pass
            except Refused as refused:
                yield "end", {"reason": refused.reason, "retry": "never", "detail": str(refused)}
                return
            # At once after the first loss, then at random, so that not all come back together.
            await asyncio.sleep(random.uniform(0, min(LONGEST_WAIT, 2.0**losses)) if losses else 0)
            losses += 1

    async def _stream(self) -> AsyncIterator[tuple[str, Json]]:
        """The events behind the cursor, while one connection lasts."""
        headers = {**self._bearer, "Last-Event-ID": self._cursor}
        timeout = httpx.Timeout(15, read=self._silence)
        self._asked = time.monotonic()
        async with aconnect_sse(self._http, "GET", f"{self._path}/events", headers=headers, timeout=timeout) as stream:
            if stream.response.status_code == 204:
                # Tells an EventSource to stop; any other request is told why.
                await self._request("POST", "/alive")
            if stream.response.status_code >= 500:
                raise httpx.ReadError("the way to the server is broken")
            await _check(stream.response)
            async for sse in stream.aiter_sse():
                # Not before the event was read whole: what a cut has torn apart comes again.
                self._cursor = sse.id or self._cursor
                if time.monotonic() - self._asked > ALIVE_AFTER:
                    await self._request("POST", "/alive")
                try:
                    data = sse.json()
                except (ValueError, RecursionError):
                    # What a peer sends may be JSON that is too much for Python, such as a number of 5,000 digits.
                    continue
                yield sse.event, data

    async def _request(self, method: str, door: str, **given: Any) -> httpx.Response:
        self._asked = time.monotonic()
        return await _repeat(self._http, method, self._path + door, headers=self._bearer, **given)


async def _repeat(http: httpx.AsyncClient, method: str, path: str, **given: Any) -> httpx.Response:
    """Repeats a request until it is answered; what it does, it does once."""
    for attempt in range(TRIES):
        wait = random.uniform(0, min(LONGEST_WAIT, 0.5 * 2**attempt))
        try:
            answer = await http.request(method, path, **given)
            if answer.status_code != 429 and answer.status_code < 500:
                break
            wait += float(answer.headers.get("Retry-After", 0))
        except httpx.TransportError:
            if attempt == TRIES - 1:
                raise
        await asyncio.sleep(wait)
    await _check(answer)
    return answer


async def _check(answer: httpx.Response) -> None:
    if answer.status_code >= 400:
        await answer.aread()
        is_problem = answer.headers.get("Content-Type", "").startswith("application/problem+json")
        raise Refused(answer.status_code, answer.json() if is_problem else {})
