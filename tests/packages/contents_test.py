"""What is in the packages: the files, what they need, what they must not tell of the machine that built them."""

import os
import pathlib
import re
import shutil
import subprocess
import tarfile
import tempfile
import unittest

from made_packages import BUILD, SOURCE, make_packages


def run(*command, **more):
    return subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True, **more).stdout


def files_below(folder):
    return {str(path.relative_to(folder)): path for path in folder.rglob("*") if not path.is_dir()}


class Contents(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="impasse-packages-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.deb, cls.archive = make_packages(cls.folder / "made")
        run("dpkg-deb", "-x", cls.deb, cls.folder / "deb")
        with tarfile.open(cls.archive) as archive:
            archive.extractall(cls.folder / "archive")
        cls.in_deb = files_below(cls.folder / "deb/usr")
        (top,) = (cls.folder / "archive").iterdir()
        cls.top = top.name
        cls.in_archive = files_below(top)

    def field(self, name):
        return run("dpkg-deb", "-f", self.deb, name).strip()

    def test_both_have_what_an_installation_has(self):
        document = "share/doc/impasse/"
        everywhere = {"bin/impasse", "lib/libimpasse.so", "share/man/man1/impasse.1.gz", document + "README.md",
                      document + "changelog.gz", document + "copyright", document + "examples/impasse.conf"}
        self.assertEqual(set(self.in_archive), everywhere)
        self.assertEqual(set(self.in_deb),
                         everywhere | {document + "changelog.Debian.gz", "share/lintian/overrides/impasse"})

    def test_version_is_the_programs_own(self):
        version = run(self.in_archive["bin/impasse"], "--version").split()[-1]
        self.assertRegex(version, r"^\d+\.\d+\.\d+$")
        self.assertEqual(self.field("Version"), version + "-1")
        self.assertIn(f"-{version}-", self.top)
        changes = run("zcat", self.in_deb["share/doc/impasse/changelog.Debian.gz"])
        self.assertTrue(changes.startswith(f"impasse ({version}-1) "), changes)

    def test_depends_name_each_library_and_the_one_loaded_at_need(self):
        named = {re.split(r"[ (]", one.strip())[0] for one in self.field("Depends").split(",")}
        self.assertEqual(named, {"libc6", "libgcc-s1", "libstdc++6", "libdw1", "libelf1", "libunwind8"})

    def test_binaries_are_stripped_and_tell_nothing_of_the_build(self):
        for files in (self.in_deb, self.in_archive):
            for name in ("bin/impasse", "lib/libimpasse.so"):
                self.assertNotRegex(run("readelf", "-SW", files[name]), r" \.(symtab|debug_info) ")
                self.assertNotRegex(run("readelf", "-dW", files[name]), "RPATH|RUNPATH")
                content = files[name].read_bytes()
                for path in {SOURCE, BUILD, SOURCE.resolve(), BUILD.resolve()}:
                    self.assertNotIn(os.fsencode(path) + b"/", content, f"{name} names {path}")

    def test_anybody_may_read_and_run_them(self):
        listing = run("dpkg-deb", "-c", self.deb).splitlines()
        modes = {line.split()[0] for line in listing}
        self.assertEqual(modes, {"drwxr-xr-x", "-rwxr-xr-x", "-rw-r--r--"})
        self.assertEqual({line.split()[1] for line in listing}, {"root/root"})
        with tarfile.open(self.archive) as archive:
            for member in archive:
                executable = member.isdir() or member.name.endswith("bin/impasse")
                self.assertEqual(member.mode & 0o777, 0o755 if executable else 0o644, member.name)

    def test_manual_page_is_one(self):
        page = run("zcat", self.in_deb["share/man/man1/impasse.1.gz"])
        self.assertEqual(page, (SOURCE / "docs/impasse.1").read_text())

    def test_every_license_that_is_named_has_its_text(self):
        text = self.in_deb["share/doc/impasse/copyright"].read_text()
        paragraphs = text.strip().split("\n\n")
        named = {re.search(r"^License: (\S+)$", one, re.M).group(1) for one in paragraphs if one.startswith("Files:")}
        given = {one.split("\n")[0].split(": ")[1] for one in paragraphs if one.startswith("License:")}
        self.assertEqual(named, given)
        own = " ".join((SOURCE / "LICENSE").read_text().split("\n\n", 2)[2].split())
        self.assertIn(own, " ".join(text.replace("\n .\n", "\n").split()))

    def test_drop_in_is_one_and_names_the_installed_library(self):
        example = self.in_deb["share/doc/impasse/examples/impasse.conf"]
        self.assertIn("Environment=LD_PRELOAD=/usr/lib/libimpasse.so\n", example.read_text())
        self.assertIn("lib/libimpasse.so", self.in_deb)
        if shutil.which("systemd-analyze") is None:
            self.skipTest("no systemd-analyze")
        units = self.folder / "units"
        (units / "sample.service.d").mkdir(parents=True)
        (units / "sample.service").write_text("[Service]\nExecStart=/bin/true\n")
        shutil.copy(example, units / "sample.service.d")
        said = subprocess.run(["systemd-analyze", "verify", units / "sample.service"], text=True,
                              env={**os.environ, "SYSTEMD_UNIT_PATH": f"{units}:"}, capture_output=True)
        self.assertEqual((said.returncode, said.stdout + said.stderr), (0, ""))


if __name__ == "__main__":
    unittest.main(verbosity=2)
