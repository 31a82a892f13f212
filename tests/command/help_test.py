"""The texts that the command shows, and that what they say is so."""

import re
import subprocess
import unittest

from command_case import COMMAND, SOURCE, CommandCase, clean_environment, main


def declared_options():
    """(name, default, values, help) of options.def, read without the help of the command."""
    rows = re.findall(
        r'^IMPASSE_OPTION\(\w+, (\w+), "(.*?)", "(.*?)", "(.*)"\)$',
        (SOURCE / "options/options.def").read_text(),
        re.MULTILINE,
    )
    assert rows
    return rows


def escaped(text):
    """As a line of the manual: a dot at its beginning would be a command."""
    return r"\&" + text if text.startswith(".") else text


class Help(CommandCase):
    def shown(self, *arguments):
        result = self.impasse(*arguments)
        self.assertEqual((result.returncode, result.stderr), (0, ""), arguments)
        return result.stdout

    def test_general_help_names_every_command_and_option(self):
        text = self.shown("--help")
        self.assertEqual(text, self.shown("-h"))
        self.assertEqual(text, self.shown("help"))
        for word in ("impasse run", "impasse dump", "impasse show", "impasse graph", "impasse stats", "impasse baseline", "--list-functions", "--version"):
            self.assertIn(word, text)
        for name, default, values, _ in declared_options():
            self.assertIn(f"  --{name}={values}   (default: {default or 'empty'})\n", text)

    def test_help_fits_the_screen(self):
        for arguments in (["--help"], *(["help", name] for name in ("run", "dump", "show", "graph", "stats", "baseline"))):
            for line in self.shown(*arguments).splitlines():
                self.assertLessEqual(len(line), 80, line)

    def test_help_of_a_command(self):
        self.assertEqual(self.shown("help", "run"), self.shown("run", "--help"))
        self.assertEqual(self.shown("help", "dump"), self.shown("dump", "--help"))
        self.assertIn("usage: impasse run", self.shown("help", "run"))
        self.assertIn("usage: impasse dump", self.shown("help", "dump"))

    def test_version_is_the_projects(self):
        version = re.search(r"project\(impasse VERSION ([0-9.]+)", (SOURCE / "CMakeLists.txt").read_text()).group(1)
        self.assertEqual(self.shown("--version"), f"impasse {version}\n")

    def test_list_functions_is_the_table(self):
        table = (SOURCE / "interpose/functions.def").read_text()
        names = re.findall(r"^IMPASSE_FUNCTION\([^,]*, (\w+),", table, re.MULTILINE)
        self.assertGreater(len(names), 40)
        self.assertEqual(self.shown("--list-functions").splitlines(), sorted(set(names)))

    def test_unknown_commands_name_the_nearest(self):
        self.assert_fails(self.impasse("dmup"), "there is no command 'dmup'; did you mean 'dump'?")
        self.assert_fails(self.impasse("rnu", "x"), "did you mean 'run'?")
        self.assert_fails(self.impasse("help", "dunp"), "did you mean 'dump'?")
        self.assert_fails(self.impasse("frobnicate"), "there is no command 'frobnicate'; impasse --help lists them")
        self.assert_fails(self.impasse(""), "there is no command ''")
        self.assert_fails(self.impasse("x" * 5000), "there is no command")

    def test_no_command_at_all(self):
        self.assert_fails(self.impasse(), "impasse --help shows what there is")

    def test_output_that_cannot_be_written(self):
        for arguments in (["--help"], ["--version"], ["--list-functions"], ["help", "run"], ["dump", "--help"]):
            with open("/dev/full", "w") as full:
                result = self.impasse(*arguments, stdout=full)
            self.assertEqual(result.returncode, 2)
            self.assertEqual(result.stderr, "impasse: cannot write to standard output: No space left on device\n")

    def test_output_that_is_closed(self):
        for closed in (">&-", ">&- <&-"):
            result = subprocess.run(
                ["/bin/sh", "-c", f'"$0" --version {closed}', COMMAND],
                env=clean_environment(), capture_output=True, text=True, timeout=60)
            self.assertEqual(result.returncode, 2)
            self.assertEqual(result.stderr, "impasse: cannot write to standard output: Bad file descriptor\n")

    def test_complaints_that_cannot_be_written_do_no_harm(self):
        result = subprocess.run(
            ["/bin/sh", "-c", '"$0" nonsense >&- 2>&- <&-', COMMAND], env=clean_environment(), timeout=60)
        self.assertEqual(result.returncode, 2)


class Documents(CommandCase):
    """What is written elsewhere about the options is what the table says."""

    def test_the_table_of_the_readme(self):
        readme = (SOURCE / "README.md").read_text()
        between = re.search(r"<!-- options -->\n(.*?)\n?<!-- /options -->", readme, re.DOTALL)
        self.assertIsNotNone(between, "README.md has no place for the table of options")
        self.assertEqual(between.group(1).strip(), self.impasse("--options-markdown").stdout.strip())

    def test_the_options_of_the_manual(self):
        manual = (SOURCE / "docs/impasse.1").read_text()
        described = re.findall(
            r"^\.It Fl -(\w+) Ns = Ns Ar (.*)\n(.*)\nDefault:(?: empty\.|\n\.Ql (.*) \.)$", manual, re.MULTILINE)
        expected = [
            (name, values, escaped(help[0].upper() + help[1:] + "."), default.replace(".", r"\&.", 1) if default == "." else default)
            for name, default, values, help in declared_options()
        ]
        self.assertEqual(described, expected)

    def test_the_manual_names_what_the_command_has(self):
        manual = (SOURCE / "docs/impasse.1").read_text()
        for word in ("Cm run", "Cm dump", "Cm show", "Cm graph", "Cm baseline", "Cm help", "Fl -json", "Fl -list-functions", "Fl -version", "Fl -help",
                     "Ev IMPASSE_OPTIONS", "Ev IMPASSE_LIBRARY", "Ev LD_PRELOAD"):
            self.assertIn(word, manual)


if __name__ == "__main__":
    main()
