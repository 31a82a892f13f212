"""A program under the preload, and what `impasse dump --json` says of it."""

import bisect
import contextlib
import glob
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "reports"))

from resolved import resolved

CHAIN = ["chain_pointer", "chain_many", "chain_aligned", "chain_array", "chain_top", "chain_thread"]
OURS = ("impasse", "impasse/names")
PATIENCE_SECONDS = 30


def thread_calls(pid):
    """By name, each thread's line in /proc/PID/task/TID/syscall; ours are left out."""
    calls = {}
    tasks = f"/proc/{pid}/task"
    for tid in os.listdir(tasks):
        try:
            with open(f"{tasks}/{tid}/comm") as comm, open(f"{tasks}/{tid}/syscall") as call:
                name = comm.read().strip()
                if name not in OURS:
                    calls[name] = call.read().strip()
        except OSError:
            continue
    return calls


class Run:
    """Ends, with all that it started, at the end of a `with`."""

    def __init__(self, preload, command, options=""):
        self.directory = tempfile.mkdtemp(prefix="impasse-inside-")
        environment = dict(os.environ)
        environment["LD_PRELOAD"] = preload
        environment["IMPASSE_OPTIONS"] = f"dir={self.directory} {options}"
        self.process = subprocess.Popen(
            command, env=environment, start_new_session=True, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for ledger in glob.glob(f"/dev/shm/impasse.{self.process.pid}.*"):
            os.unlink(ledger)
        self.process.stdout.close()
        shutil.rmtree(self.directory)

    def reports(self):
        return sorted(name for name in os.listdir(self.directory) if name.endswith(".json"))

    def wait_for_line(self, text):
        line = self.process.stdout.readline()
        assert text in line, f"expected {text!r}, got {line!r}"

    def wait_until_asleep(self, threads, awake=()):
        """Until so many threads beside the main one sleep, and have slept for a while."""
        before = None
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            calls = thread_calls(self.process.pid)
            main = os.path.basename(self.process.args[0])[:15]
            quiet = {k: v for k, v in calls.items() if k != main and k not in awake}
            asleep = all(call not in ("", "running") for call in quiet.values())
            if len(quiet) == threads and asleep and quiet == before:
                return
            before = quiet
            time.sleep(0.1)
        raise AssertionError(f"the program's threads did not all block: {before}")

    def dump(self, impasse, *flags):
        command = [impasse, "dump", "--json", *flags, str(self.process.pid)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS)
        assert done.returncode == 0, f"{command}: {done.returncode}: {done.stderr}"
        return resolved(json.loads(done.stdout))


class Functions:
    """The functions of a program by the symbols of its twin, which need not be the program."""

    def __init__(self, program, twin):
        self.program = os.path.realpath(program)
        with open(self.program, "rb") as file:
            (kind,) = struct.unpack_from("<H", file.read(18), 16)
        self.moves = kind == 3  # position-independent
        listing = subprocess.run(
            ["nm", "-S", "--defined-only", twin], capture_output=True, text=True, check=True
        ).stdout
        self.functions = []
        for line in listing.splitlines():
            words = line.split()
            if len(words) == 4:
                start, size = int(words[0], 16), int(words[1], 16)
                self.functions.append((start, start + size, words[3].split(".")[0]))
        self.functions.sort()

    def of_frame(self, report, frame):
        """Empty: in another module, or in none of the functions."""
        if frame["module"] is None:
            return ""
        module = report["modules"][frame["module"]]
        if os.path.realpath(module["path"]) != self.program:
            return ""
        pc = int(frame["pc"], 16) - (1 if frame["returns_here"] else 0)
        if self.moves:
            pc -= int(module["base"], 16)
        at = bisect.bisect_right(self.functions, (pc, float("inf"), ""))
        for start, end, name in reversed(self.functions[:at]):
            if start <= pc < end:
                return name
        return ""


def thread_of(report, name):
    found = [thread for thread in report["threads"] if thread["name"] == name]
    assert len(found) == 1, f"{len(found)} threads are called {name}"
    return found[0]
