#!/usr/bin/env python3
"""What impasse costs: times, start-up and memory of programs with it and without it, side by side in one run.

Rounds are interleaved (each runs every case bare and under impasse, one right after the other) and the ratio is taken
within the round, so that a machine that is busy for a while slows both sides. The tools that impasse is compared with
take part in fewer rounds and do less work in them.
"""

import sys

sys.dont_write_bytecode = True

import argparse
import datetime
import json
import os
import re
import shlex
import tempfile
import time
from typing import Dict, List, Optional

import machine
import new_order
import resident
import startup
from ratios import OPEN, OVER, Spread, aligned, ratios, spread, typical, verdict
from variants import Case, Failed, Variant, cases, impasse_environment, peers

SCHEMA = "impasse-bench/1"
ROUNDS, QUICK_ROUNDS = 9, 3
PEER_ROUNDS, QUICK_PEER_ROUNDS = 3, 1
STARTUP_PAIRS = 300
MEMORY_ROUNDS = 3
NEW_ORDER_ROUNDS = 5
CASE_TIMEOUT_S = 60


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--cases", required=True, help="the program bench_cases")
    parser.add_argument("--memory", required=True, help="the program bench_memory")
    parser.add_argument("--new-order", required=True, help="the program bench_new_order")
    parser.add_argument("--preload", required=True, help="libimpasse.so")
    parser.add_argument("--tsan-cases", help="bench_cases built with -fsanitize=thread")
    parser.add_argument("--compiler", default="unknown", help="what built them, for the record")
    parser.add_argument("--json", default="bench.json", help="where the figures go (default: %(default)s)")
    parser.add_argument("--options", default="", help="more IMPASSE_OPTIONS")
    parser.add_argument("--only", metavar="REGEX", help="only what has such a name or title")
    parser.add_argument("--no-peers", action="store_true", help="do not run TSan, Helgrind, DRD")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_ROUNDS} rounds, peers {QUICK_PEER_ROUNDS}")
    parser.add_argument("--rounds", type=int, help=f"default: {ROUNDS}")
    parser.add_argument("--peer-rounds", type=int, help=f"default: {PEER_ROUNDS}")
    parser.add_argument("--peer-timeout", type=float, default=30, help="seconds a process of a peer may take")
    parser.add_argument("--strict", action="store_true", help="exit with 1 when something is over its limit")
    # A target of the build tool takes no arguments: they come through the environment.
    args = parser.parse_args(sys.argv[1:] + shlex.split(os.environ.get("IMPASSE_BENCH", "")))
    args.rounds = args.rounds or (QUICK_ROUNDS if args.quick else ROUNDS)
    args.peer_rounds = args.peer_rounds or (QUICK_PEER_ROUNDS if args.quick else PEER_ROUNDS)
    args.peer_rounds = min(args.peer_rounds, args.rounds)
    if args.rounds < 1 or args.peer_rounds < 1:
        parser.error("there is no median of no rounds")
    for path in (args.cases, args.memory, args.new_order, args.preload):
        if not os.path.exists(path):
            parser.error(f"{path} does not exist")
    args.preload = os.path.abspath(args.preload)
    return args


def progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class Column:
    """One variant's figures of all cases; a case that failed has a word instead."""

    def __init__(self, variant: Variant, rounds: int):
        self.variant = variant
        self.rounds = rounds
        self.figures: Dict[str, List[float]] = {}
        self.words: Dict[str, str] = {}

    def take(self, case: Case) -> None:
        if case.name in self.words:
            return
        try:
            figure = typical(self.variant.repetitions_of(case.name))
            self.figures.setdefault(case.name, []).append(figure)
        except Failed as failure:
            progress(f"{self.variant.name}, {case.name}: {failure}")
            self.words[case.name] = failure.word

    def ratios_to(self, bare: "Column", case: Case) -> Optional[Spread]:
        if case.name in self.words or case.name in bare.words:
            return None
        return ratios(bare.figures[case.name], self.figures[case.name])


