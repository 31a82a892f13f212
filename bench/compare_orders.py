#!/usr/bin/python3
"""compare_orders.py --samples DIR [--preload P] [--tools NAME,...] [--page FILE]: who sees what?

Runs every case of samples/order_cases, and the samples that really hang, under impasse,
ThreadSanitizer, Helgrind and DRD, and writes the page docs/order-comparison.md. With --tools only
those columns are made anew; the others stay as they are on the page. --print only prints.

DIR has the samples of a usual build; those for ThreadSanitizer are built here, from the sources.
What the tools say about data races does not count.
"""

import argparse
import contextlib
import dataclasses
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "samples"
FOREIGN = ("LD_PRELOAD", "IMPASSE_OPTIONS", "TSAN_OPTIONS")
CASE_SECONDS = 30  # to end by itself, however slow the tool is
HANG_SECONDS = 10  # to say something about a program since it hangs
LOOK_SECONDS = 1.5  # that a case lingers, for a tool that looks now and then
NOT_AS_CLAIMED = 3  # the status of a sample that could not show what it promises

# What stays stuck: sample with flags, what it is, and whether it is a circle of locks.
HANGS = {
    "abba": "two mutexes, two orders",
    "raft_monitor": "the same, after 300 ms of healthy work",
    "session_server --abba": "the same, by handlers that run under a lock",
    "session_server --inversion --hang": "three mutexes, three threads",
    "classics philosophers": "five mutexes, five threads",
    "classics spin_abba": "two spinlocks",
    "classics rwlock_mix": "read locks that are held, write locks that are asked for",
    "stream_cache --writer-preference": "a reader reads again behind a waiting writer",
    "raft_relock": "a mutex, taken again by its holder",
    "shard_map": "a read lock, to be upgraded",
    "classics signal_relock": "a signal handler wants what it interrupted",
    "classics join_under_lock": "a thread is joined that wants the joiner's lock",
    "classics exited_holder": "the holder has ended",
    "classics once_abba": "an initializer that wants a mutex, against its holder who wants it initialized",
    "stream_tracker": "a full queue: whoever makes room waits for room",
    "stream_tracker --close": "the same, and the main thread as well: nobody is awake",
}


@dataclasses.dataclass
class Outcome:
    """What was seen of one run."""

    told: bool = False  # it spoke of locks, not of data races
    doubt: str = ""  # what it said against its own finding
    about_hang: bool = False  # it said that the program hangs, not only that it may
    hangs: bool = False
    broken: bool = False  # the tool itself gave up
    status: int = 0


class Tool:
    name = ""
    lingers = False

    def version(self):
        raise NotImplementedError

    def command(self, words):
        raise NotImplementedError

    def environment(self, directory):
        return {}

    def read(self, complaints, directory, outcome):
        """Puts into the outcome what the tool has said."""
        raise NotImplementedError


class Impasse(Tool):
    name = "impasse"
    lingers = True

    def __init__(self, samples, preload):
        self.samples, self.preload = samples, preload

    def version(self):
        header = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
        found = re.search(r"project\(impasse[^)]*VERSION\s+([0-9.]+)", header)
        return f"impasse {found.group(1) if found else ''}".strip()

    def command(self, words):
        return [str(self.samples / words[0]), *words[1:]]

    def environment(self, directory):
        return {"LD_PRELOAD": str(self.preload), "IMPASSE_OPTIONS": f"dir={directory} wait=30s"}

    def read(self, complaints, directory, outcome):
        for path in sorted(directory.glob("impasse.*.json")):
            with contextlib.suppress(json.JSONDecodeError, FileNotFoundError):
                finding = json.loads(path.read_text(encoding="utf-8"))["finding"]
                outcome.told = True
                if finding["kind"] != "lock_order":
                    outcome.about_hang = True
                elif finding.get("doubt", "none") != "none":
                    outcome.doubt = finding["doubt"]


