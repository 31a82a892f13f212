#!/usr/bin/python3
"""Checks that the cases a driver has are the cases that CMake runs: DRIVER CASE..."""

import subprocess
import sys


def main():
    driver, *registered = sys.argv[1:]
    said = subprocess.run([driver, "--list"], capture_output=True, text=True, check=True).stdout
    present = [line.removeprefix("case ") for line in said.splitlines() if line.startswith("case ")]
    wrong = sorted(set(present) ^ set(registered))
    doubled = len(registered) - len(set(registered))
    for case in wrong:
        print(f"{case}: {'not run by any test' if case in present else 'not in the driver'}")
    print(f"{len(present)} cases in the driver, {len(registered)} registered, {doubled} doubled")
    return 1 if wrong or doubled or not present else 0


if __name__ == "__main__":
    sys.exit(main())
