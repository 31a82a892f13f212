"""The framework itself: every kind of trouble that a case must notice, and cases without any."""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent

# A case is a workload's body; what its output must say; its exit status.
CASES = {
    "equal": ('run.command(["echo", "same"])', "3 observations equal", 0),
    "output differs": ('run.command(["echo", run.name], what="echo")', "+preloaded", 1),
    "stderr differs": (
        'run.command(["sh", "-c", f"echo {run.name} >&2"], what="sh")',
        "stderr\n--- bare",
        1,
    ),
    "status differs": (
        'run.command(["sh", "-c", f"exit {len(run.name)}"], what="sh", expect_status=None)',
        "status\n--- bare",
        1,
    ),
    "status is not the expected one": ('run.command(["false"])', "ended with 1 instead of 0", 1),
    "dies of a signal": (
        'run.command(["sh", "-c", "kill -SEGV $$"])',
        "ended with -11 instead of 0",
        1,
    ),
    "more observed in one run": (
        'run.observe("a", 1)\nif run.preloaded: run.observe("b", 1)',
        "1 observations bare, 2 preloaded",
        1,
    ),
    "observes nothing": ("pass", "nothing was observed", 1),
    "process left behind": (
        'run.command(["sh", "-c", "setsid sleep 1000 >/dev/null 2>&1 &"])',
        "still running after the workload",
        1,
    ),
    "file left in /dev/shm": (
        'run.command(["sh", "-c", ": >/dev/shm/impasse.$$"])',
        "left behind in /dev/shm: ['impasse.",
        1,
    ),
    "file left in a shared /dev/shm": (
        'run.command(["sh", "-c", ": >/dev/shm/impasse.$$"], what="sh")',
        "left behind in /dev/shm: ['impasse.",
        1,
    ),
    "report written": (
        'run.command(["sh", "-c", "echo DEADLOCK >${IMPASSE_OPTIONS#dir=}/impasse.1.1.txt"])',
        "DEADLOCK",
        1,
    ),
    "mapped": (
        'cat = run.start(["cat"], stdin=-1)\nrun.expect_mapped(cat.pid, "cat")\n'
        'run.finish(cat, "cat", feed=b"x")',
        "observations equal",
        0,
    ),
    "not mapped": (
        'cat = run.start(["cat"], stdin=-1, env={"LD_PRELOAD": ""})\n'
        'run.until(lambda: "libc" in process_view.read_proc(cat.pid, "maps"), "libc in cat")\n'
        'run.until = lambda *arguments: None\nrun.expect_mapped(cat.pid, "cat")\n'
        'run.finish(cat, "cat", feed=b"x")',
        "is not mapped in cat (",
        1,
    ),
    "mapped in a bare run": (
        'cat = run.start(["cat"], stdin=-1, env={"LD_PRELOAD": run._library})\n'
        'run.until(lambda: process_view.has_mapped(cat.pid, run._library), "mapped")\n'
        'run.expect_mapped(cat.pid, "cat")',
        "is mapped in cat",
        1,
    ),
    "prints no mapping of it": (
        'maps = run.start(["cat", "/proc/self/maps"], env={"LD_PRELOAD": ""}).communicate()[0]\n'
        'run.expect_named_in(maps, "cat")\nrun.observe("maps", 1)',
        "is not mapped in cat",
        1,
    ),
    "hangs": ('run.command(["sh", "-c", "sleep 1000; :"])', "running at that time", 1),
    "condition never comes": (
        'run.until(lambda: False, "something happens", seconds=0.1)',
        "still not so: something happens",
        1,
    ),
    "has fewer threads": (
        'cat = run.start(["cat"], stdin=-1)\n'
        'run.until = lambda condition, what: run.expect(condition(), what)\n'
        'run.until_threads(cat.pid, 2)',
        "has 2 threads",
        1,
    ),
    "lacks its program": ("pass", "skipped: no impasse-no-such-program", 77),
}


def script_of(name: str, body: str) -> str:
    needs = ["impasse-no-such-program"] if name == "lacks its program" else ["cat"]
    seconds = 2 if name == "hangs" else 20
    no_private_shm = "program_case.isolation.enter_private_shm = lambda: False\n"
    indented = "".join(f"    {line}\n" for line in body.splitlines())
    return (
        "import program_case, process_view\n"
        f"program_case.DEADLINE_SECONDS = {seconds}\n"
        "program_case.ORPHAN_GRACE_SECONDS = 0.2\n"
        f"{no_private_shm if 'shared' in name else ''}"
        f"def workload(run):\n{indented}"
        f"program_case.main('trial', {needs}, workload)\n"
    )


def trouble_with(name: str, library: str, scratch: str) -> str:
    body, expected, status = CASES[name]
    trial = subprocess.run(
        [sys.executable, "-B", "-c", script_of(name, body), "--preload", library],
        env={**os.environ, "PYTHONPATH": str(HERE), "TMPDIR": scratch},
        capture_output=True,
        text=True,
        check=False,
    )
    if trial.returncode == status and expected in trial.stdout:
        return ""
    return (
        f"FAILED: {name!r}: status {trial.returncode}, expected {status} and {expected!r} in\n"
        f"{trial.stdout}{trial.stderr}"
    )


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--preload", required=True, help="path of libimpasse.so")
    library = parser.parse_args().preload
    with tempfile.TemporaryDirectory(prefix="impasse-program-case.") as scratch:
        troubles = [trouble for name in CASES if (trouble := trouble_with(name, library, scratch))]
        left = os.listdir(scratch)
    if left:
        troubles.append(f"FAILED: directories left behind: {left}")
    print("\n".join(troubles) or f"{len(CASES)} trials ended as they must")
    return 1 if troubles else 0


sys.exit(main())
