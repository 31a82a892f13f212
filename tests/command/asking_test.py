"""Asking a live process: several at once, one that cannot answer, and what is left of it: nothing."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import unittest

from command_case import COMMAND, CommandCase, clean_environment, main, state_of, until

# Has a second thread, and ends when a file is there.
PATIENT = """
import os, sys, threading, time
done = threading.Event()
second = threading.Thread(target=done.wait)
second.start()
print("ready", flush=True)
while not os.path.exists(sys.argv[1]): time.sleep(0.01)
done.set()
second.join()
"""


class Asking(CommandCase):
    def start_patient(self):
        self.end_file = os.path.join(self.folder, "end")
        process = self.start(
            COMMAND, "run", "--ledger=" + self.ledgers, "--", sys.executable, "-c", PATIENT, self.end_file)
        self.assertEqual(process.stdout.readline(), "ready\n")
        return process

    def end_well(self, process):
        with open(self.end_file, "w"):
            pass
        self.assertEqual(process.wait(timeout=60), 0)
        self.assertEqual(os.listdir(self.ledgers), [])

    def ledger(self):
        (name,) = (name for name in os.listdir(self.ledgers) if not name.endswith(".dump"))
        return os.path.join(self.ledgers, name)

    def answers(self):
        return [name for name in os.listdir(self.ledgers) if name.endswith(".dump")]

    def stop(self, process):
        os.kill(process.pid, signal.SIGSTOP)
        until(lambda: state_of(process.pid) == "T", "it is stopped")

    def ask(self, *arguments):
        return subprocess.Popen(
            [COMMAND, *map(str, arguments)], env=clean_environment(), text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def test_those_who_ask_at_once_take_turns(self):
        process = self.start_patient()
        for _ in range(3):
            dumps = [self.ask("dump", "--json", process.pid) for _ in range(6)]
            graph = self.ask("graph", "--json", process.pid)
            for asked in [*dumps, graph]:
                out, err = asked.communicate(timeout=60)
                self.assertEqual((asked.returncode, err), (0, ""))
                report = json.loads(out)
                self.assertEqual((report["schema"], report["finding"]["kind"]), ("impasse/1", "dump"))
                self.assertEqual(report["threads"] == [], asked is graph, "each has what it asked for")
        self.assertEqual(self.answers(), [])
        self.end_well(process)

    def test_behind_one_who_asks_and_is_stopped(self):
        process = self.start_patient()
        with open(self.ledger()) as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)
            result = self.impasse("dump", "--json", process.pid)
        self.assertEqual(result.returncode, 0)
        self.assertIn("another impasse command has been asking it for 5 seconds", result.stderr)
        self.assertEqual(json.loads(result.stdout)["schema"], "impasse-facts/1")
        result = self.impasse("dump", "--json", process.pid)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.end_well(process)

    def test_nobody_answers_who_was_given_up(self):
        process = self.start_patient()
        self.stop(process)
        result = self.impasse("dump", "--json", process.pid)
        self.assertEqual(result.returncode, 0)
        self.assertIn("it did not answer within 5 seconds; is it stopped?", result.stderr)
        os.kill(process.pid, signal.SIGCONT)

        def beat():
            return self.facts(process.pid)["clock"]["tick"]

        # The clock goes on at the beginning of a turn, requests are looked at towards its end.
        for _ in range(3):
            before = beat()
            until(lambda: beat() != before, "the watchdog has had another turn")
        self.assertEqual(self.answers(), [])
        result = self.impasse("dump", "--json", process.pid)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertEqual(json.loads(result.stdout)["schema"], "impasse/1")
        self.end_well(process)

    def test_an_answer_that_nobody_fetches(self):
        process = self.start_patient()
        self.stop(process)
        before = os.stat(self.ledger()).st_mtime_ns
        asked = self.ask("dump", process.pid)
        until(lambda: os.stat(self.ledger()).st_mtime_ns != before, "it has asked")
        asked.kill()
        asked.communicate()
        os.kill(process.pid, signal.SIGCONT)
        until(self.answers, "there is an answer")
        self.end_well(process)

    @unittest.skipUnless(os.geteuid() == 0, "needs the right to use /proc/PID/map_files")
    def test_a_ledger_that_has_no_name_any_more(self):
        process = self.start_patient()
        os.unlink(self.ledger())
        dumps = [self.ask("dump", "--json", process.pid) for _ in range(3)]
        results = [(dump, *dump.communicate(timeout=60)) for dump in dumps]
        if any("was deleted while it runs" in err for _, _, err in results):
            self.skipTest("a root without the right to use /proc/PID/map_files")
        for dump, out, err in results:
            self.assertEqual((dump.returncode, err), (0, ""))
            self.assertEqual(json.loads(out)["schema"], "impasse/1")
        self.end_well(process)


if __name__ == "__main__":
    main()
