"""impasse run: the program is started as it would be without impasse, with the library in front of it."""

import os
import pathlib
import shutil
import signal
import subprocess

from command_case import COMMAND, PRELOAD, PROGRAMS, CommandCase, clean_environment, main

GREET = PROGRAMS / "greet_dynamic"


class Run(CommandCase):
    def greeting(self, *arguments, **more):
        """What greet says it was started with."""
        result = self.impasse("run", *arguments, **more)
        self.assertEqual(result.returncode, 5, result.stderr)
        said = dict(line.split("=", 1) for line in result.stdout.splitlines() if not line.startswith("argument="))
        said["arguments"] = [line[9:] for line in result.stdout.splitlines() if line.startswith("argument=")]
        said["stderr"] = result.stderr
        return said

    # ---- what the program gets

    def test_the_library_is_preloaded(self):
        said = self.greeting("--", GREET)
        self.assertEqual(said, {"preload": PRELOAD, "options": "(unset)", "arguments": [], "stderr": ""})

    def test_the_dashes_may_be_left_out(self):
        self.assertEqual(self.greeting(GREET, "--wait=3s", "-x", "--")["arguments"], ["--wait=3s", "-x", "--"])

    def test_arguments_arrive_as_they_are(self):
        arguments = ["", "a b", "--", "\u00fc", "$HOME", "-"]
        self.assertEqual(self.greeting("--", GREET, *arguments)["arguments"], arguments)

    def test_other_preloads_are_kept_behind_ours(self):
        before = "/nowhere/libone.so:/nowhere/libtwo.so"
        result = self.impasse("run", "--", GREET, environment=clean_environment(LD_PRELOAD=before))
        self.assertIn(f"preload={PRELOAD}:{before}\n", result.stdout)
        result = self.impasse("run", "--", GREET, environment=clean_environment(LD_PRELOAD=before.replace(":", "  ")))
        self.assertIn(f"preload={PRELOAD}:{before}\n", result.stdout)

    def test_a_run_within_a_run_preloads_once(self):
        said = self.greeting("--", COMMAND, "run", "--", GREET)
        self.assertEqual(said["preload"], PRELOAD)
        said = self.greeting("--wait=1s", "--", COMMAND, "run", "--order=off", "--", GREET)
        self.assertEqual(said["options"], "wait=1s order=off")

    # ---- options

    def test_flags_become_options(self):
        self.assertEqual(self.greeting("--wait=3s", "--order=off", "--", GREET)["options"], "wait=3s order=off")

    def test_flags_win_over_the_environment(self):
        environment = clean_environment(IMPASSE_OPTIONS="wait=1s,order=off dir=/tmp")
        said = self.greeting("--wait=3s", "--", GREET, environment=environment)
        self.assertEqual(said["options"], "order=off dir=/tmp wait=3s")

    def test_values_with_separators_are_quoted(self):
        said = self.greeting("--dir=/tmp/a b,c", "--", GREET)
        self.assertEqual(said["options"], 'dir="/tmp/a b,c"')
        self.assertEqual(said["stderr"], "")
        said = self.greeting('--dir=/tmp/a "b', "--", GREET)
        self.assertEqual(said["options"], "(unset)")
        self.assertIn("a quote and a space", said["stderr"])

    def test_complaints_come_once_and_the_program_runs(self):
        environment = clean_environment(IMPASSE_OPTIONS="exit_code=300 wait=1s")
        said = self.greeting("--wiat=3s", "--wait=never", "--order", "--", GREET, environment=environment)
        self.assertEqual(
            said["stderr"].splitlines(),
            [
                "impasse: wrong value '300' for option 'exit_code'; expected a number in 0..255; using '0'",
                "impasse: unknown option 'wiat' ignored; did you mean 'wait'?",
                "impasse: wrong value 'never' for option 'wait'; "
                "expected a duration such as 250ms, 10s, 5m or 1h; using '10s'",
                "impasse: option 'order' has no value; expected order=on|off|all; using 'on'",
            ],
        )
        # What the library would complain about again is not handed on.
        self.assertEqual(said["options"], "(unset)")

    def test_a_complaint_names_what_is_used(self):
        environment = clean_environment(IMPASSE_OPTIONS="wait=xx order=maybe")
        said = self.greeting("--wait=400ms", "--", GREET, environment=environment)
        self.assertEqual(said["options"], "wait=400ms")
        self.assertEqual(
            said["stderr"].splitlines(),
            [
                "impasse: wrong value 'xx' for option 'wait'; "
                "expected a duration such as 250ms, 10s, 5m or 1h; using '400ms'",
                "impasse: wrong value 'maybe' for option 'order'; expected on|off|all; using 'on'",
            ],
        )

    def test_a_value_that_stands_apart(self):
        self.assert_fails(
            self.impasse("run", "--wait", "5s", "--", GREET),
            "--wait has no value (it is written --wait=VALUE), and there is no program '5s'")
        self.assert_fails(self.impasse("run", "--wait", "--", "5s"), "impasse: there is no program '5s'")
        self.assert_fails(self.impasse("run", "--wait=1s", "5s"), "impasse: there is no program '5s'")

    def test_unknown_flags_of_run_itself(self):
        self.assert_fails(self.impasse("run", "-x", GREET), "impasse run has no flag '-x'")
        self.assert_fails(self.impasse("run", "-", GREET), "impasse run has no flag '-'")

    # ---- finding the program

    def test_no_program(self):
        for arguments in (["run"], ["run", "--"], ["run", "--wait=1s"], ["run", "--wait=1s", "--"]):
            self.assert_fails(self.impasse(*arguments), "impasse run needs a program")
        self.assert_fails(self.impasse("run", "--", ""), "the name of the program is empty")

    def test_programs_that_are_not_there(self):
        self.assert_fails(self.impasse("run", "--", "/nowhere/x"), "there is no program '/nowhere/x'")
        self.assert_fails(self.impasse("run", "--", "no-such-program"), "there is no program 'no-such-program' in PATH")
        self.assert_fails(self.impasse("run", "--", "/etc/passwd/x"), "there is no program '/etc/passwd/x'")

    def test_files_that_are_not_programs(self):
        self.assert_fails(self.impasse("run", "--", self.folder), "is a directory, not a program")
        plain = os.path.join(self.folder, "plain")
        pathlib.Path(plain).write_text("#!/bin/sh\n")
        self.assert_fails(self.impasse("run", "--", plain), f"'{plain}' is not executable")
        fifo = os.path.join(self.folder, "fifo")
        os.mkfifo(fifo, 0o755)
        self.assert_fails(self.impasse("run", "--", fifo), "is not executable")

    def test_the_path_is_searched_like_a_shell_does(self):
        first, second = os.path.join(self.folder, "first"), os.path.join(self.folder, "second")
        os.mkdir(first), os.mkdir(second)
        pathlib.Path(first, "greeter").write_text("not executable")
        shutil.copy(GREET, os.path.join(second, "greeter"))
        self.greeting("--", "greeter", environment=clean_environment(PATH=f"/nowhere:{first}:{second}"))
        self.assert_fails(
            self.impasse("run", "--", "greeter", environment=clean_environment(PATH=first)), "'greeter' is not executable")
        closed = os.path.join(self.folder, "closed")
        os.mkdir(closed, 0o000)  # no matter for root
        self.assert_fails(
            self.impasse("run", "--", "greeter", environment=clean_environment(PATH=closed)),
            "there is no program 'greeter' in PATH")
        for path in ("", ":/nowhere", "/nowhere:", "/nowhere::/nowhere"):
            self.greeting("--", "greeter", environment=clean_environment(PATH=path), cwd=second)
        result = self.impasse("run", "--", "true", environment=clean_environment(PATH=None))
        self.assertEqual((result.returncode, result.stderr), (0, ""))

    # ---- finding the library

    def test_the_library_is_found_near_the_command(self):
        for place in (".", "../lib", "../lib/x86_64-linux-gnu"):
            with self.subTest(place):
                root = os.path.join(self.folder, place.replace("/", "_"))
                os.makedirs(os.path.join(root, "bin"))
                library = os.path.normpath(os.path.join(root, "bin", place, "libimpasse.so"))
                os.makedirs(os.path.dirname(library), exist_ok=True)
                shutil.copy(PRELOAD, library)
                command = shutil.copy(COMMAND, os.path.join(root, "bin"))
                said = self.greeting("--", GREET, command=command, environment=clean_environment(IMPASSE_LIBRARY=None))
                self.assertTrue(os.path.samefile(said["preload"], library), said)
                self.assertEqual(said["stderr"], "")

    def test_no_library(self):
        folder = os.path.join(self.folder, "some/where")
        os.makedirs(folder)
        command = shutil.copy(COMMAND, folder)
        result = self.impasse("run", "--", GREET, command=command, environment=clean_environment(IMPASSE_LIBRARY=None))
        self.assert_fails(result, "libimpasse.so was not found; looked at")
        result = self.impasse("run", "--", GREET, environment=clean_environment(IMPASSE_LIBRARY="/nowhere/l.so"))
        self.assert_fails(result, "/nowhere/l.so")

    def test_a_library_that_the_loader_could_not_be_told(self):
        folder = os.path.join(self.folder, "a b")
        os.mkdir(folder)
        library = shutil.copy(PRELOAD, folder)
        result = self.impasse("run", "--", GREET, environment=clean_environment(IMPASSE_LIBRARY=library))
        self.assert_fails(result, "LD_PRELOAD cannot name")

    def test_a_file_that_is_not_the_library(self):
        """The loader would only complain, and the program run unwatched."""
        empty = os.path.join(self.folder, "libimpasse.so")
        pathlib.Path(empty).touch()
        for given in ("/etc/passwd", empty, "/usr", COMMAND, str(GREET)):
            with self.subTest(given):
                result = self.impasse("run", "--", GREET, environment=clean_environment(IMPASSE_LIBRARY=given))
                self.assert_fails(result, f"{os.path.realpath(given)} is no shared object for 64-bit x86")
        loaded = subprocess.run(["ldd", PRELOAD], capture_output=True, text=True, timeout=60).stdout
        other = next(line.split()[2] for line in loaded.splitlines() if "libgcc_s" in line)
        result = self.impasse("run", "--", GREET, environment=clean_environment(IMPASSE_LIBRARY=other))
        self.assert_fails(result, "is another library than libimpasse.so")

    def test_a_library_named_relatively_is_named_absolutely(self):
        shutil.copy(PRELOAD, self.folder)
        environment = clean_environment(IMPASSE_LIBRARY="libimpasse.so")
        said = self.greeting("--", GREET, environment=environment, cwd=self.folder)
        self.assertEqual(said["preload"], os.path.join(os.path.realpath(self.folder), "libimpasse.so"))

    # ---- being the program

    def test_the_exit_status_is_the_programs(self):
        for status in (0, 1, 2, 37, 255):
            self.assertEqual(self.impasse("run", "--", "sh", "-c", f"exit {status}").returncode, status)

    def test_a_death_by_signal_is_the_programs(self):
        for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGPIPE):
            result = self.impasse("run", "--", "sh", "-c", f"kill -{int(number)} $$")
            self.assertEqual(result.returncode, -number)

    def test_the_process_is_the_same(self):
        process = self.start(COMMAND, "run", "--", "sh", "-c", "echo $$")
        self.assertEqual(int(process.stdout.readline()), process.pid)

    def test_signals_reach_the_program(self):
        process = self.start(COMMAND, "run", "--", "sh", "-c", "trap 'exit 9' TERM; echo ready; while :; do sleep 0.05; done")
        process.stdout.readline()
        process.terminate()
        self.assertEqual(process.wait(timeout=30), 9)

    def test_closed_descriptors_stay_closed(self):
        script = '"$0" run -- sh -c "ls /proc/self/fd" 2>&- <&-'
        result = subprocess.run(["/bin/sh", "-c", script, COMMAND], env=clean_environment(), capture_output=True,
                                text=True, timeout=60)
        bare = subprocess.run(["/bin/sh", "-c", 'sh -c "ls /proc/self/fd" 2>&- <&-'], capture_output=True, text=True,
                              timeout=60)
        self.assertEqual(result.stdout, bare.stdout)

    # ---- scripts

    def script(self, text):
        path = os.path.join(self.folder, "script")
        pathlib.Path(path).write_text(text)
        os.chmod(path, 0o755)
        return path

    def test_scripts_run_under_impasse(self):
        for first_line in ("#!/bin/sh\n", "#! /usr/bin/env -S sh\n", ""):
            with self.subTest(first_line):
                path = self.script(first_line + 'echo "$LD_PRELOAD" "$0" "$1"\nexit 4\n')
                result = self.impasse("run", "--", path, "one")
                self.assertEqual((result.stdout, result.stderr, result.returncode), (f"{PRELOAD} {path} one\n", "", 4))

    def test_a_script_whose_interpreter_is_not_there(self):
        path = self.script("#!/nowhere/interpreter\n")
        self.assert_fails(self.impasse("run", "--", path), "cannot execute")

    def test_what_is_no_program_at_all(self):
        for text in ("", "#!", "#!\n", "#! \n", "\x7fELF"):
            with self.subTest(text):
                result = self.impasse("run", "--", self.script(text))
                self.assertLess(result.returncode, 128, result)  # not killed by a signal
                self.assertGreaterEqual(result.returncode, 0, result)


if __name__ == "__main__":
    main()
