#!/usr/bin/python3
"""findings_test.py --samples DIR --preload P --stress S --schema J [--for SECONDS] [NAME ...]

Is what is found right?

Each NAME is a test: a sample that runs under impasse, whose reports are read. Without a NAME all
run; --registered compares the names with those that are given. --for: how long the stress lasts.
"""

import argparse
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "facts"))

import classic_findings
import incident_findings
from findings_case import FindingsCase
from sample_run import Tools
from stage import all_tests, compare_registered

MODULES = (incident_findings, classic_findings)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--samples", required=True)
    parser.add_argument("--preload", required=True)
    parser.add_argument("--stress", default="")
    parser.add_argument("--schema", default="")
    parser.add_argument("--for", type=int, default=60, dest="seconds")
    parser.add_argument("--registered", action="store_true")
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    tests = all_tests(MODULES)
    if arguments.registered:
        return compare_registered(tests, arguments.names)

    classic_findings.Stress.stress_seconds = arguments.seconds
    FindingsCase.tools = Tools(
        *(
            os.path.abspath(path) if path else ""
            for path in (arguments.samples, arguments.preload, arguments.stress, arguments.schema)
        )
    )
    suite = unittest.TestSuite(tests[name] for name in arguments.names or tests)
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
