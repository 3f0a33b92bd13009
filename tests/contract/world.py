"""Rooms with peers in them, so that what is asked can succeed; and the credentials that go with them."""

import itertools

import requests

ALICE, BOB, SESSION = "alice", "bob", "s1"


class World:
    """Makes a room for a case, and knows the token of every peer that has joined."""

    def __init__(self, base, access, operator, secrets):
        self.base, self.access, self.operator, self.secrets = base, access, operator, secrets
        self.tokens = {}
        # Those whose membership has ended: a sequence may go on with one, a single case had better not.
        self.gone = set()
        self.numbers = itertools.count()
        self.session = requests.Session()

    def fresh(self):
        """A room of its own: alice and bob are in it, and bob has called alice."""
        room = f"case-{next(self.numbers)}"
        self.join(room, ALICE)
        self.join(room, BOB)
        self.send(room, BOB, {"to": ALICE, "type": "offer", "session": SESSION, "data": {"sdp": "v=0"}})
        return room

    def join(self, room, peer):
        """Joins, or finds the peer that joined here before."""
        headers = {"Authorization": f"Bearer {self.access}"} if self.access else {}
        wish = {"peer": peer, "key": f"key of {room}"}
        token = self.tokens.get((room, peer))
        if token:
            wish["token"] = token
        self.secrets.add(wish["key"])
        answer = self.session.post(f"{self.base}/rooms/{room}/peers", json=wish, headers=headers, timeout=10)
        if answer.ok:
            self.learn(answer.json())
        return answer.ok

    def learn(self, membership):
        """Keeps the token of a join's answer."""
        place = membership["room"], membership["peer"]
        self.tokens[place] = membership["token"]
        self.secrets.update((membership["token"], membership["ticket"]))
        self.gone.discard(place)

    def stays(self, room, peer):
        """Whether nothing has ended this peer here: who has left in a sequence must not be there again."""
        return (room, peer) not in self.gone

    def closed(self, room):
        """All that have ever joined there are gone."""
        self.gone.update(place for place in self.tokens if place[0] == room)
        self.gone.add((room, BOB))

    def send(self, room, peer, signal):
        self.ask("signals", room, peer, signal)

    def ticket(self, room, peer):
        """A ticket for one stream, where the peer is still there."""
        answer = self.ask("tickets", room, peer, {})
        if not answer.ok:
            return None
        ticket = answer.json()["ticket"]
        self.secrets.add(ticket)
        return ticket

    def ask(self, what, room, peer, body):
        headers = {"Authorization": f"Bearer {self.tokens[room, peer]}"}
        return self.session.post(f"{self.base}/rooms/{room}/peers/{peer}/{what}", json=body, headers=headers, timeout=10)
