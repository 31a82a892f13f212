"""A situation that is being played, seen from outside: its process, its lines, its ledger."""

import contextlib
import dataclasses
import glob
import json
import os
import re
import select
import signal
import subprocess
import tempfile
import time
import unittest

PATIENCE_SECONDS = 30


@dataclasses.dataclass(frozen=True)
class Tools:
    driver: str
    preload: str
    command: str
    addr2line: str = "addr2line"


def environment(options="max_reports=0"):
    """What is wrong on purpose in these plays is looked at in the ledger: no reports of it."""
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("LD_", "IMPASSE_"))
    }
    clean["LC_ALL"] = "C"
    if options:
        clean["IMPASSE_OPTIONS"] = options
    return clean


CLOCK_STEP_SECONDS = 0.1  # that file systems tell the time to, and more


def ledgers_of(pid, since, directory="/dev/shm"):
    """Those of a process that began then: an older one with its number may have left others."""
    found = []
    for path in glob.glob(f"{glob.escape(directory)}/impasse.{pid}.*"):
        with contextlib.suppress(FileNotFoundError):
            if os.stat(path).st_ctime >= since - CLOCK_STEP_SECONDS:
                found.append(path)
    return found


def processes_of_group(group):
    """Those that run: not the ones that only wait to be told of."""
    found = set()
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as stat:
                    state, _, in_group = stat.read().rpartition(")")[2].split()[:3]
                if int(in_group) == group and state not in "ZX":
                    found.add(int(entry))
    return found


def all_tests(modules):
    """{name: test} of the test cases in these modules; no name twice."""
    found = {}
    for module in modules:
        for suite in unittest.TestLoader().loadTestsFromModule(module):
            for test in suite:
                name = test.id().rpartition(".test_")[2]
                assert name not in found, name
                found[name] = test
    return found


def compare_registered(tests, registered):
    """The exit status of --registered: names in one list and not in the other."""
    missing = sorted(set(tests) ^ set(registered))
    print(f"in one list and not in the other: {missing}" if missing else "all are registered")
    return 1 if missing else 0


class Play:
    """Starts the situation at once. `discard` leaves neither process nor file behind."""

    def __init__(self, tools, name, *, options="", wrap=(), preload=True, limits=(), cwd=None):
        self.tools = tools
        self.name = name
        self.started = time.monotonic()
        self.started_wall = time.time()
        self.pids = set()
        self._unread = b""
        self._complaints = tempfile.TemporaryFile()
        put_before = ["env", f"LD_PRELOAD={tools.preload}"] if preload else []

        def before_exec():
            for limit in limits:
                resource_limit(*limit)

        self.process = subprocess.Popen(
            [*wrap, *put_before, tools.driver, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            env=environment(f"max_reports=0 {options}"),
            cwd=cwd,
            start_new_session=True,
            preexec_fn=before_exec if limits else None,
        )
        self.pid = self.process.pid
        self.pids.add(self.pid)

    def line(self):
        """The next line of what must be seen now; None at the end."""
        end = time.monotonic() + PATIENCE_SECONDS
        while b"\n" not in self._unread:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                raise AssertionError(f"{self.name}: no line came; {self.complaints()}")
            more = os.read(self.process.stdout.fileno(), 65536)
            if not more:
                return None
            self._unread += more
        text, self._unread = self._unread.split(b"\n", 1)
        line = json.loads(text)
        if "pid" in line:
            self.pids.add(line["pid"])
        return line

    def next(self):
        """Lets the play go on to its next line, or its end."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(b"!")
            self.process.stdin.flush()
        return self.line()

    def end(self):
        """No more looks: waits for the end. Returns the lines that were left, and the status."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        rest = []
        while (line := self.line()) is not None:
            rest.append(line)
        return rest, self.process.wait(PATIENCE_SECONDS)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def complaints(self):
        self._complaints.seek(0)
        return self._complaints.read().decode(errors="replace")

    def discard(self):
        end = time.monotonic() + PATIENCE_SECONDS
        while family := processes_of_group(self.pid):
            self.pids |= family
            for pid in family:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.poll()
            if time.monotonic() > end:
                raise AssertionError(f"{self.name}: {family} cannot be killed")
            time.sleep(0.001)
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
        self._complaints.close()
        for path in self.ledgers():
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)

    def ledgers(self, directory="/dev/shm"):
        return [
            path
            for pid in sorted(self.pids)
            for path in ledgers_of(pid, self.started_wall, directory)
        ]


def resource_limit(which, value):
    import resource

    resource.setrlimit(which, (value, value))


@dataclasses.dataclass(frozen=True)
class Dump:
    status: int
    text: str
    complaint: str


def dump(tools, what, *flags):
    done = subprocess.run(
        [tools.command, "dump", "--facts", *flags, str(what)],
        capture_output=True,
        env=environment(),
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    return Dump(done.returncode, done.stdout.decode(), done.stderr.decode())


class Facts:
    """One `impasse dump --json`, with the same as text."""

    def __init__(self, tools, what):
        as_json = dump(tools, what, "--json")
        as_text = dump(tools, what)
        for one in (as_json, as_text):
            if one.status != 0 or one.complaint:
                raise AssertionError(f"impasse dump {what}: status {one.status}: {one.complaint}")
        self.json = json.loads(as_json.text)
        if "note" in self.json:
            raise AssertionError(self.json["note"])
        self.text = as_text.text
        self.threads = {thread["tid"]: thread for thread in self.json["threads"]}
        if len(self.threads) != len(self.json["threads"]):
            raise AssertionError(f"a thread is there twice: {self.json['threads']}")

    def __getitem__(self, key):
        return self.json[key]

    def lock(self, address):
        """The record of a lock that matters."""
        found = [lock for lock in self.json["locks"] if lock["address"] == address]
        if len(found) > 1:
            raise AssertionError(f"a lock is there twice: {found}")
        return found[0] if found else None

    def holders(self, address):
        return [
            thread["tid"]
            for thread in self.json["threads"]
            for hold in thread["holds"]
            if hold["lock"] == address and hold["phase"] == "held"
        ]


class Source:
    """Where in the source of the driver an address lies."""

    def __init__(self, tools):
        self.tools = tools
        self._known = {}

    def place(self, offset):
        """(function, file, line) of the call that returns to this offset."""
        if offset not in self._known:
            done = subprocess.run(
                [self.tools.addr2line, "-C", "-f", "-e", self.tools.driver, hex(offset - 1)],
                capture_output=True,
                text=True,
                check=True,
                timeout=PATIENCE_SECONDS,
            )
            function, place = done.stdout.splitlines()[:2]
            file, line = re.match(r"(.*):(\d+|\?)", place).groups()
            self._known[offset] = (function, os.path.basename(file), int(line) if line.isdigit() else 0)
        return self._known[offset]


def end_by_signal(status):
    return f"ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