class Times:
    """The table of cases: who took how long."""

    def __init__(self, args: argparse.Namespace, chosen: List[Case], preloaded: Dict[str, str]):
        self.chosen = chosen
        self.bare = Column(Variant("bare", args.cases, timeout_s=CASE_TIMEOUT_S), args.rounds)
        self.impasse = Column(
            Variant("impasse", args.cases, environment=preloaded, timeout_s=CASE_TIMEOUT_S), args.rounds
        )
        found = {} if args.no_peers else peers(args.cases, args.tsan_cases, args.peer_timeout)
        self.absent = [name for name, variant in found.items() if variant is None]
        self.peers = [Column(variant, args.peer_rounds) for variant in found.values() if variant]
        self.columns = [self.bare, self.impasse] + self.peers
        self.peer_names = list(found)

    def measure(self, rounds: int) -> None:
        begin = time.monotonic()
        for number in range(rounds):
            for case in self.chosen:
                taking_part = [column for column in self.columns if number < column.rounds]
                for column in taking_part if number % 2 == 0 else reversed(taking_part):
                    column.take(case)
            progress(f"round {number + 1} of {rounds} done after {time.monotonic() - begin:.0f} s")

    def failed(self) -> bool:
        return bool(self.bare.words or self.impasse.words)

    def cell(self, name: str, case: Case) -> str:
        for column in self.peers:
            if column.variant.name == name:
                found = column.ratios_to(self.bare, case)
                return f"{found.median:.1f}" if found else column.words.get(case.name, OPEN)
        return "absent"

    def rows(self) -> List[List[str]]:
        table = [["case", "bare ns", "impasse", "min-max"] + self.peer_names + ["limit", "verdict"]]
        for case in self.chosen:
            found = self.impasse.ratios_to(self.bare, case)
            word = self.bare.words.get(case.name) or self.impasse.words.get(case.name, OPEN)
            table.append(
                [case.title]
                + [nanoseconds(self.bare.figures.get(case.name))]
                + ([f"{found.median:.2f}", f"{found.low:.2f}-{found.high:.2f}"] if found else [word, OPEN])
                + [self.cell(name, case) for name in self.peer_names]
                + [f"{case.limit:.2f}" if case.limit else OPEN]
                + [verdict(found.median if found else None, case.limit)]
            )
        return table

    def facts(self) -> List[dict]:
        return [
            {
                "name": case.name,
                "title": case.title,
                "limit": case.limit,
                "verdict": self.verdict_of(case),
                "columns": {
                    column.variant.name: {
                        "ns": column.figures.get(case.name, []),
                        "ratio": as_json(column.ratios_to(self.bare, case)),
                        "word": column.words.get(case.name),
                    }
                    for column in self.columns
                },
            }
            for case in self.chosen
        ]

    def verdict_of(self, case: Case) -> str:
        found = self.impasse.ratios_to(self.bare, case)
        return verdict(found.median if found else None, case.limit)


def nanoseconds(figures: Optional[List[float]]) -> str:
    if not figures:
        return OPEN
    median = spread(figures).median
    return f"{median:,.1f}" if median < 1000 else f"{median:,.0f}"


def as_json(found: Optional[Spread]) -> Optional[dict]:
    return found._asdict() if found else None


def startup_rows(measured: startup.Startup) -> List[List[str]]:
    added = measured.added.median
    return [
        ["start-up", "bare µs", "added µs", "limit", "verdict"],
        [f"{startup.PROGRAM}, median of {measured.pairs} pairs", f"{measured.bare.median:.0f}"]
        + [f"{added:+.0f}", f"{startup.LIMIT_US:+.0f}", verdict(added, startup.LIMIT_US)],
    ]


def new_order_rows(measured: List[new_order.Row]) -> List[List[str]]:
    table = [["new order, first sight", "bare µs", "added µs", "min-max", "limit", "verdict"]]
    for row in measured:
        table.append(
            [row.title, f"{row.bare.median:.2f}"]
            + [f"{row.added.median:.2f}", f"{row.added.low:.2f}-{row.added.high:.2f}"]
            + [f"{row.limit:.0f}", verdict(row.added.median, row.limit)]
        )
    return table


