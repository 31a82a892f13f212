"""impasse dump of processes that run: what it says is what they do, and they do not notice."""

import json
import os
import re
import signal
import subprocess
import sys

from command_case import COMMAND, PRELOAD, PROGRAMS, CommandCase, clean_environment, main, state_of, text_of, until


class Stuck(CommandCase):
    """One process in a known state, looked at in all ways."""

    def settled(self, pid):
        """The facts, once every thread is seen in its final state."""
        waiting = {"wants-mutex", "wants-read", "wants-write", "wants-orphan", "worker"}

        def look():
            facts = self.facts(pid)
            seen = {t["name"] for t in facts["threads"] if t["wait"] and not t["changing"]}
            return facts if waiting <= seen else None

        return until(look, "every thread waits")

    def setUp(self):
        super().setUp()
        self.process, self.said = self.start_stuck()
        self.facts_now = self.settled(self.process.pid)
        self.by_name = {t["name"]: t for t in self.facts_now["threads"]}

    def lock(self, name):
        return self.said["locks"][name]

    def holds(self, name):
        return {h["lock"]: h for h in self.by_name[name]["holds"]}

    def test_everything_is_told(self):
        with self.subTest("the process"):
            process = self.facts_now["process"]
            self.assertEqual(process["pid"], self.process.pid)
            self.assertEqual(process["program"], "stuck")
            self.assertTrue(process["alive"])
            self.assertEqual(process["origin"], "live")
            self.assertTrue(process["ledger"].startswith(self.ledgers + "/impasse."), process)
            self.assertGreater(process["watched_ns"], 0)

        with self.subTest("every thread with its number"):
            for name in ("holder", "reader-1", "reader-2", "wants-mutex", "wants-read", "wants-write", "worker"):
                self.assertEqual(self.by_name[name]["tid"], self.said[name], name)
                self.assertFalse(self.by_name[name]["gone"])
                self.assertEqual(self.by_name[name]["life"], "live")
            self.assertEqual({t["tid"] for t in self.facts_now["threads"]},
                             {v for k, v in self.said.items() if k not in ("locks", "leaver")})
            names = sorted(t["name"] for t in self.facts_now["unlisted_threads"])
            self.assertEqual(names, ["impasse", "impasse/names"])

        with self.subTest("holds, with mode, levels, place and age"):
            holds = self.holds("holder")
            self.assertEqual(set(holds), {self.lock(n) for n in ("mutex", "written", "recursive", "spinning")})
            kinds = {"mutex": "mutex", "written": "rwlock", "recursive": "mutex", "spinning": "spinlock"}
            for name, kind in kinds.items():
                hold = holds[self.lock(name)]
                self.assertEqual((hold["kind"], hold["mode"], hold["phase"]), (kind, "exclusive", "held"), name)
                self.assertEqual(hold["site"]["module"], str(PROGRAMS / "stuck"))
                self.assertRegex(hold["site"]["offset"], "^0x[0-9a-f]+$")
                self.assertEqual(hold["levels"], 3 if name == "recursive" else 1)
                self.assertGreaterEqual(hold["age_ns"], 0)
            for reader in ("reader-1", "reader-2"):
                hold = self.holds(reader)[self.lock("read_by_two")]
                self.assertEqual((hold["kind"], hold["mode"]), ("rwlock", "shared"))

        with self.subTest("waits, with what holds them up"):
            expected = {
                "wants-mutex": ("mutex", "mutex", ["holder"]),
                "wants-read": ("read", "written", ["holder"]),
                "wants-write": ("write", "read_by_two", ["reader-1", "reader-2"]),
                "wants-orphan": ("mutex", "orphan", []),
            }
            for name, (kind, lock, holders) in expected.items():
                wait = self.by_name[name]["wait"]
                self.assertEqual((wait["kind"], wait["object"]), (kind, self.lock(lock)), name)
                self.assertEqual(sorted(wait["held_by"]), sorted(self.said[h] for h in holders), name)
                self.assertEqual(wait["site"]["module"], str(PROGRAMS / "stuck"))
                self.assertFalse(wait["timed"])
                self.assertGreater(wait["age_ns"], 0)
            worker = self.by_name["worker"]
            self.assertEqual(worker["wait"]["kind"], "condition")
            self.assertEqual(worker["wait"]["object"], self.lock("condition"))
            self.assertEqual(worker["wait"]["mutex"], self.lock("given_back"))
            self.assertEqual([(h["lock"], h["phase"]) for h in worker["holds"]], [(self.lock("given_back"), "given_back")])
            main_thread = next(t for t in self.facts_now["threads"] if t["tid"] == self.process.pid)
            self.assertEqual((main_thread["wait"]["kind"], main_thread["wait"]["thread"]), ("join", self.said["worker"]))

        with self.subTest("what a thread took along"):
            gone = [d for d in self.facts_now["departed_holds"] if d["lock"] == self.lock("orphan")]
            self.assertEqual([(d["tid"], d["reason"]) for d in gone], [(self.said["leaver"], "thread_ended")])

        with self.subTest("what the system says"):
            self.assertEqual(self.by_name["holder"]["system"]["state"], "S")
            # The system call is told only to those who may trace the process.
            if "system_call" in self.by_name["holder"]["system"]:
                self.assertEqual(self.by_name["holder"]["system"]["system_call"], "pause")

        with self.subTest("what is missing: nothing"):
            self.assertEqual({k: v for k, v in self.facts_now["dropped"].items() if v}, {})

    def test_the_text_says_it_in_words(self):
        result = self.impasse("dump", "--facts", self.process.pid)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        text = result.stdout
        pid = self.process.pid
        self.assertRegex(text.splitlines()[0], rf"^==== impasse: FACTS =+ stuck\[{pid}\] ====$")
        paragraphs = {re.search(r'"(.*?)"', p).group(1): p for p in text.split("\n\n") if p.startswith("thread ")}
        mutex, written = self.lock("mutex"), self.lock("written")
        self.assertRegex(
            paragraphs["wants-mutex"],
            rf'^thread {self.said["wants-mutex"]} "wants-mutex" \[waiting for mutex {mutex}, [^]]+\]:\n'
            rf"  asked at stuck\+0x[0-9a-f]+\n"
            rf'  held by thread {self.said["holder"]} "holder", exclusive, for [^,]+, taken at stuck\+0x[0-9a-f]+\n'
            rf"  holds nothing$")
        self.assertIn(f"[waiting to read rwlock {written}, ", paragraphs["wants-read"])
        self.assertRegex(paragraphs["holder"], rf"holds mutex {mutex} exclusive, for [^,]+, taken at stuck\+0x")
        self.assertRegex(paragraphs["holder"], rf"mutex {self.lock('recursive')} exclusive.* \(3 levels\)")
        self.assertIn(f"gave back mutex {self.lock('given_back')}", paragraphs["worker"])
        self.assertIn(f'held by thread {self.said["leaver"]} "leaver", which is gone', paragraphs["wants-orphan"])
        self.assertIn("HELD BY THREADS THAT ARE GONE\n", text)
        self.assertTrue(text.endswith("nothing dropped\n"), text[-200:])
        self.assertNotRegex(text, r"[\x00-\x09\x0b-\x1f\x7f]")

    def test_the_process_is_not_disturbed(self):
        def switches():
            total = 0
            for tid in os.listdir(f"/proc/{self.process.pid}/task"):
                if text_of(f"/proc/{self.process.pid}/task/{tid}/comm").startswith("impasse"):
                    continue
                status = text_of(f"/proc/{self.process.pid}/task/{tid}/status")
                total += sum(map(int, re.findall(r"ctxt_switches:\t(\d+)", status)))
            return total

        before = switches()
        for _ in range(5):
            self.facts(self.process.pid)
        self.assertEqual(switches(), before)  # no sleeping thread was woken, stopped or signalled
        self.assertIsNone(self.process.poll())

    def test_a_number_of_a_thread_means_its_process(self):
        self.assertEqual(self.facts(self.said["worker"])["process"]["pid"], self.process.pid)

    def test_its_ledger_as_a_file_is_the_live_process(self):
        ledger = self.facts_now["process"]["ledger"]
        facts = self.facts(ledger)
        self.assertEqual(facts["process"]["origin"], "live")
        self.assertEqual({t["name"] for t in facts["threads"]}, set(self.by_name))

    def test_a_stopped_process_can_be_read(self):
        os.kill(self.process.pid, signal.SIGSTOP)
        until(lambda: state_of(self.process.pid) == "T", "it is stopped")
        facts = until(
            lambda: (lambda f: f if f["clock"]["standstill_ns"] else None)(self.facts(self.process.pid)),
            "its clock is seen to stand still")
        self.assertGreaterEqual(facts["clock"]["standstill_ns"], 2_000_000_000)
        self.assertIn("impasse's own thread has not run for ", self.impasse("dump", "--facts", self.process.pid).stdout)
        os.kill(self.process.pid, signal.SIGCONT)

    def test_a_deleted_ledger(self):
        os.unlink(self.facts_now["process"]["ledger"])
        result = self.impasse("dump", "--facts", self.process.pid)
        if result.returncode == 0:  # root reads it through /proc/PID/map_files
            self.assertIn('"wants-mutex"', result.stdout)
        else:
            self.assert_fails(result, "was deleted while it runs; root can still read it")

    def test_a_ledger_that_is_cut_short(self):
        os.kill(self.process.pid, signal.SIGSTOP)  # it would not survive a cut of its ledger
        os.truncate(self.facts_now["process"]["ledger"], 4096)
        self.assert_fails(self.impasse("dump", "--facts", self.process.pid), "truncated: 4096 of ")
        os.truncate(self.facts_now["process"]["ledger"], 0)
        self.assert_fails(self.impasse("dump", "--facts", self.process.pid), "not an impasse ledger")

    def test_another_file_in_its_place(self):
        ledger = self.facts_now["process"]["ledger"]
        os.unlink(ledger)
        os.mkdir(ledger)
        result = self.impasse("dump", "--facts", self.process.pid)
        if result.returncode != 0:
            self.assert_fails(result, "deleted while it runs")