class ThreadSanitizer(Tool):
    name = "ThreadSanitizer"
    HANGS = re.compile(r"ThreadSanitizer: (double lock|.*deadlock detected)")

    def __init__(self, directory):
        self.directory = directory
        self.compiler = None

    def build(self):
        """With the first compiler whose ThreadSanitizer sees an inversion at all."""
        for compiler in ("clang++", "g++"):
            if not shutil.which(compiler):
                continue
            self.compiler = compiler
            self._build_all()
            outcome = run_case(self, "abba")
            if outcome.told:
                return
        raise SystemExit("no compiler's ThreadSanitizer sees an inversion")

    def _build_all(self):
        flags = ["-std=c++20", "-g", "-O1", "-fsanitize=thread", f"-I{SOURCES}"]
        jobs = []
        for program in sorted({"order_cases", *(one.split()[0] for one in HANGS)}):
            parts = [SOURCES / f"{program}.cc", *sorted((SOURCES / program).glob("*.cc"))]
            parts = [str(part) for part in parts if part.name != "plugin.cc"]
            target = ["-pthread", "-rdynamic", "-ldl", "-o", str(self.directory / program)]
            jobs.append([self.compiler, *flags, *parts, *target])
            plugin = SOURCES / program / "plugin.cc"
            if plugin.exists():
                target = ["-shared", "-fPIC", "-o", str(self.directory / f"{program}_plugin.so")]
                jobs.append([self.compiler, *flags, str(plugin), *target])
        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            for done in pool.map(lambda job: subprocess.run(job, check=True), jobs):
                assert done.returncode == 0

    def version(self):
        told = subprocess.run([self.compiler, "--version"], capture_output=True, text=True, check=True)
        first = told.stdout.splitlines()[0]
        return f"ThreadSanitizer of {first}, `detect_deadlocks=1:second_deadlock_stack=1`"

    def command(self, words):
        return [str(self.directory / words[0]), *words[1:]]

    def environment(self, directory):
        return {"TSAN_OPTIONS": "detect_deadlocks=1:second_deadlock_stack=1:exitcode=0"}

    def read(self, complaints, directory, outcome):
        outcome.broken = "ThreadSanitizer: CHECK failed" in complaints
        outcome.about_hang = bool(self.HANGS.search(complaints))
        outcome.told = outcome.about_hang or "ThreadSanitizer: lock-order-inversion" in complaints


class Valgrind(Tool):
    tool = ""
    options = ()
    TOLD = re.compile("$^")
    HANGS = re.compile("$^")

    def __init__(self, samples):
        self.samples = samples

    def version(self):
        told = subprocess.run(["valgrind", "--version"], capture_output=True, text=True, check=True)
        return f"{self.name} of {told.stdout.strip()}, `{' '.join(self.options)}`"

    def command(self, words):
        valgrind = ["valgrind", f"--tool={self.tool}", "--vgdb=no", "--fair-sched=try"]
        return [*valgrind, *self.options, str(self.samples / words[0]), *words[1:]]

    def read(self, complaints, directory, outcome):
        outcome.about_hang = bool(self.HANGS.search(complaints))
        outcome.told = outcome.about_hang or bool(self.TOLD.search(complaints))


class Helgrind(Valgrind):
    name = "Helgrind"
    tool = "helgrind"
    options = ("--track-lockorders=yes", "--history-level=none")
    TOLD = re.compile(r"lock order .* violated")
    HANGS = re.compile(r"Attempt to re-lock a non-recursive lock I already hold")


class Drd(Valgrind):
    """It has no detection of lock orders; what it says about locks is misuse of them."""

    name = "DRD"
    tool = "drd"
    options = ("--check-stack-var=no",)
    HANGS = re.compile(r"Recursive locking not allowed|Attempt to (re)?lock|deadlock")


# ---- one run


class Run:
    def __init__(self, tool, words):
        self.tool = tool
        self.directory = Path(tempfile.mkdtemp(prefix="impasse-orders."))
        clean = {key: value for key, value in os.environ.items() if key not in FOREIGN}
        with open(self.directory / "err", "wb") as errors:
            self.process = subprocess.Popen(
                tool.command(words),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={**clean, **tool.environment(self.directory)},
                cwd=self.directory,
                start_new_session=True,
            )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
        for path in Path("/dev/shm").glob(f"impasse.{self.process.pid}.*"):
            path.unlink(missing_ok=True)
        shutil.rmtree(self.directory)

    def outcome(self):
        found = Outcome(status=self.process.poll() or 0)
        complaints = (self.directory / "err").read_text(encoding="utf-8", errors="replace")
        self.tool.read(complaints, self.directory, found)
        return found

    def says(self, word, seconds):
        """Whether it prints this within that time, or ends."""
        end = time.monotonic() + seconds
        text = b""
        while word not in text:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                return False
            more = os.read(self.process.stdout.fileno(), 4096)
            if not more:
                return False
            text += more
        return True

    def watch(self, seconds, enough):
        """Looks until there is enough, or the time is over."""
        end = time.monotonic() + seconds
        while not enough(found := self.outcome()) and time.monotonic() < end:
            time.sleep(0.05)
        return found


