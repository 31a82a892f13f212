"""How much resident memory a preload adds to a program in a given state."""

import os
import subprocess
import time
from typing import Callable, Dict, List, NamedTuple, Tuple

from ratios import Spread, spread
from variants import Failed, environment

KIB = 1024
SETTLED_READINGS = 4
READING_S = 0.1
SETTLE_LIMIT_S = 10.0
READY_LIMIT_S = 60.0

IDLE, THREADS, NESTED, ALONE = "idle", "threads", "nested", "alone"
THREAD_COUNT = 100
LOCK_COUNT = 100_000
STATES: Tuple[Tuple[str, int], ...] = (
    (IDLE, 0),
    (THREADS, THREAD_COUNT),
    (NESTED, LOCK_COUNT),
    (ALONE, LOCK_COUNT),
)

# Two runs of one program differ by this much: where its pages begin, which pages of a file were mapped along.
NOISE = 32 * KIB


class Mapped(NamedTuple):
    """Bytes of one file, or of all mappings without one, that are present: `rss` in all, `own` written to (and so no
    longer the file's), `pss` divided among the processes that share them."""

    rss: int
    own: int
    pss: int


# Bytes by the path of the file; "" for what has none.
Resident = Dict[str, Mapped]


def mapped(pid: int) -> Resident:
    """What is present in memory, of each file that the process maps. Fields are those of smaps_rollup, by mapping."""
    found: Resident = {}
    path = ""
    fields: Dict[str, int] = {}
    with open(f"/proc/{pid}/smaps", encoding="utf-8", errors="replace") as lines:
        for line in lines:
            name = line.split(maxsplit=1)[0]
            if not name.endswith(":"):  # the heading of a mapping: range, access, offset, device, inode, path
                parts = line.split(maxsplit=5)
                path = parts[5].strip() if parts[4] != "0" else ""
            elif name == "VmFlags:":  # the last line of a mapping
                before = found.get(path, Mapped(0, 0, 0))
                found[path] = Mapped(
                    before.rss + fields["Rss:"], before.own + fields["Anonymous:"], before.pss + fields["Pss:"]
                )
            elif line.endswith("kB\n"):
                fields[name] = int(line.split()[1]) * KIB
    return found


def shared_memory_files(pid: int) -> Dict[str, int]:
    """Bytes that are allocated in each file of /dev/shm that the process maps."""
    sizes: Dict[str, int] = {}
    with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as lines:
        for line in lines:
            parts = line.split(maxsplit=5)
            if len(parts) < 6 or not parts[5].startswith("/dev/shm/"):
                continue
            # The way to a file that has no name any more; open to root only.
            for path in (f"/proc/{pid}/map_files/{parts[0]}", parts[5].strip()):
                try:
                    sizes[parts[5].strip()] = os.stat(path).st_blocks * 512
                    break
                except OSError:
                    continue
    return sizes


def resident(pid: int) -> Resident:
    """With the pages of /dev/shm that are allocated, whether they are mapped or not."""
    found = mapped(pid)
    for path, allocated in shared_memory_files(pid).items():
        present = found.get(path, Mapped(0, 0, 0))
        found[path] = Mapped(max(present.rss, allocated), present.own, max(present.pss, allocated))
    return found


def added_rss(bare: Resident, preloaded: Resident) -> float:
    """Of files that both map (libc), only the pages that were written count: the others are in memory anyway, and how
    many of them the kernel maps along with a needed one is its whim."""

    def size(side: Resident, other: Resident) -> int:
        return sum(m.own if path and path in other else m.rss for path, m in side.items())

    return float(size(preloaded, bare) - size(bare, preloaded))


def added_pss(bare: Resident, preloaded: Resident) -> float:
    return float(sum(m.pss for m in preloaded.values()) - sum(m.pss for m in bare.values()))


def settled(pid: int) -> Resident:
    """The memory once it has stopped changing: a detector may do its work a little later, on its own thread."""
    deadline = time.monotonic() + SETTLE_LIMIT_S
    seen = resident(pid)
    equal = 0
    while equal < SETTLED_READINGS and time.monotonic() < deadline:
        time.sleep(READING_S)
        now = resident(pid)
        equal = equal + 1 if now == seen else 0
        seen = now
    return seen


def measure(program: str, state: str, count: int, changes: Dict[str, str]) -> Resident:
    process = subprocess.Popen(
        [program, state, str(count)],
        env=environment(changes),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdin and process.stdout
        if process.stdout.readline() != b"ready\n":
            raise Failed("failed", f"{program} {state} {count} did not become ready")
        seen = settled(process.pid)
        process.stdin.close()
        if process.wait(timeout=READY_LIMIT_S) != 0:
            raise Failed("failed", f"{program} {state} {count}: exit status {process.returncode}")
        return seen
    except subprocess.TimeoutExpired:
        raise Failed("timeout", f"{program} {state} {count} does not end") from None
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        process.stdout.close()


class Row(NamedTuple):
    name: str
    title: str
    unit: str
    rss: Spread
    pss: Spread
    limit: float


def rows(program: str, preloaded: Dict[str, str], rounds: int) -> List[Row]:
    bare: Dict[str, List[Resident]] = {state: [] for state, _ in STATES}
    with_preload: Dict[str, List[Resident]] = {state: [] for state, _ in STATES}
    for _ in range(rounds):
        for state, count in STATES:
            bare[state].append(measure(program, state, count, {}))
            with_preload[state].append(measure(program, state, count, preloaded))

    def row(state: str, title: str, unit: str, divisor: float, limit: float) -> Row:
        def added(measure_added: Callable[[Resident, Resident], float]) -> Spread:
            values = [measure_added(*sides) for sides in zip(bare[state], with_preload[state])]
            idle = [measure_added(*sides) for sides in zip(bare[IDLE], with_preload[IDLE])]
            if state == IDLE:
                idle = [0.0] * len(idle)
            return spread([(value - base) / divisor for value, base in zip(values, idle)])

        return Row(state, title, unit, added(added_rss), added(added_pss), limit)

    return [
        row(IDLE, "idle threaded process", "KiB", KIB, 1024),
        row(THREADS, f"{THREAD_COUNT} threads, per thread", "KiB", KIB * THREAD_COUNT, 16),
        row(NESTED, f"{LOCK_COUNT:,} locks nested once, per lock", "B", LOCK_COUNT, 200),
        row(ALONE, f"{LOCK_COUNT:,} locks taken alone, in all", "KiB", KIB, NOISE / KIB),
    ]
