"""What keeps a case apart: its own /dev/shm, and every orphan of its programs coming back to it.

Tests run in parallel, so a file or a process that somebody left behind can only be blamed on a case
if nobody else could have left it there.
"""

import ctypes
import os

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
MS_REC_PRIVATE = (1 << 14) | (1 << 18)
PR_SET_CHILD_SUBREAPER = 36

libc = ctypes.CDLL(None, use_errno=True)


def adopt_orphans() -> None:
    """Whatever a program leaves running becomes a child of this process instead of init's."""
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def enter_private_shm() -> bool:
    """Gives this process and its future children an empty /dev/shm that nobody else sees.

    False where the system does not let us; the caller must then tell its own files by process ids.
    To be called while this process has one thread.
    """
    user, group = os.geteuid(), os.getegid()
    flags = CLONE_NEWNS if user == 0 else CLONE_NEWNS | CLONE_NEWUSER
    if libc.unshare(flags) != 0:
        return False
    if user != 0:
        try:
            # Same numbers inside as outside: the programs must not believe that they are root.
            for entry, line in (
                ("setgroups", "deny"),
                ("uid_map", f"{user} {user} 1"),
                ("gid_map", f"{group} {group} 1"),
            ):
                with open(f"/proc/self/{entry}", "w", encoding="ascii") as file:
                    file.write(line)
        except OSError:
            return False
    if libc.mount(b"none", b"/", None, MS_REC_PRIVATE, None) != 0:
        return False
    return libc.mount(b"tmpfs", b"/dev/shm", b"tmpfs", 0, b"mode=1777,size=256m") == 0
