#!/usr/bin/python3
"""latency.py --samples DIR --preload P [--runs N]: how long after it formed is a deadlock reported?

Runs the sample `abba` N times, one after the other. It tells the time of day at which the later of
the two threads asked; the report file's time of modification is compared with that.
"""

import argparse
import os
import statistics
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "facts"))

from sample_run import SampleRun, Tools, until


def first_json(run):
    return next((name for name in run.report_files() if name.endswith(".json")), None)


def milliseconds_of_one_run(tools):
    run = SampleRun(tools, "abba --stamp", options="order=on")
    try:
        run.wait_until_it_says("stuck:")
        # The first version of it: it is written again when names have been looked up.
        name = until(lambda: first_json(run), "report")
        written = os.stat(os.path.join(run.reports, name)).st_mtime
        formed = next(
            float(line.split()[1])
            for line in run.output().splitlines()
            if line.startswith("blocking:")
        )
        return 1000 * (written - formed)
    finally:
        run.discard()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--samples", required=True)
    parser.add_argument("--preload", required=True)
    parser.add_argument("--runs", type=int, default=20)
    arguments = parser.parse_args()
    tools = Tools(os.path.abspath(arguments.samples), os.path.abspath(arguments.preload))
    times = [milliseconds_of_one_run(tools) for _ in range(arguments.runs)]
    print(
        f"{len(times)} runs: reported after {min(times):.0f} ms at best,"
        f" {statistics.median(times):.0f} ms in the middle, {max(times):.0f} ms at worst"
    )


if __name__ == "__main__":
    main()
