"""Runs a program where a directory is all that there is, as a user without any rights, as a container
with --cap-drop ALL and no-new-privileges is run: within.py ROOT USER [NAME=VALUE...] PROGRAM
[ARGUMENT...]. Nothing but ROOT needs to stand in ROOT. With --write PATH for a program it tries to
write there, and says by its exit status whether that worked."""

import ctypes
import os
import sys

PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 24, 38


def main():
    root, user, *command = sys.argv[1:]
    user = int(user)
    environment = {}
    while "=" in command[0]:
        name, environment[name] = command.pop(0).split("=", 1)
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    os.chroot(root)
    os.chdir("/")
    capability = 0
    while prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0:
        capability += 1
    os.setgroups([])
    os.setresgid(user, user, user)
    # With its last user id of root a process loses all capabilities.
    os.setresuid(user, user, user)
    if capability == 0 or prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        sys.exit("rights cannot be given up")
    if command[0] == "--write":
        os.close(os.open(command[1], os.O_WRONLY | os.O_CREAT, 0o600))
        return
    os.execve(command[0], command, environment)


main()
