"""The actor under impasse, and what all tests of what happens around a report have in common."""

import contextlib
import glob
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
import unittest

from sample_run import SampleRun, until
from stage import environment, ledgers_of

NOBODY = 65534
HERE = os.path.dirname(os.path.abspath(__file__))
LAST_WORDS = re.compile(
    r"\n(fingerprint [0-9a-f]{16}, the same whenever this happens[^\n]*|NOTHING DROPPED)\n\Z"
)


class ActorRun(SampleRun):
    """Starts the actor at once. TMP in a step, an option or a variable is the run's own folder."""

    def __init__(self, tools, steps, *, options, variables, wrap, stderr, limits, prepare):
        self.command = steps
        self.directory = tempfile.mkdtemp(prefix="impasse-aftermath.")
        self.reports = os.path.join(self.directory, "reports")
        os.mkdir(self.reports)
        self.started_wall = time.time()
        self._pids = set()
        if prepare is not None:
            prepare(self)
        changed = environment()
        changed["IMPASSE_OPTIONS"] = self._own(f"dir=TMP/reports wait=30s order=off {options}")
        changed |= {name: self._own(value) for name, value in variables.items()}
        words = [tools.stress, *(self._own(word) for word in steps.split())]
        with self._made("out") as out, self._made("err") as err:
            self.process = subprocess.Popen(
                [*map(self._own, wrap), "env", f"LD_PRELOAD={tools.preload}", *words],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err if stderr is None else stderr,
                env=changed,
                cwd=self.directory,
                start_new_session=True,
                preexec_fn=limits,
            )
        self.pid = self.process.pid
        self._pids.add(self.pid)

    def _own(self, text):
        return text.replace("TMP", self.directory)

    def path(self, name):
        return os.path.join(self.directory, name)

    def make(self, name, text=""):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)

    def files(self, name="."):
        return sorted(os.listdir(self.path(name)))

    def lines(self):
        """What impasse said, without the findings."""
        told = self.complaints().splitlines()
        return [line for line in told if not re.search(r": (DEADLOCK|MISUSE|DUMP|LONG)", line)]

    def wait_for_text(self, pattern):
        return until(lambda: re.search(pattern, self.complaints()), f"{pattern!r} on stderr")

    def is_alive(self):
        return self.process.poll() is None

    def other_places(self):
        """Reports of this process outside of its own folder."""
        return sorted(ledgers_of(self.pid, self.started_wall, "/tmp"))

    def discard(self):
        super().discard()
        for path in self.other_places():
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)


class AftermathCase(unittest.TestCase):
    tools = None
    maxDiff = None

    def play(
        self, steps, *, options="", variables=None, wrap=(), stderr=None, limits=None, prepare=None
    ):
        run = ActorRun(
            self.tools,
            steps,
            options=options,
            variables=variables or {},
            wrap=wrap,
            stderr=stderr,
            limits=limits,
            prepare=prepare,
        )
        self.addCleanup(run.discard)
        return run

    def reported(self, run, count=1):
        reports = run.wait_for_reports(count)
        self.assertEqual(len(reports), count, run.report_files())
        for report in reports:
            self.assert_whole(report.path)
            self.assert_whole(report.text_path)
        return sorted(reports, key=lambda report: report.number)

    def assert_whole(self, path):
        with open(path, encoding="utf-8") as file:
            text = file.read()
        if path.endswith(".json"):
            json.loads(text)
        else:
            self.assertRegex(text, LAST_WORDS, path)

    def assert_no_drafts(self, run, place="reports"):
        self.assertEqual([name for name in run.files(place) if "draft" in name], [])

    def assert_modes(self, report):
        for path in (report.path, report.text_path):
            self.assertEqual(oct(os.stat(path).st_mode & 0o7777), "0o600", path)

    def assert_no_ledger(self, run):
        self.assertEqual(glob.glob(f"/dev/shm/impasse.{run.pid}.*"), [])

    # ---- what may be missing

    def need(self, *command):
        """Skips the test where this machine does not allow it."""
        done = subprocess.run(command, capture_output=True, check=False)
        if done.returncode != 0:
            self.skipTest(f"{' '.join(command)}: {done.stderr.decode().strip()}")

    def need_root(self):
        if os.geteuid() != 0:
            self.skipTest("only root can become somebody else")

    @staticmethod
    def open_to_all(run):
        """For an actor that becomes somebody else."""
        os.chmod(run.directory, 0o755)
        os.chmod(run.reports, 0o777)


def copy_hook(run):
    """Use with options=HOOK."""
    os.mkdir(run.path("hooks"))
    os.chmod(run.path("hooks"), 0o777)
    shutil.copy(os.path.join(HERE, "hook.py"), run.path("hook"))
    os.chmod(run.path("hook"), 0o755)
