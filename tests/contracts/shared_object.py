#!/usr/bin/env python3
"""shared_object.py LIBRARY COMMAND TABLE: what the preloaded object may need, export and do."""
import pathlib
import re
import subprocess
import sys
import unittest

LIBRARY, COMMAND, TABLE = sys.argv[1:4]


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def disassembly():
    functions, name = {}, None
    for line in run("objdump", "-d", "--no-show-raw-insn", LIBRARY).splitlines():
        head = re.match(r"[0-9a-f]+ <(.+)>:$", line)
        if head:
            name = head.group(1)
            functions[name] = []
        elif name and "\t" in line:
            functions[name].append(line.split("\t")[1].strip())
    return functions


class SharedObject(unittest.TestCase):
    def test_needs_only_libc(self):
        needed = re.findall(r"NEEDED.*\[(.+)\]", run("readelf", "-d", LIBRARY))
        self.assertEqual(sorted(needed), ["ld-linux-x86-64.so.2", "libc.so.6", "libgcc_s.so.1"])

    def test_binds_everything_at_load(self):
        self.assertRegex(run("readelf", "-d", LIBRARY), r"FLAGS_1.*NOW")

    def test_exports_are_the_table(self):
        exported = {}
        for line in run("nm", "-D", "--defined-only", LIBRARY).splitlines():
            _, kind, name = line.split()
            if kind != "A":  # names of versions
                name, _, version = name.partition("@@")
                exported[name] = version
        rows = re.findall(r'^IMPASSE_FUNCTION\([^,]*, (\w+), .*"([^"]*)"\)$', pathlib.Path(TABLE).read_text(), re.M)
        self.assertGreater(len(rows), 50)
        self.assertEqual(exported, dict(rows))
        self.assertEqual(run(COMMAND, "--list-functions").split(), sorted(exported))

    def test_hot_path_keeps_its_shape(self):
        """One call to take a lock, none to release it: everything else is a tail jump."""
        functions = disassembly()
        for name, calls in (("pthread_mutex_lock", 1), ("pthread_rwlock_rdlock", 1), ("pthread_rwlock_wrlock", 1),
                            ("pthread_spin_lock", 1), ("mtx_lock", 1), ("pthread_mutex_unlock", 0),
                            ("pthread_rwlock_unlock", 0), ("pthread_spin_unlock", 0), ("mtx_unlock", 0)):
            seen = [line for line in functions[name] if line.startswith("call")]
            self.assertEqual(len(seen), calls, f"{name}: {seen}")
            self.assertLess(len(functions[name]), 110, name)

    def test_call_without_a_lock_is_a_detour_of_eight_instructions(self):
        """Calls that may block: a thread that holds nothing leaves by the first jump through a pointer."""
        _, blocking = pathlib.Path(TABLE).read_text().split("// Calls that may block")
        names = re.findall(r"^IMPASSE_FUNCTION\([^,]*, (\w+),", blocking, re.M)
        self.assertGreater(len(names), 50)
        functions = disassembly()
        for name in names:
            way_out = next(i for i, line in enumerate(functions[name]) if re.match(r"jmp +\*", line))
            passed = functions[name][: way_out + 1]
            # The seventh argument of one function lies on the stack, and is copied onto itself.
            self.assertLessEqual(len(passed), 11 if name == "__recvfrom_chk" else 8, f"{name}: {passed}")
            self.assertFalse([line for line in functions[name] if line.startswith("call")], name)

    def test_no_call_to_reach_thread_local_memory(self):
        """Only libstdc++'s exception globals may; nothing of ours."""
        callers = [name for name, lines in disassembly().items()
                   if any("__tls_get_addr" in line for line in lines) and not name.endswith("@plt")]
        for name in callers:
            self.assertTrue(name.startswith("__cxa_get_globals"), name)

    def test_no_static_destructor(self):
        """Nothing is registered to be destroyed, and the list of destructors is as short as it must be."""
        undefined = run("nm", "-D", "--undefined-only", LIBRARY)
        self.assertNotIn("__cxa_thread_atexit", undefined)
        callers = [name for name, lines in disassembly().items()
                   if any(re.search(r"<__cxa_atexit|<atexit", line) for line in lines)]
        self.assertEqual([name for name in callers if "impasse" in name], [])
        size = int(re.search(r"FINI_ARRAYSZ\D+(\d+)", run("readelf", "-d", LIBRARY)).group(1))
        self.assertLessEqual(size, 2 * 8)  # the compiler's own and the one that removes the ledger's name


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
