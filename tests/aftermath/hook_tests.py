"""on_finding: a program is run after a report, and the program under us notices nothing."""

import json
import os
import resource
import signal

from aftermath_case import AftermathCase, copy_hook
from sample_run import until

HOOK = "on_finding=TMP/hook"
STUCK = "deadlock say stuck await TMP/end"
OUTPUT = {"HOOK_OUTPUT": "TMP/hooks"}
STAYS = OUTPUT | {"HOOK_STAYS": "1"}
BETWEEN_SECONDS = 5


class HookTest(AftermathCase):
    def with_hook(self, steps, *, options="", variables=OUTPUT, **how):
        return self.play(
            steps, options=f"{HOOK} {options}", variables=variables, prepare=copy_hook, **how
        )

    def hooks(self, run, count=1):
        """Facts of those that were started."""
        found = until(
            lambda: (names := self.named(run, "hook")) and len(names) >= count and names,
            f"{count} hooks; {run.complaints()}",
        )
        self.assertEqual(len(found), count)
        facts = []
        for name in found:
            with open(run.path(f"hooks/{name}"), encoding="utf-8") as file:
                facts.append(json.load(file))
        return facts

    def named(self, run, kind):
        names = run.files("hooks")
        return [name for name in names if name.startswith(kind) and not name.endswith("draft")]

    def release(self, run, count=1):
        run.make("hooks/release")
        until(lambda: len(self.named(run, "ended")) == count, "end of the hook")

    def said_about_hook(self, run):
        run.wait_for_text("on_finding could not be run")
        (line,) = run.lines()
        return line

    # ---- how it is started

    def test_hook_arguments(self):
        run = self.with_hook(STUCK)
        (facts,) = self.hooks(run)
        report = self.reported(run)[0]
        self.assertEqual(facts["arguments"], ["deadlock", report.text_path, report.path])

    def test_hook_surroundings(self):
        steps = f"open TMP/out handle {signal.SIGUSR1:d} ignore {signal.SIGPIPE:d} {STUCK}"
        (facts,) = self.hooks(self.with_hook(steps))
        self.assertEqual(facts["descriptors"], {number: "/dev/null" for number in "012"})
        self.assertNotIn("LD_PRELOAD", facts["variables"])
        self.assertNotIn("IMPASSE_OPTIONS", facts["variables"])
        self.assertIn("HOOK_OUTPUT", facts["variables"])
        self.assertEqual(facts["blocked"], 0)

    def test_hook_environment_changes(self):
        """While it is read: its table moves with every round."""
        run = self.with_hook(f"misuse 0 misuse 1 misuse 2 environment 20000 {STUCK}")
        self.hooks(run, 4)

    def test_hook_relative(self):
        run = self.play(
            f"chdir / {STUCK}", options="on_finding=hook", variables=OUTPUT, prepare=copy_hook
        )
        self.hooks(run)

    def test_hook_for_each_report(self):
        run = self.with_hook("misuse 0 misuse 1 misuse 2 await TMP/end")
        kinds = [facts["arguments"][0] for facts in self.hooks(run, 3)]
        self.assertEqual(kinds, ["misuse"] * 3)

    # ---- the program does not notice

    def test_hook_unseen(self):
        steps = f"handle {signal.SIGCHLD:d} misuse 0 deadlock children-end"
        steps = steps.replace("children-end", "wait-for-children TMP/end")
        run = self.with_hook(steps)
        self.hooks(run, 2)
        until(lambda: len(self.named(run, "ended")) == 2, "end of the hooks")
        run.make("end")
        self.assertEqual(run.end(20), 0)
        self.assertEqual(run.output(), "")

    def test_hook_outlives_program(self):
        """What stands in between goes with the program: it shares the program's memory."""
        run = self.with_hook("deadlock await TMP/end", variables=STAYS)
        (facts,) = self.hooks(run)
        self.assertTrue(os.path.exists(f"/proc/{facts['parent']}"))
        run.make("end")
        self.assertEqual(run.end(20), 0)
        until(lambda: not os.path.exists(f"/proc/{facts['parent']}"), "end of the one in between", 2)
        self.release(run)

    def test_hook_outlives_killed_program(self):
        run = self.with_hook("deadlock await TMP/end", variables=STAYS)
        (facts,) = self.hooks(run)
        run.process.kill()
        run.process.wait()
        until(lambda: not os.path.exists(f"/proc/{facts['parent']}"), "end of the one in between", 2)
        self.release(run)

    def test_hook_that_stays(self):
        """Nobody waits for it longer than five seconds; it goes on, and so do the next."""
        run = self.with_hook("misuse 0 misuse 1 await TMP/end", variables=STAYS)
        (facts,) = self.hooks(run)
        until(
            lambda: not os.path.exists(f"/proc/{facts['parent']}"),
            "end of the one in between",
            BETWEEN_SECONDS + 5,
        )
        self.hooks(run, 2)
        self.release(run, 2)

    def test_hook_before_abort(self):
        run = self.with_hook(STUCK, options="on_deadlock=abort")
        self.assertEqual(run.end(20), -signal.SIGABRT)
        self.hooks(run)

    def test_hook_before_exit(self):
        run = self.with_hook("deadlock await TMP/end", options="on_deadlock=exit")
        self.assertEqual(run.end(20), 1)
        self.hooks(run)

    def test_hook_of_program_that_ends(self):
        run = self.with_hook("misuse 0 await TMP/go exit 3", variables=STAYS)
        self.reported(run)
        run.make("go")
        self.assertEqual(run.end(20), 3)
        self.hooks(run)
        self.release(run)

    # ---- it cannot be run

    def log_says(self, run, words):
        def look():
            if not os.path.exists(run.path("log")):
                return False
            with open(run.path("log"), encoding="utf-8") as log:
                return log.read().count(words) == 1

        until(look, f"{words!r} once in the log")

    def script(self, text):
        def prepare(run):
            run.make("script", f"#!/bin/sh\n{text}\n")
            os.chmod(run.path("script"), 0o755)

        run = self.play(STUCK, options="on_finding=TMP/script log=TMP/log", prepare=prepare)
        return run, f"info: on_finding: {run.path('script')} "

    def test_hook_leaves_a_line(self):
        for text, outcome in (
            ("exit 0", "ended with status 0"),
            ("exit 7", "ended with status 7"),
            ("kill -9 $$", "was ended by signal 9"),
        ):
            run, start = self.script(text)
            self.log_says(run, f"{start}{outcome}\n")
            self.assertEqual(run.lines(), [])

    def test_hook_that_stays_leaves_a_line(self):
        run, start = self.script(f"exec sleep {BETWEEN_SECONDS + 3}")
        self.log_says(run, f"{start}still runs; it is looked after no longer\n")

    def test_hook_that_is_missing_leaves_one_line(self):
        run = self.play(STUCK, options="on_finding=TMP/nowhere log=TMP/log")
        self.log_says(run, "warning: on_finding could not be run: ")
        self.reported(run)
        with open(run.path("log"), encoding="utf-8") as log:
            self.assertNotIn("on_finding: ", log.read())

    def test_hook_missing(self):
        run = self.play(f"misuse 0 {STUCK}", options="on_finding=TMP/nowhere log=TMP/log")
        self.assertIn("nowhere: No such file or directory", self.said_about_hook(run))

        def said_twice():
            with open(run.path("log"), encoding="utf-8") as log:
                return log.read().count("on_finding could not be run") == 2

        until(said_twice, "two lines in the log")
        self.assertEqual(len(run.lines()), 1, run.lines())

    def test_hook_not_executable(self):
        run = self.play(STUCK, options="on_finding=TMP/out")
        self.assertIn("out: Permission denied", self.said_about_hook(run))

    def test_hook_without_processes(self):
        self.need_root()

        def prepare(run):
            copy_hook(run)
            self.open_to_all(run)

        def limits():
            resource.setrlimit(resource.RLIMIT_NPROC, (1000, 1000))

        # Threads count as well: the limit comes when all of them are there.
        run = self.play(
            f"become-nobody await TMP/go deadlock limit-processes 1 {STUCK.replace('deadlock', '')}"
            " misuse 0",
            options=HOOK,
            variables=OUTPUT,
            prepare=prepare,
            limits=limits,
        )
        run.make("go")
        until(lambda: self.named(run, "hook") or "on_finding" in run.complaints(), "hook or word")
        self.reported(run)
        self.assertTrue(run.is_alive())
