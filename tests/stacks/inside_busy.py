#!/usr/bin/python3
"""inside_busy.py PRELOAD PROGRAM: inside_busy.cc is healthy, and no finding says otherwise."""

import sys

from inside_run import Run

SECONDS = "6"


def main():
    preload, program = sys.argv[1:]
    with Run(preload, [program, SECONDS]) as run:
        status = run.process.wait()
        reports = run.reports()
    print(f"{len(reports)} reports of a healthy program, which ended with {status}")
    return 1 if reports or status != 0 else 0


if __name__ == "__main__":
    sys.exit(main())
