"""Streams: where one that has no end is left, and whether its events are as documented."""

import json
import time

import jsonschema_rs
import requests.adapters
from schemathesis.core.failures import Failure

LINES = 3
SECONDS = 3


def bound():
    """Leaves a stream of lines after some of them, as Schemathesis does on its own with SSE, and a WebSocket."""
    send = requests.adapters.HTTPAdapter.send

    def bounded(adapter, request, **options):
        response = send(adapter, request, **{**options, "stream": True})
        lines = response.headers.get("Content-Type") == "application/x-ndjson"
        if lines or response.status_code == 101:
            response._content = first_lines(response) if lines else b""
            # Before it counts as consumed: what is left on it would be the next answer's beginning.
            response.close()
            response._content_consumed = True
        return response

    requests.adapters.HTTPAdapter.send = bounded


def first_lines(response):
    until, buffer = time.monotonic() + SECONDS, b""
    while buffer.count(b"\n") < LINES and time.monotonic() < until:
        chunk = response.raw.read1()
        if not chunk:
            break
        buffer += chunk
    return buffer[: buffer.rfind(b"\n") + 1]


def check(response, case):
    """Raises where an event is not as the document says; a stream that was left has whole events only."""
    if response.status_code != 200:
        return
    kind = response.headers.get("content-type", [""])[0]
    text = response.content.decode()
    if kind == "text/event-stream":
        events = [fields(block) for block in text.split("\n\n") if block]
        events = [event for event in events if event]
    elif kind == "application/x-ndjson":
        events = [json.loads(line) for line in text.splitlines()]
    else:
        return
    name = case.operation.definition.raw["operationId"]
    validator = validators(case)[{"probe": "Tick", "history": "HistoryLine", "roomHistory": "HistoryLine"}.get(name, "Event")]
    for event in events:
        subject = event["data"] if name == "probe" else event
        for error in validator.iter_errors(subject):
            raise Failure(operation=case.operation.label, title="Undocumented event", message=f"{error.message}\n{json.dumps(event)}")
    if name != "probe" and events and events[0]["event"] not in ("ready", "end"):
        raise Failure(operation=case.operation.label, title="Undocumented event", message=f"a stream begins with {events[0]['event']}")
    if not events:
        raise Failure(operation=case.operation.label, title="Undocumented event", message="a stream without events")


def fields(block):
    """One event of an SSE stream as it would be a line of NDJSON."""
    event = {}
    for line in block.split("\n"):
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name in ("event", "id"):
            event[name] = value
        elif name == "data":
            event["data"] = json.loads(value)
    return event


MADE = {}


def validators(case):
    if not MADE:
        components = case.operation.schema.raw_schema["components"]
        for name in ("Event", "Tick", "HistoryLine"):
            whole = {"$ref": f"#/components/schemas/{name}", "components": components}
            MADE[name] = jsonschema_rs.Draft202012Validator(whole)
    return MADE
