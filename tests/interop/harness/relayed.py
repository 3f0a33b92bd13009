"""A peer that talks through relays alone: joins a room, opens a data channel with whoever is there, and says what it hears.

    python relayed.py http://127.0.0.1:8080 demo ada udp

The way to the relay is udp, tcp or tls.
"""

import asyncio
import sys
import uuid

from aiortc import RTCConfiguration, RTCIceServer, RTCPeerConnection, RTCSessionDescription
from aiortc.rtcconfiguration import RTCIceTransportPolicy

from switchboard import Room

MESSAGES = 100
LENGTH = 1000


def by(way: str, url: str) -> bool:
    """Whether a URL leads to a relay in this way; aiortc takes one relay only."""
    return url.startswith("turns:") if way == "tls" else url.startswith("turn:") and url.endswith(f"transport={way}")


def connection(room: Room, way: str) -> RTCPeerConnection:
    servers = [
        RTCIceServer(urls=[url], username=server["username"], credential=server["credential"])
        for server in room.ice_servers
        for url in server["urls"]
        if by(way, url)
    ]
    [_] = servers
    return RTCPeerConnection(RTCConfiguration(iceServers=servers, iceTransportPolicy=RTCIceTransportPolicy.RELAY))


async def main() -> None:
    url, name, peer, way = sys.argv[1:]
    room = await Room.join(url, name, peer)
    pc = connection(room, way)
    channel = pc.createDataChannel("words", negotiated=True, id=0)
    heard = 0
    whole = asyncio.Event()

    @channel.on("open")
    def said() -> None:
        for number in range(MESSAGES):
            channel.send(f"{number:03}".ljust(LENGTH, "x"))

    @channel.on("message")
    def hear(text: str) -> None:
        nonlocal heard
        assert text == f"{heard:03}".ljust(LENGTH, "x"), f"{text[:3]} after {heard}"
        heard += 1
        if heard == MESSAGES:
            whole.set()

    async def describe(to: str, session: str) -> None:
        local = pc.localDescription
        await room.send({"to": to, "type": local.type, "session": session, "data": {"sdp": local.sdp}})

    async def attend() -> None:
        async for event, data in room.events():
            if event == "peer-joined":
                await pc.setLocalDescription(await pc.createOffer())
                await describe(data["peer"], uuid.uuid4().hex)
            elif event == "signal" and data["type"] in ("offer", "answer"):
                await pc.setRemoteDescription(RTCSessionDescription(data["data"]["sdp"], data["type"]))
                if data["type"] == "offer":
                    await pc.setLocalDescription(await pc.createAnswer())
                    await describe(data["from"], data["session"])

    attending = asyncio.create_task(attend())
    print("here")
    await whole.wait()
    ice = pc.sctp.transport.transport
    pairs = [ice.iceGatherer.getLocalCandidates(), ice.getRemoteCandidates()]
    print("heard all, by", *sorted({candidate.type for candidates in pairs for candidate in candidates}))
    # The other may still wait for the last of what was said here.
    await asyncio.to_thread(sys.stdin.readline)
    attending.cancel()
    await pc.close()
    await room.leave()


asyncio.run(main())