class Healthy(CommandCase):
    """Processes about which there is little or nothing to tell."""

    def test_a_process_without_a_ledger_yet(self):
        process = self.start(COMMAND, "run", "--", "sleep", "60")
        until(lambda: PRELOAD in text_of(f"/proc/{process.pid}/maps"), "the library is loaded")
        result = self.impasse("dump", "--facts", process.pid)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertIn(f"process {process.pid} (sleep) runs under impasse and has no ledger yet", result.stdout)
        self.assertIn("nothing is stuck", result.stdout)
        facts = self.facts(process.pid)
        self.assertIsNone(facts["process"]["ledger"])
        self.assertEqual(facts["threads"], [])

    def test_a_process_without_impasse(self):
        process = self.start("sleep", "60")
        until(lambda: text_of(f"/proc/{process.pid}/comm") == "sleep\n", "it is sleep")
        self.assert_fails(self.impasse("dump", "--facts", process.pid), f"process {process.pid} (sleep) does not run under impasse")

    def test_a_ledger_of_an_earlier_process_of_that_number(self):
        process = self.start("sleep", "60")
        until(lambda: text_of(f"/proc/{process.pid}/comm") == "sleep\n", "it is sleep")
        left = os.path.join(self.ledgers, f"impasse.{process.pid}.1f")
        ledger = os.path.join(self.folder, "ledger")
        subprocess.run([str(PROGRAMS / "write_ledger"), ledger], check=True, timeout=60)
        with open(ledger, "rb") as file:
            data = bytearray(file.read())
        data[24:28] = process.pid.to_bytes(4, "little")
        with open(left, "wb") as file:
            file.write(data)
        environment = clean_environment(IMPASSE_OPTIONS="max_reports=0 ledger=" + self.ledgers)
        self.assert_fails(
            self.impasse("dump", "--facts", process.pid, environment=environment),
            f"an earlier process of this number left {left}")
        # As a file: it is of a process that started at another time.
        self.assertEqual(self.facts(left)["process"]["origin"], "left_behind")

    def test_a_ledger_in_memory(self):
        process = self.start(COMMAND, "run", "--ledger=off", "--", PROGRAMS / "stuck")
        process.stdout.readline()
        self.assert_fails(
            self.impasse("dump", "--facts", process.pid),
            f"process {process.pid} (stuck) keeps its ledger in memory that only it can see: it was started with ledger=off")

    def test_a_ledger_in_memory_for_lack_of_a_place(self):
        process = self.start(COMMAND, "run", "--ledger=/nowhere", "--", PROGRAMS / "stuck")
        process.stdout.readline()
        self.assert_fails(self.impasse("dump", "--facts", process.pid), "no file could be made in /nowhere")

    def test_a_process_that_is_not_to_be_watched(self):
        process = self.start(COMMAND, "run", "--only=other", "--ledger=" + self.ledgers, "--", PROGRAMS / "stuck")
        process.stdout.readline()
        self.assert_fails(self.impasse("dump", "--facts", process.pid), "is not watched: it was started with only=other")
        self.assertEqual(os.listdir(self.ledgers), [])

    def test_the_usual_place(self):
        process = self.start(COMMAND, "run", "--", PROGRAMS / "stuck")
        process.stdout.readline()
        facts = self.facts(process.pid)
        self.addCleanup(lambda: os.path.exists(facts["process"]["ledger"]) and os.unlink(facts["process"]["ledger"]))
        self.assertRegex(facts["process"]["ledger"], rf"^/dev/shm/impasse\.{process.pid}\.[0-9a-f]+$")
        process.kill()
        process.wait()
        self.assertEqual(self.facts(process.pid)["process"]["origin"], "left_behind")


