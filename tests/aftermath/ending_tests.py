"""How a process ends after a finding: by itself, by on_deadlock, with exit_code."""

import signal
import time

from aftermath_case import AftermathCase

PATIENCE_SECONDS = 20


class EndingTest(AftermathCase):
    def assert_named(self, run):
        report = self.reported(run)[0]
        self.assertTrue(report.json["names"]["looked_up"], report.json["names"])
        self.assert_no_drafts(run)

    # ---- on_deadlock

    def assert_aborts(self, before):
        run = self.play(f"{before} deadlock await TMP/end", options="on_deadlock=abort")
        self.assertEqual(run.end(PATIENCE_SECONDS), -signal.SIGABRT, run.complaints())
        self.assert_named(run)

    def test_abort(self):
        self.assert_aborts("")

    def test_abort_with_handler(self):
        self.assert_aborts(f"handle {signal.SIGABRT:d}")

    def test_abort_while_ignored(self):
        self.assert_aborts(f"ignore {signal.SIGABRT:d}")

    def test_abort_of_first_process(self):
        """Which is not killed by a signal that it does not handle."""
        self.need("unshare", "-pf", "true")
        run = self.play(
            "deadlock await TMP/end",
            options="on_deadlock=abort ledger=off",
            wrap=("unshare", "-pf", "--kill-child", "--mount-proc"),
        )
        self.assertEqual(run.end(PATIENCE_SECONDS), 128 + signal.SIGABRT, run.complaints())

    def test_exit(self):
        run = self.play("deadlock await TMP/end", options="on_deadlock=exit")
        self.assertEqual(run.end(PATIENCE_SECONDS), 1, run.complaints())
        self.assert_named(run)
        self.assert_no_ledger(run)

    def test_exit_with_code(self):
        run = self.play("deadlock await TMP/end", options="on_deadlock=exit exit_code=42")
        self.assertEqual(run.end(PATIENCE_SECONDS), 42, run.complaints())

    def test_misuse_ends_nothing(self):
        run = self.play("misuse 0 await TMP/end exit 6", options="on_deadlock=abort")
        self.reported(run)
        run.make("end")
        self.assertEqual(run.end(PATIENCE_SECONDS), 6)

    # ---- exit_code

    def test_exit_code(self):
        """What is still in the program's buffers is written, its handlers run."""
        steps = "at-exit last misuse 0 await TMP/go print first exit 3"
        run = self.play(steps, options="exit_code=9")
        self.reported(run)
        run.make("go")
        self.assertEqual(run.end(PATIENCE_SECONDS), 9)
        self.assertEqual(run.output(), "first\nlast\n")
        self.assert_no_ledger(run)

    def test_exit_code_after_last_thread(self):
        run = self.play("misuse 0 await TMP/go print first end-last-thread", options="exit_code=9")
        self.reported(run)
        run.make("go")
        self.assertEqual(run.end(PATIENCE_SECONDS), 9)
        self.assertEqual(run.output(), "first\n")

    def test_exit_code_without_finding(self):
        run = self.play("busy 0 exit 3", options="exit_code=9")
        self.assertEqual(run.end(PATIENCE_SECONDS), 3)
        self.assertEqual(run.report_files(), [])

    def test_exit_code_with_stdout_locked(self):
        run = self.play("lock-stdout misuse 0 await TMP/go exit 3", options="exit_code=9")
        self.reported(run)
        began = time.monotonic()
        run.make("go")
        self.assertEqual(run.end(PATIENCE_SECONDS), 9)
        self.assertLess(time.monotonic() - began, 6)

    def test_exit_code_of_children(self):
        steps = "misuse 0 await TMP/go fork 5 vfork 6 fork 0 vfork 0 exit 3"
        run = self.play(steps, options="exit_code=9")
        self.reported(run)
        run.make("go")
        self.assertEqual(run.end(PATIENCE_SECONDS), 9)
        self.assertEqual(run.output(), "", "no child has the status of its parent")

    # ---- the end comes while a report is made

    def test_exit_right_after(self):
        for steps in ("deadlock exit 5", "misuse 0 deadlock exit 5", "misuse 0 exit 5"):
            began = time.monotonic()
            run = self.play(steps)
            self.assertEqual(run.end(PATIENCE_SECONDS), 5, run.complaints())
            self.assertLess(time.monotonic() - began, 5)
            for name in run.report_files():
                self.assert_whole(f"{run.reports}/{name}")
            self.assert_no_drafts(run)
            self.assert_no_ledger(run)

    def test_last_thread_ends_right_after(self):
        run = self.play("misuse 0 misuse 1 end-last-thread")
        self.assertEqual(run.end(PATIENCE_SECONDS), 0, run.complaints())
        self.assert_no_drafts(run)
        for name in run.report_files():
            self.assert_whole(f"{run.reports}/{name}")

    def test_main_thread_ends(self):
        run = self.play("deadlock end-main-thread")
        self.reported(run)
        self.assertTrue(run.is_alive())
