#!/usr/bin/python3
"""inside_hard.py PRELOAD IMPASSE PROGRAM: what impasse dump says of the threads of inside_hard.cc."""

import sys
import unittest

from inside_run import Functions, Run, thread_of

DEPTH = 20_000


class InsideHard(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        preload, impasse, program = ARGUMENTS
        cls.functions = Functions(program, program)
        with Run(preload, [program]) as run:
            run.wait_for_line("blocked")
            cls.report = run.dump(impasse)
            cls.asked = run.dump(impasse, "--running-stacks")

    def names(self, report, thread):
        return [self.functions.of_frame(report, frame) for frame in thread["stack"]["frames"]]

    def expect_in_order(self, names, expected):
        self.assertEqual([name for name in names if name in expected], expected)

    def test_a_running_thread_is_not_asked_unless_that_is_wanted(self):
        thread = thread_of(self.report, "spinning")
        self.assertEqual(thread["state"], "running")
        self.assertEqual(thread["stack"]["frames"], [])
        self.assertIn("not asked", thread["stack"]["trouble"])

    def test_a_running_thread_that_is_asked_has_a_whole_stack(self):
        thread = thread_of(self.asked, "spinning")
        self.assertTrue(thread["stack"]["whole"], thread["stack"]["trouble"])
        self.assertEqual({frame["grade"] for frame in thread["stack"]["frames"]}, {"exact"})
        names = self.names(self.asked, thread)
        self.expect_in_order(names, ["spin_middle", "spin_thread"])

    def expect_deep(self, report, name, innermost):
        thread = thread_of(report, name)
        stack = thread["stack"]
        self.assertTrue(stack["whole"], stack["trouble"])
        names = self.names(report, thread)
        after = stack["left_out_after"]
        self.assertGreater(after, 0)
        self.assertIn(innermost, names[:after])
        self.assertEqual(names[after - 1], "deep_call")
        self.assertIn(f"{name}_thread", names[after:])
        self.assertEqual(names.count("deep_call") + stack["left_out"], DEPTH + 1)

    def test_of_a_deep_stack_both_ends_are_there(self):
        for report in (self.report, self.asked):
            self.expect_deep(report, "deep_lock", "deep_lock")
            self.expect_deep(report, "deep_read", "deep_read")

    def test_a_handler_waits_on_top_of_a_read_lock_that_is_waited_for(self):
        thread = thread_of(self.report, "reader")
        self.assertEqual(thread["wait"]["kind"], "mutex")
        self.assertTrue(thread["wait"]["in_signal_handler"])
        self.assertTrue(thread["stack"]["whole"], thread["stack"]["trouble"])
        self.expect_in_order(
            self.names(self.report, thread),
            ["handler_lock", "handler", "reader_lock", "reader_thread"],
        )
        self.assertEqual(sum(frame["signal"] for frame in thread["stack"]["frames"]), 1)

    def test_nothing_of_that_was_disturbed(self):
        for report in (self.report, self.asked):
            self.assertEqual(len(report["threads"]) - sum(t["ours"] for t in report["threads"]), 5)


if __name__ == "__main__":
    ARGUMENTS = sys.argv[1:4]
    unittest.main(argv=sys.argv[:1], verbosity=2)
