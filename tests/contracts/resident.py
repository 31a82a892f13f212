#!/usr/bin/env python3
"""resident.py PROGRAM LIBRARY COMMAND: code of ours leaves memory when it is not needed, and only that.

PROGRAM is one with a second thread that goes on until its standard input ends.
"""
import os
import subprocess
import sys
import tempfile
import time
import unittest

PROGRAM, LIBRARY, COMMAND = sys.argv[1:4]
KIB = 1024
MOST_RESIDENT = 448 * KIB  # of its file, with what was written to
PATIENCE_SECONDS = 20
BREAKPOINT = b"\xcc"


class Part:
    """One mapping of the library, now."""

    def __init__(self, heading):
        addresses, self.access = heading.split()[:2]
        self.start, self.end = (int(address, 16) for address in addresses.split("-"))
        self.rss = self.anonymous = 0


def parts(pid):
    found, current = [], None
    with open(f"/proc/{pid}/smaps", encoding="utf-8", errors="replace") as lines:
        for line in lines:
            name = line.split(maxsplit=1)[0]
            if not name.endswith(":"):
                current = Part(line) if line.rstrip().endswith(os.path.realpath(LIBRARY)) else None
                found += [current] if current else []
            elif current and name in ("Rss:", "Anonymous:"):
                setattr(current, name[:-1].lower(), int(line.split()[1]) * KIB)
    return found


def resident(pid):
    return sum(part.rss for part in parts(pid))


def until(true, what):
    end = time.monotonic() + PATIENCE_SECONDS
    while not true():
        if time.monotonic() > end:
            raise AssertionError(f"not within {PATIENCE_SECONDS} seconds: {what}")
        time.sleep(0.02)


class Resident(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory(prefix="impasse-resident.")
        self.addCleanup(self.directory.cleanup)
        self.process = subprocess.Popen(
            [PROGRAM, "idle", "0"],
            env={**os.environ, "LD_PRELOAD": LIBRARY, "IMPASSE_OPTIONS": f"dir={self.directory.name}"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.addCleanup(self.end)
        self.assertEqual(self.process.stdout.readline(), b"ready\n")
        self.pid = self.process.pid

    def end(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.assertEqual(self.process.wait(PATIENCE_SECONDS), 0)

    def until_at_rest(self):
        until(lambda: resident(self.pid) <= MOST_RESIDENT, f"{MOST_RESIDENT} bytes of the library resident")

    def dump(self):
        return subprocess.run([COMMAND, "dump", str(self.pid)], capture_output=True, check=True, text=True).stdout

    def test_rests_after_its_start(self):
        self.until_at_rest()

    def test_rests_after_a_report(self):
        self.until_at_rest()
        self.assertIn("bench_memory", self.dump())
        self.until_at_rest()

    def test_a_breakpoint_stays(self):
        """Whoever writes into a page of code has a page of its own."""
        self.until_at_rest()
        cold = max((part for part in parts(self.pid) if part.access == "r-xp"), key=lambda part: part.end)
        address = cold.end - 4096  # the end of the code is the standard library's
        with open(f"/proc/{self.pid}/mem", "r+b", buffering=0) as memory:
            memory.seek(address)
            memory.write(BREAKPOINT)

            def written():
                memory.seek(address)
                return memory.read(1)

            self.dump()
            self.until_at_rest()
            self.assertEqual(written(), BREAKPOINT)
        (code,) = (part for part in parts(self.pid) if part.start == cold.start)
        self.assertGreaterEqual(code.anonymous, 4096)


unittest.main(argv=sys.argv[:1])
