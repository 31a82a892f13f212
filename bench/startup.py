"""What a preload adds to the start and end of a program that does nothing."""

import os
import time
from typing import Dict, List

from ratios import Spread, differences, spread
from variants import Failed, environment

PROGRAM = "/bin/true"
LIMIT_US = 500.0


def one_start_us(env: Dict[str, str]) -> float:
    begin = time.perf_counter_ns()
    pid = os.posix_spawn(PROGRAM, [PROGRAM], env)
    _, status = os.waitpid(pid, 0)
    elapsed = time.perf_counter_ns() - begin
    if status != 0:
        raise Failed("failed", f"{PROGRAM} ended with wait status {status}")
    return elapsed / 1000


class Startup:
    """`pairs` starts of each kind, one after the other, so that both meet the same machine."""

    def __init__(self, preloaded: Dict[str, str], pairs: int):
        sides = (environment({}), environment(preloaded))
        times: List[List[float]] = [[], []]
        for side in (0, 1):
            one_start_us(sides[side])  # brings the files into memory
        for pair in range(pairs):
            for side in (0, 1) if pair % 2 == 0 else (1, 0):
                times[side].append(one_start_us(sides[side]))
        self.bare: Spread = spread(times[0])
        self.added: Spread = differences(times[0], times[1])
        self.pairs = pairs
