"""What the command says of files and flags is so, and helps."""

import json
import os
import pathlib
import subprocess

from command_case import COMMAND, PRELOAD, PROGRAMS, SAMPLES, CommandCase, clean_environment, main, until


class Saying(CommandCase):
    def write(self, name, text):
        path = os.path.join(self.folder, name)
        pathlib.Path(path).write_text(text)
        return path

    def a_report(self):
        """The JSON of a real dump."""
        process, _ = self.start_stuck()
        result = self.impasse("dump", "--json", process.pid)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        return json.loads(result.stdout)

    # ---- flags

    def test_a_flag_without_its_value(self):
        for command, flag in (("show", "--colour"), ("dump", "--debug-dir"), ("graph", "--debug-dir"), ("stats", "--top"), ("stats", "--by")):
            with self.subTest(command + " " + flag):
                self.assert_fails(self.impasse(command, flag), f"'{flag}' of impasse {command} needs a value: {flag}=VALUE")
        self.assert_fails(self.impasse("show", "--colour", "x.json"), "'--colour' of impasse show needs a value")
        self.assert_fails(self.impasse("show", "--color=never"), "did you mean '--colour'?")

    def test_no_rows_are_not_no_locks(self):
        process, _ = self.start_stuck("--stats=on")
        result = self.impasse("stats", "--top=0", process.pid)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertNotIn("no lock was taken", result.stdout)
        self.assertRegex(result.stdout, r"by call site\n.*\n  \.\.\. and [1-9]\d* more\n")

    # ---- files

    def test_files_that_are_too_large(self):
        path = os.path.join(self.folder, "large.json")
        with open(path, "wb") as file:
            file.truncate(300 << 20)
        for command in ("show", "graph", "baseline"):
            with self.subTest(command):
                self.assert_fails(self.impasse(command, path), f"{path} is larger than any report is")

    def test_numbers_that_are_too_big(self):
        report = self.a_report()
        report["threads"][0]["tid"] = 12345678987654321
        text = json.dumps(report)
        for number in ("4294967296", "99999999999999999999", "1e30"):
            path = self.write("big.json", text.replace("12345678987654321", number))
            self.assert_fails(self.impasse("show", path), "is no report: threads[0].tid is too big")
        path = self.write("big.json", text.replace("12345678987654321", "1e999"))
        self.assert_fails(self.impasse("show", path), "is no report: it has a number that is too big")

    def test_words_of_a_later_version(self):
        report = self.a_report()
        report["finding"] |= {"kind": "bad_weather", "fingerprint": "0123456789abcdef"}
        report["locks"][0]["kind"] = "turnstile"
        path = self.write("later.json", json.dumps(report))
        result = self.impasse("show", path)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertIn('of the kind "bad_weather", which this version of impasse does not know', result.stdout)
        self.assertIn('"turnstile"', result.stdout)
        self.assertNotIn("ALL THREADS", result.stdout.splitlines()[0])
        self.assertEqual(json.loads(self.impasse("show", "--json", path).stdout)["finding"]["kind"], "bad_weather")
        known = self.impasse("baseline", path)
        self.assertEqual((known.returncode, known.stderr), (0, ""))
        self.assertEqual(json.loads(known.stdout)["findings"][0]["kind"], "bad_weather")
        self.assert_fails(self.impasse("graph", path), "is a report of another kind")
        self.assert_fails(self.impasse("show", "--suppression", path), "is of a kind that this version of impasse does not know")

    def test_a_baseline_passes_over_dumps_of_either_kind(self):
        process, _ = self.start_stuck()
        for more in ([], ["--facts"]):
            result = self.impasse("dump", "--json", *more, process.pid)
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            made = self.impasse("baseline", self.write("dump.json", result.stdout))
            self.assertEqual((made.returncode, made.stderr), (0, ""), more)
            self.assertEqual(json.loads(made.stdout)["findings"], [])

    # ---- what the program's standard error gets

    def test_every_complaint_about_places_for_reports_is_ours(self):
        environment = clean_environment(LD_PRELOAD=PRELOAD, TMPDIR="/nonexist", IMPASSE_OPTIONS="dir=/nonexistent ledger=" + self.ledgers)
        errors = os.path.join(self.folder, "errors")
        with open(errors, "w") as file:
            process = subprocess.Popen([str(SAMPLES / "abba")], env=environment, stdout=subprocess.PIPE, stderr=file, text=True)
        self.addCleanup(lambda: [report.unlink() for report in pathlib.Path("/tmp").glob(f"impasse.{process.pid}.*")])
        self.addCleanup(self.end, process)  # before that
        text = until(lambda: (lambda t: t if "DEADLOCK" in t and t.endswith("\n") else None)(pathlib.Path(errors).read_text()), "it is told")
        complaints = [line for line in text.splitlines() if "cannot be written to" in line]
        self.assertEqual([line.split(" (")[0] for line in complaints], [
            "impasse: reports cannot be written to /nonexistent", "impasse: reports cannot be written to /nonexist"])

    # ---- samples

    def test_samples_end_and_explain(self):
        done = subprocess.run(
            [str(SAMPLES / "stream_tracker"), "--close", "--for", "1"], env=clean_environment(), capture_output=True, text=True, timeout=60)
        self.assertEqual((done.returncode, done.stdout[:6]), (0, "stuck:"))
        done = subprocess.run([str(SAMPLES / "session_server"), "--hang"], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 2)
        self.assertIn("--hang goes with --inversion\n", done.stderr)
        self.assertIn("--inversion (found with --order=all only)", done.stderr)


if __name__ == "__main__":
    main()
