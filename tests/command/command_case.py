"""What the tests of the impasse command share: where things are, how it is run, how a process is waited for.

CMake hands over the paths in the environment: IMPASSE_TEST_COMMAND, IMPASSE_TEST_PRELOAD, IMPASSE_TEST_SOURCE (the
root of the sources), IMPASSE_TEST_PROGRAMS (the folder with stuck, greet_*, write_ledger) and, for some,
IMPASSE_TEST_SAMPLES.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

COMMAND = os.environ["IMPASSE_TEST_COMMAND"]
PRELOAD = os.environ["IMPASSE_TEST_PRELOAD"]
SOURCE = pathlib.Path(os.environ["IMPASSE_TEST_SOURCE"])
PROGRAMS = pathlib.Path(os.environ["IMPASSE_TEST_PROGRAMS"])
SAMPLES = pathlib.Path(os.environ.get("IMPASSE_TEST_SAMPLES", ""))

SKIPPED = 77
PATIENCE = 30.0  # seconds for anything that has to come about


def clean_environment(**changes):
    """The environment without anything that would lead impasse astray; a change to None removes a variable."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("IMPASSE_") and k != "LD_PRELOAD"}
    environment["IMPASSE_LIBRARY"] = PRELOAD
    environment["LC_ALL"] = "C.UTF-8"
    for name, value in changes.items():
        if value is None:
            environment.pop(name, None)
        else:
            environment[name] = value
    return environment


def text_of(path):
    with open(path) as file:
        return file.read()


def state_of(pid):
    """The letter of /proc/PID/stat."""
    return text_of(f"/proc/{pid}/stat").rsplit(")", 1)[1].split()[0]


def until(condition, what):
    """The first true result of condition(); fails when it does not come."""
    end = time.monotonic() + PATIENCE
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError("waited in vain until " + what)
        time.sleep(0.02)


class CommandCase(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="impasse-command-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        # Where ledgers go: memory, as /dev/shm is, but a place of its own.
        self.ledgers = tempfile.mkdtemp(prefix="impasse-command-", dir="/dev/shm")
        self.addCleanup(shutil.rmtree, self.ledgers, ignore_errors=True)

    def impasse(self, *arguments, command=COMMAND, environment=None, **more):
        return subprocess.run(
            [command, *map(str, arguments)],
            env=clean_environment() if environment is None else environment,
            stdin=subprocess.DEVNULL,
            stdout=more.pop("stdout", subprocess.PIPE),
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            timeout=60,
            **more,
        )

    def assert_fails(self, result, sentence):
        """Exit status 2, and exactly one line on standard error, which has this in it."""
        self.assertEqual(result.returncode, 2, result)
        self.assertEqual(result.stdout or "", "", result)
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        self.assertTrue(result.stderr.startswith("impasse: "), result.stderr)
        self.assertIn(sentence, result.stderr)

    def start(self, *arguments, environment=None, **more):
        """A process that this test ends."""
        process = subprocess.Popen(
            list(map(str, arguments)),
            env=clean_environment() if environment is None else environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            cwd=more.pop("cwd", self.folder),  # reports go there
            **more,
        )
        self.addCleanup(self.end, process)
        return process

    @staticmethod
    def end(process):
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()

    def start_stuck(self, *options):
        """A process in the state that programs/stuck.cc describes, and what it says about itself."""
        process = self.start(COMMAND, "run", "--ledger=" + self.ledgers, *options, "--", PROGRAMS / "stuck")
        return process, json.loads(process.stdout.readline())

    def facts(self, *what):
        """What `impasse dump --json` says."""
        result = self.impasse("dump", "--facts", "--json", *what)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stderr, "")
        facts = json.loads(result.stdout)
        self.assertEqual(facts["schema"], "impasse-facts/1")
        return facts


def main():
    program = unittest.main(exit=False, verbosity=2)
    result = program.result
    if not result.wasSuccessful():
        sys.exit(1)
    if result.skipped and len(result.skipped) == result.testsRun:
        sys.exit(SKIPPED)
