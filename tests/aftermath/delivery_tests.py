"""Where reports go, and that they are complete or absent."""

import contextlib
import os
import random
import resource
import signal
import time

from aftermath_case import NOBODY, AftermathCase
from sample_run import until

STUCK = "deadlock say stuck await TMP/end"


def in_temporary(run):
    os.mkdir(run.path("temporary"))


TO_TEMPORARY = {"prepare": in_temporary, "variables": {"TMPDIR": "TMP/temporary"}}


class DeliveryTest(AftermathCase):
    # ---- a place that does not take them

    def assert_in_temporary(self, run, reason):
        until(lambda: len(run.files("temporary")) == 2, "report in $TMPDIR")
        wanted = [f"impasse.{run.pid}.1.{ending}" for ending in ("json", "txt")]
        self.assertEqual(run.files("temporary"), wanted)
        run.wait_for_text(r"temporary/impasse\.\d+\.1\.txt")
        self.assertEqual(len(run.lines()), 1, run.lines())
        self.assertRegex(run.lines()[0], f"^impasse: reports cannot be written to .*{reason}")
        self.assertIn(f"; next: {run.path('temporary')}", run.lines()[0])

    def test_dir_missing(self):
        run = self.play(STUCK, options="dir=TMP/nowhere", **TO_TEMPORARY)
        self.assert_in_temporary(run, r"nowhere \(No such file or directory\)")

    def test_dir_is_file(self):
        run = self.play(STUCK, options="dir=TMP/out", **TO_TEMPORARY)
        self.assert_in_temporary(run, r"out \(Not a directory\)")

    def test_dir_below_file(self):
        run = self.play(STUCK, options="dir=TMP/out/reports", **TO_TEMPORARY)
        self.assert_in_temporary(run, r"reports \(Not a directory\)")

    def test_dir_name_too_long(self):
        run = self.play(STUCK, options=f"dir=TMP/{'x' * 300}", **TO_TEMPORARY)
        self.assert_in_temporary(run, r"x \(File name too long\)")

    def test_dir_not_writable(self):
        self.need_root()

        def prepare(run):
            in_temporary(run)
            self.open_to_all(run)
            os.chmod(run.reports, 0o755)
            os.chmod(run.path("temporary"), 0o777)

        run = self.play(
            f"become-nobody {STUCK}", variables={"TMPDIR": "TMP/temporary"}, prepare=prepare
        )
        self.assert_in_temporary(run, r"reports \(Permission denied\)")
        for name in run.files("temporary"):
            self.assertEqual(os.stat(run.path(f"temporary/{name}")).st_uid, NOBODY)

    def test_dir_removed_meanwhile(self):
        run = self.play(f"misuse 0 await TMP/go {STUCK}", **TO_TEMPORARY)
        self.reported(run)
        for name in run.report_files():
            os.unlink(os.path.join(run.reports, name))
        os.rmdir(run.reports)
        run.make("go")
        until(lambda: len(run.files("temporary")) == 2, "report in $TMPDIR")
        self.assertEqual(run.files("temporary")[0], f"impasse.{run.pid}.2.json")

    def test_second_report_says_nothing_again(self):
        steps = f"misuse 0 misuse 1 {STUCK}"
        run = self.play(steps, options="dir=TMP/nowhere", **TO_TEMPORARY)
        until(lambda: len(run.files("temporary")) == 6, "three reports in $TMPDIR")
        run.wait_for_text(r"impasse\.\d+\.3\.txt")
        self.assertEqual(len(run.lines()), 1, run.lines())

    def test_places_in_order(self):
        nowhere = {"TMPDIR": "TMP/nowhere/either"}
        run = self.play(STUCK, options="dir=TMP/nowhere", variables=nowhere)
        run.wait_for_text(r"DEADLOCK.*/tmp/impasse\.\d+\.1\.txt")
        self.assertEqual(len(run.lines()), 2, run.lines())
        self.assertIn("nowhere (No such file or directory); next: ", run.lines()[0])
        self.assertIn("either (No such file or directory); next: /tmp", run.lines()[1])
        self.assertEqual(len(run.other_places()), 2)

    def test_place_that_stands_twice(self):
        run = self.play(STUCK, options="dir=TMP/nowhere", variables={"TMPDIR": "/tmp"})
        run.wait_for_text(r"DEADLOCK.*/tmp/impasse\.\d+\.1\.txt")
        self.assertEqual(len(run.lines()), 1, run.lines())

    # ---- no room

    def test_disk_full(self):
        self.need("unshare", "-m", "true")
        mount = "mount -t tmpfs -o size=4k none reports && exec \"$@\""
        run = self.play(STUCK, wrap=("unshare", "-m", "sh", "-c", mount, "sh"), **TO_TEMPORARY)
        self.assert_in_temporary(run, r"reports \(No space left on device\)")

    def test_no_room_for_names(self):
        """The raw form fits, the draft of the full one does not: nobody is to wait for it."""
        self.need("unshare", "-m", "true")
        mount = "mount -t tmpfs -o nr_inodes=3 none reports && exec \"$@\""
        run = self.play(STUCK, wrap=("unshare", "-m", "sh", "-c", mount, "sh"))
        place = f"/proc/{run.pid}/root{run.reports}"

        def without_names():
            names = [f"impasse.{run.pid}.1.{ending}" for ending in ("json", "txt")]
            paths = [os.path.join(place, name) for name in names]
            if not all(map(os.path.exists, paths)):
                return None
            for path in paths:
                with open(path, encoding="utf-8") as file:
                    if "names are still not known" not in file.read():
                        return None
            return paths

        for path in until(without_names, "word that names are not known"):
            self.assert_whole(path)

    def test_file_size_limited(self):
        """The signal for that must not meet the program; all files fail: standard error it is."""
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)

        def limits():
            resource.setrlimit(resource.RLIMIT_FSIZE, (512, 512))

        run = self.play(STUCK, stderr=writing, limits=limits, options="ledger=off")
        os.close(writing)
        text = self.read_until(reading, b"impasse: DEADLOCK: ")
        self.assertIn(b"\nfingerprint ", text)
        self.assertIn(b"(File too large); next: standard error", text)
        self.assertIn(b"\nWithout names: no file takes this report, and so they are not ", text)
        self.assertTrue(run.is_alive())
        self.assertEqual(run.report_files(), [])
        self.assertEqual(run.other_places(), [])
        run.make("end")
        self.assertEqual(run.end(10), 0)

    def test_file_size_limited_with_ledger(self):
        def limits():
            resource.setrlimit(resource.RLIMIT_FSIZE, (512, 512))

        run = self.play("deadlock exit 4", limits=limits)
        self.assertEqual(run.end(20), 4)

    def read_until(self, fd, word):
        text = b""
        while word not in text:
            piece = os.read(fd, 65536)
            if not piece:
                raise AssertionError(text)
            text += piece
        return text

    # ---- what stands in the way

    def test_symbolic_link(self):
        script = """
          ln -s ../victim reports/impasse.$$.1.txt
          ln -s ../victim reports/impasse.$$.2.json
          exec "$@"
        """
        run = self.play(
            STUCK,
            wrap=("sh", "-c", script, "sh"),
            prepare=lambda run: run.make("victim", "untouched"),
        )
        until(lambda: os.path.exists(f"{run.reports}/impasse.{run.pid}.3.txt"), "third number")
        with open(run.path("victim"), encoding="utf-8") as file:
            self.assertEqual(file.read(), "untouched")
        self.assertEqual(len(run.report_files()), 4)

    def test_earlier_report(self):
        script = 'echo earlier > reports/impasse.$$.1.txt; exec "$@"'
        run = self.play(STUCK, wrap=("sh", "-c", script, "sh"))
        until(lambda: os.path.exists(f"{run.reports}/impasse.{run.pid}.2.json"), "second number")
        with open(f"{run.reports}/impasse.{run.pid}.1.txt", encoding="utf-8") as file:
            self.assertEqual(file.read(), "earlier\n")

    def test_umask_of_everything(self):
        run = self.play(f"umask 777 {STUCK}")
        self.assert_modes(self.reported(run)[0])
        self.assert_no_drafts(run)

    def test_umask_of_nothing(self):
        run = self.play(f"umask 0 {STUCK}")
        self.assert_modes(self.reported(run)[0])

    def test_directory_changed(self):
        run = self.play(f"chdir / {STUCK}", options="dir=reports")
        self.reported(run)

    # ---- the end comes in between

    def test_killed_at_any_time(self):
        seed = random.randrange(1 << 32)
        dice = random.Random(seed)
        for _ in range(20):
            run = self.play("misuse 0 misuse 1 misuse 2 misuse 3 deadlock await TMP/end")
            with contextlib.suppress(AssertionError):
                until(run.report_files, "first file", seconds=dice.choice((0, 5)))
            time.sleep(dice.uniform(0, 0.05))
            os.kill(run.pid, signal.SIGKILL)
            run.process.wait()
            for name in run.report_files():
                if not name.endswith(".draft"):
                    with self.subTest(seed=seed, name=name):
                        self.assert_whole(os.path.join(run.reports, name))
            run.discard()
            self.doCleanups_of(run)

    def doCleanups_of(self, run):
        """It is discarded already."""
        self._cleanups = [one for one in self._cleanups if one[0] != run.discard]
