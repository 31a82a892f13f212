"""impasse dump of files: ledgers, damaged ledgers, anything else."""

import os
import pathlib
import random
import struct
import subprocess

from command_case import PROGRAMS, CommandCase, main


SIGHTS, LIVES = 8, 9  # regions of the ledger, by their numbers in detector/ledger_layout.h


class DumpFile(CommandCase):
    def setUp(self):
        super().setUp()
        self.ledger = os.path.join(self.folder, "ledger")
        subprocess.run([str(PROGRAMS / "write_ledger"), self.ledger], check=True, timeout=60)
        self.bytes = pathlib.Path(self.ledger).read_bytes()

    def written(self, data):
        pathlib.Path(self.ledger).write_bytes(data)
        return self.ledger

    def test_a_ledger(self):
        result = self.impasse("dump", "--facts", self.ledger)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        for words in (
            "river-node[4242] ====", "from a file, as of ", '"raft-loop" [was in no wait]:',
            'thread 101 "sync-2" [waiting to read rwlock 0x7000, 5m 0s]:',
            'held by thread 100 "raft-loop", exclusive, for 1m 40s, taken at 0x555500001000',
            "holds mutex 0x8000 exclusive, for 1m 40s, taken at 0x555500001001 (2 levels)",
            "[waiting on condition 0xb100, 5m 0s]:", "gave back mutex 0xb000 exclusive for the time of its wait",
            "[waiting for thread 102 to end, 5m 0s]:",
            "mutex 0xc000 exclusive, taken at 0x555500005000: thread 88 ended 3m 20s ago while it held it",
            "thread 89 of the parent held it when this process was forked",
            "mutex 0xf000: 9 waits, at least 9ms in all, first mattered at 0x555500004000", "dropped: 2 holds that could not be recorded",
        ):
            self.assertIn(words, result.stdout)
        # Another thread released it: it is in the mailbox.
        self.assertNotIn("0x9000", result.stdout)

    def test_the_same_in_json(self):
        facts = self.facts(self.ledger)
        self.assertEqual(facts["process"]["origin"], "file")
        self.assertEqual([t["tid"] for t in facts["threads"]], [101, 102, 103, 100])
        wait = facts["threads"][0]["wait"]
        self.assertEqual((wait["kind"], wait["object"], wait["age_ns"], wait["age_exact"], wait["held_by"]),
                         ("read", "0x7000", 300_000_000_000, True, [100]))
        self.assertEqual(facts["threads"][2]["wait"]["thread"], 102)
        self.assertEqual([(h["lock"], h["levels"]) for h in facts["threads"][3]["holds"]],
                         [("0x7000", 1), ("0x8000", 2), ("0xa000", 2)])
        self.assertEqual([d["reason"] for d in facts["departed_holds"]], ["thread_ended", "forked"])
        self.assertEqual([(l["address"], l["contended"]) for l in facts["locks"]], [("0x7000", 3), ("0xf000", 9)])
        self.assertEqual(facts["dropped"]["holds_dropped"], 2)

    def test_files_that_are_no_ledgers(self):
        self.assert_fails(self.impasse("dump", "--facts", self.written(b"")), f"{self.ledger}: not an impasse ledger")
        self.assert_fails(self.impasse("dump", "--facts", self.written(b"some text\n")), "not an impasse ledger")
        self.assert_fails(self.impasse("dump", "--facts", self.written(os.urandom(100_000))), "not an impasse ledger")
        self.assert_fails(self.impasse("dump", "--facts", "/proc/self/maps"), "not an impasse ledger")
        self.assert_fails(self.impasse("dump", "--facts", self.folder), f"{self.folder} is a directory, not a ledger")
        self.assert_fails(self.impasse("dump", "--facts", "/dev/zero"), "/dev/zero is not a file")
        self.assert_fails(self.impasse("dump", "--facts", self.folder + "/none"), "No such file or directory")
        self.assert_fails(self.impasse("dump", "--facts", ""), "cannot read : No such file or directory")
        fifo = os.path.join(self.folder, "fifo")
        os.mkfifo(fifo)
        self.assert_fails(self.impasse("dump", "--facts", fifo), "is not a file")

    def test_truncated(self):
        self.assert_fails(self.impasse("dump", "--facts", self.written(self.bytes[:200])), "truncated: it ends within its header")
        self.assert_fails(self.impasse("dump", "--facts", self.written(self.bytes[:-1])),
                          f"truncated: {len(self.bytes) - 1} of {len(self.bytes)} bytes are there")

    def test_another_version(self):
        data = self.bytes[:8] + struct.pack("<I", 99) + self.bytes[12:]
        (mine,) = struct.unpack("<I", self.bytes[8:12])
        sentence = f"made by another version (99; this impasse reads {mine})"
        self.assert_fails(self.impasse("dump", "--facts", self.written(data)), sentence)

    def test_damaged(self):
        data = self.bytes[:32] + b"\xff" * 24 + self.bytes[56:]
        self.assert_fails(self.impasse("dump", "--facts", self.written(data)), "damaged: ")

    def region(self, number):
        """(offset, stride, elements), as the header has them."""
        return struct.unpack_from("<QQQ", self.bytes, 32 + 24 * number)

    def test_garbage_on_its_way_to_the_watchdog(self):
        chance = random.Random(8)

        def facts():
            facts = self.facts(self.ledger)
            del facts["written"]  # when it was asked
            return facts

        whole = facts()
        for _ in range(5):
            data = bytearray(self.bytes)
            for number in (SIGHTS, LIVES):
                offset, stride, elements = self.region(number)
                data[offset:offset + stride * elements] = chance.randbytes(stride * elements)
            self.written(bytes(data))
            self.assertEqual(facts(), whole)
            self.assertEqual(self.impasse("dump", self.ledger).returncode, 0)
            self.assert_fails(self.impasse("graph", self.ledger), f"{self.ledger} is no report: ")

    def test_damaged_regions_of_what_is_on_its_way(self):
        for number, name in ((SIGHTS, "sights of orders"), (LIVES, "lives of threads")):
            for word in range(3):
                at = 32 + 24 * number + 8 * word
                data = self.bytes[:at] + b"\xf7" * 8 + self.bytes[at + 8:]
                self.assert_fails(self.impasse("dump", self.written(data)), f"damaged: the region for {name} ")
                self.assert_fails(self.impasse("graph", self.ledger), f"{self.ledger} is no report: ")

    def test_names_cannot_play_with_the_terminal(self):
        data = self.bytes.replace(b"raft-loop", b"\x1b[2J\xff\n\"\\x").replace(b"river-node", b"\x1b]0;x\x07\xc2\x9b33")
        self.assertEqual(len(data), len(self.bytes))
        result = self.impasse("dump", "--facts", self.written(data))
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertNotRegex(result.stdout, "[\x00-\x09\x0b-\x1f\x7f-\x9f]")
        self.assertIn(r"\x1b[2J\xff\x0a", result.stdout)
        facts = self.facts(self.ledger)
        self.assertIn('\x1b[2J\ufffd\n"\\x', [t["name"] for t in facts["threads"]])

    def test_damage_of_any_kind_is_no_crash(self):
        chance = random.Random(5)
        for number in range(60):
            data = bytearray(self.bytes)
            for _ in range(chance.randrange(1, 40)):
                at = chance.choice((chance.randrange(len(data)), chance.randrange(1024), 4096 + chance.randrange(400)))
                data[at] = chance.randrange(256)
            result = self.impasse("dump", "--facts", *(["--json"] if number % 2 else []), self.written(bytes(data)))
            if result.returncode != 0:
                self.assert_fails(result, f"{self.ledger}: ")

    def test_arguments(self):
        self.assert_fails(self.impasse("dump"), "impasse dump needs a process or a file")
        self.assert_fails(self.impasse("dump", "--facts", "--json"), "impasse dump needs a process or a file")
        self.assert_fails(self.impasse("dump", "--facts", "--jsn", "1"), "impasse dump has no flag '--jsn'")
        self.assert_fails(self.impasse("dump", "--facts", self.ledger, "2"), "'2' is one too many")
        self.assert_fails(self.impasse("dump", "--facts", "0"), "'0' is not the number of a process")
        self.assert_fails(self.impasse("dump", "--facts", "99999999999999999999"), "is not the number of a process")
        self.assert_fails(self.impasse("dump", "--facts", "-1"), "impasse dump has no flag '-1'")

    def test_a_file_with_the_name_of_a_flag_or_a_number(self):
        for name in ("--json", "4242"):
            pathlib.Path(self.folder, name).write_bytes(self.bytes)
        for arguments in (["--", "--json"], ["./4242"], ["--json", "--", "--json"]):
            self.assertEqual(self.impasse("dump", "--facts", *arguments, cwd=self.folder).returncode, 0, arguments)

    def test_output_that_cannot_be_written(self):
        for arguments in (["dump", self.ledger], ["dump", "--json", self.ledger]):
            with open("/dev/full", "w") as full:
                result = self.impasse(*arguments, stdout=full)
            self.assertEqual(result.returncode, 2)
            self.assertEqual(result.stderr, "impasse: cannot write to standard output: No space left on device\n")


if __name__ == "__main__":
    main()
