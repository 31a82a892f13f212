"""A sample that runs under impasse, seen from outside: its output, its reports, its end."""

import contextlib
import dataclasses
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "reports"))

from resolved import resolved
from stage import environment, ledgers_of, processes_of_group

PATIENCE_SECONDS = 30
REPORT_NAME = re.compile(r"impasse\.(\d+)\.(\d+)\.(json|txt)")


@dataclasses.dataclass(frozen=True)
class Tools:
    samples: str  # the folder that they are in
    preload: str
    stress: str = ""
    schema: str = ""  # of a report


def until(look, what, seconds=PATIENCE_SECONDS):
    """The first answer of `look` that is one."""
    end = time.monotonic() + seconds
    while True:
        answer = look()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"in {seconds} s there was no {what}")
        time.sleep(0.01)


class SampleRun:
    """Starts the sample at once. `discard` leaves neither process nor file behind."""

    def __init__(self, tools, command, *, options="", preload=True):
        self.command = command
        self.directory = tempfile.mkdtemp(prefix="impasse-findings.")
        self.reports = os.path.join(self.directory, "reports")
        os.mkdir(self.reports)
        self.started_wall = time.time()
        words = [word.replace("TMP", self.directory) for word in command.split()]
        program = tools.stress if words[0] == "stress" else os.path.join(tools.samples, words[0])
        variables = environment(f"dir={self.reports} {options}" if preload else "")
        if preload:
            variables["LD_PRELOAD"] = tools.preload
        self._pids = set()
        with self._made("out") as out, self._made("err") as err:
            self.process = subprocess.Popen(
                [program, *words[1:]],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=variables,
                cwd=self.directory,
                start_new_session=True,
            )
        self.pid = self.process.pid
        self._pids.add(self.pid)

    def _made(self, name):
        return open(os.path.join(self.directory, name), "wb")

    def _text(self, name):
        with open(os.path.join(self.directory, name), encoding="utf-8", errors="replace") as file:
            return file.read()

    def output(self):
        return self._text("out")

    def complaints(self):
        return self._text("err")

    # ---- the stuck

    def wait_until_it_says(self, word):
        def look():
            if self.process.poll() is not None:
                raise AssertionError(
                    f"{self.command} ended with {self.process.returncode}: {self.complaints()}"
                )
            return word in self.output()

        until(look, f'"{word}" of {self.command}')

    def report_files(self):
        return sorted(os.listdir(self.reports))

    def wait_for_reports(self, count=1):
        """Those of all processes, complete: with names, or with the reason for having none."""

        def look():
            found = [report for report in self._readable_reports() if is_complete(report)]
            return (found,) if len(found) >= count else None

        try:
            return until(look, f"{count} complete reports of {self.command}")[0]
        except AssertionError as error:
            raise AssertionError(
                f"{error}: {self.report_files()}; it said: {self.complaints()!r}"
            ) from None

    def _readable_reports(self):
        for name in self.report_files():
            place = REPORT_NAME.fullmatch(name)
            if place is None or place.group(3) != "json":
                continue
            # It may be about to be written.
            with contextlib.suppress(FileNotFoundError, json.JSONDecodeError):
                report = Report(os.path.join(self.reports, name))
                if os.path.exists(report.text_path):
                    yield report

    # ---- the healthy

    def end(self, seconds):
        """Its exit status."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.command} does not end: {self.complaints()!r}") from None

    def discard(self):
        # A child may die with its parent: whose ledgers stay behind is known only before. What is
        # stopped, or about to be, forks no more.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGSTOP)
        self._pids |= processes_of_group(self.pid)
        # Its first thread may have ended while others go on: the group then looks empty.
        if self.process.poll() is None:
            self.process.kill()
        end = time.monotonic() + PATIENCE_SECONDS
        while family := processes_of_group(self.pid):
            self._pids |= family
            for pid in family:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.poll()
            if time.monotonic() > end:
                raise AssertionError(f"{self.command}: {family} cannot be killed")
            time.sleep(0.001)
        self.process.wait()
        for pid in self._pids:
            for path in ledgers_of(pid, self.started_wall):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)
        shutil.rmtree(self.directory)


def is_complete(report):
    """It is written raw first, and again when names have been looked up, or could not be."""
    names = report.json["names"]
    return names["looked_up"] or "being looked up" not in names["trouble"]


class Report:
    """One report file. Threads and locks are known by their indices, as in the file; places and
    stacks stand where the file refers to them."""

    def __init__(self, path):
        self.path = path
        self.text_path = path.removesuffix(".json") + ".txt"
        self.pid, self.number = map(int, REPORT_NAME.fullmatch(os.path.basename(path)).groups()[:2])
        with open(path, encoding="utf-8") as file:
            self.json = json.load(file)
        whole = resolved(self.json)
        self.finding = whole["finding"]
        self.cycle = self.finding["cycle"]
        self.crowd = self.finding["crowd"]
        self.threads = whole["threads"]
        self.locks = whole["locks"]
        self.calls = whole.get("calls", [])

    def text(self):
        with open(self.text_path, encoding="utf-8") as file:
            return file.read()

    def thread(self, index):
        return {} if index is None else self.threads[index]

    def name(self, index):
        return self.thread(index).get("name")

    def thread_named(self, name):
        found = [thread for thread in self.threads if thread["name"] == name]
        if len(found) != 1:
            names = sorted(thread["name"] for thread in self.threads)
            raise AssertionError(f"{len(found)} threads are named {name}: {names}")
        return found[0]

    def lock_name(self, index):
        return "" if index is None else self.locks[index]["name"]


def functions(frame):
    """Innermost first."""
    return [source["function"] for source in frame["sources"]]


def stack_functions(thread):
    return [name for frame in thread["stack"]["frames"] for name in functions(frame)]


def is_function(name, wanted):
    """`wanted` is the function's plain name; what is before and behind it in a signature differs."""
    return re.search(rf"(?<![\w]){re.escape(wanted)}(?=[<(\[ .]|$)", name) is not None
