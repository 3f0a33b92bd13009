"""A video call from the terminal: joins a room, sends a test picture, chats line by line.

    python call.py http://127.0.0.1:8080 demo

Everybody in the room is called, such as the demo page in a browser. Ctrl-C leaves.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import sys
import uuid

from aiortc import RTCConfiguration, RTCIceCandidate, RTCIceServer, RTCPeerConnection, RTCSessionDescription, VideoStreamTrack
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from aiortc.sdp import candidate_from_sdp
from av import VideoFrame

from switchboard import Json, Refused, Room


class Bars(VideoStreamTrack):
    """Grey bars that move."""

    async def recv(self) -> VideoFrame:
        pts, time_base = await self.next_timestamp()
        frame = VideoFrame(320, 240, "yuv420p")
        for plane in frame.planes:
            row = bytes((x + pts // 1500) % 256 for x in range(plane.line_size)) if plane is frame.planes[0] else b"\x80" * plane.line_size
            plane.update(row * plane.height)
        frame.pts, frame.time_base = pts, time_base
        return frame


class Call:
    """One peer connection with one other peer: a session."""

    def __init__(self, room: Room, peer: str, session: str) -> None:
        self.peer = peer
        self.session = session
        self._room = room
        # An empty list means no servers; left out, aiortc would take public ones.
        servers = [RTCIceServer(urls=s["urls"], username=s.get("username"), credential=s.get("credential")) for s in room.ice_servers]
        self._pc = pc = RTCPeerConnection(RTCConfiguration(iceServers=servers))
        self._pictures: set[asyncio.Task[None]] = set()
        pc.addTrack(Bars())
        # Negotiated: both sides open it under the same number, as web/client/call.js does.
        self.channel = pc.createDataChannel("chat", negotiated=True, id=0)
        self.channel.on("open", lambda: print(f"{peer}: channel open"))
        self.channel.on("message", lambda text: print(f"{peer} says {text}"))
        pc.on("connectionstatechange", self._look)
        pc.on("track", self._watch)

    async def offer(self) -> None:
        self._pc.addTransceiver("audio", direction="recvonly")
        await self._pc.setLocalDescription(await self._pc.createOffer())
        await self._describe()

    async def take(self, kind: str, data: Json | list[Json]) -> None:
        if kind == "candidate":
            for init in data if isinstance(data, list) else [data]:
                await self._pc.addIceCandidate(candidate_of(init))
        elif kind == "answer" and self._pc.signalingState == "have-local-offer":
            await self._pc.setRemoteDescription(RTCSessionDescription(data["sdp"], "answer"))
        # Of two offers that cross ours stands: who made the first one is the impolite side.
        elif kind == "offer" and self._pc.signalingState == "stable":
            await self._pc.setRemoteDescription(RTCSessionDescription(data["sdp"], "offer"))
            await self._pc.setLocalDescription(await self._pc.createAnswer())
            await self._describe()

    async def close(self) -> None:
        for task in self._pictures:
            task.cancel()
        await self._pc.close()

    async def _describe(self) -> None:
        # aiortc has gathered by now: its candidates are all in the description.
        local = self._pc.localDescription
        await self._room.send({"to": self.peer, "type": local.type, "session": self.session, "data": {"type": local.type, "sdp": local.sdp}})

    async def _look(self) -> None:
        state = self._pc.connectionState
        print(f"{self.peer}: {state}")
        if state == "failed":
            with contextlib.suppress(Refused):
                await self._room.send({"to": self.peer, "type": "bye", "session": self.session, "data": {"why": "no network path"}})

    def _watch(self, track: MediaStreamTrack) -> None:
        async def drain() -> None:
            frames = 0
            try:
                while frame := await track.recv():
                    frames += 1
                    if track.kind == "video" and frames in (1, 30):
                        print(f"{self.peer}: picture {frames} of {frame.width}x{frame.height}")
            except MediaStreamError:
                pass

        task = asyncio.create_task(drain())
        self._pictures.add(task)
        task.add_done_callback(self._pictures.discard)


def candidate_of(init: Json) -> RTCIceCandidate | None:
    """A browser's candidate as aiortc wants it; None where it is the empty one that ends the list."""
    if not init.get("candidate"):
        return None
    candidate = candidate_from_sdp(init["candidate"].removeprefix("candidate:"))
    candidate.sdpMid, candidate.sdpMLineIndex = init.get("sdpMid"), init.get("sdpMLineIndex")
    return candidate


async def attend(room: Room, calls: dict[str, Call]) -> None:
    """Works through what the server tells, until the membership ends."""

    async def begin(peer: str, session: str) -> Call:
        if peer in calls:
            await calls.pop(peer).close()
        return calls.setdefault(peer, Call(room, peer, session))

    async for event, data in room.events():
        # Descriptions and candidates tell where somebody is: they are not for the screen.
        shown = data if event != "signal" else {name: data.get(name) for name in ("from", "type", "session")}
        print(event, json.dumps(shown))
        try:
            if event == "peer-joined" and room.order < data["order"]:
                await (await begin(data["peer"], uuid.uuid4().hex)).offer()
            elif event == "signal" and data["type"] in ("offer", "answer", "candidate"):
                peer, session = data["from"], data.get("session")
                call = calls.get(peer)
                if data["type"] == "offer" and (call is None or call.session != session):
                    call = await begin(peer, session)
                if call and call.session == session:
                    await call.take(data["type"], data.get("data"))
            elif event in ("session-ended", "peer-left"):
                call = calls.get(data["peer"])
                if call and data.get("session", call.session) == call.session:
                    await calls.pop(data["peer"]).close()
        except Refused as refused:
            # The other side may have gone in the meantime: an event of its own tells of that.
            print(f"refused: {refused}")
        except Exception as error:
            # What one peer sends must not end the calls with the others.
            print(f"could not take that: {type(error).__name__}")


async def chat(calls: dict[str, Call]) -> None:
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        for call in calls.values():
            if call.channel.readyState == "open":
                call.channel.send(line.decode().rstrip("\n"))


async def main() -> None:
    parser = argparse.ArgumentParser(description="A video call from the terminal, through Switchboard.")
    parser.add_argument("url")
    parser.add_argument("room")
    parser.add_argument("--peer", help="this peer's id; made up where left out")
    parser.add_argument("--name", default="Python")
    given = parser.parse_args()
    room = await Room.join(given.url, given.room, given.peer, {"name": given.name})
    print(f"joined as {room.peer} with {[other['peer'] for other in room.peers]}")
    calls: dict[str, Call] = {}
    attending = asyncio.create_task(attend(room, calls))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, attending.cancel)
    chatting = asyncio.create_task(chat(calls))
    try:
        await attending
    except asyncio.CancelledError:
        print("leaving")
    finally:
        chatting.cancel()
        await room.leave()
        await asyncio.gather(*(call.close() for call in calls.values()))


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)
    asyncio.run(main())
