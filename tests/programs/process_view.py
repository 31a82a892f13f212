"""What /proc tells about other processes: mappings, threads, children, and what they are doing.

Every function answers for a process that may end at any moment: a vanished one has no threads, no
mappings and no children. Nothing here signals or changes a process.
"""

import os
from pathlib import Path

OUR_THREADS = ("impasse", "impasse/names")


def read_proc(pid: int | str, entry: str) -> str:
    try:
        return Path(f"/proc/{pid}/{entry}").read_text(errors="replace")
    except OSError:
        return ""


def stat_fields(pid: int | str, entry: str = "stat") -> list[str]:
    """The fields after the command name (which may contain spaces and brackets): state, ppid, …"""
    return read_proc(pid, entry).rpartition(")")[2].split()


def is_running(pid: int) -> bool:
    """False for a vanished process and for one that has ended and only waits to be reaped."""
    fields = stat_fields(pid)
    return bool(fields) and fields[0] not in "ZX"


def all_thread_ids(pid: int) -> list[int]:
    try:
        return sorted(int(name) for name in os.listdir(f"/proc/{pid}/task"))
    except OSError:
        return []


def thread_ids(pid: int) -> list[int]:
    """The program's own threads, without the one that the preload adds."""
    return [tid for tid in all_thread_ids(pid) if thread_name(pid, tid) not in OUR_THREADS]


def is_watched(pid: int) -> bool:
    """Whether the preload runs its watchdog in the process: it has not stepped aside."""
    return any(thread_name(pid, tid) in OUR_THREADS for tid in all_thread_ids(pid))


def thread_name(pid: int, tid: int) -> str:
    return read_proc(pid, f"task/{tid}/comm").rstrip("\n")


def voluntary_switches(pid: int, tid: int) -> int:
    for line in read_proc(pid, f"task/{tid}/status").splitlines():
        if line.startswith("voluntary_ctxt_switches:"):
            return int(line.split()[1])
    return 0


def maps_name(maps: str, library: str) -> bool:
    """Whether the text of a /proc/PID/maps names the library."""
    real = os.path.realpath(library)
    return any(line.rstrip().endswith(" " + real) for line in maps.splitlines())


def has_mapped(pid: int, library: str) -> bool:
    return maps_name(read_proc(pid, "maps"), library)


def children(pid: int) -> list[int]:
    return [child for child, parent in parents().items() if parent == pid]


def descendants(pid: int) -> list[int]:
    """Children, their children, and so on; parents come before their children."""
    parent_of = parents()
    found, frontier = [], [pid]
    while frontier:
        frontier = [child for child, parent in parent_of.items() if parent in frontier]
        found += frontier
    return found


def parents() -> dict[int, int]:
    parent_of = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            fields = stat_fields(name)
            if fields:
                parent_of[int(name)] = int(fields[1])
    return parent_of


def describe(pid: int) -> str:
    """What a process and each of its threads are doing, for whoever reads a failure."""
    command = read_proc(pid, "cmdline").replace("\0", " ").strip() or "(ended)"
    lines = [f"process {pid}: {command[:200]}"]
    for tid in all_thread_ids(pid):
        state = (stat_fields(pid, f"task/{tid}/stat") or ["?"])[0]
        call = read_proc(pid, f"task/{tid}/syscall").strip()
        wait_channel = read_proc(pid, f"task/{tid}/wchan").strip()
        name = thread_name(pid, tid)
        lines.append(f"  thread {tid} {name!r} {state} wchan={wait_channel} syscall={call}")
    return "\n".join(lines)
