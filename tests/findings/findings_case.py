"""What all tests of findings have in common: what a report must say, what a healthy run must not."""

import dataclasses
import json
import os
import re
import stat
import time
import unittest

from sample_run import SampleRun, functions, is_function, stack_functions

try:
    import jsonschema
except ImportError:
    jsonschema = None

SETTLE_SECONDS = 0.7
FAR_AWAY = "30s"  # a threshold that no test lives to see


def without_tids(text):
    return re.sub(r"\d+", "TID", text)


@dataclasses.dataclass(frozen=True)
class Step:
    """`waiter` waits for `lock`, because of `blocker`. Locks with no name of their own: None."""

    waiter: str
    blocker: str
    lock: str | None = None
    wants: str = "mutex"
    asked_in: str = ""
    held_in: str = ""
    shared: bool = False
    reason: str = "holder"


class FindingsCase(unittest.TestCase):
    tools = None
    maxDiff = None

    # ---- playing

    def run_sample(self, command, *, wait=FAR_AWAY, options="", preload=True):
        # Orders that never hung are another subject.
        options = f"wait={wait} order=off {options}"
        run = SampleRun(self.tools, command, options=options, preload=preload)
        self.addCleanup(run.discard)
        return run

    def only_report(self, command, kind, *, announces="stuck:", **how):
        """The one and only finding of a sample that gets stuck."""
        run = self.run_sample(command, **how)
        run.wait_until_it_says(announces)
        run.wait_for_reports(1)
        time.sleep(SETTLE_SECONDS)
        reports = run.wait_for_reports(1)
        self.assertEqual(
            [(report.number, report.finding["kind"]) for report in reports],
            [(1, kind)],
            f"exactly one finding: {run.report_files()}; {run.complaints()}",
        )
        report = reports[0]
        self.assert_sound(run, report)
        self.assert_said(run, report)
        return report

    def assert_silent(self, command, *, wait, seconds=60, orders="on"):
        """It ends as it does without impasse, and nothing was found: no contradicting orders either."""
        bare = self.run_sample(command, preload=False)
        expected = bare.end(seconds)
        self.assertEqual(expected, 0, f"without impasse: {bare.complaints()}")
        run = self.run_sample(command, wait=wait, options=f"order={orders}")
        self.assertEqual(run.end(seconds), expected, run.complaints())
        self.assertEqual(run.report_files(), [], run.complaints())
        self.assertEqual(run.complaints(), "")
        self.assertEqual(without_tids(run.output()), without_tids(bare.output()))

    # ---- what holds of every report

    def assert_sound(self, run, report):
        self.assertEqual(report.json["schema"], "impasse/1")
        self.assertEqual(report.json["process"]["pid"], report.pid)
        self.assertEqual(report.finding["number"], report.number)
        self.assertTrue(report.finding["fingerprint"])
        for path in (report.path, report.text_path):
            self.assertEqual(oct(stat.S_IMODE(os.stat(path).st_mode)), "0o600", path)
        self.assert_links_close(report)
        self.assert_references(report)
        self.assert_valid(report)
        self.assert_text(report)

    def assert_links_close(self, report):
        for one, next_one in zip(report.cycle, report.cycle[1:] + report.cycle[:1]):
            self.assertEqual(one["blocker"], next_one["waiter"], report.cycle)
        involved = {link[end] for link in report.cycle + report.crowd for end in ("waiter", "blocker")}
        for index in involved - {None}:
            self.assertTrue(report.threads[index]["involved"], report.threads[index]["name"])

    def assert_references(self, report):
        for link in report.cycle + report.crowd:
            waiter = report.threads[link["waiter"]]
            if report.finding.get("misuse") == "refused_relock":
                continue  # libc refused: nobody waits
            self.assertIsNotNone(waiter["wait"], waiter["name"])
            if link["lock"] is not None:
                self.assertEqual(waiter["wait"]["lock"], link["lock"], waiter["name"])
        for thread in report.threads:
            for hold in thread["holds"]:
                self.assertLess(hold["lock"], len(report.locks))

    def assert_valid(self, report):
        if jsonschema is None or not os.path.exists(self.tools.schema):
            return
        with open(self.tools.schema, encoding="utf-8") as file:
            schema = json.load(file)
        errors = list(jsonschema.Draft202012Validator(schema).iter_errors(report.json))
        self.assertEqual([f"{list(error.path)}: {error.message}" for error in errors], [])

    def assert_text(self, report):
        """Whoever reads its first lines knows the kind, the process and the thread that matters."""
        text = report.text()
        first = text.split("\n", 1)[0]
        program = report.json["process"]["program"]
        self.assertIn(f"{program}[{report.pid}]", first)
        letters = re.sub("[^a-z]", "", first.lower())
        self.assertIn(re.sub("[^a-z]", "", report.finding["kind"]), letters)
        matter = [link["waiter"] for link in report.cycle]
        if report.finding["root"] is not None:
            matter.append(report.finding["root"])
        for index in matter:
            self.assertIn(f'"{report.name(index)}"', text)

    def assert_said(self, run, report):
        """One line on standard error for the finding, and one more for each update."""
        lines = run.complaints().splitlines()
        self.assertTrue(lines, "a finding must be said")
        for line in lines:
            self.assertTrue(line.startswith("impasse"), line)
        about = [line for line in lines if f"impasse.{report.pid}.{report.number}" in line]
        self.assertEqual(about, lines)
        self.assertLessEqual(len(lines), 1 + report.finding["update"], lines)

    # ---- what a report says

    def assert_circle(self, report, *steps):
        """The steps are the circle, from whichever of them it is told."""
        told = [(report.name(link["waiter"]), report.name(link["blocker"])) for link in report.cycle]
        wanted = [(step.waiter, step.blocker) for step in steps]
        self.assertIn(told, [wanted[i:] + wanted[:i] for i in range(len(wanted))])
        for link in report.cycle:
            (step,) = (one for one in steps if one.waiter == report.name(link["waiter"]))
            self.assert_step(report, link, step)
        of_locks = [link["lock"] for link in report.cycle if link["reason"] == "holder"]
        self.assertEqual(len(set(of_locks)), len(of_locks), "each waits for another lock")

    def assert_step(self, report, link, step):
        self.assertEqual(link["reason"], step.reason, step)
        waiter = report.thread(link["waiter"])
        self.assertEqual(waiter["wait"]["kind"], step.wants, step)
        if step.reason == "join":
            self.assertIsNone(link["lock"], step)
        else:
            self.assert_lock(report, link["lock"], step.lock)
        if step.asked_in:
            # A join stands in the C++ library's own code; the stack leads on from there.
            if step.reason != "join":
                self.assert_site(waiter["wait"]["site"], step.asked_in, f"{step.waiter} asked")
            self.assert_stack(waiter, step.asked_in)
        if step.held_in:
            self.assert_holds(
                report, report.thread(link["blocker"]), link["lock"], step.held_in, step.shared
            )

    def assert_holds(self, report, thread, lock, site, shared=False):
        holds = [hold for hold in thread["holds"] if hold["lock"] == lock]
        self.assertEqual(len(holds), 1, f"{thread['name']} holds {report.lock_name(lock)}: {holds}")
        self.assertEqual(holds[0]["mode"], "shared" if shared else "exclusive", thread["name"])
        self.assert_site(holds[0]["site"], site, f"{thread['name']} took it")

    def assert_lock(self, report, index, name):
        self.assertIsNotNone(index, "the lock is not known")
        if name is not None:
            told = report.lock_name(index).split("+")[0].split("::")[-1]
            self.assertEqual(told, name)

    def assert_site(self, site, function, what):
        names = functions(site)
        self.assertTrue(
            any(is_function(name, function) for name in names), f"{what} in {function}: {names}"
        )

    def assert_stack(self, thread, *wanted):
        """The stack has these functions, from the innermost outwards; others may be in between."""
        left = list(wanted)
        told = stack_functions(thread)
        for name in told:
            if left and is_function(name, left[0]):
                left.pop(0)
        self.assertEqual(left, [], f"{thread['name']}: {wanted} in {told}")

    def assert_crowd(self, report, **wanted):
        """How many threads wait, by the part of their names before the number."""
        told = {}
        for link in report.crowd:
            layer = report.name(link["waiter"]).rstrip("0123456789").rstrip("-")
            told[layer] = told.get(layer, 0) + 1
        self.assertEqual(told, wanted)
        waiters = [link["waiter"] for link in report.crowd]
        self.assertEqual(len(set(waiters)), len(waiters), "nobody is told of twice")

    def assert_root(self, report, name, lock=None, held_in=""):
        root = report.thread(report.finding["root"])
        self.assertEqual(root.get("name"), name)
        self.assert_lock(report, report.finding["root_lock"], lock)
        if held_in:
            self.assert_holds(report, root, report.finding["root_lock"], held_in)
        return root

    def assert_activity(self, thread, call, detail):
        """`detail` is a pattern: what the call is about."""
        self.assertEqual(thread["activity"]["call"], call)
        self.assertRegex(thread["activity"]["detail"], detail or ".*")
