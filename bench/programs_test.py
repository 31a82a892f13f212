#!/usr/bin/env python3
"""Runs every program and case of the bench for a moment, bare and under impasse: it must work, and nothing must be
reported about it. Says nothing about speed."""

import sys

sys.dont_write_bytecode = True

import argparse
import os
import tempfile
import unittest

import resident
import variants

DIVISOR = 200
TIMEOUT_S = 30


class Programs(unittest.TestCase):
    cases_program = ""
    memory_program = ""
    preload = ""

    def setUp(self):
        self.directory = tempfile.TemporaryDirectory(prefix="impasse-bench-")
        self.addCleanup(self.directory.cleanup)
        self.preloaded = variants.impasse_environment(self.preload, self.directory.name, "")

    def tearDown(self):
        self.assertEqual(os.listdir(self.directory.name), [], "reports about healthy programs")

    def every_case(self, changes):
        variant = variants.Variant(
            "under test", self.cases_program, environment=changes, repetitions=1, divisor=DIVISOR, timeout_s=TIMEOUT_S
        )
        cases = variants.cases(self.cases_program)
        self.assertGreater(len(cases), 0)
        for case in cases:
            with self.subTest(case=case.name):
                self.assertEqual(len(variant.repetitions_of(case.name)), 1)

    def test_cases_bare(self):
        self.every_case({})

    def test_cases_under_impasse(self):
        self.every_case(self.preloaded)

    def test_memory_states(self):
        for state, _ in resident.STATES:
            for changes in ({}, self.preloaded):
                with self.subTest(state=state, preloaded=bool(changes)):
                    seen = resident.measure(self.memory_program, state, 10, changes)
                    self.assertEqual(self.preload in seen, bool(changes))
                    self.assertGreater(sum(m.rss for m in seen.values()), 0)

    def test_preload_that_is_not_there(self):
        variant = variants.Variant("under test", self.cases_program, environment={"LD_PRELOAD": "/nowhere.so"})
        with self.assertRaises(variants.Failed) as caught:
            variant.repetitions_of("mutex_pair")
        self.assertEqual(caught.exception.word, "ignored")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", required=True)
    parser.add_argument("--memory", required=True)
    parser.add_argument("--preload", required=True)
    args = parser.parse_args()
    Programs.cases_program = args.cases
    Programs.memory_program = args.memory
    Programs.preload = os.path.realpath(args.preload)
    unittest.main(argv=sys.argv[:1])
