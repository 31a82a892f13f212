"""Runs a real program twice, bare and under the preload, and compares what it did.

A case is a script with a function that is called once for each run:

    def workload(run: Run) -> None:
        run.command(["bash", "script.sh"], expect_status=0)

    main("bash", needs=["bash"], workload=workload)

Each run gets the same empty directory (run.directory, also the working directory and HOME), so that
paths in outputs need no normalising. Whatever is observed (the output and status of each command, and
what the workload passes to run.observe) must be equal in both runs. Besides that a case fails when
the preload was not mapped, a process or a file in /dev/shm stayed behind, the preload wrote a report,
or the whole took longer than DEADLINE_SECONDS. LD_PRELOAD is set for the programs only, never for
this process.
"""

import argparse
import difflib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import isolation
import process_view

DEADLINE_SECONDS = 100
ORPHAN_GRACE_SECONDS = 5
POLL_SECONDS = 0.005
SKIPPED = 77
# Debian's programs, whatever else the machine has in front of them.
PROGRAM_PATH = "/usr/bin:/bin:/usr/sbin:/sbin"
WORKLOADS = Path(__file__).resolve().parent / "workloads"


class CaseFailed(Exception):
    """The text says what is wrong to somebody who has only the test's output."""


@dataclass(frozen=True)
class Outcome:
    status: int
    stdout: bytes
    stderr: bytes


def unchanged(output: bytes) -> bytes:
    return output


