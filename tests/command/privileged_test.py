"""What needs root to be tried: programs that gain rights, processes of others."""

import os
import shutil
import struct
import sys

from command_case import COMMAND, PRELOAD, PROGRAMS, SKIPPED, CommandCase, clean_environment, main

NOBODY = 65534


class Privileged(CommandCase):
    def setUp(self):
        super().setUp()
        os.chmod(self.folder, 0o755)

    def copy(self, source, name):
        path = shutil.copy(source, os.path.join(self.folder, name))
        os.chmod(path, 0o755)
        return path

    def expect_gain(self, path, reason, **more):
        result = self.impasse("run", "--", path, **more)
        self.assertEqual(result.stderr, f"impasse: '{path}' runs without impasse: {reason}\n")
        self.assertEqual((result.returncode, result.stdout), (5, "preload=(unset)\noptions=(unset)\n"))

    def test_setuid(self):
        path = self.copy(PROGRAMS / "greet_dynamic", "greet")
        os.chown(path, NOBODY, 0)
        os.chmod(path, 0o4755)
        self.expect_gain(path, "it is a setuid program")

    def test_setuid_to_oneself_is_no_gain(self):
        path = self.copy(PROGRAMS / "greet_dynamic", "greet")
        os.chmod(path, 0o4755)
        self.assertIn(f"preload={PRELOAD}\n", self.impasse("run", "--", path).stdout)

    def test_setgid(self):
        path = self.copy(PROGRAMS / "greet_dynamic", "greet")
        os.chown(path, 0, NOBODY)
        os.chmod(path, 0o2755)
        self.expect_gain(path, "it is a setgid program")

    def test_file_capabilities(self):
        path = self.copy(PROGRAMS / "greet_dynamic", "greet")
        # cap_net_bind_service, permitted and effective
        os.setxattr(path, "security.capability", struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0))
        command = self.copy(COMMAND, "impasse")
        self.expect_gain(path, "it has file capabilities", command=command, user=NOBODY, group=NOBODY, extra_groups=[],
                         cwd="/")

    def test_a_process_of_somebody_else(self):
        process = self.start("sleep", "60")
        command = self.copy(COMMAND, "impasse")
        result = self.impasse("dump", process.pid, command=command, user=NOBODY, group=NOBODY, extra_groups=[], cwd="/")
        self.assert_fails(result, f"process {process.pid} (sleep) is not ours to look at: Permission denied")

    def test_a_ledger_of_somebody_else(self):
        left = os.path.join(self.folder, "impasse.999999999.1f")  # no process has such a number
        os.close(os.open(left, os.O_CREAT, 0o600))
        command = self.copy(COMMAND, "impasse")
        result = self.impasse("dump", 999999999, command=command, user=NOBODY, group=NOBODY, extra_groups=[], cwd="/",
                              environment=clean_environment(IMPASSE_OPTIONS=f"ledger={self.folder}"))
        self.assert_fails(result, f"and what it left behind cannot be read: cannot read {left}: Permission denied")


if __name__ == "__main__":
    if os.geteuid() != 0 or os.statvfs("/tmp").f_flag & os.ST_NOSUID:
        print("skipped: needs root, and a /tmp that is not mounted nosuid")
        sys.exit(SKIPPED)
    main()
