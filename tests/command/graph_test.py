"""impasse graph: the orders in which a process was seen taking its locks, for Graphviz and for programs."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

from command_case import COMMAND, PRELOAD, SOURCE, CommandCase, clean_environment, main, until

sys.path.insert(0, str(SOURCE / "tests/reports"))

import strict_schema

SAMPLES = pathlib.Path(os.environ["IMPASSE_TEST_SAMPLES"])
# A graph is a report: there is one schema for both.
VALIDATOR = strict_schema.validator_of(SOURCE / "docs/report.schema.json") if strict_schema.jsonschema else None
ARROW = re.compile(r'^  (l\d+) -> (l\d+) \[label=("(?:[^"\\]|\\.)*"), tooltip="(?:[^"\\]|\\.)*",'
                   r' labeltooltip="(?:[^"\\]|\\.)*"(, color=red, fontcolor=red)?\];$')
NODE = re.compile(r'^  (l\d+) \[label=("(?:[^"\\]|\\.)*")(, color=red)?\];$')
FRAME = re.compile(r"^(//.*|digraph impasse \{|  (rankdir|node|edge|label).*;|\})$")


class Picture:
    """What a text in the language of Graphviz says; every line must be one that is known."""

    def __init__(self, case, text):
        self.nodes, self.red_nodes, self.arrows, self.red_arrows = {}, set(), {}, set()
        for line in text.splitlines():
            if arrow := ARROW.match(line):
                self.arrows[arrow[1], arrow[2]] = arrow[3]
                if arrow[4]:
                    self.red_arrows.add((arrow[1], arrow[2]))
            elif node := NODE.match(line):
                self.nodes[node[1]] = node[2]
                if node[3]:
                    self.red_nodes.add(node[1])
            else:
                case.assertRegex(line, FRAME)
        for ends in self.arrows:
            case.assertLessEqual(set(ends), set(self.nodes))
        self.check_with_graphviz(case, text)

    @staticmethod
    def check_with_graphviz(case, text):
        """By its own parser, where there is one."""
        dot = shutil.which("dot")
        if dot:
            drawn = subprocess.run([dot, "-Tplain"], input=text, capture_output=True, text=True, timeout=60)
            case.assertEqual((drawn.returncode, drawn.stderr), (0, ""), text)

    def names(self):
        """{node: first line of its label}"""
        return {node: label[1:-1].split("\\n")[0] for node, label in self.nodes.items()}


class Graph(CommandCase):
    def setUp(self):
        super().setUp()
        self.reports = os.path.join(self.folder, "reports")
        os.mkdir(self.reports)

    def start_case(self, name, options=""):
        """A case of samples/order_cases, when it has shown its orders; it stays."""
        environment = clean_environment(
            LD_PRELOAD=PRELOAD, IMPASSE_OPTIONS=f"dir={self.reports} ledger={self.ledgers} {options}")
        errors = open(os.path.join(self.folder, "stderr"), "w")
        self.addCleanup(errors.close)
        process = subprocess.Popen(
            [str(SAMPLES / "order_cases"), name, "--linger"], env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors)
        self.addCleanup(process.stdin.close)
        self.addCleanup(self.end, process)
        self.assertEqual(process.stdout.readline(), "shown\n")
        return process

    def graph(self, *arguments):
        result = self.impasse("graph", *arguments)
        self.assertEqual((result.returncode, result.stderr), (0, ""), arguments)
        return result.stdout

    def graph_with(self, process, arrows):
        """As a report, once so many orders were heard of."""
        report = until(
            lambda: (lambda g: g if len(g["finding"]["orders"]) >= arrows else None)(
                json.loads(self.graph(process.pid, "--json"))),
            f"there are {arrows} orders")
        if VALIDATOR is not None:
            self.assertEqual(strict_schema.complaints(VALIDATOR, report), [])
        return report

    def the_report(self):
        def look():
            found = [name for name in os.listdir(self.reports) if name.endswith(".json")]
            texts = [pathlib.Path(self.reports, name).read_text() for name in found]
            return texts and json.loads(texts[0])["names"]["looked_up"] and os.path.join(self.reports, found[0])

        return until(look, "there is a report with names")

    def rewritten(self, report):
        path = os.path.join(self.folder, "graph.json")
        pathlib.Path(path).write_text(json.dumps(report), encoding="utf-8")
        return path

    # ---- what is seen

    def test_a_circle(self):
        process = self.start_case("session_inversion")
        self.graph_with(process, 3)
        picture = Picture(self, self.graph(process.pid))
        names = picture.names()
        short = {node: name.removeprefix("order_cases::") for node, name in names.items()}
        self.assertEqual({(short[a], short[b]) for a, b in picture.arrows},
                         {("registry_mutex", "session_mutex"), ("session_mutex", "handler_mutex"),
                          ("handler_mutex", "registry_mutex")})
        self.assertEqual(picture.red_arrows, set(picture.arrows))
        self.assertEqual(picture.red_nodes, set(picture.nodes))
        by_ends = {(short[a], short[b]): label for (a, b), label in picture.arrows.items()}
        for ends, function in {("registry_mutex", "session_mutex"): "openSession",
                               ("session_mutex", "handler_mutex"): "deliver",
                               ("handler_mutex", "registry_mutex"): "countSessions"}.items():
            self.assertRegex(by_ends[ends], rf'^"order_cases::{function} circles\.cc:\d+\\nby thread \d+.*"$')
        for node in picture.nodes.values():
            self.assertRegex(node, r'^"order_cases::\w+\\nmutex 0x[0-9a-f]+"$')

    def test_only_what_is_on_the_circle_is_red(self):
        process = self.start_case("gate_left_out")
        self.graph_with(process, 4)
        picture = Picture(self, self.graph("--dot", process.pid))
        short = {node: name.removeprefix("order_cases::") for node, name in picture.names().items()}
        red = {(short[a], short[b]) for a, b in picture.red_arrows}
        self.assertEqual(red, {("stock_mutex", "orders_mutex"), ("orders_mutex", "stock_mutex")})
        self.assertEqual({short[n] for n in picture.red_nodes}, {"stock_mutex", "orders_mutex"})
        self.assertLess(red, {(short[a], short[b]) for a, b in picture.arrows})

    def test_how_it_is_special(self):
        process = self.start_case("readers_that_write")
        self.graph_with(process, 2)
        for label in Picture(self, self.graph(process.pid)).arrows.values():
            self.assertRegex(label, r'\\nreading, took"$')

    def test_by_threads_that_live(self):
        process = self.start_case("main_against_thread")
        report = self.graph_with(process, 2)
        self.assertIn(process.pid, {order["tid"] for order in report["finding"]["orders"]})
        labels = " ".join(Picture(self, self.graph(process.pid)).arrows.values())
        self.assertIn(f'by thread {process.pid} \\"order_cases\\"', labels)
        self.assertIn('\\"transfer\\"', labels)

    def test_no_orders_at_all(self):
        process = self.start_case("abba")
        report = self.graph_with(process, 2)
        report["finding"]["orders"] = []
        self.assertEqual(report["threads"], [], "that tells a graph from a dump")
        text = self.graph(self.rewritten(report))
        picture = Picture(self, text)
        self.assertEqual((picture.nodes, picture.arrows), ({}, {}))
        self.assertIn(f"order_cases[{process.pid}]: no lock was seen taken while another was held", text)

    # ---- for programs, and back

    def test_json_is_a_report_and_can_be_read_back(self):
        process = self.start_case("raft_monitor")
        report = self.graph_with(process, 2)
        self.assertEqual(report["process"]["pid"], process.pid)
        for order in report["finding"]["orders"]:
            self.assertGreater(len(report["stacks"][order["stack"]]["frames"]), 2)
        path = self.rewritten(report)
        self.assertEqual(self.graph(path), self.graph(process.pid))
        self.assertEqual(json.loads(self.graph("--json", path)), report)
        self.assertEqual(self.graph("--json", "--dot", path), self.graph(path), "the last wish counts")

    def test_a_report_of_a_finding(self):
        process = self.start_case("abba")
        path = self.the_report()
        picture = Picture(self, self.graph(path))
        self.assertEqual(len(picture.red_arrows), 2)
        self.assertEqual(set(picture.names().values()),
                         {"order_cases::accounts_mutex", "order_cases::audit_mutex"})
        self.assertIsNone(process.poll())

    def test_names_cannot_break_out(self):
        process = self.start_case("raft_monitor")
        report = self.graph_with(process, 2)
        evil = 'a"];\n evil -> b [label="\\'
        for lock in report["locks"]:
            lock["name"] = evil + "\x1b[2J<&>" + "x" * 500
        for place in report["places"]:
            for source in place["sources"]:
                source["function"], source["file"] = evil + "::f", evil + "\u202e.cc"
        for order in report["finding"]["orders"]:
            order["thread_name"] = evil
        report["process"]["program"] = 'x\n}\n"'
        picture = Picture(self, self.graph(self.rewritten(report)))
        self.assertEqual(len(picture.arrows), 2)
        for label in [*picture.arrows.values(), *picture.nodes.values()]:
            self.assertNotRegex(label, "[\x00-\x1f\x7f]")
            for line in label.split("\\n"):
                self.assertLess(len(line), 200, "nobody can read that in a picture")

    def test_indices_that_lead_nowhere(self):
        process = self.start_case("abba")
        report = self.graph_with(process, 2)
        report["finding"]["orders"][0]["to"] = 77
        result = self.impasse("graph", self.rewritten(report))
        if result.returncode == 0:
            self.assertEqual(len(Picture(self, result.stdout).arrows), 1)
        else:
            self.assert_fails(result, "is no report")

    # ---- what cannot be shown

    def test_processes_without_a_graph(self):
        self.assert_fails(self.impasse("graph", "999999999"), "is not there")
        self.assert_fails(self.impasse("graph", "0"), "there is no such number")
        self.assert_fails(self.impasse("graph", "99999999999999999999"), "there is no such number")
        self.assert_fails(self.impasse("graph", os.getpid()), "libimpasse.so is not loaded in it")
        process = self.start_case("abba", "ledger=off")
        self.assert_fails(self.impasse("graph", process.pid), "was started with ledger=off")

    def test_orders_that_are_not_looked_for(self):
        process = self.start_case("abba", "order=off")
        for flag in ("--dot", "--json"):
            self.assert_fails(self.impasse("graph", flag, process.pid), "it was started with order=off")

    def test_files_without_a_graph(self):
        self.assert_fails(self.impasse("graph", self.folder + "/none"), "No such file or directory")
        self.assert_fails(self.impasse("graph", self.folder), "cannot read")
        self.assert_fails(self.impasse("graph", __file__), f"{__file__} is no report: ")
        process = self.start_case("abba")
        report = self.graph_with(process, 2)
        report["finding"] |= {"kind": "deadlock", "orders": []}
        self.assert_fails(self.impasse("graph", self.rewritten(report)), "is a report of another kind")
        report["schema"] = "impasse/2"
        self.assert_fails(self.impasse("graph", self.rewritten(report)), "is no report: ")

    def test_a_dump_is_no_graph(self):
        process = self.start_case("abba")
        self.graph_with(process, 2)
        result = self.impasse("dump", "--json", process.pid)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        path = os.path.join(self.folder, "dump.json")
        pathlib.Path(path).write_text(result.stdout)
        self.assert_fails(self.impasse("graph", path), "is a dump of threads, which has no orders of locks")

    def test_show_does_not_take_a_graph_for_a_dump(self):
        process = self.start_case("abba")
        path = self.rewritten(self.graph_with(process, 2))
        self.assert_fails(self.impasse("show", path), f"impasse graph {path} prints it")
        self.assert_fails(self.impasse("show", "--suppression", path), "is a graph of the orders of locks")
        self.assertEqual(json.loads(self.impasse("show", "--json", path).stdout)["finding"]["kind"], "dump")

    def test_flags(self):
        self.assert_fails(self.impasse("graph"), "impasse graph needs a process or a file")
        self.assert_fails(self.impasse("graph", "--jsno", "1"), "no flag '--jsno'; did you mean '--json'?")
        self.assert_fails(self.impasse("graph", "-x", "1"), "no flag '-x'; impasse help graph lists them")
        self.assert_fails(self.impasse("graph", "1", "2"), "'2' is one too many")
        self.assert_fails(self.impasse("graph", "--debug-dir"), "'--debug-dir' of impasse graph needs a value")
        self.assert_fails(self.impasse("graph", "--", "--json"), "cannot read --json: No such file or directory")
        self.assertEqual(self.graph("--help"), self.impasse("help", "graph").stdout)
        self.assertIn("usage: impasse graph", self.graph("-h"))

    def test_output_that_cannot_be_written(self):
        process = self.start_case("abba")
        with open("/dev/full", "w") as full:
            result = self.impasse("graph", process.pid, stdout=full)
        self.assertEqual(result.returncode, 2)
        self.assertIn("cannot write to standard output", result.stderr)

    def test_a_file_that_looks_like_a_number(self):
        process = self.start_case("abba")
        report = self.graph_with(process, 2)
        pathlib.Path(self.folder, "123456789").write_text(json.dumps(report))
        environment = clean_environment()
        done = subprocess.run([COMMAND, "graph", "./123456789"], cwd=self.folder, env=environment,
                              capture_output=True, text=True, timeout=60)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(len(Picture(self, done.stdout).arrows), 2)


if __name__ == "__main__":
    main()