def run_case(tool, name):
    with Run(tool, ["order_cases", name, "--linger"]) as run:
        run.says(b"shown", CASE_SECONDS)
        if tool.lingers:
            run.watch(LOOK_SECONDS, lambda found: found.told)
        run.process.stdin.close()
        try:
            run.process.wait(CASE_SECONDS)
        except subprocess.TimeoutExpired:
            return dataclasses.replace(run.outcome(), hangs=True)
        return run.outcome()


def run_hang(tool, command):
    with Run(tool, [*command.split(), "--for", "120"]) as run:
        stuck = run.says(b"stuck:", CASE_SECONDS)
        found = run.watch(HANG_SECONDS, lambda seen: seen.about_hang)
        return dataclasses.replace(found, hangs=stuck)


# ---- cells and the page


def case_cell(expected, outcome):
    if outcome.broken or outcome.status < 0:
        return "**crashed**"
    if outcome.hangs:
        return "**hangs**"
    if outcome.status == NOT_AS_CLAIMED:
        return "cannot be shown"
    if outcome.status != 0:
        return f"ended with {outcome.status}"
    if expected == "silent":
        return "**FALSE ALARM**" if outcome.told else "silent"
    if expected == "alarm" and (outcome.doubt or not outcome.told):
        return "**MISSED**" if not outcome.told else f"found, but doubted ({outcome.doubt})"
    if expected == "low" and outcome.told:
        return f"found, with a doubt ({outcome.doubt})" if outcome.doubt else "found, as if certain"
    return "found" if outcome.told else "silent"


def hang_cell(outcome):
    if outcome.broken or outcome.status < 0:
        return "**crashed**"
    if not outcome.hangs:
        return "did not hang"
    if outcome.about_hang:
        return "found"
    return "the order only" if outcome.told else "**nothing**"


def cases_of(samples):
    told = subprocess.run(
        [str(samples / "order_cases"), "--list"], capture_output=True, text=True, check=True
    )
    return [line.split("\t") for line in told.stdout.splitlines()]


PAGE = """# Lock orders: who sees what

Written by `bench/compare_orders.py`; do not edit. To make it anew, with valgrind and clang or g++ installed, in a build
tree with samples:

```
cmake --build build
python3 bench/compare_orders.py --samples build/samples --preload build/libimpasse.so
```

`--tools impasse` makes one column anew and leaves the others.

{versions}

What these tools say about data races does not count here. impasse and the valgrind tools run the program as it was
built; ThreadSanitizer needs another build of it, and of everything that it loads.

## Orders that may hang one day

Every case is a small program that never hangs (`samples/order_cases`). Expected of a detector: *alarm* (this can hang
one day), *silent* (it cannot, however it looks), *low* (it could if more came together than was seen).

{cases}

{sums}

*Cannot be shown*: the case needs memory that is used again at the same address, and under this tool it is not.
DRD has no detection of lock orders: it misses all, and is silent about all.

## Programs that hang

Each of these stays stuck. *Found*: within {seconds} seconds since it hangs, and while it does, the tool says so, or
that this thread can never have this lock. *The order only*: it says that these locks were taken in two orders, which is
the cause, but not that anybody waits, who, or since when. *Nothing*: not a word until then.

{hangs}
"""

COLUMNS = ("impasse", "ThreadSanitizer", "Helgrind", "DRD")
NOT_YET = "not run"


def table(heads, rows):
    lines = ["| " + " | ".join(row) + " |" for row in [heads, *rows]]
    lines.insert(1, "|---" * len(heads) + "|")
    return "\n".join(lines)


