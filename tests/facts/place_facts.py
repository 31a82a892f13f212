"""Where the ledger lies, what happens where it cannot lie there, and what impasse's own thread costs."""

import os
import re
import resource
import stat
import subprocess
import tempfile
import time

from facts_case import OUR_THREADS, FactsCase, essence, hold
from stage import Facts


class PlaceFacts(FactsCase):
    def assert_private_file(self, path, play):
        facts = os.lstat(path)
        self.assertTrue(stat.S_ISREG(facts.st_mode))
        self.assertEqual(stat.S_IMODE(facts.st_mode), 0o600)
        self.assertEqual((facts.st_uid, facts.st_nlink), (os.geteuid(), 1))
        self.assertRegex(os.path.basename(path), rf"^impasse\.{play.pid}\.[0-9a-f]+$")
        opened = {os.readlink(fd.path) for fd in os.scandir(f"/proc/{play.pid}/fd")}
        self.assertNotIn(path, opened, "no descriptor of the program's stays taken")

    def test_place(self):
        play = self.play("mutex_waited")
        self.first_line(play)
        [path] = play.ledgers()
        self.assert_private_file(path, play)
        self.assertEqual(self.facts(play)["process"]["ledger"], path)
        self.assert_ends_well(play)

    def test_place_of_choice(self):
        with tempfile.TemporaryDirectory() as directory:
            play = self.play("mutex_waited", options=f"ledger={directory}")
            line = self.first_line(play)
            self.assertEqual(play.ledgers(), [], "none in /dev/shm")
            [path] = play.ledgers(directory)
            self.assert_private_file(path, play)
            facts = self.facts(play)
            self.assertEqual(facts["process"]["ledger"], path)
            self.assert_holds(facts, line["holder"], hold(line["lock"]))
            self.assert_ends_well(play)
            self.assertEqual(os.listdir(directory), [])

    def test_place_relative(self):
        # The program goes to another directory meanwhile.
        with tempfile.TemporaryDirectory() as directory:
            os.mkdir(f"{directory}/here")
            play = self.play("end_elsewhere", options="ledger=here", cwd=directory)
            self.first_line(play)
            self.assertEqual(len(os.listdir(f"{directory}/here")), 1)
            self.facts(play)
            self.assert_ends_well(play)
            self.assertEqual(os.listdir(f"{directory}/here"), [])

    def check_unseen(self, options, complaint):
        play = self.play("mutex_waited", options=options)
        self.first_line(play)
        shown = self.dump_of(play)
        self.assertEqual((shown.status, shown.text), (2, ""))
        self.assertIn(complaint, shown.complaint)
        self.assertEqual(play.ledgers(), [])
        self.assert_ends_well(play)

    def test_place_off(self):
        self.check_unseen("ledger=off", "it was started with ledger=off")

    def test_place_missing(self):
        self.check_unseen("ledger=/nowhere/at/all", "no file could be made in /nowhere/at/all")


class MountedFacts(FactsCase):
    """Other file systems where /dev/shm is, in a mount namespace of the program's own."""

    def within(self, script):
        wrap = ["unshare", "-m", "sh", "-ec", script + '\nexec "$@"', "sh"]
        tried = subprocess.run([*wrap, "/bin/true"], capture_output=True, text=True, check=False)
        if tried.returncode != 0:
            self.skipTest(f"no mount namespace: {tried.stderr.strip()}")
        return wrap

    def works(self, script):
        """The crowd works to its end; returns what was said of it in between."""
        play = self.play("crowd_works", wrap=self.within(script))
        self.first_line(play)
        shown = self.dump_of(play)
        self.assertIn(shown.status, (0, 2), shown.complaint)
        self.assertEqual(self.assert_ends_well(play), [{"state": "done"}])
        return shown

    def assert_unseen(self, shown):
        self.assertEqual(shown.status, 2)
        self.assertIn("no file could be made in /dev/shm", shown.complaint)

    def test_shm_of_its_own(self):
        wrap = self.within("mount -t tmpfs tmpfs /dev/shm")
        play = self.play("mutex_waited", wrap=wrap)
        line = self.first_line(play)
        self.assertEqual(play.ledgers(), [], "none in ours")
        facts = self.facts(play)
        self.assert_holds(facts, line["holder"], hold(line["lock"]))
        for waiter in line["waiters"]:
            self.assert_waits(facts, waiter, "mutex", line["lock"], held_by=[line["holder"]])
        self.assertEqual(len(os.listdir(os.path.join("/proc", str(play.pid), "root", "dev", "shm"))), 1)
        self.assert_ends_well(play)

    def test_shm_read_only(self):
        self.assert_unseen(self.works("mount -t tmpfs -o ro tmpfs /dev/shm"))

    def test_shm_missing(self):
        self.assert_unseen(self.works("mount -t tmpfs tmpfs /dev"))

    def test_shm_full(self):
        self.assert_unseen(
            self.works("mount -t tmpfs -o size=64k tmpfs /dev/shm; head -c 64k /dev/zero > /dev/shm/f")
        )

    def check_small(self, size):
        shown = self.works(f"mount -t tmpfs -o size={size} tmpfs /dev/shm")
        if shown.status == 0:
            self.assertRegex(shown.text, r"dropped: \d+ parts of the ledger that only the process itself")

    def test_shm_64k(self):
        self.check_small("64k")

    def test_shm_128k(self):
        self.check_small("128k")

    def test_shm_512k(self):
        # The first parts fit, what comes later does not.
        self.check_small("512k")


