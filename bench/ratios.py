"""What is made of the measured figures: medians, ratios to bare, verdicts. No input, no output, no clock."""

import statistics
from typing import NamedTuple, Optional, Sequence

MET, OVER, OPEN = "met", "over", "–"


class Spread(NamedTuple):
    """A median and the least and the largest of the values it was taken from."""

    median: float
    low: float
    high: float


def spread(values: Sequence[float]) -> Spread:
    if not values:
        raise ValueError("no values")
    return Spread(statistics.median(values), min(values), max(values))


def typical(repetitions: Sequence[float]) -> float:
    """The figure of one process out of those of its repetitions."""
    return spread(repetitions).median


def ratios(bare: Sequence[float], other: Sequence[float]) -> Spread:
    """The ratio of each round is taken before the median, so that a slow minute of the machine slows both sides.

    A peer that took part in fewer rounds is compared with the first ones.
    """
    if len(other) > len(bare):
        raise ValueError("more rounds than bare ones")
    return spread([theirs / ours for ours, theirs in zip(bare, other)])


def differences(bare: Sequence[float], other: Sequence[float]) -> Spread:
    if len(other) != len(bare):
        raise ValueError("not as many values as bare ones")
    return spread([theirs - ours for ours, theirs in zip(bare, other)])


def verdict(value: Optional[float], limit: Optional[float]) -> str:
    """A limit is the largest value that meets it. Without a limit or a value there is nothing to say."""
    if value is None or limit is None:
        return OPEN
    return MET if value <= limit else OVER


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells as text: the first column to the left, the others to the right. The first row is the heading."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]

    def line(row: Sequence[str]) -> str:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        return "  ".join(cells).rstrip()

    rule = "  ".join("-" * width for width in widths)
    return "\n".join([line(rows[0]), rule] + [line(row) for row in rows[1:]])
