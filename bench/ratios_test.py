"""Tests of what bench.py makes of its figures."""

import sys

sys.dont_write_bytecode = True

import unittest

import ratios


class Medians(unittest.TestCase):
    def test_one_disturbed_repetition_does_not_count(self):
        self.assertEqual(ratios.typical([8.0, 8.2, 90.0, 8.1, 8.0]), 8.1)

    def test_even_number_of_values(self):
        self.assertEqual(ratios.spread([1.0, 4.0, 2.0, 3.0]), ratios.Spread(2.5, 1.0, 4.0))

    def test_no_values(self):
        with self.assertRaises(ValueError):
            ratios.spread([])


class Ratios(unittest.TestCase):
    def test_ratio_is_taken_in_each_round(self):
        # The machine was ten times slower in the second round; the ratio of the medians would be 1.4 / 11.
        result = ratios.ratios(bare=[10.0, 100.0, 11.0], other=[14.0, 140.0, 15.4])
        for value in result:
            self.assertAlmostEqual(value, 1.4)

    def test_spread_is_kept(self):
        result = ratios.ratios(bare=[10.0, 10.0, 10.0], other=[13.0, 20.0, 9.0])
        self.assertEqual(result, ratios.Spread(1.3, 0.9, 2.0))

    def test_peer_with_fewer_rounds(self):
        self.assertEqual(ratios.ratios([10.0, 20.0, 30.0], [100.0]).median, 10.0)

    def test_peer_with_more_rounds(self):
        with self.assertRaises(ValueError):
            ratios.ratios([10.0], [100.0, 100.0])


class Differences(unittest.TestCase):
    def test_difference_is_taken_in_each_pair(self):
        result = ratios.differences([600.0, 900.0, 610.0], [700.0, 1010.0, 715.0])
        self.assertEqual(result, ratios.Spread(105.0, 100.0, 110.0))

    def test_pairs_must_be_complete(self):
        with self.assertRaises(ValueError):
            ratios.differences([1.0, 2.0], [1.0])


class Verdicts(unittest.TestCase):
    def test_limit_itself_is_met(self):
        self.assertEqual(ratios.verdict(1.5, 1.5), ratios.MET)

    def test_just_over(self):
        self.assertEqual(ratios.verdict(1.501, 1.5), ratios.OVER)

    def test_no_limit_or_no_value(self):
        self.assertEqual(ratios.verdict(9.9, None), ratios.OPEN)
        self.assertEqual(ratios.verdict(None, 1.5), ratios.OPEN)

    def test_limit_of_nothing_is_a_limit(self):
        self.assertEqual(ratios.verdict(1.0, 0.0), ratios.OVER)


class Tables(unittest.TestCase):
    def test_columns_line_up(self):
        text = ratios.aligned([["case", "ns"], ["mutex pair", "7.8"], ["x", "100.0"]])
        self.assertEqual(
            text.splitlines(),
            ["case           ns", "----------  -----", "mutex pair    7.8", "x           100.0"],
        )


if __name__ == "__main__":
    unittest.main()
