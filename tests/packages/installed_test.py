"""The packages where a stranger uses them: a root without our sources, without a compiler, without a home, as nobody,
from folders in which nothing can be written.

The roots are put together here; or IMPASSE_TEST_DEBIAN names one that has the package installed, as in_debian makes it.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import time
import unittest

import clean_root
from made_packages import CUSTOMER, make_packages

PATIENCE = 60.0  # seconds for anything that has to come about
DEADLOCK = "impasse: DEADLOCK: "


ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/nonexistent"}


def report_told_of(said):
    """The path at the end of the one line that tells of a deadlock."""
    (line,) = [line for line in said.splitlines() if line.startswith(DEADLOCK)]
    return pathlib.PurePath(line.rsplit(": ", 1)[1])


class Installed:
    """What holds however it was installed. `impasse` and `library` are paths in `root`."""

    def run_in(self, folder, *arguments, **variables):
        return subprocess.run(self.root.command(folder, *arguments, **variables), env=ENVIRONMENT, text=True,
                              capture_output=True, stdin=subprocess.DEVNULL, timeout=PATIENCE)

    def start_in(self, folder, *arguments, **variables):
        process = subprocess.Popen(self.root.command(folder, *arguments, **variables), env=ENVIRONMENT, text=True,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def deadlock_in(self, folder, *options, **variables):
        """Runs into a deadlock that ends the program; its number, the path that it told of, and all that it said."""
        process = self.start_in(folder, self.impasse, "run", "--on_deadlock=exit", "--exit_code=9", *options, "--",
                                "/usr/bin/customer", "hang", **variables)
        _, said = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 9, said)
        return process.pid, report_told_of(said), said

    def assert_full_report(self, path):
        """With stacks, names and lines, although nothing of the build is here."""
        inside = self.root.path / str(path)[1:]
        self.assertEqual(inside.stat().st_mode & 0o777, 0o600)
        text = inside.read_text()
        for word in ("sell", "restock", "customer.cc:", "till_mutex", "stock_mutex", "NOTHING DROPPED"):
            self.assertIn(word, text)
        report = json.loads(inside.with_suffix(".json").read_text())
        self.assertEqual(report["finding"]["kind"], "deadlock")
        self.assertEqual(len(report["stacks"]), 3)
        for stack in report["stacks"]:
            self.assertTrue(stack["whole"], stack)
            self.assertGreaterEqual(len(stack["frames"]), 4)

    def test_finds_its_own_library(self):
        told = self.run_in("/", self.impasse, "run", "--", "sh", "-c", "echo $LD_PRELOAD")
        self.assertEqual((told.stdout, told.stderr), (self.library + "\n", ""))

    def test_passes_the_exit_status_and_leaves_nothing(self):
        for folder in ("/", "/srv", "/reports"):
            before = self.root.names(folder)
            for status in (0, 7, 255):
                ended = self.run_in(folder, self.impasse, "run", "--", "/usr/bin/customer", "end", str(status))
                self.assertEqual((ended.returncode, ended.stdout, ended.stderr), (status, "", ""))
            self.assertEqual(self.root.names(folder), before)
        killed = self.run_in("/", self.impasse, "run", "--", "sh", "-c", "kill -TERM $$")
        self.assertEqual(killed.returncode, -15)
        self.assertEqual(self.root.names("dev/shm"), [])

    def test_report_in_the_folder_that_it_was_started_in(self):
        pid, path, _ = self.deadlock_in("/reports")
        self.assertEqual(str(path), f"/reports/impasse.{pid}.1.txt")
        self.assert_full_report(path)

    def test_report_in_dir(self):
        pid, path, _ = self.deadlock_in("/", "--dir=/spool")
        self.assertEqual(str(path), f"/spool/impasse.{pid}.1.txt")
        self.assert_full_report(path)

    def test_report_from_where_nothing_can_be_written(self):
        for folder in ("/", "/srv"):
            for variables, place in (({}, "/tmp"), ({"TMPDIR": "/spool"}, "/spool")):
                pid, path, said = self.deadlock_in(folder, **variables)
                warning = f"impasse: reports cannot be written to {folder} (Permission denied); next: {place}\n"
                self.assertIn(warning, said)
                self.assertEqual(str(path), f"{place}/impasse.{pid}.1.txt")
                self.assert_full_report(path)

    def test_show(self):
        _, path, _ = self.deadlock_in("/reports")
        for form in (path, path.with_suffix(".json")):
            shown = self.run_in("/srv", self.impasse, "show", str(form))
            self.assertEqual((shown.returncode, shown.stderr), (0, ""))
            self.assertIn("customer.cc:", shown.stdout)

    def test_dump_of_a_live_process(self):
        process = self.start_in("/reports", self.impasse, "run", "--", "/usr/bin/customer", "hang")
        self.assertTrue(process.stderr.readline().startswith(DEADLOCK))
        dumped = self.run_in("/srv", self.impasse, "dump", str(process.pid))
        self.assertEqual((dumped.returncode, dumped.stderr), (0, ""))
        self.assertIn("customer.cc:", dumped.stdout)
        self.assertIsNone(process.poll())
        process.kill()
        process.wait()
        left = self.run_in("/srv", self.impasse, "dump", "--facts", str(process.pid))
        self.assertEqual((left.returncode, left.stderr), (0, ""))
        (ledger,) = self.root.names("dev/shm")
        (self.root.path / "dev/shm" / ledger).unlink()

    def test_plain_preload(self):
        process = self.start_in("/srv", "/usr/bin/customer", "hang", LD_PRELOAD=self.library,
                                IMPASSE_OPTIONS="dir=/reports on_deadlock=exit")
        self.assertTrue(process.stderr.readline().startswith(DEADLOCK))
        self.assertEqual(process.wait(PATIENCE), 1)
        self.assertIn(f"impasse.{process.pid}.1.txt", self.root.names("reports"))


class FromDeb(Installed, unittest.TestCase):
    root, impasse, library = None, "/usr/bin/impasse", "/usr/lib/libimpasse.so"

    def dpkg(self, *words):
        done = subprocess.run(["dpkg", f"--root={self.root.path}", *words], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def files_of_ours(self):
        return [name for name in self.dpkg("-L", "impasse").splitlines()
                if (self.root.path / name[1:]).is_file()]

    def test_dpkg_takes_it_out_again(self):
        """And in again, for the other tests."""
        files = self.files_of_ours()
        self.assertIn(self.library, files)
        self.addCleanup(self.dpkg, "-i", str(DEB))
        self.dpkg("--purge", "impasse")
        self.assertEqual([name for name in files if os.path.lexists(self.root.path / name[1:])], [])


class FromArchive(Installed, unittest.TestCase):
    root, impasse, library = None, "/opt/impasse/bin/impasse", "/opt/impasse/lib/libimpasse.so"
    spaced = "/opt/a folder/bin/impasse"

    def test_by_a_link_in_the_path(self):
        told = self.run_in("/srv", "impasse", "run", "--", "sh", "-c", "echo $LD_PRELOAD")
        self.assertEqual((told.stdout, told.stderr), (self.library + "\n", ""))

    def test_below_a_path_with_a_space_run_says_why_not(self):
        """The loader cannot be given such a path."""
        refused = self.run_in("/", self.spaced, "run", "--", "/usr/bin/customer", "end", "0")
        self.assertEqual((refused.returncode, refused.stdout), (2, ""))
        self.assertEqual(refused.stderr, "impasse: LD_PRELOAD cannot name /opt/a folder/lib/libimpasse.so: no space, "
                                         "colon or dollar sign may be in the path\n")

    def test_below_a_path_with_a_space_all_else_works(self):
        _, path, _ = self.deadlock_in("/reports")
        self.assertEqual(self.run_in("/", self.spaced, "show", str(path)).returncode, 0)
        ended = self.run_in("/", self.spaced, "run", "--", "/usr/bin/customer", "end", "7",
                            IMPASSE_LIBRARY=self.library)
        self.assertEqual((ended.returncode, ended.stderr), (7, ""))


class Bare(unittest.TestCase):
    """A C library and the archive, nothing else: the preload alone has to do."""

    root = None

    def test_reports_without_stacks_and_says_so(self):
        if self.root is None:
            self.skipTest("a whole Debian is not bare")
        command = self.root.command("/srv", "/usr/bin/customer", "hang", LD_PRELOAD="/opt/impasse/lib/libimpasse.so",
                                    IMPASSE_OPTIONS="dir=/reports on_deadlock=exit")
        process = subprocess.run(command, env=ENVIRONMENT, text=True, capture_output=True, timeout=PATIENCE)
        self.assertEqual(process.returncode, 1, process.stderr)
        text = (self.root.path / str(report_told_of(process.stderr))[1:]).read_text()
        self.assertIn("libunwind-x86_64.so.8 could not be loaded", text)
        self.assertIn("till_mutex", text)


def unpack(archive, root, place):
    (root.path / place).mkdir(parents=True)
    subprocess.run(["tar", "-C", root.path / place, "--strip-components=1", "--no-same-owner", "-xzf", archive],
                   check=True)


def unpack_for_all(archive, root):
    unpack(archive, root, "opt/impasse")
    unpack(archive, root, "opt/a folder")


def make_roots(inside, deb, archive):
    depends = subprocess.run(["dpkg-deb", "-f", deb, "Depends"], check=True, capture_output=True, text=True).stdout
    needed = [group[0] for group in clean_root.names_of(depends)]
    shell = ["dash", "libc-bin"]  # each Debian has them

    by_deb = clean_root.CleanRoot(inside / "by-deb", needed + shell)
    installed = subprocess.run(["dpkg", f"--root={by_deb.path}", "-i", deb], capture_output=True, text=True)
    if installed.returncode != 0:
        sys.exit(installed.stdout + installed.stderr)

    by_archive = clean_root.CleanRoot(inside / "by-archive", needed + shell)
    unpack_for_all(archive, by_archive)
    (by_archive.path / "usr/bin/impasse").symlink_to("/opt/impasse/bin/impasse")

    bare = clean_root.CleanRoot(inside / "bare", ["libc6", *shell])
    unpack(archive, bare, "opt/impasse")
    return by_deb, by_archive, bare


def main():
    inside = clean_root.enter()
    start = time.monotonic()
    global DEB
    DEB, archive = make_packages(inside / "made")
    given = os.environ.get("IMPASSE_TEST_DEBIAN")
    if given:
        root = clean_root.Root(pathlib.Path(given))
        unpack_for_all(archive, root)
        (root.path / "usr/local/bin/impasse").symlink_to("/opt/impasse/bin/impasse")
        FromDeb.root = FromArchive.root = root
    else:
        FromDeb.root, FromArchive.root, Bare.root = make_roots(inside, DEB, archive)
    for root in {FromDeb.root, FromArchive.root, Bare.root} - {None}:
        shutil.copy(CUSTOMER, root.path / "usr/bin/customer")
        root.open()
    print(f"packages made and installed in {time.monotonic() - start:.1f} s", flush=True)
    unittest.main(verbosity=2)


if __name__ == "__main__":
    main()
