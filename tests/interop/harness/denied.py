"""Opens a relay and asks to send to addresses by it: prints the codes of the answers, 0 for what is allowed.

    python denied.py 3478 USERNAME PASSWORD udp 10.0.0.1:80 ...

"own" in place of an address is another relay of the same server.
"""

import asyncio
import sys

from aioice import stun, turn


async def code(asking) -> int:
    try:
        await asking
    except stun.TransactionFailed as failed:
        return failed.response.error_code
    return 0


async def main() -> None:
    port, username, password, way, *peers = sys.argv[1:]
    server = ("127.0.0.1", int(port))
    protocols = {"udp": turn.TurnClientUdpProtocol, "tcp": turn.TurnClientTcpProtocol}

    async def client():
        loop = asyncio.get_running_loop()
        make = lambda: protocols[way](server, username, password, turn.DEFAULT_ALLOCATION_LIFETIME, turn.DEFAULT_CHANNEL_REFRESH_TIME)
        if way == "tcp":
            _, client = await loop.create_connection(make, *server)
        else:
            _, client = await loop.create_datagram_endpoint(make, remote_addr=server)
        return client, await client.connect()

    asks, _ = await client()
    other, own = await client()
    for number, peer in enumerate(peers):
        host, _, at = peer.partition(":")
        addr = own if peer == "own" else (host, int(at))
        request = stun.Message(stun.Method.CREATE_PERMISSION, stun.Class.REQUEST)
        request.attributes["XOR-PEER-ADDRESS"] = addr
        permission = await code(asks.request_with_retry(request))
        channel = await code(asks.channel_bind(0x4000 + number, addr))
        print(f"{peer}: permission {permission}, channel {channel}")
    await asks.delete()
    await other.delete()


asyncio.run(main())
