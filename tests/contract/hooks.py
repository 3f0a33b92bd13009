"""What Schemathesis cannot know of itself: which peers there are, whose token opens which door, where a
stream that has no end may be left, and which answers are right although the document cannot say so.

Loaded by Schemathesis in its own process, which run.py starts."""

import atexit
import itertools
import os

import schemathesis
from schemathesis.core.parameters import ParameterLocation

import streams
from tally import Tally
from tight import Tight
from world import ALICE, BOB, SESSION, World

TALLY = Tally(os.environ["CONTRACT_TALLY"])
TIGHT = "CONTRACT_TIGHT" in os.environ
WORLD = (Tight if TIGHT else World)(os.environ["CONTRACT_URL"], os.environ.get("CONTRACT_ACCESS"), os.environ["CONTRACT_OPERATOR"], TALLY.secrets)
LATER = "Bearer to-be-filled-in"
# One case in so many is sent as it was generated.
UNTOUCHED = 8
WAIT = 0.05

numbers = itertools.count(1)
atexit.register(TALLY.write)
streams.bound()


@schemathesis.auth(refresh_interval=None, retry_on=[])
class Credentials:
    """Says that this case has a credential; which one, is known once its path is."""

    def get(self, case, _context):
        return LATER if case.operation.definition.raw.get("security") else None

    def set(self, case, data, _context):
        case.headers["Authorization"] = data


@schemathesis.hook
def before_load_schema(_context, raw_schema):
    """Here an answer may hold nothing but what is said of it; clients are told to ignore the rest."""
    asked = {"Wish", "Posted", "TicketWish", "Signal"}
    for name, schema in raw_schema["components"]["schemas"].items():
        if name not in asked:
            close(schema)


def close(schema):
    if schema.get("properties"):
        schema["additionalProperties"] = False
    for part in schema.get("oneOf", []):
        close(part)


@schemathesis.hook
def before_call(_context, case, _kwargs):
    number = next(numbers)
    as_generated = number % UNTOUCHED == 0
    name = case.operation.definition.raw["operationId"]
    room, peer = case.path_parameters.get("room"), case.path_parameters.get("peer")
    if "peer" in case.path_parameters and not as_generated and good(case, ParameterLocation.PATH):
        gone = (room, peer) in WORLD.gone and case.meta.phase.name.value != "stateful"
        if (room, peer) not in WORLD.tokens or gone:
            room, peer = WORLD.fresh(), ALICE
            case.path_parameters.update(room=room, peer=peer)
        if "session" in case.path_parameters and number % 3:
            case.path_parameters["session"] = SESSION
    if TIGHT and not as_generated and good(case, ParameterLocation.PATH):
        room, peer = WORLD.place(case.path_parameters, number)
    if name == "closeRoom" and not as_generated and good(case, ParameterLocation.PATH):
        room = case.path_parameters["room"] = WORLD.fresh()
    credential(case, name, number, room, peer)
    if TIGHT and name == "notices" and not as_generated and number % 4 == 0 and good(case, ParameterLocation.QUERY):
        case.query["wait"] = WAIT
    wait_shortly(case, name)
    if not as_generated:
        if good(case, ParameterLocation.BODY):
            fill(case, name, number, room, peer)
        if name == "probe" and good(case, ParameterLocation.QUERY):
            within_two_minutes(case.query)
    if name == "demo" and number % 2:
        case.headers["Accept"] = "text/html"
    if name == "checkWebSocket":
        case.headers.update({"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="})


def good(case, location):
    """Whether this part was generated to be accepted."""
    return case.meta is not None and not case.meta.is_negative_at(location)


def credential(case, name, number, room, peer):
    """Puts the credential in whose place was kept: the caller's own, the operator's, a ticket."""
    if case.headers.get("Authorization") != LATER:
        return
    token = WORLD.tokens.get((room, peer))
    if name in ("join", "list"):
        token = WORLD.access
    elif name in ("rooms", "closeRoom", "history", "roomHistory", "metrics") or (name == "delete" and number % 3 == 0):
        token = WORLD.access if WORLD.access and number % 2 else WORLD.operator
    elif name == "iceServers":
        token = WORLD.tokens[WORLD.fresh(), ALICE]
    elif token is None:
        # Good, but of another peer.
        token = WORLD.tokens[WORLD.fresh(), BOB]
    if token is None:
        del case.headers["Authorization"]
        return
    case.headers["Authorization"] = f"Bearer {token}"
    if name in ("events", "notices"):
        if number % 3 == 0 and (room, peer) in WORLD.tokens and "wait" not in case.query:
            ticket = WORLD.ticket(room, peer)
            if ticket:
                del case.headers["Authorization"]
                case.query["ticket"] = ticket
                case.query.pop("cursor", None)
        if number % 4 == 0:
            case.headers["Accept"] = "application/x-ndjson"