class Ended(CommandCase):
    """Processes that are gone, and what they left."""

    def left_behind(self):
        """The environment to look in, a process that was killed, and what it had said."""
        process, said = self.start_stuck()
        until(lambda: any(t["wait"] for t in self.facts(process.pid)["threads"]), "a thread waits")
        process.kill()
        return clean_environment(IMPASSE_OPTIONS="max_reports=0 ledger=" + self.ledgers), process, said

    def test_what_a_killed_process_left(self):
        environment, process, said = self.left_behind()
        process.wait()
        result = self.impasse("dump", "--facts", process.pid, environment=environment)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertIn("left behind by a process that is gone, last sign of life 2", result.stdout)
        self.assertIn(f'thread {said["holder"]} "holder"', result.stdout)
        result = self.impasse("dump", "--facts", "--json", process.pid, environment=environment)
        facts = json.loads(result.stdout)
        self.assertEqual((facts["process"]["alive"], facts["process"]["origin"]), (False, "left_behind"))
        holder = next(t for t in facts["threads"] if t["tid"] == said["holder"])
        self.assertIn(said["locks"]["mutex"], [h["lock"] for h in holder["holds"]])
        self.assertNotIn("system", holder)
        self.assertEqual(facts["modules"], [])
        # By name it is the same.
        (ledger,) = os.listdir(self.ledgers)
        self.assertEqual(self.facts(os.path.join(self.ledgers, ledger))["process"]["origin"], "left_behind")

    def test_one_that_its_parent_has_not_collected(self):
        environment, process, said = self.left_behind()
        until(lambda: state_of(process.pid) == "Z", "it is a zombie")
        result = self.impasse("dump", "--facts", process.pid, environment=environment)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertIn("left behind by a process that is gone", result.stdout)
        (ledger,) = os.listdir(self.ledgers)
        os.unlink(os.path.join(self.ledgers, ledger))
        self.assert_fails(
            self.impasse("dump", "--facts", process.pid, environment=environment), f"has ended, and it left no ledger in {self.ledgers}")

    def test_a_clean_end_leaves_nothing(self):
        result = self.impasse(
            "run", "--ledger=" + self.ledgers, "--", sys.executable, "-c",
            "import threading; t = threading.Thread(target=print); t.start(); t.join()")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertEqual(os.listdir(self.ledgers), [])

    def test_the_newest_of_several_that_can_be_read(self):
        environment, process, said = self.left_behind()
        process.wait()
        (good,) = os.listdir(self.ledgers)
        bad = os.path.join(self.ledgers, f"impasse.{process.pid}.ffff")
        with open(bad, "wb") as file:
            file.write(b"garbage")
        os.mkdir(os.path.join(self.ledgers, f"impasse.{process.pid}.abc"))
        os.symlink("/etc/passwd", os.path.join(self.ledgers, f"impasse.{process.pid}.def"))
        result = self.impasse("dump", "--facts", process.pid, environment=environment)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        os.unlink(os.path.join(self.ledgers, good))
        self.assert_fails(
            self.impasse("dump", "--facts", process.pid, environment=environment),
            f"what it left behind cannot be read: {bad}: not an impasse ledger")

    def test_no_such_process(self):
        environment = clean_environment(IMPASSE_OPTIONS="max_reports=0 ledger=" + self.ledgers)
        self.assert_fails(
            self.impasse("dump", "--facts", 999999999, environment=environment),
            f"there is no process 999999999, and it left no ledger in {self.ledgers}")


class Busy(CommandCase):
    def test_a_process_that_goes_on(self):
        """Threads lock and unlock as fast as they can: dump ends, and what is held all the time is told."""
        process = self.start(COMMAND, "run", "--ledger=" + self.ledgers, "--", PROGRAMS / "busy")
        said = json.loads(process.stdout.readline())
        for _ in range(5):
            facts = self.facts(process.pid)
            self.assertEqual(facts["dropped"]["senseless_records"], 0)
            threads = {t["tid"]: t for t in facts["threads"]}
            for tid, lock in zip(said["tids"], said["outer"]):
                self.assertIn(lock, [h["lock"] for h in threads[tid]["holds"]], threads[tid])

    def test_a_process_that_ends_meanwhile(self):
        for _ in range(5):
            process = self.start(COMMAND, "run", "--ledger=" + self.ledgers, "--", PROGRAMS / "stuck")
            process.stdout.readline()
            dump = subprocess.Popen([COMMAND, "dump", str(process.pid)], env=clean_environment(),
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            process.kill()
            out, err = dump.communicate(timeout=60)
            self.assertIn(dump.returncode, (0, 2))
            self.assertLessEqual(err.count("\n"), 1)


if __name__ == "__main__":
    main()
