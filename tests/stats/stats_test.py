#!/usr/bin/env python3
"""stats_test.py CLASS: numbers of locks (stats=on), of programs whose numbers are known beforehand."""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "reports"))

import strict_schema

COMMAND = os.environ["IMPASSE_TEST_COMMAND"]
PRELOAD = os.environ["IMPASSE_TEST_PRELOAD"]
NUMBERS = os.environ["IMPASSE_TEST_NUMBERS"]
SCHEMA = HERE.parent.parent / "docs/stats.schema.json"
VALIDATOR = strict_schema.validator_of(SCHEMA) if strict_schema.jsonschema else None
MS = 1_000_000


class Case(unittest.TestCase):
    def setUp(self):
        self.ledgers = tempfile.mkdtemp(prefix="impasse-stats-", dir="/dev/shm")
        self.addCleanup(shutil.rmtree, self.ledgers, ignore_errors=True)

    def environment(self, options="stats=on", **more):
        kept = {k: v for k, v in os.environ.items() if not k.startswith("IMPASSE_") and k != "LD_PRELOAD"}
        return kept | {"LD_PRELOAD": PRELOAD, "IMPASSE_OPTIONS": f"ledger={self.ledgers} dir={self.ledgers} {options}"} | more

    def command(self, *arguments):
        return subprocess.run([COMMAND, "stats", *map(str, arguments)], capture_output=True, text=True, timeout=60,
                              env=self.environment(LD_PRELOAD=""))

    def numbers(self, *arguments, options="stats=on"):
        """What `impasse stats` says of a process that has done its work and still lives."""
        process = self.start(*arguments, options=options)
        return self.of(process.pid)

    def start(self, *arguments, options="stats=on"):
        process = subprocess.Popen([NUMBERS, *map(str, arguments)], env=self.environment(options, STAY="1"), text=True,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.addCleanup(self.end, process)
        self.said = ""
        for line in process.stdout:
            if line == "ready\n":
                return process
            self.said += line
        self.fail("it ended too soon")

    @staticmethod
    def end(process):
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()

    def of(self, what, *flags):
        result = self.command("--json", "--top=100000", *flags, what)
        self.assertEqual(result.returncode, 0, result.stderr)
        numbers = json.loads(result.stdout)
        self.assert_valid(numbers)
        self.assertEqual(numbers["schema"], "impasse-stats/1")
        self.assertEqual(numbers["dropped"], 0)
        self.assertFalse(numbers["torn"])
        return numbers

    def assert_valid(self, numbers):
        if VALIDATOR is not None:
            self.assertEqual(strict_schema.complaints(VALIDATOR, numbers), [])

    def lock(self, numbers, name):
        found = [lock for lock in numbers["locks"] if lock.get("name") == name]
        self.assertEqual(len(found), 1, numbers["locks"])
        return found[0]

    def sites(self, numbers, function):
        """Rows of the call sites in a function, by line."""
        found = [site for site in numbers["sites"] if f"::{function}" in site["site"]]
        return sorted(found, key=lambda site: int(re.search(r":(\d+)$", site["site"]).group(1)))

    def assert_near(self, ns, expected, most=None):
        """To the width of a bucket; longer where the machine was busy."""
        self.assertGreaterEqual(ns, expected * 0.66)
        self.assertLessEqual(ns, most if most else expected * 4)


class Counts(Case):
    def test_of_many_threads_are_exact(self):
        numbers = self.numbers("counts", 5, 20_000)
        mutex, rwlock = self.lock(numbers, "shared_lock"), self.lock(numbers, "table_lock")
        self.assertEqual(mutex["acquisitions"], 100_000)
        self.assertEqual(rwlock["acquisitions"], 50_000)
        self.assertEqual(rwlock["kind"], "rwlock")
        self.assertLessEqual(mutex["contended"], mutex["acquisitions"])
        self.assertEqual(mutex["contended"], mutex["wait"]["count"])
        # What was measured stands for all of them.
        measured = mutex["hold"]["count"], rwlock["hold"]["count"]
        self.assertAlmostEqual(sum(measured), 150_000, delta=5 * 32)
        self.assertAlmostEqual(measured[0], 100_000, delta=5_000)
        self.assertEqual([site["shared"] for site in numbers["sites"]].count(True), 1)

    def test_of_one_thread_that_is_alone(self):
        self.assertEqual(self.lock(self.numbers("alone", 4321), "shared_lock")["acquisitions"], 4321)

    def test_without_lock_order(self):
        numbers = self.numbers("counts", 2, 1000, options="stats=on order=off")
        self.assertEqual(self.lock(numbers, "shared_lock")["acquisitions"], 2000)

    def test_out_of_order_tries_and_levels(self):
        numbers = self.numbers("nested", 700)
        self.assertEqual(self.lock(numbers, "shared_lock")["acquisitions"], 700)
        self.assertEqual(self.lock(numbers, "inner_lock")["acquisitions"], 1400)
        self.assertEqual(self.lock(numbers, "levels_lock")["acquisitions"], 1400)
        self.assertEqual(self.lock(numbers, "levels_lock")["contended"], 0)
        self.assertEqual([site["acquisitions"] for site in self.sites(numbers, "nested")], [700] * 5)

    def test_a_condition_wait_takes_its_mutex_again(self):
        numbers = self.numbers("condition", 300)
        sites = self.sites(numbers, "condition")
        waited = int(self.said.split()[1])
        own = [site["acquisitions"] for site in sites if "lambda" not in site["site"]]
        self.assertEqual(own, [300, waited])

    def test_more_locks_than_a_thread_keeps_apart(self):
        numbers = self.numbers("many", 5000, 20)
        [site] = self.sites(numbers, "many")
        self.assertEqual(site["acquisitions"], 100_000)
        self.assertEqual(sum(lock["acquisitions"] for lock in numbers["locks"]), 100_000)

    def test_a_child_begins_anew(self):
        numbers = self.numbers("fork", 50)
        self.assertEqual(self.lock(numbers, "shared_lock")["acquisitions"], 50)


class Times(Case):
    def test_of_holds(self):
        hold = self.lock(self.numbers("holds", 40, 2), "slow_lock")["hold"]
        self.assert_near(hold["p50_ns"], 2 * MS)
        self.assertGreaterEqual(hold["max_ns"], 2 * MS)
        self.assertGreaterEqual(hold["total_ns"], 40 * 2 * MS * 0.6)

    def test_of_waits(self):
        numbers = self.numbers("waits", 12, 25)
        lock = self.lock(numbers, "slow_lock")
        self.assertEqual(lock["acquisitions"], 24)
        waiting = [site for site in self.sites(numbers, "waits") if "lambda" not in site["site"]]
        self.assertEqual(len(waiting), 1)
        self.assertEqual(waiting[0]["acquisitions"], 12)
        # A waiter that comes late on a busy machine need not have waited at all.
        self.assertGreaterEqual(waiting[0]["contended"], 6)
        self.assert_near(waiting[0]["wait"]["max_ns"], 25 * MS)
        self.assert_near(waiting[0]["wait"]["p50_ns"], 25 * MS)
        self.assertEqual(numbers["sites"][0], waiting[0], "the worst comes first")
        self.assertEqual(lock["hold"]["count"] > 0, True)

    def test_of_one_long_hold(self):
        hold = self.lock(self.numbers("long", 1200), "slow_lock")["hold"]
        self.assertEqual(hold["count"], 1)
        self.assert_near(hold["max_ns"], 1200 * MS)


class Places(Case):
    def test_off_there_is_neither_a_table_nor_memory(self):
        process = self.start("counts", 3, 1000, options="stats=off")
        result = self.command(process.pid)
        self.assertEqual(result.returncode, 2)
        self.assertIn("stats=on", result.stderr)
        ended = subprocess.run([NUMBERS, "counts", "3", "1000"], env=self.environment(""), capture_output=True, text=True,
                               timeout=60)
        self.assertEqual(ended.stderr, "")
        self.assertEqual(ended.stdout, "ready\n")

    def test_a_table_at_the_end(self):
        ended = subprocess.run([NUMBERS, "counts", "3", "1000"], env=self.environment(), capture_output=True, text=True,
                               timeout=60)
        self.assertEqual(ended.returncode, 0)
        self.assertEqual(ended.stdout, "ready\n")
        self.assertIn("by call site", ended.stderr)
        self.assertRegex(ended.stderr, r"shared_lock \(mutex 0x[0-9a-f]+\)  \(1 call site\)\n +3000 ")
        self.assertRegex(ended.stderr, r"numbers\.cc:\d+  \(mutex\)\n +3000 ")

    def test_a_program_without_locks_says_nothing(self):
        ended = subprocess.run([NUMBERS, "none"], env=self.environment(), capture_output=True, text=True, timeout=60)
        self.assertEqual((ended.returncode, ended.stdout, ended.stderr), (0, "ready\n", ""))

    def test_what_a_killed_process_left_behind(self):
        process = self.start("counts", 4, 2500)
        live = self.of(process.pid)
        self.assertTrue(live["process"]["alive"])
        process.send_signal(signal.SIGKILL)
        process.wait()
        [ledger] = [str(path) for path in pathlib.Path(self.ledgers).iterdir() if path.name.startswith("impasse.")]
        for what in (ledger, process.pid):
            dead = self.of(what)
            self.assertFalse(dead["process"]["alive"])
            self.assertEqual([site["site"] for site in dead["sites"]], [site["site"] for site in live["sites"]])
            self.assertEqual(self.lock(dead, "shared_lock")["acquisitions"], 10_000)

    def killed_while_it_holds(self):
        process = subprocess.Popen([NUMBERS, "long", "60000"], env=self.environment(), stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        deadline = time.monotonic() + 30
        while "holds mutex" not in self.dump(process.pid).stdout:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)
        time.sleep(0.5)  # the watchdog has had its turn
        process.kill()
        process.wait()
        return process.pid

    def dump(self, *arguments):
        return subprocess.run([COMMAND, "dump", "--facts", *map(str, arguments)], capture_output=True, text=True,
                              timeout=60, env=self.environment(LD_PRELOAD=""))

    def test_a_dump_of_what_a_killed_process_left_behind_has_the_same_names(self):
        pid = self.killed_while_it_holds()
        [site] = {site["site"] for site in self.of(pid)["sites"] if "numbers.cc" in site["site"]
                  and f"taken at {site['site']}\n" in self.dump(pid).stdout}
        self.assertRegex(self.dump(pid).stdout, r"holds slow_lock \(mutex 0x[0-9a-f]+\) exclusive, .*, taken at .*\n")
        facts = json.loads(self.dump("--json", pid).stdout)
        self.assertEqual(facts["process"]["origin"], "left_behind")
        [hold] = [hold for thread in facts["threads"] for hold in thread["holds"]]
        self.assertEqual((hold["lock_name"], hold["site"]["name"]), ("slow_lock", site))
        self.assertEqual(hold["site"]["module"], NUMBERS)


class Command(Case):
    def test_orders_and_rows(self):
        process = self.start("nested", 600)
        by_count = self.of(process.pid, "--by=count")["sites"]
        counts = [site["acquisitions"] for site in by_count]
        self.assertEqual(counts, sorted(counts, reverse=True))
        holds = [site["hold"]["total_ns"] for site in self.of(process.pid, "--by", "hold")["sites"]]
        self.assertEqual(holds, sorted(holds, reverse=True))
        text = self.command("--top=2", process.pid).stdout
        self.assertIn("... and 3 more", text)
        self.assertIn("... and 1 more", text)
        self.assertEqual(text.count("numbers.cc:"), 2)

    def test_refusals(self):
        for arguments, sentence in (
            ([], "needs a process or a file"),
            (["--by=colour", "1"], "wait, hold or count"),
            (["--top=x", "1"], "number of rows"),
            (["--jsn", "1"], "did you mean '--json'"),
            (["1", "2"], "one too many"),
            (["/dev/null"], "not a file"),
            ([__file__], "not an impasse ledger"),
            ([str(os.getpid())], "does not run under impasse"),
        ):
            result = self.command(*arguments)
            self.assertEqual((result.returncode, result.stdout), (2, ""), arguments)
            self.assertEqual(result.stderr.count("\n"), 1)
            self.assertIn(sentence, result.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