class ContainedFacts(FactsCase):
    def test_pid_namespace(self):
        # A process that knows itself by other numbers than we do.
        wrap = ["unshare", "-p", "-f", "-m", "--mount-proc", "--kill-child"]
        tried = subprocess.run([*wrap, "/bin/true"], capture_output=True, text=True, check=False)
        if tried.returncode != 0:
            self.skipTest(f"no namespace for processes: {tried.stderr.strip()}")
        play = self.play("mutex_waited", wrap=wrap)
        line = self.first_line(play)
        with open(f"/proc/{play.pid}/task/{play.pid}/children", encoding="ascii") as children:
            outside = int(children.read())
        facts = Facts(self.tools, outside)
        inside = 1
        self.assertEqual((facts["process"]["pid"], facts["process"]["alive"]), (inside, True))
        play.pids.add(inside)
        self.assertEqual(set(facts.threads), {inside, line["holder"], *line["waiters"]})
        self.assert_holds(facts, line["holder"], hold(line["lock"]))
        for waiter in line["waiters"]:
            self.assert_waits(facts, waiter, "mutex", line["lock"], held_by=[line["holder"]])
            self.assertEqual(facts.threads[waiter]["system"]["system_call"], "futex")
        self.assert_text_agrees(facts)
        self.assert_ends_well(play)


class BusyFacts(FactsCase):
    LOOKS = 40

    def assert_possible(self, thread, kept, below):
        recorded = [one["lock"] for one in thread["holds"]]
        self.assertEqual(recorded[:1], [kept], "it was there all the time")
        self.assertEqual(essence(thread["holds"][0]), hold(kept))
        others = recorded[1:]
        self.assertLessEqual(set(others), set(below))
        self.assertEqual(len(set(others)), len(others), f"a mutex is there twice: {thread}")
        if not thread["changing"]:
            # Taken from the first to the last, and released from the first to the last.
            n = len(others)
            self.assertIn(others, (below[:n], below[-n:] if n else []))

    def test_busy(self):
        # Each look sees what was there all the time, and nothing that never was.
        play = self.play("crowd_busy")
        line = self.first_line(play)
        changing = 0
        for _ in range(self.LOOKS):
            facts = Facts(self.tools, play.pid)
            self.assertEqual({name: n for name, n in facts["dropped"].items() if n}, {})
            for number, tid in enumerate(line["threads"]):
                thread = facts.threads[tid]
                self.assert_possible(thread, line["kept"][number], line[f"below_{number}"])
                changing += thread["changing"]
        self.assertGreater(changing, 0, "the threads stood still")
        self.assert_ends_well(play)


class LimitFacts(FactsCase):
    """Limits of resources: the program must not notice that impasse meets them first."""

    def works(self, *limits, situation="crowd_works", preload=True):
        play = self.play(situation, limits=limits, preload=preload)
        self.first_line(play)
        if preload:
            shown = self.dump_of(play)
            self.assertIn(shown.status, (0, 2), shown.complaint)
        self.assertEqual(self.assert_ends_well(play), [{"state": "done"}])

    def test_limit_of_address_space(self):
        for megabytes in (2048, 1024, 512, 256, 128, 64):
            limit = (resource.RLIMIT_AS, megabytes << 20)
            with self.subTest(f"{megabytes} MiB"):
                self.works(limit, preload=False)
                self.works(limit)

    def test_limit_of_file_size(self):
        for size in (0, 100 * 512, 100 * 1024, 1 << 20):
            with self.subTest(f"{size} bytes"):
                self.works((resource.RLIMIT_FSIZE, size))

    def test_limit_of_descriptors(self):
        self.works((resource.RLIMIT_NOFILE, 64), situation="crowd_without_descriptors")


class CostFacts(FactsCase):
    SECONDS = 5
    SHARE_OF_A_CORE = 0.01
    WAKES_A_SECOND = 20

    def watchdog(self, pid):
        for task in os.scandir(f"/proc/{pid}/task"):
            with open(f"{task.path}/comm", encoding="utf-8") as comm:
                if comm.read().strip() == OUR_THREADS[0]:
                    return task.path
        return self.fail("there is no watchdog")

    def used(self, task):
        """(seconds of processor time, voluntary switches) of a thread so far."""
        with open(f"{task}/stat", encoding="utf-8") as file:
            fields = file.read().rpartition(")")[2].split()
        with open(f"{task}/status", encoding="utf-8") as file:
            switches = re.search(r"^voluntary_ctxt_switches:\s*(\d+)", file.read(), re.MULTILINE)
        ticks = int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK"), int(switches[1])

    def test_watchdog_cost(self):
        play = self.play("crowd_idles")
        line = self.first_line(play)
        facts = self.facts(play)
        self.assertEqual(len(facts.threads), line["threads"] + 1)
        watchdog = self.watchdog(play.pid)
        began = time.monotonic()
        seconds, wakes = self.used(watchdog)
        time.sleep(self.SECONDS)
        seconds_later, wakes_later = self.used(watchdog)
        passed = time.monotonic() - began
        self.assertGreater(wakes_later, wakes, "it must live")
        self.assertLessEqual(wakes_later - wakes, passed * self.WAKES_A_SECOND + 2)
        self.assertLessEqual(seconds_later - seconds, passed * self.SHARE_OF_A_CORE)
        self.assert_ends_well(play)
