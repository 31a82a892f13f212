#!/usr/bin/python3
"""Do the assertions about orders notice what is wrong? A report made by hand, and spoilt."""

import copy
import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", folder) for folder in ("findings", "facts")]

from expected_orders import Order
from order_findings import OrderFindings

WANTED = [
    Order("one", "a_mutex", "b_mutex", "first", "second"),
    Order("other", "b_mutex", "a_mutex", "third", "fourth", to_mode="shared"),
]


def site(function):
    return {"sources": [{"function": "lock_guard"}, {"function": f"ns::{function}<char>(int)"}]}


def order(name, ends, sites, to_mode="exclusive"):
    return {
        "thread_name": name,
        "tid": hash(name),
        "from": ends[0],
        "to": ends[1],
        "from_mode": "exclusive",
        "to_mode": to_mode,
        "again": False,
        "from_site": site(sites[0]),
        "to_site": site(sites[1]),
        "stack": {"frames": [site(sites[1])]},
    }


class HandMade:
    """As much of a Report as is looked at."""

    def __init__(self):
        one = order("one", (0, 1), ("first", "second"))
        other = order("other", (1, 0), ("third", "fourth"), to_mode="shared")
        self.finding = {"cycle": [], "doubt": "none", "orders": [one, other]}
        names = ("ns::a_mutex", "b_mutex+0x28", "c_mutex")
        self.locks = [{"name": name, "owner_word": None, "variety": ""} for name in names]
        self.threads = [{"tid": 71}]

    def lock_name(self, index):
        return self.locks[index]["name"]


class Spoilt(OrderFindings):
    def setUp(self):
        self.report = HandMade()
        self.orders = self.report.finding["orders"]

    def check(self):
        self.assert_orders(self.report, WANTED)

    def refused(self):
        self.assertRaises(AssertionError, self.check)

    def test_as_it_should_be(self):
        self.check()
        self.orders.reverse()
        self.check()

    def test_other_thread(self):
        self.orders[0]["thread_name"] = "somebody"
        self.refused()

    def test_one_thread_twice(self):
        self.orders[0]["tid"] = self.orders[1]["tid"]
        self.refused()

    def test_word_of_a_lock_that_is_gone(self):
        self.report.locks[0]["owner_word"] = 71
        self.check()
        self.report.locks[0]["owner_word"] = 3010642783
        self.refused()

    def test_other_lock(self):
        self.orders[0]["to"] = self.orders[1]["from"] = 2
        self.refused()

    def test_no_circle(self):
        self.orders[1]["from"] = 2
        self.refused()

    def test_too_many(self):
        self.orders.append(copy.deepcopy(self.orders[0]))
        self.refused()

    def test_too_few(self):
        self.orders.pop()
        self.refused()

    def test_other_sites(self):
        for key in ("from_site", "to_site"):
            spoilt = HandMade()
            spoilt.finding["orders"][1][key] = site("elsewhere")
            self.report = spoilt
            self.refused()

    def test_other_mode(self):
        self.orders[1]["to_mode"] = "exclusive"
        self.refused()

    def test_again(self):
        self.orders[0]["again"] = True
        self.refused()

    def test_no_stack(self):
        self.orders[0]["stack"]["frames"].clear()
        self.refused()

    def test_somebody_waits(self):
        self.report.finding["cycle"] = [{}]
        self.refused()


def load_tests(loader, _tests, _pattern):
    """What is inherited needs programs."""
    names = [name for name in vars(Spoilt) if name.startswith("test_")]
    return unittest.TestSuite(Spoilt(name) for name in names)


if __name__ == "__main__":
    unittest.main()
