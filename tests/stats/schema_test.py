#!/usr/bin/env python3
"""What `impasse stats --json` prints is what docs/stats.schema.json says, and nothing else would be.

Each answer is held against the schema where it comes from, in of(): here are those of every shape, and damaged ones.
"""
import copy
import pathlib
import signal
import sys
import unittest

from stats_test import Case, VALIDATOR, strict_schema


class Schema(Case):
    def assert_refused(self, numbers, edit):
        damaged = copy.deepcopy(numbers)
        edit(damaged)
        self.assertFalse(VALIDATOR.is_valid(damaged), edit.__code__.co_consts)

    def crowded(self):
        """Of more locks than are kept apart: some rows have no address."""
        numbers = self.numbers("many", 20_000, 1)
        self.assertEqual({lock["address"] is None for lock in numbers["locks"]}, {True, False})
        self.assertGreater(len(numbers["sites"]), 0)
        return numbers

    def test_a_live_process(self):
        numbers = self.numbers("counts", 3, 1000)
        self.assertTrue(numbers["process"]["alive"])
        self.assertEqual({lock["kind"] for lock in numbers["locks"]}, {"mutex", "rwlock"})

    def test_what_a_killed_process_left_behind(self):
        process = self.start("nested", 100)
        process.send_signal(signal.SIGKILL)
        process.wait()
        [ledger] = [path for path in pathlib.Path(self.ledgers).iterdir() if path.name.startswith("impasse.")]
        for what in (ledger, process.pid):
            numbers = self.of(what)
            self.assertFalse(numbers["process"]["alive"])
            self.assertGreater(len(numbers["locks"]), 0)

    def test_an_empty_table(self):
        numbers = self.numbers("none")
        self.assertEqual((numbers["sites"], numbers["locks"]), ([], []))

    def test_rows_that_are_left_out(self):
        process = self.start("nested", 100)
        numbers = self.of(process.pid, "--top=1", "--by=count")
        self.assertEqual((len(numbers["sites"]), len(numbers["locks"])), (1, 1))
        self.assertGreater(numbers["sites_left_out"], 0)

    def test_no_key_may_be_missing_or_extra(self):
        numbers = self.crowded()
        rows = {lock["address"] is None: lock for lock in numbers["locks"]}
        numbers["locks"] = list(rows.values())
        self.assert_valid(numbers)
        through, tried = strict_schema.damage_let_through(VALIDATOR, numbers)
        # A key too many in each of 11 objects: the document, its process, three rows with two times each.
        self.assertEqual(tried, 11 + 2 * sum(len(node) for _, node in strict_schema.objects_in(numbers)))
        self.assertEqual(through, [])

    def test_values_that_cannot_be(self):
        numbers = self.numbers("counts", 2, 100)
        self.assert_refused(numbers, lambda n: n.update(schema="impasse-stats/2"))
        self.assert_refused(numbers, lambda n: n["locks"][0].update(kind="condition"))
        self.assert_refused(numbers, lambda n: n["locks"][0].update(address="0x1000"))
        self.assert_refused(numbers, lambda n: n["locks"][0].update(address=None))
        self.assert_refused(numbers, lambda n: n["sites"][0].update(acquisitions=-1))
        self.assert_refused(numbers, lambda n: n["sites"][0].update(locks=0))
        self.assert_refused(numbers, lambda n: n["sites"][0]["wait"].update(p50_ns=1.5))
        self.assert_refused(numbers, lambda n: n["process"].update(alive=None))


if __name__ == "__main__":
    if strict_schema.jsonschema is None:
        print("skipped: no python3-jsonschema")
        sys.exit(77)
    unittest.main(verbosity=2)
