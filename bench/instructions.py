#!/usr/bin/env python3
"""Counts the instructions that impasse adds to a lock and its unlock and compares them with the recorded budget.

A count is exact and repeatable where a time is not: Valgrind counts what the loop of the program `pairs` executes, for
two numbers of rounds, bare and preloaded. The difference of the two numbers leaves out what happens only once; only the
thread inside the loop is counted, so the watchdog does not take part.
"""

import sys

sys.dont_write_bytecode = True

import argparse
import os
import re
import shutil
import tempfile
from typing import Dict, List, NamedTuple, Tuple

from ratios import aligned
from variants import Failed, environment, run

SKIP = 77
FEW, MANY = 500, 1500
VALGRIND_TIMEOUT_S = 60

# Less than this and nobody noted who holds the lock: forwarding a call to libc alone is 2.
LEAST_BELIEVABLE = 10


class Line(NamedTuple):
    """One case of the budget, in instructions per pair that impasse may add."""

    recorded: float
    limit: float


class Budget:
    """A text file: `compiler NAME MAJOR`, then a line for each case: name, recorded, limit. `#` begins a comment."""

    def __init__(self, path: str):
        self.path = path
        self.compiler = ""
        self.lines: Dict[str, Line] = {}
        with open(path, encoding="utf-8") as text:
            self.text = text.read()
        for number, content in enumerate(self.text.splitlines(), 1):
            words = content.split("#")[0].split()
            if not words:
                continue
            try:
                if words[0] == "compiler":
                    self.compiler = " ".join(words[1:])
                else:
                    name, recorded, limit = words
                    self.lines[name] = Line(float(recorded), float(limit))
            except ValueError:
                raise Failed("garbled", f"{path}:{number}: expected CASE RECORDED LIMIT") from None
        if not self.compiler:
            raise Failed("garbled", f"{path}: no line names the compiler")

    def record(self, added: Dict[str, float]) -> None:
        """Rewrites the recorded numbers and nothing else."""

        def renewed(content: str) -> str:
            match = re.match(r"(\w+\s+)([\d.]+)(\s.*)", content)
            if not match or match[1].strip() not in added:
                return content
            return match[1] + f"{added[match[1].strip()]:.1f}".rjust(len(match[2])) + match[3]

        with open(self.path, "w", encoding="utf-8") as out:
            out.write("\n".join(renewed(content) for content in self.text.splitlines()) + "\n")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--pairs", required=True, help="the program pairs")
    parser.add_argument("--preload", required=True, help="libimpasse.so")
    parser.add_argument("--budget", required=True, help="the budget file")
    parser.add_argument("--compiler", required=True, help="what built them, as NAME VERSION")
    parser.add_argument("--flags", default="", help="the flags of the build, to recognize an instrumented one")
    parser.add_argument("--record", action="store_true", help="write what is counted into the budget")
    return parser.parse_args()


def reason_to_skip(args: argparse.Namespace, budget: Budget) -> str:
    name, _, version = args.compiler.partition(" ")
    if f"{name} {version.split('.')[0]}" != budget.compiler:
        return f"the budget was counted with {budget.compiler}, this build is by {args.compiler}"
    instrumented = re.search(r"-fsanitize\S*|--coverage|-fprofile\S*|-ftest-coverage|-pg\b", args.flags)
    if instrumented:
        return f"the build has {instrumented[0]}, which adds instructions of its own"
    if not shutil.which("valgrind"):
        return "valgrind is not installed"
    return ""


def counted(args: argparse.Namespace, case: str, rounds: int, changes: Dict[str, str], out: str) -> int:
    command = ["valgrind", "-q", "--vgdb=no", "--tool=callgrind", f"--callgrind-out-file={out}"]
    command += ["--toggle-collect=*counted<*", args.pairs, case, str(rounds)]
    # The preload goes through Valgrind to the program; Valgrind's own starter is preloaded with it, for a moment.
    run(command, environment(changes), VALGRIND_TIMEOUT_S)
    with open(out, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if line.startswith("totals:"):
                return int(line.split()[1])
    raise Failed("garbled", f"{out} has no totals")


def per_pair(args: argparse.Namespace, case: str, pairs: int, changes: Dict[str, str], directory: str) -> float:
    few, many = (
        counted(args, case, rounds, changes, os.path.join(directory, "counts")) for rounds in (FEW, MANY)
    )
    return (many - few) / (MANY - FEW) / pairs


def count(args: argparse.Namespace) -> Dict[str, Tuple[float, float]]:
    """By case: instructions per pair, bare and preloaded."""
    counts = {}
    with tempfile.TemporaryDirectory(prefix="impasse-bench-") as directory:
        preloaded = {
            "LD_PRELOAD": os.path.abspath(args.preload),
            "IMPASSE_OPTIONS": f"dir={directory}",
        }
        for line in run([args.pairs, "--list"], environment({}), 10).splitlines():
            case, pairs = line.split("\t")
            bare, with_preload = (
                per_pair(args, case, int(pairs), changes, directory) for changes in ({}, preloaded)
            )
            counts[case] = (bare, with_preload)
    return counts


def complaints(added: Dict[str, float], budget: Budget) -> List[str]:
    found = []
    for case, instructions in added.items():
        line = budget.lines.get(case)
        if line is None:
            found.append(f"{case}: counted {instructions:.1f}, but the budget has no line for it")
        elif instructions > line.limit:
            found.append(
                f"{case}: impasse adds {instructions:.1f} instructions a pair, the limit is {line.limit:g}"
                f" and {line.recorded:g} were recorded. Make the hot path shorter; a dearer one needs a new limit"
                f" in {budget.path}, with a reason."
            )
        elif instructions < LEAST_BELIEVABLE:
            found.append(f"{case}: impasse adds only {instructions:.1f} instructions a pair: it is not at work")
    found += [f"{case}: the budget has a line, the program has no such case" for case in budget.lines.keys() - added]
    return found


def table(counts: Dict[str, Tuple[float, float]], added: Dict[str, float], budget: Budget) -> str:
    rows = [["instructions per pair", "bare", "impasse", "added", "recorded", "limit"]]
    for case, (bare, with_preload) in counts.items():
        line = budget.lines.get(case)
        known = [f"{line.recorded:.1f}", f"{line.limit:g}"] if line else ["–", "–"]
        rows.append([case, f"{bare:.1f}", f"{with_preload:.1f}", f"{added[case]:.1f}"] + known)
    return aligned(rows)


def main() -> int:
    args = arguments()
    try:
        budget = Budget(args.budget)
        skip = reason_to_skip(args, budget)
        if skip:
            print(f"skipped: {skip}")
            return SKIP
        counts = count(args)
    except Failed as failure:
        print(f"instructions: {failure}", file=sys.stderr)
        return 1
    added = {case: with_preload - bare for case, (bare, with_preload) in counts.items()}
    print(table(counts, added, budget))
    if args.record:
        budget.record(added)
        budget = Budget(args.budget)
    found = complaints(added, budget)
    print("\n".join(["", *found]) if found else "\nall within the budget")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
