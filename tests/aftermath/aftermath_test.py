#!/usr/bin/python3
"""aftermath_test.py --actor A --preload P --command C [NAME ...]: what happens around a report?

Each NAME is a test. Without a NAME all run; --registered compares the names with those that are
given. A test that this machine does not allow ends with 77.
"""

import argparse
import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
for folder in ("facts", "findings"):
    sys.path.insert(0, os.path.join(HERE, "..", folder))

import call_tests
import delivery_tests
import ending_tests
import growing_tests
import hook_tests
import log_tests
import process_tests
import stderr_tests
import suppression_tests
from aftermath_case import AftermathCase
from sample_run import Tools
from stage import all_tests, compare_registered

MODULES = (delivery_tests, stderr_tests, ending_tests, hook_tests, log_tests, process_tests,
           suppression_tests, call_tests, growing_tests)
SKIPPED = 77


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--actor", required=True)
    parser.add_argument("--preload", required=True)
    parser.add_argument("--command", default="")
    parser.add_argument("--samples", default="")
    parser.add_argument("--registered", action="store_true")
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    tests = all_tests(MODULES)
    if arguments.registered:
        return compare_registered(tests, arguments.names)

    AftermathCase.tools = Tools(
        samples=os.path.abspath(arguments.samples),
        preload=os.path.abspath(arguments.preload),
        stress=os.path.abspath(arguments.actor),
    )
    AftermathCase.command = os.path.abspath(arguments.command)
    suite = unittest.TestSuite(tests[name] for name in arguments.names or tests)
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    if not result.wasSuccessful():
        return 1
    return SKIPPED if len(result.skipped) == result.testsRun else 0


if __name__ == "__main__":
    sys.exit(main())
