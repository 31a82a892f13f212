"""Programs that cannot be watched run all the same, after one line that says why."""

import os
import pathlib
import struct

from command_case import PRELOAD, PROGRAMS, CommandCase, clean_environment, main


def patched(source, target, *changes):
    """A copy of a program with some bytes changed: (offset, bytes)."""
    data = bytearray(pathlib.Path(source).read_bytes())
    for offset, new in changes:
        data[offset : offset + len(new)] = new
    pathlib.Path(target).write_bytes(data)
    os.chmod(target, 0o755)
    return target


def tiny_32_bit_program(path):
    """exit(7) for i386, as a file of 95 bytes."""
    code = b"\xb8\x01\x00\x00\x00\xbb\x07\x00\x00\x00\xcd\x80"
    base = 0x08048000
    header = b"\x7fELF\x01\x01\x01" + bytes(9)
    header += struct.pack("<HHIIIIIHHHHHH", 2, 3, 1, base + 84, 52, 0, 0, 52, 32, 1, 0, 0, 0)
    size = 84 + len(code)
    header += struct.pack("<IIIIIIII", 1, 0, base, base, size, size, 5, 4096)
    pathlib.Path(path).write_bytes(header + code)
    os.chmod(path, 0o755)
    return path


class Unwatchable(CommandCase):
    def runs_without(self, path, reason, status=5, shown=None):
        result = self.impasse("run", "--wait=1s", "--", path, "one")
        self.assertEqual(result.stderr, f"impasse: '{shown or path}' runs without impasse: {reason}\n")
        self.assertEqual(result.returncode, status)
        if status == 5:
            self.assertEqual(result.stdout, "preload=(unset)\noptions=(unset)\nargument=one\n")

    def program(self, name):
        path = PROGRAMS / name
        if not path.exists():
            self.skipTest(f"{name} could not be built here")
        return path

    def test_statically_linked(self):
        self.runs_without(self.program("greet_static"), "it is statically linked")

    def test_statically_linked_and_position_independent(self):
        self.runs_without(self.program("greet_static_pie"), "it is statically linked")

    def test_sanitized_with_a_shared_run_time(self):
        self.runs_without(self.program("greet_asan"), "it is built with AddressSanitizer")
        self.runs_without(self.program("greet_tsan"), "it is built with ThreadSanitizer")

    def test_sanitized_with_a_run_time_in_it(self):
        self.runs_without(self.program("greet_asan_inside"), "it is built with AddressSanitizer")
        self.runs_without(self.program("greet_tsan_inside"), "it is built with ThreadSanitizer")

    def test_asking_for_a_sanitizer_is_not_being_built_with_it(self):
        result = self.impasse("run", "--", PROGRAMS / "greet_asks")
        self.assertIn(f"preload={PRELOAD}\n", result.stdout)
        self.assertEqual(result.stderr, "")

    def test_a_preload_of_ours_does_not_get_through(self):
        path = self.program("greet_asan")
        environment = clean_environment(LD_PRELOAD=f"/nowhere/other.so:{PRELOAD}")
        result = self.impasse("run", "--", path, environment=environment)
        self.assertIn("runs without impasse: it is built with AddressSanitizer\n", result.stderr)
        environment = clean_environment(LD_PRELOAD=PRELOAD)
        self.assertIn("preload=(unset)\n", self.impasse("run", "--", path, environment=environment).stdout)

    def test_32_bit(self):
        path = tiny_32_bit_program(os.path.join(self.folder, "tiny"))
        result = self.impasse("run", "--", path)
        lines = result.stderr.splitlines()
        self.assertEqual(lines[0], f"impasse: '{path}' runs without impasse: it is a 32-bit program")
        # Kernels without 32-bit support cannot run it; then the last line says that.
        self.assertIn((result.returncode, len(lines)), ((7, 1), (2, 2)))

    def test_another_machine(self):
        path = patched(PROGRAMS / "greet_dynamic", os.path.join(self.folder, "arm"), (18, struct.pack("<H", 183)))
        result = self.impasse("run", "--", path)
        self.assertEqual(result.returncode, 2)
        self.assertEqual(
            result.stderr.splitlines(),
            [f"impasse: '{path}' runs without impasse: it is a program for another machine",
             f"impasse: cannot execute '{path}': Exec format error"])

    def test_another_libc(self):
        source = (PROGRAMS / "greet_dynamic").read_bytes()
        at = source.index(b"/lib64/ld-linux-x86-64.so.2\0")
        path = patched(PROGRAMS / "greet_dynamic", os.path.join(self.folder, "musl"),
                       (at, b"/lib/ld-musl-x86_64.so.1\0\0\0"))
        result = self.impasse("run", "--", path)
        self.assertEqual(
            result.stderr.splitlines()[0],
            f"impasse: '{path}' runs without impasse: it does not use glibc (its loader is /lib/ld-musl-x86_64.so.1)")

    def test_a_script_of_such_a_program(self):
        interpreter = self.program("greet_static")
        path = os.path.join(self.folder, "script")
        pathlib.Path(path).write_text(f"#!{interpreter} first\n")
        os.chmod(path, 0o755)
        result = self.impasse("run", "--", path, "one")
        self.assertEqual(
            result.stderr,
            f"impasse: '{path}' runs without impasse: its interpreter {interpreter} is statically linked\n")
        self.assertEqual(result.returncode, 5)
        self.assertTrue(result.stdout.endswith(f"argument=first\nargument={path}\nargument=one\n"), result.stdout)

    def test_the_loader_itself_can_be_watched(self):
        loader = "/lib64/ld-linux-x86-64.so.2"
        if not os.path.exists(loader):
            self.skipTest("the loader is somewhere else")
        result = self.impasse("run", "--", loader, PROGRAMS / "greet_dynamic")
        self.assertIn(f"preload={PRELOAD}\n", result.stdout)
        self.assertEqual((result.stderr, result.returncode), ("", 5))

    def test_damaged_programs_are_not_our_end(self):
        whole = (PROGRAMS / "greet_dynamic").read_bytes()
        path = os.path.join(self.folder, "damaged")
        changes = [
            whole[:64], whole[:100], whole[: len(whole) // 2],
            whole[:32] + b"\xff" * 8 + whole[40:],       # the program headers are nowhere
            whole[:40] + b"\xff" * 8 + whole[48:],       # nor are the section headers
            whole[:54] + b"\xff" * 10 + whole[64:],      # sizes and counts
            whole[:64] + b"\xff" * 600 + whole[664:],    # what the program headers say
            whole[:-2048] + b"\xff" * 2048,              # what the section headers say
        ]
        for number, data in enumerate(changes):
            with self.subTest(number):
                pathlib.Path(path).write_bytes(data)
                os.chmod(path, 0o755)
                result = self.impasse("run", "--", path)
                # Whatever becomes of the program: the command found words or executed it.
                self.assertIn(result.returncode, (2, 5, 127, -11, -9, -7), result)


if __name__ == "__main__":
    main()
