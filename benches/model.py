#!/usr/bin/env python3
"""A model of a million peers, from what was measured on one machine: benches/model.py

Prints the tables that stand in docs/performance.md, and with --shared those of docs/scaling.md. With
--check it compares both with those files instead, and fails where they differ. Everything above "The model" may be set by a flag of that name
(--peers 200000); times are in seconds, sizes in bytes unless said otherwise.
"""

import argparse
import math
from pathlib import Path

DOCUMENTS = Path(__file__).parents[1] / "docs"

# Measured, on one virtual CPU (docs/performance.md): CPU seconds of the server's process,
# the kernel's part included.
MEASURED = {
    "user_bytes": (1.39 * 1024, "of a peer with its stream, its room and its mailbox (PSS)"),
    "post_bytes": (0.35 * 1024, "of an idle kept-alive connection beside the stream"),
    "kernel_bytes": (5.2 * 1024, "the kernel holds of a socket, this side only"),
    "message_cpu": (8.7e-6, "a signal of 0.5 KB in, its event out"),
    "call_cpu": (0.28e-3, "two joins, two streams, 24 signals, bye, two leaves"),
    "ping_cpu": (6.5e-6, "a heartbeat written"),
    "open_cpu": (24e-6, "a join and the stream that follows"),
    "resume_cpu": (13e-6, "a stream that comes back with its cursor"),
    "ping_wire": (150, "a heartbeat on the wire, with TLS, TCP, IP and its acknowledgement"),
    "call_wire": (60_000, "all of a call's signaling on the wire, heads included"),
}

# Measured, of rooms that several nodes share (docs/scaling.md).
SHARED = {
    "append_cpu": (30e-6, "the store's, of an entry"),
    "entry_cpu": (100e-6, "the nodes' together, of an entry: taken in, applied, told"),
    "store_bytes": (2.9 * 1024, "the store holds of an idle peer"),
    "nodes_bytes": (4.3 * 1024, "the nodes hold together of an idle peer with its stream"),
    "call_entries": (33, "of a call: two joins, two streams, 24 signals, a bye, two leaves"),
    "proof_every": (30.0, "from one proof of life to the next, of pages with the browser client"),
    "shard_share": (0.5, "of a shard's one processor may be used in ordinary times"),
}

# Not measured here: what others say of the parts around the server.
ASSUMED = {
    "tls_open_cpu": (0.5e-3, "a full TLS 1.3 handshake (ECDSA P-256) in the proxy"),
    "tls_bytes": (40 * 1024, "the proxy holds of a connection with TLS, both its sockets included"),
    "ports": (28_232, "connections between two addresses to one port (Linux's ephemeral ports)"),
    "tracked": (262_144, "connections that a common conntrack table holds"),
}

# What the peers do, and what a machine is.
CHOSEN = {
    "peers": (1_000_000, "peers with an open stream"),
    "heartbeat": (15.0, "between two heartbeats"),
    "call_every": (600.0, "from one call of a peer to its next"),
    "spread": (3.0, "over which clients come back after a cut: their retry is drawn from 1 to 3 s"),
    "drain": (10.0, "over which a server that is stopped sends its readers away (--drain)"),
    "posting": (0.15, "of the peers have a second connection, on which they posted lately"),
    "cpus": (4, "of a machine"),
    "memory_gib": (8, "of a machine"),
    "headroom": (0.5, "of a machine's CPUs may be used in ordinary times"),
    "per_machine": (100_000, "peers at most on one machine, so that its loss is a small one"),
}


# The model.


def per_second(m):
    """CPU seconds a second and bytes a second, in ordinary times, of m.peers."""
    calls = m.peers / 2 / m.call_every
    pings = m.peers / m.heartbeat
    return {
        "heartbeats": (pings, pings * m.ping_cpu, pings * m.ping_wire),
        "calls": (calls, calls * m.call_cpu, calls * m.call_wire),
    }


def size(number):
    for unit, factor in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if number >= factor:
            return f"{number / factor:.1f} {unit}"
    return f"{number:.0f} B"


def count(number):
    return f"{number:,.0f}"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def machines(m):
    """How many machines, by each thing that bounds their number."""
    work = sum(cpu for _, cpu, _ in per_second(m).values())
    memory = m.peers * own_machine(m)
    return {
        "CPU in ordinary times": work / (m.cpus * m.headroom),
        "memory (half of it)": memory / (m.memory_gib * 2**30 / 2),
        "the loss of one": m.peers / m.per_machine,
    }


def ordinary(m, share):
    rows = []
    for what, (number, cpu, wire) in per_second(m).items():
        rows.append([what, count(number), f"{cpu:.2f}", f"{wire * 8 / 1e6:.0f}",
                     count(number * share), f"{cpu * share:.2f}", f"{wire * 8 * share / 1e6:.0f}"])
    head = ["a second", "in all", "CPUs", "Mbit/s", "on one machine", "CPUs", "Mbit/s"]
    return table(head, rows)


def per_peer(m):
    """Bytes that each part holds of a peer."""
    sockets = 1 + m.posting
    return {
        "switchboard": m.user_bytes + m.posting * m.post_bytes,
        "the kernel, for its sockets": sockets * m.kernel_bytes,
        "the proxy that ends TLS": sockets * m.tls_bytes,
    }


