"""show_test.py COMMAND WRITE_SCENES: `impasse show` as its users meet it."""

import os
import pty
import subprocess
import sys
import unittest

from scenes_case import COMMAND, ScenesCase


class Show(ScenesCase):
    def show(self, *arguments, **more):
        return self.impasse("show", *arguments, text=False, **more)  # bytes: it may print any

    def test_the_text_is_that_of_the_file(self):
        for name in ("abba", "disk_stall", "dump", "hostile"):
            expected = (self.path / f"{name}.txt").read_bytes()
            for ending in ("json", "txt"):
                result = self.show("--raw", self.path / f"{name}.{ending}")
                self.assertEqual((result.returncode, result.stderr), (0, b""))
                self.assertEqual(result.stdout, expected)

    def test_json_comes_back(self):
        path = self.path / "abba.json"
        self.assertEqual(self.show("--json", "--raw", path).stdout, path.read_bytes())

    def test_a_text_that_stands_alone(self):
        alone = self.path / "alone.txt"
        alone.write_bytes((self.path / "abba.txt").read_bytes() + b"\x1b]0;title\x07\n")
        result = self.show(alone)
        self.assertEqual(result.returncode, 0)
        self.assertTrue(result.stdout.startswith(b"==== impasse: DEADLOCK"))
        self.assertNotIn(b"\x1b", result.stdout)
        self.assert_fails(self.show("--json", alone), "only the text form is there")

    def test_several(self):
        result = self.show(self.path / "abba.json", self.path / "nothing.json", self.path / "relock.json")
        self.assertEqual(result.returncode, 2)
        self.assertEqual(result.stdout.count(b"==== impasse:"), 2)
        self.assertIn(b"cannot read", result.stderr)

    def test_colour(self):
        path = self.path / "abba.json"
        self.assertNotIn(b"\x1b", self.show(path).stdout)
        self.assertIn(b"\x1b[1m", self.show("--colour=always", path).stdout)
        self.assert_fails(self.show("--colour=pink", path), "--colour is auto, always or never, not 'pink'")

    def on_terminal(self, **environment):
        leader, follower = pty.openpty()
        process = subprocess.Popen(
            [COMMAND, "show", "--raw", str(self.path / "misuse_unlock_of_free.json")], stdout=follower,
            env={**os.environ, "TERM": "xterm", "LC_ALL": "C.UTF-8", "NO_COLOR": "", **environment})
        os.close(follower)
        seen = b""
        try:
            while piece := os.read(leader, 65536):
                seen += piece
        except OSError:
            pass
        os.close(leader)
        self.assertEqual(process.wait(60), 0)
        return seen

    def test_on_a_terminal(self):
        self.assertIn(b"\x1b[1m", self.on_terminal())
        self.assertNotIn(b"\x1b", self.on_terminal(NO_COLOR="1"))
        self.assertNotIn(b"\x1b", self.on_terminal(TERM="dumb"))
        self.assertIn("·".encode(), self.on_terminal())
        self.assertTrue(self.on_terminal(LC_ALL="C").isascii())

    def test_what_is_no_report(self):
        for name, bytes_, sentence in (
                ("empty.x", b"", "it is no JSON"), ("cut.x", (self.path / "abba.json").read_bytes()[:3000], "no JSON"),
                ("list.x", b"[]", "it is no object"), ("later.x", b'{"schema":"impasse/9"}', "its schema is impasse/9")):
            (self.path / name).write_bytes(bytes_)
            self.assert_fails(self.show(self.path / name), sentence)
        self.assert_fails(self.show(self.path / "missing.json"), "No such file or directory")
        self.assert_fails(self.show(self.path), "cannot read")

    def test_arguments(self):
        self.assert_fails(self.show(), "impasse show needs a report")
        self.assert_fails(self.show("--jsn", "x"), "did you mean '--json'?")
        self.assert_fails(self.show("--frobnicate"), "impasse help show lists them")
        self.assert_fails(self.show("--debug-dir"), "--debug-dir needs a directory")
        self.assertIn(b"usage: impasse show", self.show("--help").stdout)


unittest.main(argv=[sys.argv[0]])