class Run:
    """One of the two runs: starts programs, and keeps what was observed of them."""

    def __init__(self, directory: Path, reports: Path, library: str, preloaded: bool) -> None:
        self.directory = directory
        self.preloaded = preloaded
        self.observations: list[tuple[str, Any]] = []
        self.started: list[subprocess.Popen[bytes]] = []
        self._reports = reports
        self._library = library

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        variables = {
            "PATH": PROGRAM_PATH,
            "HOME": str(self.directory),
            "TMPDIR": str(self.directory),
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "IMPASSE_OPTIONS": f"dir={self._reports}",
        }
        if self.preloaded:
            variables["LD_PRELOAD"] = self._library
        return variables | dict(extra or {})

    def start(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        stdin: int = subprocess.DEVNULL,
        stdout: int = subprocess.PIPE,
        stderr: int = subprocess.PIPE,
        pipesize: int = -1,
    ) -> subprocess.Popen[bytes]:
        program = shutil.which(argv[0], path=PROGRAM_PATH) or argv[0]
        process = subprocess.Popen(
            [program, *argv[1:]],
            env=self.environment(env),
            cwd=self.directory,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            pipesize=pipesize,
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def finish(
        self,
        process: subprocess.Popen[bytes],
        what: str,
        *,
        feed: bytes | None = None,
        expect_status: int | None = 0,
        normalise: Callable[[bytes], bytes] = unchanged,
    ) -> Outcome:
        """Waits for the end; what it printed and its status become observations."""
        stdout, stderr = process.communicate(feed)
        outcome = Outcome(process.returncode, normalise(stdout or b""), normalise(stderr or b""))
        self.observe(f"{what}: status", outcome.status)
        self.observe(f"{what}: stdout", outcome.stdout)
        self.observe(f"{what}: stderr", outcome.stderr)
        self.expect(
            expect_status is None or outcome.status == expect_status,
            f"{what} ended with {outcome.status} instead of {expect_status}\n"
            f"{tail(outcome.stdout)}{tail(outcome.stderr)}",
        )
        return outcome

    def command(
        self,
        argv: Sequence[str],
        *,
        what: str | None = None,
        env: Mapping[str, str] | None = None,
        feed: bytes | None = None,
        expect_status: int | None = 0,
        normalise: Callable[[bytes], bytes] = unchanged,
    ) -> Outcome:
        stdin = subprocess.DEVNULL if feed is None else subprocess.PIPE
        process = self.start(argv, env=env, stdin=stdin)
        what = what or " ".join(argv)[:80]
        return self.finish(
            process, what, feed=feed, expect_status=expect_status, normalise=normalise
        )

    def observe(self, what: str, value: Any) -> None:
        self.observations.append((what, value))

    def expect(self, condition: Any, otherwise: str) -> None:
        if not condition:
            raise CaseFailed(f"{self.name} run: {otherwise}")

    def until(self, condition: Callable[[], Any], what: str, seconds: float = 30) -> Any:
        """Polls until the condition holds, and returns its value."""
        end = time.monotonic() + seconds
        while not (value := condition()):
            if time.monotonic() > end:
                raise CaseFailed(
                    f"{self.name} run: after {seconds} s still not so: {what}\n{own_processes()}"
                )
            time.sleep(POLL_SECONDS)
        return value

    def expect_mapped(self, pid: int, who: str) -> None:
        """In the preloaded run this process must have mapped the library, in the bare run not."""
        # A process just started runs its loader before it has its libraries.
        if self.preloaded:
            self.until(
                lambda: process_view.has_mapped(pid, self._library)
                or not process_view.is_running(pid),
                f"{self._library} is mapped in {who} ({pid})",
            )
        self._expect_mapped(process_view.has_mapped(pid, self._library), f"{who} ({pid})")

    def expect_named_in(self, maps: bytes, who: str) -> None:
        """The same, for a short program that was made to print its own /proc/self/maps."""
        self.expect(maps.count(b"\n") > 5, f"{who} did not print its mappings: {tail(maps)}")
        named = process_view.maps_name(maps.decode(errors="replace"), self._library)
        self._expect_mapped(named, who)

    def _expect_mapped(self, mapped: bool, who: str) -> None:
        word = "not mapped" if self.preloaded else "mapped"
        self.expect(mapped == self.preloaded, f"{self._library} is {word} in {who}")

    def until_threads(self, pid: int, at_least: int) -> list[int]:
        """Waits until the process runs that many threads of its own; their ids.

        Under the preload its watchdog must be there as well: a process that it leaves alone proves
        nothing about threads.
        """

        def running() -> list[int]:
            alive = process_view.is_running(pid)
            self.expect(alive, f"process {pid} ended before it had {at_least} threads")
            # Asked first: until the watchdog has its name it looks like one of the program's own.
            watched_as_due = process_view.is_watched(pid) == self.preloaded
            tids = process_view.thread_ids(pid)
            return tids if watched_as_due and len(tids) >= at_least else []

        watched = " and the watchdog" if self.preloaded else ""
        return self.until(running, f"process {pid} has {at_least} threads{watched}")

    @property
    def name(self) -> str:
        return "preloaded" if self.preloaded else "bare"


class Case:
    """Everything around the two runs: directories, the deadline, what may not stay behind."""

    def __init__(self, library: str, workload: Callable[[Run], None]) -> None:
        self._library = library
        self._workload = workload
        self._known_pids: set[int] = set()
        self._private_shm = isolation.enter_private_shm()
        self._seconds: dict[str, float] = {}
        isolation.adopt_orphans()

    def compare(self) -> str:
        """Both runs and the comparison; one line about them."""
        with tempfile.TemporaryDirectory(prefix="impasse-program.") as scratch:
            try:
                bare = self._run(Path(scratch), preloaded=False)
                preloaded = self._run(Path(scratch), preloaded=True)
            finally:
                end_own_processes()
                if not self._private_shm:
                    for file in self._shm_files():
                        file.unlink(missing_ok=True)
        difference = first_difference(bare.observations, preloaded.observations)
        if difference:
            raise CaseFailed(f"the preload changes what the program does:\n{difference}")
        shm = "private" if self._private_shm else "shared (looked for files of known processes)"
        return (
            f"{len(bare.observations)} observations equal; bare {self._seconds['bare']:.1f} s,"
            f" preloaded {self._seconds['preloaded']:.1f} s; /dev/shm {shm}"
        )

    def _run(self, scratch: Path, preloaded: bool) -> Run:
        reports = scratch / "reports"
        # The same place for both, so that not even a path differs between them.
        directory = scratch / "run"
        reports.mkdir(exist_ok=True)
        directory.mkdir()
        run = Run(directory, reports, self._library, preloaded)
        begin = time.monotonic()
        try:
            self._workload(run)
        except Exception as error:
            told = str(error) if isinstance(error, CaseFailed) else f"{run.name} run: {error!r}"
            raise CaseFailed(told + circumstances(run, reports)) from error
        self._seconds[run.name] = time.monotonic() - begin
        self._known_pids.update(process.pid for process in run.started)
        self._known_pids.update(process_view.descendants(os.getpid()))
        self._expect_all_ended(run)
        run.expect(run.observations, "nothing was observed")
        run.expect(not any(reports.iterdir()), "there are reports" + circumstances(run, reports))
        left = [file.name for file in self._shm_files()]
        run.expect(not left, f"left behind in /dev/shm: {left}")
        shutil.rmtree(directory)
        return run

    def _expect_all_ended(self, run: Run) -> None:
        """A helper of the program may end a little later than the program itself."""
        end = time.monotonic() + ORPHAN_GRACE_SECONDS
        while True:
            for process in run.started:
                process.poll()
            running = reap_and_list(run)
            if not running:
                return
            if time.monotonic() > end:
                text = "\n".join(process_view.describe(pid) for pid in running)
                raise CaseFailed(f"{run.name} run: still running after the workload:\n{text}")
            time.sleep(POLL_SECONDS)

    def _shm_files(self) -> list[Path]:
        files = sorted(Path("/dev/shm").glob("impasse.*"))
        if self._private_shm:
            return files
        ours = {str(pid) for pid in self._known_pids}
        return [file for file in files if ours.intersection(file.name.split("."))]


def reap_and_list(run: Run) -> list[int]:
    """Our descendants that still run; orphans that have ended are reaped on the way."""
    started = {process.pid for process in run.started}
    running = []
    for pid in process_view.descendants(os.getpid()):
        if process_view.is_running(pid):
            running.append(pid)
        elif pid not in started:
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                pass  # its own parent has not reaped it yet
    return running


def circumstances(run: Run, reports: Path) -> str:
    """What else there is to know about a failed run: ended programs, logs, reports."""
    told = []
    for process in run.started:
        if process.poll():
            told.append(f"{process.args} ended with {process.returncode}: {unread_errors(process)}")
    for file in [*sorted(run.directory.glob("*.log")), *sorted(reports.glob("*.txt"))[:3]]:
        told.append(f"---- {file.name}\n{file.read_text(errors='replace')[:6000]}")
    return "".join("\n" + text for text in told)


def unread_errors(process: subprocess.Popen[bytes]) -> str:
    """What an ended program said on stderr and nobody has read yet."""
    if process.stderr is None or process.stderr.closed:
        return ""
    # A child of it may still hold the other end.
    os.set_blocking(process.stderr.fileno(), False)
    return tail(process.stderr.read() or b"")


def own_processes() -> str:
    return "\n".join(process_view.describe(pid) for pid in process_view.descendants(os.getpid()))


def end_own_processes() -> None:
    """Kills what is left, group by group, until nothing is: orphans come back to us meanwhile."""
    for _ in range(100):
        pids = list(filter(process_view.is_running, process_view.descendants(os.getpid())))
        if not pids:
            return
        for pid in pids:
            try:
                group = os.getpgid(pid)
                if group != os.getpgrp():
                    os.killpg(group, signal.SIGKILL)
                else:
                    os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(POLL_SECONDS)


def first_difference(bare: list[tuple[str, Any]], preloaded: list[tuple[str, Any]]) -> str:
    for (what, expected), (other_what, actual) in zip(bare, preloaded):
        if what != other_what:
            return f"the bare run observed {what!r} where the preloaded one observed {other_what!r}"
        if expected != actual:
            old, new = lines_of(expected), lines_of(actual)
            changed = difflib.unified_diff(old, new, "bare", "preloaded", lineterm="")
            return f"{what}\n" + "\n".join(changed)
    if len(bare) != len(preloaded):
        return f"{len(bare)} observations bare, {len(preloaded)} preloaded"
    return ""


def lines_of(value: Any) -> list[str]:
    if isinstance(value, bytes):
        value = value.decode(errors="backslashreplace")
    return (value if isinstance(value, str) else repr(value)).splitlines()


def tail(output: bytes, length: int = 3000) -> str:
    return output[-length:].decode(errors="backslashreplace")


def stop_at_deadline(number: int, _frame: Any) -> NoReturn:
    signal.setitimer(signal.ITIMER_REAL, 0)
    processes = own_processes()
    # Ended here, so that threads of ours that wait for an answer from them get on.
    end_own_processes()
    name = signal.Signals(number).name
    raise CaseFailed(f"stopped by {name}; running at that time:\n{processes}")


def main(program: str, needs: Sequence[str], workload: Callable[[Run], None]) -> NoReturn:
    parser = argparse.ArgumentParser(description=f"{program}, bare and under the preload")
    parser.add_argument("--preload", required=True, help="path of libimpasse.so")
    library = os.path.realpath(parser.parse_args().preload)
    if not os.path.isfile(library):
        parser.error(f"there is no file {library}")
    for need in needs:
        if not shutil.which(need, path=PROGRAM_PATH):
            print(f"skipped: no {need}")
            sys.exit(SKIPPED)
    os.environ.pop("LD_PRELOAD", None)
    signal.signal(signal.SIGALRM, stop_at_deadline)
    signal.signal(signal.SIGTERM, stop_at_deadline)
    signal.setitimer(signal.ITIMER_REAL, DEADLINE_SECONDS)
    try:
        print(f"{program}: {Case(library, workload).compare()}")
    except CaseFailed as failure:
        print(f"FAILED: {program}: {failure}")
        sys.exit(1)
    sys.exit(0)
