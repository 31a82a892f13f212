"""The situations themselves: each can be reached without impasse, and each is looked at."""

import os
import pathlib
import subprocess

from facts_case import FactsCase

# These wait for a thread that was cut off by a raw system call, or are stuck on purpose.
NEVER_END = {"alone_mutex", "alone_upgrade", "alone_condition"}


class BareFacts(FactsCase):
    def situations(self):
        listed = subprocess.run(
            [self.tools.driver, "--list"], capture_output=True, text=True, check=True
        )
        return listed.stdout.split()

    def test_bare(self):
        for name in self.situations():
            with self.subTest(name):
                play = self.play(name, preload=False)
                if name in NEVER_END:
                    self.assertEqual(play.line()["stuck"], 1)
                    self.eventually(lambda: self.assert_sleeps(play.pid))
                    play.kill()
                else:
                    self.assert_ends_well(play)

    def assert_sleeps(self, pid):
        futex = "202 "
        with open(f"/proc/{pid}/syscall", encoding="utf-8") as call:
            self.assertTrue(call.read().startswith(futex))

    def test_all_looked_at(self):
        here = pathlib.Path(__file__).parent
        text = "".join(
            path.read_text() for path in here.glob("*_facts.py") if path.name != os.path.basename(__file__)
        )
        names = self.situations()
        self.assertGreater(len(names), 50)
        self.assertEqual([name for name in names if f'"{name}"' not in text], [])
