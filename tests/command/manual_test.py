"""The manual page is well-formed: whichever checker there is finds nothing."""

import shutil
import subprocess
import unittest

from command_case import SOURCE, CommandCase, clean_environment, main

PAGE = str(SOURCE / "docs/impasse.1")


class Manual(CommandCase):
    @unittest.skipUnless(shutil.which("man") and shutil.which("groff"), "man or groff is not installed")
    def test_man_has_no_warnings(self):
        result = subprocess.run(
            ["man", "--warnings", "-E", "UTF-8", "-l", PAGE], capture_output=True, text=True, timeout=60,
            env=clean_environment(MANWIDTH="80", MANPAGER="cat", MANROFFSEQ="", TERM="dumb"))
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertIn("impasse dump", result.stdout)

    @unittest.skipUnless(shutil.which("mandoc"), "mandoc is not installed")
    def test_mandoc_has_no_complaints(self):
        result = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", PAGE], capture_output=True, text=True, timeout=60)
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "", ""))


if __name__ == "__main__":
    main()
