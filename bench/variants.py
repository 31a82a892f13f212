"""The ways in which a program of the bench is run: bare, under impasse, under the tools it is compared with."""

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from typing import Dict, List, NamedTuple, Optional

# What could change a program that is meant to run bare.
FOREIGN = ("LD_PRELOAD", "IMPASSE_OPTIONS", "TSAN_OPTIONS", "MALLOC_ARENA_MAX", "GLIBC_TUNABLES")


class Failed(Exception):
    """A program did not do what it was started for; the text is one word for the table and the reason."""

    def __init__(self, word: str, reason: str):
        super().__init__(reason)
        self.word = word


class Case(NamedTuple):
    name: str
    limit: Optional[float]
    title: str


@dataclass
class Variant:
    """How to start bench_cases. A tool that is N times slower does repetitions that are `divisor` times shorter."""

    name: str
    program: str
    prefix: List[str] = field(default_factory=list)
    environment: Dict[str, str] = field(default_factory=dict)
    repetitions: int = 5
    divisor: int = 1
    timeout_s: float = 60

    def repetitions_of(self, case: str) -> List[float]:
        """The nanoseconds per operation of each repetition of one process."""
        command = self.prefix + [self.program, case, str(self.repetitions), str(self.divisor)]
        words = run(command, environment(self.environment), self.timeout_s).split()
        figures = [float(word) for word in words[1:]]
        if words[:1] != [case] or len(figures) != self.repetitions or min(figures) <= 0:
            raise Failed("garbled", f"{self.name} printed {' '.join(words)!r} for {case}")
        return figures


def environment(changes: Dict[str, str]) -> Dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    return {**kept, **changes}


def run(command: List[str], env: Dict[str, str], timeout_s: float) -> str:
    """Standard output of a program that ended well."""
    shown = " ".join(command)
    try:
        done = subprocess.run(
            command, env=env, timeout=timeout_s, capture_output=True, text=True, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        raise Failed("timeout", f"{shown}: not done after {timeout_s:g} s") from None
    except OSError as error:
        raise Failed("absent", f"{shown}: {error.strerror}") from None
    if "cannot be preloaded" in done.stderr:
        raise Failed("ignored", f"{shown}: {done.stderr.strip()}")
    if done.returncode != 0:
        raise Failed("failed", f"{shown}: exit status {done.returncode}\n{done.stderr.strip()[-2000:]}")
    return done.stdout


def cases(program: str) -> List[Case]:
    found = []
    for line in run([program, "--list"], environment({}), 10).splitlines():
        name, limit, title = line.split("\t")
        found.append(Case(name, float(limit) or None, title))
    return found


def impasse_environment(library: str, directory: str, options: str) -> Dict[str, str]:
    """Reports go where the bench can see that there are none: its programs are healthy."""
    return {"LD_PRELOAD": library, "IMPASSE_OPTIONS": f"dir={directory} {options}".strip()}


def peers(program: str, tsan_program: Optional[str], timeout_s: float) -> Dict[str, Optional[Variant]]:
    """The tools to compare with; None for one that is not there."""
    found: Dict[str, Optional[Variant]] = {"TSan": None, "Helgrind": None, "DRD": None}
    if tsan_program and os.path.exists(tsan_program):
        found["TSan"] = Variant("TSan", tsan_program, repetitions=3, divisor=16, timeout_s=timeout_s)
    valgrind = shutil.which("valgrind")
    if valgrind:
        for name, tool in (("Helgrind", "helgrind"), ("DRD", "drd")):
            prefix = [valgrind, f"--tool={tool}", "--fair-sched=try", "--vgdb=no", "-q"]
            found[name] = Variant(
                name, program, prefix, repetitions=3, divisor=1000, timeout_s=timeout_s
            )
    return found
