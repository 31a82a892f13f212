"""Calls made under a lock, as a process's last words and its dump tell of them."""

import dataclasses
import json
import os
import re
import shutil
import subprocess
import tempfile

from aftermath_case import AftermathCase
from sample_run import functions, is_function, until

PATIENCE_SECONDS = 20
KEPT = "journal TMP/go"
SLEPT = r"(?:clock_)?nanosleep"
FIGURES = r"[\d,]+ times, \S+ in all, \S+ at most"


class CallTest(AftermathCase):
    def last_words(self, run):
        """The lines of calls, after a long wait was told."""
        report = self.reported(run)[0]
        self.assertEqual(report.finding["kind"], "long_wait")
        run.make("go")
        self.assertEqual(run.end(PATIENCE_SECONDS), 0, run.complaints())
        lines = [line for line in run.complaints().splitlines() if "(taken at " in line]
        self.assertTrue(lines, run.complaints())
        return lines

    def assert_named(self, steps):
        """A call of the report always; one that no report had where the machine is not too busy."""
        late = (
            r"^impasse: usleep at aftermath_actor\+0x[0-9a-f]+ under journal_mutex "
            r"\(taken at aftermath_actor\+0x[0-9a-f]+\): once, for \S+$"
        )
        for _ in range(5):
            slept, closed = self.last_words(self.play(steps, options="wait=300ms"))
            self.assertRegex(
                slept,
                rf"^impasse: {SLEPT} at .*a_moment surroundings\.cc:\d+ under journal_mutex "
                rf"\(taken at .*write_journal locks\.cc:\d+\): {FIGURES}$",
            )
            if not re.search(late, closed):
                break
        self.assertRegex(
            closed,
            r"^impasse: usleep at .*close_journal locks\.cc:\d+ under journal_mutex "
            r"\(taken at .*close_journal locks\.cc:\d+\): once, for \S+$",
        )

    # ---- at the end

    def test_calls_at_the_end(self):
        self.assert_named(KEPT)

    def test_calls_at_the_end_of_the_last_thread(self):
        self.assert_named(f"{KEPT} end-last-thread")

    def test_calls_without_names(self):
        """A program without symbols: where it did it can still be said."""
        strip = shutil.which("strip")
        if strip is None:
            self.skipTest("there is no strip")
        folder = tempfile.mkdtemp(prefix="impasse-aftermath.")
        self.addCleanup(shutil.rmtree, folder)
        stripped = os.path.join(folder, "stripped")
        subprocess.run([strip, "-o", stripped, self.tools.stress], check=True)
        self.tools = dataclasses.replace(self.tools, stress=stripped)
        run = self.play(KEPT, options="wait=300ms")
        address = r"stripped\+0x[0-9a-f]+"
        for line in self.last_words(run):
            self.assertRegex(
                line, rf"^impasse: \w+ at {address} under a lock \(taken at {address}\): "
            )

    # ---- in a dump

    def dump(self, run, *flags):
        command = [self.command, "dump", *flags, str(run.pid)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.stdout if done.returncode == 0 else ""

    def calls_in_dump(self, run):
        text = self.dump(run, "--json")
        report = json.loads(text) if text else {}
        return (report, report["calls"]) if report.get("calls") else None

    def test_calls_in_dump(self):
        run = self.play(KEPT)
        report, (slept,) = until(lambda: self.calls_in_dump(run), "calls in the dump")
        self.assertEqual(report["finding"]["kind"], "dump")
        self.assertRegex(slept["call"], rf"^{SLEPT}$")
        self.assertEqual(report["locks"][slept["lock"]]["name"], "journal_mutex")
        for site, function in (("site", "a_moment"), ("held_site", "write_journal")):
            names = functions(report["places"][slept[site]])
            self.assertTrue(any(is_function(name, function) for name in names), names)
        self.assertLessEqual(slept["most_ns"], slept["sum_ns"])
        text = self.dump(run)
        self.assertRegex(
            text,
            r"\nCALLS UNDER THE LOCK\n  Made while journal_mutex was held, and ended:\n"
            rf"    {SLEPT} at .*a_moment surroundings\.cc:\d+ \(taken at\s",
        )
        self.assertEqual(len(re.findall("CALLS UNDER", text)), 1)
        run.make("go")
        self.assertEqual(run.end(PATIENCE_SECONDS), 0)
