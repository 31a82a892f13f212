"""rules_test.py COMMAND WRITE_SCENES: `impasse show --suppression` and `impasse baseline` as their users meet them."""

import json
import sys
import unittest

from scenes_case import ScenesCase


class Rules(ScenesCase):
    def said(self, *arguments):
        result = self.impasse(*arguments)
        self.assertEqual((result.returncode, result.stderr), (0, ""), arguments)
        return result.stdout

    def fingerprint(self, name):
        return json.loads((self.path / f"{name}.json").read_text())["finding"]["fingerprint"]

    # ---- show --suppression

    def test_rule(self):
        lines = self.said("show", "--suppression", "--raw", self.path / "abba.json").splitlines()
        self.assertTrue(lines[0].startswith("# impasse: DEADLOCK: "), lines)
        self.assertTrue(lines[1].startswith("kind=deadlock function="), lines)
        self.assertEqual(lines[3], "# fingerprint=" + self.fingerprint("abba"))
        self.assertEqual(len(lines), 4)

    def test_rule_of_the_text_form(self):
        self.assertEqual(self.said("show", "--suppression", "--raw", self.path / "abba.txt"),
                         self.said("show", "--suppression", "--raw", self.path / "abba.json"))

    def test_rule_without_names(self):
        lines = self.said("show", "--suppression", "--raw", self.path / "without_names.json").splitlines()
        self.assertEqual(lines[1:], ["fingerprint=" + self.fingerprint("without_names")])

    def test_several_rules_are_one_file(self):
        text = self.said("show", "--suppression", "--raw", self.path / "abba.json", self.path / "disk_stall.json")
        kinds = [line.split()[0] for line in text.splitlines() if line.startswith("kind=")]
        self.assertEqual(kinds, ["kind=deadlock", "kind=long_wait"])

    def test_no_rule(self):
        self.assert_fails(self.impasse("show", "--suppression", self.path / "dump.json"), "nothing to suppress")
        self.assert_fails(self.impasse("show", "--suppression", "--json", self.path / "abba.json"), "do not go together")
        alone = self.path / "alone.txt"
        alone.write_bytes((self.path / "abba.txt").read_bytes())
        self.assert_fails(self.impasse("show", "--suppression", alone), "only the text form is there")

    # ---- baseline

    def test_baseline(self):
        made = json.loads(self.said("baseline", self.path / "abba.json", self.path / "relock.txt", self.path / "dump.json"))
        self.assertEqual(made["schema"], "impasse-baseline/1")
        self.assertEqual([f["fingerprint"] for f in made["findings"]], [self.fingerprint("abba")])
        self.assertEqual(made["findings"][0]["kind"], "deadlock")
        self.assertRegex(made["findings"][0]["note"], r"^\S+: \w+")

    def test_baseline_of_baselines(self):
        other = json.loads((self.path / "relock.json").read_text())
        other["finding"]["fingerprint"] = "0000000000000001"
        (self.path / "other.json").write_text(json.dumps(other))
        first = self.path / "first.known"
        first.write_text(self.said("baseline", self.path / "abba.json"))
        both = self.said("baseline", first, self.path / "other.json")
        self.assertEqual([f["fingerprint"] for f in json.loads(both)["findings"]],
                         ["0000000000000001", self.fingerprint("abba")])
        second = self.path / "second.known"
        second.write_text(both)
        self.assertEqual(self.said("baseline", second, first, self.path / "other.json"), both)

    def test_no_baseline(self):
        self.assert_fails(self.impasse("baseline"), "impasse baseline needs reports")
        self.assert_fails(self.impasse("baseline", "--all"), "has no flag '--all'")
        self.assert_fails(self.impasse("baseline", self.path / "abba.json", self.path / "nothing.json"), "No such file")
        self.assert_fails(self.impasse("baseline", self.path), "cannot read")
        for text, sentence in (("", "no JSON"), ("[]", "it is no object"), ("{\"schema\": \"impasse-baseline/1\"", "no JSON")):
            (self.path / "wrong.x").write_text(text)
            self.assert_fails(self.impasse("baseline", self.path / "wrong.x"), sentence)
        report = json.loads((self.path / "abba.json").read_text())
        report["finding"]["fingerprint"] = ""
        (self.path / "bare.json").write_text(json.dumps(report))
        self.assert_fails(self.impasse("baseline", self.path / "bare.json"), "without a fingerprint")

    def test_help(self):
        self.assertIn("usage: impasse baseline", self.said("baseline", "--help"))
        self.assertEqual(self.said("help", "baseline"), self.said("baseline", "--help"))
        self.assertIn("--suppression", self.said("show", "--help"))


unittest.main(argv=[sys.argv[0]])
