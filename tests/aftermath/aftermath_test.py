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

import delivery_tests
import ending_tests
import hook_tests
import log_tests
import process_tests
import stderr_tests
from aftermath_case import AftermathCase
from sample_run import Tools

MODULES = (delivery_tests, stderr_tests, ending_tests, hook_tests, log_tests, process_tests)
SKIPPED = 77


def all_tests():
    """{name: test}"""
    found = {}
    for module in MODULES:
        for suite in unittest.TestLoader().loadTestsFromModule(module):
            for test in suite:
                name = test.id().rpartition(".test_")[2]
                assert name not in found, name
                found[name] = test
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--actor", required=True)
    parser.add_argument("--preload", required=True)
    parser.add_argument("--command", default="")
    parser.add_argument("--registered", action="store_true")
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    tests = all_tests()
    if arguments.registered:
        missing = sorted(set(tests) ^ set(arguments.names))
        print(f"in one list and not in the other: {missing}" if missing else "all are registered")
        return 1 if missing else 0

    AftermathCase.tools = Tools(
        samples="",
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