def own_machine(m):
    """Bytes that a peer takes on switchboard's own machine."""
    part = per_peer(m)
    return part["switchboard"] + part["the kernel, for its sockets"]


def held(m, share):
    rows = [[what, size(m.peers * each), size(m.peers * each * share)] for what, each in per_peer(m).items()]
    sockets = m.peers * (1 + m.posting)
    rows.append(["descriptors of switchboard", count(sockets), count(sockets * share)])
    return table(["held", "in all", "on one machine"], rows)


def storms(m, share):
    """What is to be done at once, and how long the CPUs of those who do it take."""
    rows = []
    here = m.peers * share
    for what, peers, cpu, within in (
        ("one machine stopped in order (`--drain`): its peers resume", here, m.resume_cpu, m.drain + m.spread),
        ("one machine lost: its peers join again elsewhere", here, m.open_cpu, m.spread),
        ("the proxies lost: all resume", m.peers, m.resume_cpu, m.spread),
        ("everything lost: all join again", m.peers, m.open_cpu, m.spread),
    ):
        own = peers * cpu / m.cpus
        tls = peers * m.tls_open_cpu / m.cpus
        # Of the loss of one machine the others share the work; of all, each has its own.
        others = max(1, round(1 / share) - 1) if peers == here else round(1 / share)
        rows.append([what, count(peers), count(peers / within), f"{own / others:.2f} s", f"{tls / others:.1f} s"])
    head = ["storm", "peers", "a second, if the clients had their way", "switchboard needs", "TLS needs"]
    return table(head, rows)


def breaks(m):
    """At how many peers on one machine each thing gives way, the first first."""
    second = 1 + m.posting
    cpu = sum(cpu for _, cpu, _ in per_second(m).values()) / m.peers
    wire = sum(wire for _, _, wire in per_second(m).values()) / m.peers
    at = [
        (m.ports / second, "ports between one proxy address and one server address",
         "more addresses on either side: `--listen` on all of them, and the proxy to use each"),
        (m.memory_gib * 2**30 / per_peer(m)["the proxy that ends TLS"], "memory of a proxy that ends TLS on a machine of this size",
         "more proxies than servers: TLS, not signaling, is what is paid for"),
        (m.tracked / second, "connections that conntrack follows", "raise `nf_conntrack_max`, or do not track them"),
        (1_048_576 / second, "descriptors of one process (`fs.nr_open`)", "raise it, or a second process"),
        (m.memory_gib * 2**30 / own_machine(m),
         "memory of switchboard's own machine", "more of it"),
        (m.cpus / cpu, "CPU of switchboard's own machine in ordinary times", "more machines"),
        (1e9 / 8 / wire, "a network of 1 Gbit/s", "more machines"),
    ]
    rows = [[count(peers), what, then] for peers, what, then in sorted(at)]
    return table(["peers on one machine", "what gives way", "then"], rows)


def report(m):
    bounds = machines(m)
    number = max(math.ceil(value) for value in bounds.values())
    share = 1 / number
    wanted = ", ".join(f"{what} {value:.1f}" for what, value in bounds.items())
    return f"""{count(m.peers)} peers want {number} machines of {m.cpus} CPUs and {m.memory_gib} GiB (by {wanted}).

{held(m, share)}

{ordinary(m, share)}

{storms(m, share)}

{breaks(m)}
"""


def shared(m):
    """What so many peers ask of a store and of nodes that share their rooms over it."""
    rows = []
    for peers in (50_000, 1_000_000, 10_000_000):
        calls = peers / 2 / m.call_every * m.call_entries
        proofs = peers / m.proof_every
        entries = calls + proofs
        shards = max(1, math.ceil(entries * m.append_cpu / m.shard_share))
        nodes = max(
            2,
            math.ceil(peers / m.per_machine),
            math.ceil(entries * m.entry_cpu / (m.cpus * m.headroom)),
        )
        rows.append([count(peers), count(peers / 4), count(calls), count(proofs), count(shards),
                     size(peers * m.store_bytes), count(nodes), size(peers * m.nodes_bytes)])
    head = ["peers", "rooms of 4", "entries a second: calls", "proofs of life", "shards",
            "memory of the store", "nodes", "memory of the nodes"]
    return table(head, rows) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for group in (MEASURED, SHARED, ASSUMED, CHOSEN):
        for name, (value, what) in group.items():
            flag = "--" + name.replace("_", "-")
            parser.add_argument(flag, type=float, default=value, help=f"{what}: {value:g}", metavar="N")
    parser.add_argument("--check", action="store_true", help="compare with the documents")
    parser.add_argument("--shared", action="store_true", help="print the table of docs/scaling.md")
    m = parser.parse_args()
    m.cpus, m.memory_gib = int(m.cpus), int(m.memory_gib)
    texts = {"performance.md": report(m), "scaling.md": shared(m)}
    if not m.check:
        print(texts["scaling.md" if m.shared else "performance.md"], end="")
        return
    for name, text in texts.items():
        if text not in (DOCUMENTS / name).read_text():
            raise SystemExit(f"{name} does not have what benches/model.py prints")


if __name__ == "__main__":
    main()
