#!/usr/bin/python3
"""Do the assertions about reports notice what is wrong? A report made by hand, and spoilt."""

import copy
import json
import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "facts"))

from findings_case import FindingsCase, Step
from resolved import referring
from sample_run import Report, Tools, is_function

PID = 4711


def site(function):
    return {"sources": [{"function": "lock_guard"}, {"function": f"{function}(int)"}]}


def thread(name, *, holds, waits, function):
    return {
        "name": name,
        "involved": True,
        "wait": {"kind": "mutex", "lock": waits, "site": site(function)},
        "holds": [{"lock": holds, "mode": "exclusive", "site": site(function)}],
        "activity": {"call": "futex", "detail": ""},
        "stack": {"frames": [site(function), site("main")]},
        "entry": None,
    }


ABBA = {
    "schema": "impasse/1",
    "names": {"looked_up": True, "trouble": ""},
    "process": {"pid": PID, "program": "abba"},
    "finding": {
        "kind": "deadlock",
        "number": 1,
        "update": 0,
        "fingerprint": "f",
        "root": 0,
        "root_lock": 0,
        "cycle": [
            {"waiter": 0, "blocker": 1, "lock": 1, "reason": "holder"},
            {"waiter": 1, "blocker": 0, "lock": 0, "reason": "holder"},
        ],
        "crowd": [],
        "orders": [],
    },
    "threads": [
        thread("one", holds=0, waits=1, function="ns::first<char>"),
        thread("other", holds=1, waits=0, function="second"),
    ],
    "locks": [{"name": "ns::a"}, {"name": "b"}],
}
TEXT = f'==== impasse: DEADLOCK ==== abba[{PID}] ====\nthread "one" waits for thread "other"\n'
STEPS = (
    Step("other", "one", lock="a", asked_in="second", held_in="first"),
    Step("one", "other", lock="b", asked_in="first", held_in="second"),
)


class ByHand(FindingsCase):
    tools = Tools(samples="", preload="")

    def report(self, spoil=lambda report: None, text=TEXT, mode=0o600):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = os.path.join(folder.name, f"impasse.{PID}.1.json")
        json_form = copy.deepcopy(ABBA)
        spoil(json_form)
        for name, content in ((path, json.dumps(referring(json_form))), (path[:-4] + "txt", text)):
            with open(name, "w", encoding="utf-8") as file:
                file.write(content)
            os.chmod(name, mode)
        return Report(path)

    def check(self, report, steps=STEPS):
        self.assert_sound(None, report)
        self.assert_circle(report, *steps)
        self.assert_stack(report.thread_named("one"), "first", "main")
        self.assert_crowd(report)
        self.assert_root(report, "one", lock="a", held_in="first")

    def test_right(self):
        self.check(self.report())

    def test_spoilt(self):
        def put(*path_and_value):
            *path, key, value = path_and_value

            def spoil(report):
                for step in path:
                    report = report[step]
                report[key] = value

            return spoil

        spoilt = {
            "schema": put("schema", "impasse/2"),
            "process": put("process", "pid", 1),
            "number": put("finding", "number", 2),
            "fingerprint": put("finding", "fingerprint", ""),
            "open circle": put("finding", "cycle", 0, "blocker", 0),
            "half a circle": put("finding", "cycle", [ABBA["finding"]["cycle"][0]]),
            "lock of a link": put("finding", "cycle", 0, "lock", 0),
            "reason": put("finding", "cycle", 0, "reason", "join"),
            "lock's name": put("locks", 0, "name", "c"),
            "thread's name": put("threads", 0, "name", "another"),
            "involved": put("threads", 0, "involved", False),
            "kind of wait": put("threads", 0, "wait", "kind", "read"),
            "where it asked": put("threads", 0, "wait", "site", site("main")),
            "no hold": put("threads", 1, "holds", []),
            "mode": put("threads", 1, "holds", 0, "mode", "shared"),
            "where it was taken": put("threads", 1, "holds", 0, "site", site("first")),
            "stack": put("threads", 0, "stack", "frames", [site("main"), site("first")]),
            "crowd": put("finding", "crowd", [ABBA["finding"]["cycle"][0]]),
            "root": put("finding", "root", 1),
            "root's lock": put("finding", "root_lock", 1),
        }
        for what, spoil in spoilt.items():
            with self.subTest(what), self.assertRaises(AssertionError):
                self.check(self.report(spoil))

    def test_files(self):
        with self.assertRaises(AssertionError):
            self.check(self.report(mode=0o644))
        for text in ("", TEXT.replace("DEADLOCK", "LONG WAIT"), TEXT.replace('"other"', "other")):
            with self.subTest(text), self.assertRaises(AssertionError):
                self.check(self.report(text=text))

    def test_functions(self):
        for name in ("f", "f(int)", "ns::f(int)", "void f<int>()", "f[abi:cxx11](int)", "f() const",
                     "f(int) [clone .cold]", "f.part.0"):
            self.assertTrue(is_function(name, "f"), name)
        for name in ("g", "ff(int)", "g_f(int)", "f_g", "", "f::g(int)"):
            self.assertFalse(is_function(name, "f"), name)


if __name__ == "__main__":
    unittest.main()
