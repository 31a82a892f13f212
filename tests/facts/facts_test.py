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
import waking_facts
from facts_case import FactsCase
from stage import Tools, all_tests, compare_registered

SKIPPED = 77
MODULES = (
    bare_facts,
    lock_facts,
    condition_facts,
    waking_facts,
    thread_facts,
    departure_facts,
    process_facts,
    place_facts,
)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--driver", required=True)
    parser.add_argument("--preload", required=True)
    parser.add_argument("--command", required=True)
    parser.add_argument("--registered", action="store_true")
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    tests = all_tests(MODULES)
    if arguments.registered:
        return compare_registered(tests, arguments.names)

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
