"""A healthy program under load for a while, bare and under the preload: nothing may be found in it.

A control is a script with a function that is called once for each of the two runs:

    def workload(control: Control) -> None: ...

    main("xz", needs=["xz"], workload=workload)

What it observes must be equal in both runs, so it observes results and no counts of work done.
There must be no report of any kind, with orders looked for, and nothing that could not be recorded.
All that holds for every case of tests/programs holds here too: see program_case.py.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "programs"))

import program_case
from program_case import PROGRAM_PATH, SKIPPED, Case, CaseFailed, Run

OPTIONS = "order=on wait=10s"
# Without impasse, for what the load says when all is well.
BARE_SECONDS = 3
EXTRA_SECONDS = 90  # to start, to end, and for a machine that is busy elsewhere
# Counts that are no gaps: what was not told at once is told a little later; and a thread that
# signals too much to be kept apart (python3's locks are semaphores) counts as one that may wake
# anybody.
LATER = {"order_sights_postponed", "signals_dropped"}
WORKLOADS = Path(__file__).resolve().parent / "workloads"


class Control:
    """One of the two runs, with the load that it is to be put under."""

    def __init__(self, run: Run, seconds: float, arguments: argparse.Namespace) -> None:
        self.run = run
        self.programs: list[str] = arguments.programs
        self._more_options = arguments.options
        self.orders: dict[str, int] = {}
        self.seconds = seconds
        self._command = os.path.realpath(arguments.command)
        self._end = time.monotonic() + seconds

    def options(self) -> dict[str, str]:
        reports = self.run.directory.parent / "reports"
        return {"IMPASSE_OPTIONS": f"dir={reports} {OPTIONS} {self._more_options}"}

    def is_over(self) -> bool:
        return time.monotonic() > self._end

    def start(self, argv: Sequence[str], **how: Any) -> "subprocess.Popen[bytes]":
        return self.run.start(argv, env=self.options(), **how)

    def command(self, argv: Sequence[str], what: str, **how: Any) -> program_case.Outcome:
        return self.run.command(argv, what=what, env=self.options(), **how)

    def quiet_command(self, argv: Sequence[str], env: Mapping[str, str] | None = None) -> bytes:
        """One that is run as often as there is time: it must end well, and is not observed."""
        process = self.run.start(argv, env=self.options() | dict(env or {}))
        stdout, stderr = process.communicate()
        said = program_case.tail(stderr)
        status = process.returncode
        self.run.expect(status == 0, f"{argv[0]} ended with {status}\n{said}")
        return stdout

    def expect_all_recorded(self, pid: int, who: str) -> None:
        """The ledger of this process has no gaps: silence means that there was nothing."""
        if not self.run.preloaded:
            return
        done = subprocess.run(
            [self._command, "dump", "--facts", "--json", str(pid)],
            capture_output=True,
            timeout=30,
            check=False,
        )
        said = done.stderr.decode(errors="replace")
        self.run.expect(done.returncode == 0, f"impasse dump {pid}: {done.returncode}: {said}")
        facts = json.loads(done.stdout)
        self.run.expect("note" not in facts, f"{who}: {facts.get('note')}")
        dropped = facts["dropped"].items()
        gaps = {counter: count for counter, count in dropped if count and counter not in LATER}
        self.run.expect(not gaps, f"{who}: not recorded: {gaps}")
        self.orders[who] = max(self.orders.get(who, 0), self._count_orders(pid))

    def _count_orders(self, pid: int) -> int:
        """How much there was to judge: the arrows of its order graph."""
        done = subprocess.run(
            [self._command, "graph", "--json", str(pid)],
            capture_output=True,
            timeout=60,
            check=False,
        )
        said = done.stderr.decode(errors="replace")
        self.run.expect(done.returncode == 0, f"impasse graph {pid}: {done.returncode}: {said}")
        return len(json.loads(done.stdout)["finding"]["orders"])


def main(program: str, needs: Sequence[str], workload: Callable[[Control], None]) -> NoReturn:
    parser = argparse.ArgumentParser(description=f"{program}: a healthy program under load")
    parser.add_argument("--preload", required=True, help="path of libimpasse.so")
    parser.add_argument("--command", required=True, help="path of impasse")
    parser.add_argument("--seconds", type=float, default=5, help="of load under impasse; a few without it")
    parser.add_argument("programs", nargs="*", help="paths of what the control brings along")
    parser.add_argument("--options", default="", help="of impasse, after those of every control")
    arguments = parser.parse_args()
    library = os.path.realpath(arguments.preload)
    command = os.path.realpath(arguments.command)
    for file in (library, command):
        if not os.path.isfile(file):
            parser.error(f"there is no file {file}")
    for need in needs:
        if not shutil.which(need, path=PROGRAM_PATH):
            print(f"skipped: no {need}")
            sys.exit(SKIPPED)
    os.environ.pop("LD_PRELOAD", None)
    signal.signal(signal.SIGALRM, program_case.stop_at_deadline)
    signal.signal(signal.SIGTERM, program_case.stop_at_deadline)
    signal.setitimer(signal.ITIMER_REAL, 2 * arguments.seconds + EXTRA_SECONDS)
    try:
        orders: dict[str, int] = {}

        def one_run(run: Run) -> None:
            control = Control(run, arguments.seconds if run.preloaded else BARE_SECONDS, arguments)
            workload(control)
            orders.update(control.orders)

        said = Case(library, one_run).compare()
        seen = ", ".join(f"{count} orders in {who}" for who, count in orders.items())
        print(f"{program}, {arguments.seconds:g} s each: {said}; {seen}")
    except CaseFailed as failure:
        print(f"FAILED: {program}: {failure}")
        sys.exit(1)
    sys.exit(0)