def known_cells(page):
    """{(row, column): cell} and {column: version} of the page as it is.

    A row is known by its name and by what it is: a sample may have the name of a case.
    """
    cells, versions = {}, {}
    if not page.exists():
        return cells, versions
    for line in page.read_text(encoding="utf-8").splitlines():
        row = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `"):
            of_row = dict(zip(COLUMNS, row[-len(COLUMNS) :]))
            cells.update({(row[0].strip("`"), row[1], one): cell for one, cell in of_row.items()})
        elif line.startswith("- **"):
            name, _, text = line.removeprefix("- **").partition("**: ")
            versions[name] = text
    return cells, versions


def write_page(cases, cells, versions):
    case_rows = [
        [f"`{name}`", what, expected, *(cells.get((name, what, one), NOT_YET) for one in COLUMNS)]
        for name, expected, what in cases
    ]
    hang_rows = [
        [f"`{name}`", what, *(cells.get((name, what, one), NOT_YET) for one in COLUMNS)]
        for name, what in HANGS.items()
    ]
    return PAGE.format(
        versions="\n".join(f"- **{one}**: {versions.get(one, NOT_YET)}" for one in COLUMNS),
        cases=table(["case", "is", "expected", *COLUMNS], case_rows),
        sums=table(["", *COLUMNS], sums(case_rows)),
        hangs=table(["sample", "is", *COLUMNS], hang_rows),
        seconds=HANG_SECONDS,
    )


def sums(rows):
    """How many of those that are to be found were; how many false alarms there were."""
    told = []
    for expected, word, title in (("alarm", "found", "found"), ("silent", "FALSE ALARM", "false alarms")):
        due = [row for row in rows if row[2] == expected]
        line = [f"{title}, of {len(due)}"]
        for column in range(3, 3 + len(COLUMNS)):
            column_cells = [row[column].strip("*") for row in due]
            ran = any(cell != NOT_YET for cell in column_cells)
            line.append(str(column_cells.count(word)) if ran else NOT_YET)
        told.append(line)
    return told


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=Path, required=True)
    parser.add_argument("--preload", type=Path)
    parser.add_argument("--tools", default=",".join(COLUMNS))
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "order-comparison.md")
    parser.add_argument("--only", default="", help="a pattern: rows to run")
    parser.add_argument("--print", action="store_true", dest="prints")
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    samples = arguments.samples.resolve()
    wanted = arguments.tools.split(",")
    if set(wanted) - set(COLUMNS):
        parser.error(f"tools are {', '.join(COLUMNS)}")
    if "impasse" in wanted and not arguments.preload:
        parser.error("impasse needs --preload")
    cases = cases_of(samples)
    cells, versions = known_cells(arguments.page)

    with tempfile.TemporaryDirectory(prefix="impasse-tsan.") as sanitized:
        tools = {
            "impasse": lambda: Impasse(samples, arguments.preload.resolve()),
            "ThreadSanitizer": lambda: ThreadSanitizer(Path(sanitized)),
            "Helgrind": lambda: Helgrind(samples),
            "DRD": lambda: Drd(samples),
        }
        for name in wanted:
            tool = tools[name]()
            if isinstance(tool, ThreadSanitizer):
                tool.build()
            versions[name] = tool.version()
            fill_column(tool, cases, re.compile(arguments.only), arguments.jobs, cells)
    page = write_page(cases, cells, versions)
    if arguments.prints:
        print(page)
    else:
        arguments.page.write_text(page, encoding="utf-8")


def fill_column(tool, cases, only, jobs, cells):
    def case(row):
        name, expected, what = row
        return name, what, case_cell(expected, run_case(tool, name))

    def hang(name, what):
        return name, what, hang_cell(run_hang(tool, name))

    with ThreadPoolExecutor(jobs) as pool:
        done = [pool.submit(case, row) for row in cases if only.search(row[0])]
        done += [pool.submit(hang, *row) for row in HANGS.items() if only.search(row[0])]
        for one in done:
            name, what, cell = one.result()
            cells[(name, what, tool.name)] = cell
            print(f"{tool.name}: {name}: {cell}", file=sys.stderr)


if __name__ == "__main__":
    main()