def memory_rows(measured: List[resident.Row]) -> List[List[str]]:
    table = [["resident memory", "added RSS", "min-max", "added PSS", "unit", "limit", "verdict"]]
    for row in measured:
        table.append(
            [row.title, f"{row.rss.median:.1f}", f"{row.rss.low:.1f}-{row.rss.high:.1f}"]
            + [f"{row.pss.median:.1f}", row.unit, f"{row.limit:.0f}", verdict(row.rss.median, row.limit)]
        )
    return table


def main() -> int:
    args = arguments()
    wanted = re.compile(args.only) if args.only else None

    def chosen(*names: str) -> bool:
        return wanted is None or any(wanted.search(name) for name in names)

    with tempfile.TemporaryDirectory(prefix="impasse-bench-") as directory:
        preloaded = impasse_environment(args.preload, directory, args.options)
        facts = machine.facts(args.compiler)
        result = {
            "schema": SCHEMA,
            "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            "machine": facts,
            "options": {key: value for key, value in vars(args).items()},
            "load": {"before": machine.load()},
        }
        print(", ".join(f"{value}" if key != "cores" else f"{value} cores" for key, value in facts.items()))
        print(f"{result['date']}, load {machine.load():.2f}, {args.rounds} rounds (peers {args.peer_rounds})")
        if machine.load() > facts["cores"] / 2:
            print("The machine is busy with other work: figures of several threads are not to be trusted.")
        print()

        verdicts: List[str] = []
        broken = False
        try:
            times = Times(args, [c for c in cases(args.cases) if chosen(c.name, c.title)], preloaded)
            if times.chosen:
                times.measure(args.rounds)
                print(aligned(times.rows()) + "\n", flush=True)
                result["cases"] = times.facts()
                verdicts += [times.verdict_of(case) for case in times.chosen]
                broken = times.failed()
            if chosen("startup"):
                started = startup.Startup(preloaded, STARTUP_PAIRS)
                print(aligned(startup_rows(started)) + "\n", flush=True)
                verdicts.append(verdict(started.added.median, startup.LIMIT_US))
                result["startup"] = {
                    "bare_us": as_json(started.bare),
                    "added_us": as_json(started.added),
                    "limit": startup.LIMIT_US,
                    "verdict": verdicts[-1],
                }
            if chosen("new_order"):
                orders = new_order.rows(args.new_order, preloaded, NEW_ORDER_ROUNDS)
                print(aligned(new_order_rows(orders)) + "\n", flush=True)
                verdicts += [verdict(row.added.median, row.limit) for row in orders]
                result["new_order"] = [
                    {**row._asdict(), "bare": as_json(row.bare), "added": as_json(row.added)}
                    | {"verdict": verdict(row.added.median, row.limit)}
                    for row in orders
                ]
            if chosen("memory"):
                memory = resident.rows(args.memory, preloaded, MEMORY_ROUNDS)
                print(aligned(memory_rows(memory)) + "\n", flush=True)
                verdicts += [verdict(row.rss.median, row.limit) for row in memory]
                result["memory"] = [
                    {**row._asdict(), "rss": as_json(row.rss), "pss": as_json(row.pss)}
                    | {"verdict": verdict(row.rss.median, row.limit)}
                    for row in memory
                ]
        except Failed as failure:
            print(f"bench: {failure}", file=sys.stderr)
            return 1

        result["load"]["after"] = machine.load()
        result["reports"] = sorted(os.listdir(directory))
        for name in times.absent if times.chosen else []:
            print(f"{name} was left out: it is not there.")
        if result["reports"]:
            print(f"impasse reported something about healthy programs: {', '.join(result['reports'])}")
            broken = True

    with open(args.json, "w", encoding="utf-8") as out:
        json.dump(result, out, indent=1, ensure_ascii=False)
        out.write("\n")
    print(f"{verdicts.count(OVER)} of {len([v for v in verdicts if v != OPEN])} limits exceeded; figures in {args.json}")
    return 1 if broken or (args.strict and OVER in verdicts) else 0


if __name__ == "__main__":
    sys.exit(main())
