#!/usr/bin/python3
"""facts_test.py --driver D --preload P --command C [NAME ...]: is what impasse records right?

Each NAME is a test: a situation that the driver is brought into under the preload, looked at with
`impasse dump`. Without a NAME all run; --registered compares the names with those that are given.
Exit status: 0 right, 1 wrong, 77 not possible on this system.
"""

import argparse
import os
import sys
import unittest

import bare_facts
import condition_facts
import departure_facts
import lock_facts
import place_facts
import process_facts
import thread_facts
from facts_case import FactsCase
from stage import Tools

SKIPPED = 77
MODULES = (
    bare_facts,
    lock_facts,
    condition_facts,
    thread_facts,
    departure_facts,
    process_facts,
    place_facts,
)


def all_tests():
    """{name: test}"""
    loader = unittest.TestLoader()
    found = {}
    for module in MODULES:
        for suite in loader.loadTestsFromModule(module):
            for test in suite:
                name = test.id().rpartition(".test_")[2]
                assert name not in found, name
                found[name] = test
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--driver", required=True)
    parser.add_argument("--preload", required=True)
    parser.add_argument("--command", required=True)
    parser.add_argument("--registered", action="store_true")
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    tests = all_tests()
    if arguments.registered:
        missing = sorted(set(tests) ^ set(arguments.names))
        print(f"in one list and not in the other: {missing}" if missing else "all are registered")
        return 1 if missing else 0

    FactsCase.tools = Tools(
        *(os.path.abspath(path) for path in (arguments.driver, arguments.preload, arguments.command))
    )
    suite = unittest.TestSuite(tests[name] for name in arguments.names or tests)
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    if not result.wasSuccessful():
        return 1
    return SKIPPED if result.testsRun == len(result.skipped) else 0


if __name__ == "__main__":
    sys.exit(main())
