"""Tests of the command with the reports of write_scenes: COMMAND and WRITE_SCENES are the program's arguments."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

COMMAND, WRITE_SCENES = sys.argv[1:3]


class ScenesCase(unittest.TestCase):
    """`path` is a folder with each scene's report, as NAME.json and NAME.txt."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.path = pathlib.Path(cls.folder.name)
        subprocess.run([WRITE_SCENES, cls.folder.name], check=True)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def impasse(self, *arguments, text=True, **more):
        command = [COMMAND, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=text, timeout=60, **more)

    def assert_fails(self, result, sentence):
        self.assertEqual(result.returncode, 2)
        self.assertFalse(result.stdout)
        said = result.stderr if isinstance(result.stderr, str) else result.stderr.decode()
        self.assertIn(sentence, said)
        self.assertEqual(said.count("\n"), 1)
