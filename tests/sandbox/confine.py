"""Runs a program under the system calls, socket families and memory rules of a systemd unit, as
systemd would: confine.py UNIT PROGRAM [ARGUMENT...]. What it cannot heed it refuses."""

import errno
import mmap
import os
import socket
import subprocess
import sys

from seccomp import ALLOW, EQ, ERRNO, MASKED_EQ, Arg, SyscallFilter


def settings(unit, name):
    with open(unit, encoding="utf-8") as lines:
        return [line.split("=", 1)[1].strip() for line in lines if line.startswith(name + "=")]


def calls(group):
    """The system calls of a group, groups within it included."""
    if not group.startswith("@"):
        return {group}
    told = subprocess.run(["systemd-analyze", "syscall-filter", group], check=True, capture_output=True, text=True).stdout
    names = [line.strip() for line in told.splitlines()[1:]]
    return set().union(*(calls(name) for name in names if name and not name.startswith("#")))


def allowed(unit):
    allowed = calls("@default")
    for line in settings(unit, "SystemCallFilter"):
        listed = set().union(*(calls(name) for name in line.lstrip("~").split()))
        allowed = allowed - listed if line.startswith("~") else allowed | listed
    return allowed


def main():
    unit, *command = sys.argv[1:]
    if settings(unit, "SystemCallErrorNumber") != ["EPERM"] or settings(unit, "MemoryDenyWriteExecute") != ["yes"]:
        sys.exit("the unit does not say EPERM and MemoryDenyWriteExecute")
    (families,) = settings(unit, "RestrictAddressFamilies")
    rules = SyscallFilter(ERRNO(errno.EPERM))
    special = {"socket", "mmap", "mprotect", "pkey_mprotect", "shmat"}
    for name in sorted(allowed(unit) - special):
        try:
            rules.add_rule(ALLOW, name)
        except (RuntimeError, ValueError):
            # A call of another architecture, or newer than the library.
            continue
    for family in families.split():
        rules.add_rule(ALLOW, "socket", Arg(0, EQ, getattr(socket, family)))
    # Memory is written or run, never both, and what was written never becomes what is run.
    rules.add_rule(ALLOW, "mmap", Arg(2, MASKED_EQ, mmap.PROT_EXEC, 0))
    rules.add_rule(ALLOW, "mmap", Arg(2, MASKED_EQ, mmap.PROT_WRITE, 0))
    rules.add_rule(ALLOW, "mprotect", Arg(2, MASKED_EQ, mmap.PROT_EXEC, 0))
    rules.load()
    os.execv(command[0], command)


main()