def wait_shortly(case, name):
    """A poll that is held would be, for up to 25 seconds; what is no good wait stays."""
    if name in ("poll", "postPoll") or (name in ("notices", "history", "roomHistory") and "wait" in case.query):
        if name != "postPoll" or not isinstance(case.body, dict) or "wait" not in case.body:
            if is_wait(case.query.get("wait", 25)):
                case.query["wait"] = WAIT
        elif case.body["wait"] is None or is_wait(case.body["wait"]):
            case.body["wait"] = WAIT


def is_wait(value):
    try:
        return not isinstance(value, bool) and 0 <= float(value) <= 25
    except (TypeError, ValueError):
        return False


def within_two_minutes(query):
    ticks = int(query.get("ticks", 8))
    if ticks > 1 and "gap" in query:
        query["gap"] = min(int(query["gap"]), 120_000 // (ticks - 1))
    if "gap" not in query and ticks > 8:
        query["gap"] = 50


def fill(case, name, number, room, peer):
    """What a body names has to be there for it to be accepted."""
    if name == "leave" and (room, peer) in WORLD.tokens and number % 4:
        case.body = WORLD.tokens[room, peer]
    if name == "send" and (room, peer) in WORLD.tokens and WORLD.stays(room, peer) and WORLD.stays(room, BOB) and WORLD.join(room, BOB):
        for signal in case.body if isinstance(case.body, list) else [case.body]:
            if isinstance(signal, dict) and isinstance(signal.get("to"), str):
                signal["to"] = BOB if peer != BOB else ALICE
            if isinstance(signal, dict) and signal.get("type") in ("bye", "answer"):
                signal["session"] = SESSION
        if TIGHT:
            case.body = WORLD.too_much(case.body, peer)


@schemathesis.hook
def after_call(_context, case, response):
    name = case.operation.definition.raw["operationId"]
    TALLY.count(case, response)
    if name == "issueTicket" and response.status_code == 201:
        TALLY.secrets.add(response.json()["ticket"])
    if name == "join" and response.status_code in (200, 201):
        WORLD.learn(response.json())
    if name in ("delete", "leave") and response.status_code == 204 or response.status_code == 410:
        WORLD.gone.add((case.path_parameters.get("room"), case.path_parameters.get("peer")))
    if name == "closeRoom" and response.status_code == 204:
        WORLD.closed(case.path_parameters["room"])


@schemathesis.check
def events_are_as_documented(_ctx, response, case):
    """Each event of a stream, in both ways to write it, down to its data."""
    streams.check(response, case)


@schemathesis.hook
def filter_failure(_context, failure, case, response):
    """Drops what is right although the document cannot say so, each with its reason."""
    return excuse(failure, case, response) is None


def excuse(failure, case, response):
    name = case.operation.definition.raw["operationId"]
    kind = type(failure).__name__
    # That a bound is reached is no mistake of the request's, nor of the server's.
    if TIGHT and response.status_code in (429, 503) and kind in ("ServerError", "RejectedPositiveData", "AcceptedNegativeData"):
        return "bounds"
    # A room that is not there is one without peers.
    if kind == "UseAfterFree" and name == "list" and response.status_code == 200:
        return "empty"
    said = response.json() if "json" in response.headers.get("content-type", [""])[0] else {}
    detail = said.get("detail", "") if isinstance(said, dict) else ""
    if kind == "RejectedPositiveData":
        # A stream takes any cursor and tells of a gap; with `wait` it is a poll, which does not.
        if detail.startswith("a cursor is") and name == "notices" and "wait" in case.query:
            return "parameters together"
        # JSON Schema counts characters where the server counts bytes.
        if detail in ("detail is at most 256 bytes", "a key is a random word of 1 to 128 bytes"):
            return "bytes"
        # JSON Schema has no word for the size of a whole body.
        if detail.startswith("a body here is at most "):
            return "bytes"
        # OpenAPI has no word for parameters that exclude each other.
        if detail.startswith(("a detail goes with an end that comes at once", "a ticket carries its cursor", "ticks is 1 to 100")):
            return "parameters together"
        # Whom the path names is known to it, but not that the body may not name the same.
        if detail == '"to" must name another peer':
            return "parameters together"
        # An id that was used for another signal within the same array.
        if said.get("type") == "/problems/idempotency-conflict":
            return "state"
    # Of what is gone a stream is 204, and not 404, which is what makes an EventSource stop.
    if kind == "UseAfterFree" and name in ("events", "notices") and response.status_code == 204:
        return "stops"
    if kind == "AcceptedNegativeData" and name in ("poll", "postPoll"):
        # The first cursor counts, of the body, the header, the URL; the others are not looked at.
        in_body = name == "postPoll" and isinstance(case.body, dict) and case.body.get("cursor") is not None
        if in_body or case.headers.get("Last-Event-ID"):
            return "cursor not looked at"
    if kind == "AcceptedNegativeData" and name == "send":
        # Those before the first bad one are accepted, and it is named: the answer says so.
        if "refused" in said:
            return "named"
        # The header is for a single signal without an id; elsewhere it is not looked at.
        unheeded = isinstance(case.body, list) or (isinstance(case.body, dict) and case.body.get("id") is not None)
        if unheeded and not good(case, ParameterLocation.HEADER):
            return "header not looked at"
    return None
