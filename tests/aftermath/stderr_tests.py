"""Standard error: a line there must never hold up the program or the watchdog."""

import os
import pty
import select
import socket

from aftermath_case import AftermathCase
from sample_run import until

STUCK = "deadlock say stuck await TMP/end"


def read_some(fd, seconds=10):
    """What comes until there is a whole line about a deadlock."""
    text = b""
    while b"DEADLOCK" not in text or not text.rstrip(b"\r").endswith(b"\n"):
        if not select.select([fd], [], [], seconds)[0]:
            break
        piece = os.read(fd, 65536)
        if not piece:
            break
        text += piece
    return text.decode(errors="replace")


class StderrTest(AftermathCase):
    def ended_well(self, run):
        run.make("end")
        self.assertEqual(run.end(10), 0)

    def test_stderr_closed(self):
        run = self.play(f"close-stderr {STUCK}")
        self.reported(run)
        self.ended_well(run)

    def test_stderr_full(self):
        """Two more findings come after the one whose line is lost."""
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        run = self.play(f"fill-stderr misuse 0 misuse 1 {STUCK}", stderr=writing)
        os.close(writing)
        self.reported(run, 3)
        self.ended_well(run)

    def test_stderr_broken(self):
        reading, writing = os.pipe()
        run = self.play(f"await TMP/go misuse 0 {STUCK}", stderr=writing)
        os.close(writing)
        os.close(reading)
        run.make("go")
        self.reported(run, 2)
        self.ended_well(run)

    def test_stderr_socket(self):
        """As services have it: there is no file to open again."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self.addCleanup(ours.close)
        run = self.play(STUCK, stderr=theirs)
        theirs.close()
        self.assertRegex(read_some(ours.fileno()), r"^impasse: DEADLOCK: .*\.txt\n$")
        self.ended_well(run)

    def test_stderr_socket_full(self):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self.addCleanup(ours.close)
        run = self.play(f"fill-stderr misuse 0 {STUCK}", stderr=theirs)
        theirs.close()
        self.reported(run, 2)
        self.ended_well(run)

    def test_stderr_terminal(self):
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        run = self.play(STUCK, stderr=theirs)
        os.close(theirs)
        self.assertRegex(read_some(ours), r"^impasse: DEADLOCK: .*\.txt\r\n$")
        self.ended_well(run)

    def test_stderr_replaced(self):
        run = self.play(f"replace-stderr TMP/new {STUCK}")
        self.reported(run)

        def said():
            with open(run.path("new"), encoding="utf-8") as file:
                return "DEADLOCK" in file.read()

        until(said, "line in the new place")
        self.assertEqual(run.complaints(), "")

    def test_stderr_shared_file(self):
        """Written on behalf of the program: what it writes next stands behind it."""
        run = self.play(f"{STUCK} no-such-step")
        self.reported(run)
        run.make("end")
        self.assertEqual(run.end(10), 2)
        self.assertEqual(run.complaints().splitlines()[-1], "no such step: no-such-step")
        self.assertIn("DEADLOCK", run.complaints().splitlines()[0])

    def test_stderr_after_main_thread(self):
        run = self.play("deadlock end-main-thread")
        self.reported(run)
        run.wait_for_text("DEADLOCK")
        self.assertTrue(run.is_alive())

    def test_stderr_socket_after_main_thread(self):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self.addCleanup(ours.close)
        self.play("deadlock end-main-thread", stderr=theirs)
        theirs.close()
        self.assertRegex(read_some(ours.fileno()), r"^impasse: DEADLOCK: .*\.txt\n$")
