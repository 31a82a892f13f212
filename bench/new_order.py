"""What a preload adds to a lock that is taken under another one for the first time: a detector of lock orders has to
write it down, with the stack."""

from typing import Dict, List, NamedTuple

from ratios import Spread, spread
from variants import environment, run

LIMIT_US = 5.0
TIMEOUT_S = 60
TITLES = {"fresh": "the first 200 of a process, at once", "reused": "200 later ones, by tens"}


class Row(NamedTuple):
    name: str
    title: str
    bare: Spread  # medians of the rounds
    added: Spread
    limit: float


def medians_us(program: str, changes: Dict[str, str]) -> Dict[str, float]:
    found = {}
    for line in run([program], environment(changes), TIMEOUT_S).splitlines():
        name, *elapsed_ns = line.split()
        found[name] = spread([float(ns) for ns in elapsed_ns]).median / 1000
    return found


def rows(program: str, preloaded: Dict[str, str], rounds: int) -> List[Row]:
    sides = [(medians_us(program, {}), medians_us(program, preloaded)) for _ in range(rounds)]
    return [
        Row(
            name,
            title,
            spread([bare[name] for bare, _ in sides]),
            spread([with_preload[name] - bare[name] for bare, with_preload in sides]),
            LIMIT_US,
        )
        for name, title in TITLES.items()
    ]
