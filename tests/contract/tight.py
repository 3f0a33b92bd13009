"""A world with hardly any room in it: who is there came before the bounds were reached, and stays."""

import threading
import time

import requests

from world import ALICE, BOB, World

ROOM, HELD = "case-tight", "case-held"
SECONDS = 60
# So many of these are more than all mailboxes may hold.
LARGE, FEW = "x" * 3000, 8
# Two of these are more than a peer may send at once.
MANY = 60


class Tight(World):
    """One room for all cases; two readers elsewhere that stay open, and with them there is no room for more."""

    def __init__(self, *world):
        super().__init__(*world)
        self.sent = 0
        for room, peer in ((ROOM, ALICE), (ROOM, BOB), (HELD, "carol"), (HELD, "dave")):
            self.settle(room, peer)
        for peer in ("carol", "dave"):
            self.hold(peer)

    def settle(self, room, peer):
        """Joins, however long it takes until the rate allows it."""
        until = time.monotonic() + SECONDS
        while not self.join(room, peer):
            if time.monotonic() > until:
                raise RuntimeError(f"{peer} cannot join {room}")
            time.sleep(0.2)

    def hold(self, peer):
        """Opens a stream and reads it until this process ends."""
        headers = {"Authorization": f"Bearer {self.tokens[HELD, peer]}"}
        began = threading.Event()

        def read():
            with requests.get(f"{self.base}/rooms/{HELD}/peers/{peer}/events", headers=headers, stream=True, timeout=SECONDS) as answer:
                for _ in answer.iter_content(64):
                    began.set()

        threading.Thread(target=read, daemon=True).start()
        if not began.wait(SECONDS):
            raise RuntimeError(f"the stream of {peer} does not begin")

    def fresh(self):
        """The one room that there is."""
        return ROOM

    def join(self, room, peer):
        """Joins once: who is there stays."""
        return (room, peer) in self.tokens or super().join(room, peer)

    def place(self, path, number):
        """Those who are there, and now and then a room that is full already or one too many."""
        if "peer" in path:
            path.update(room=ROOM, peer=(ALICE, BOB)[number % 2])
        elif number % 3:
            path["room"] = ROOM if number % 3 == 1 else f"case-{number}"
        return path["room"], path.get("peer")

    def too_much(self, body, peer):
        """Of bob many signals at once, of alice now and then a few that are large."""
        if peer == BOB:
            return [{"to": ALICE, "type": "chat"}] * MANY
        self.sent += 1
        return body if self.sent % 3 else [{"to": BOB, "type": "chat", "data": LARGE}] * FEW
