#!/usr/bin/python3
"""Runs one case of a driver bare and under a preloaded object, and fails on any difference.

Compared byte by byte: how the process ended (status or signal), stdout, stderr, and what it left in
its working directory. Looked at besides: that the object really was preloaded, that every process is
gone, that no ledger stays in /dev/shm, and that the preloaded run did not take far longer.

Exit status: 0 the same, 1 a difference, 2 wrong usage.
"""

import argparse
import ctypes
import dataclasses
import difflib
import glob
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

PR_SET_CHILD_SUBREAPER = 36
SHOWN_LINES = 40
COARSE_SECONDS = 0.1  # file times lag behind the clock by up to a kernel tick
# What the detector says on stderr when it has found something.
FINDING_LINE = re.compile(rb"^impasse\b[^\n]*\n", re.MULTILINE)
FINDING_FILE = re.compile(r"^impasse\.\d+\.\d+\.(txt|json)$")


@dataclasses.dataclass
class Run:
    ended: str
    stdout: bytes
    stderr: bytes
    files: list
    complaints: list
    seconds: float


def become_reaper():
    """Orphans of a case become our children, so that none can stay unseen."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "PR_SET_CHILD_SUBREAPER")


def usual_signals():
    """A shell in the background hands down ignored signals; a case must not see them."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGINT}:
        try:
            signal.signal(number, signal.SIG_DFL)
        except OSError:
            pass  # libc keeps two for itself
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def environment(preload):
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("LD_", "IMPASSE_"))
    }
    clean["LC_ALL"] = "C"
    if preload:
        clean["LD_PRELOAD"] = preload
    return clean


def children():
    found = []
    for stat in glob.glob("/proc/[0-9]*/stat"):
        try:
            text = pathlib.Path(stat).read_text()
        except OSError:
            continue
        name, rest = text.rsplit(")", 1)
        if int(rest.split()[1]) == os.getpid():
            found.append((int(name.split(" ", 1)[0]), name.split("(", 1)[1]))
    return found


def reap_stragglers(patience, since):
    """Waits a moment for the orphans of a case; returns the names of those it had to kill."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(0.01)
        except ChildProcessError:
            return []
    killed = []
    while left := children():
        for pid, name in left:
            killed.append(f"{name}[{pid}]")
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            remove_ledgers(pid, since)
    return killed


def ledgers(pid, since):
    """Those of this process: an older one is what a killed process with the same number left."""
    found = glob.glob(f"/dev/shm/impasse.{pid}") + glob.glob(f"/dev/shm/impasse.{pid}.*")
    return [path for path in found if os.stat(path).st_ctime > since - COARSE_SECONDS]


def remove_ledgers(pid, since):
    for path in ledgers(pid, since):
        os.unlink(path)


def where_threads_are(pid):
    """What each thread of a process that does not end is doing, for the log."""
    lines = []
    for task in sorted(glob.glob(f"/proc/{pid}/task/*"))[:SHOWN_LINES]:
        facts = []
        for fact in ("comm", "wchan", "syscall"):
            try:
                facts.append(pathlib.Path(task, fact).read_text().strip())
            except OSError:
                facts.append("?")
        lines.append(f"  thread {os.path.basename(task)}: " + " | ".join(facts))
    return lines


def describe(status):
    if status >= 0:
        return f"exit {status}"
    return f"signal {signal.Signals(-status).name}"


def run(command, preload, limits):
    private = tempfile.mkdtemp(prefix="transparency.")
    place = pathlib.Path(private, "cwd")
    place.mkdir()
    complaints = []
    try:
        with open(f"{private}/stdout", "ab") as out, open(f"{private}/stderr", "ab") as err:
            since = time.time()
            begin = time.monotonic()
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=place,
                env=environment(preload) | {"TMPDIR": private},
                start_new_session=True,
            )
            try:
                ended = describe(process.wait(limits.timeout))
            except subprocess.TimeoutExpired:
                complaints.append(f"did not end within {limits.timeout:g} s")
                complaints += where_threads_are(process.pid)
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                ended = "no end"
            seconds = time.monotonic() - begin
        for straggler in reap_stragglers(limits.stragglers, since):
            complaints.append(f"left the process {straggler} behind")
        left = ledgers(process.pid, since)
        if ended.startswith("exit") and left:
            complaints.append(f"left {', '.join(left)} behind")
        remove_ledgers(process.pid, since)
        return Run(
            ended=ended,
            stdout=pathlib.Path(private, "stdout").read_bytes(),
            stderr=pathlib.Path(private, "stderr").read_bytes(),
            files=sorted(os.listdir(place)),
            complaints=complaints,
            seconds=seconds,
        )
    finally:
        shutil.rmtree(private)


def without_findings(one):
    return dataclasses.replace(
        one,
        stderr=FINDING_LINE.sub(b"", one.stderr),
        files=[name for name in one.files if not FINDING_FILE.match(name)],
    )


def text_difference(name, bare, preloaded):
    lines = difflib.unified_diff(
        bare.decode(errors="backslashreplace").splitlines(),
        preloaded.decode(errors="backslashreplace").splitlines(),
        f"{name}, bare",
        f"{name}, preloaded",
        n=1,
        lineterm="",
    )
    shown = list(lines)
    rest = len(shown) - SHOWN_LINES
    return shown[:SHOWN_LINES] + ([f"... {rest} more lines"] if rest > 0 else [])


def differences(bare, preloaded, slack):
    found = []
    if bare.ended != preloaded.ended:
        found.append(f"ended differently: bare {bare.ended}, preloaded {preloaded.ended}")
    for name in ("stdout", "stderr"):
        before, after = getattr(bare, name), getattr(preloaded, name)
        if before != after:
            found += [f"{name} differs:"] + text_difference(name, before, after)
    if bare.files != preloaded.files:
        found.append(f"files left: bare {bare.files}, preloaded {preloaded.files}")
    if preloaded.seconds > bare.seconds + slack:
        found.append(
            f"took {preloaded.seconds:.1f} s preloaded, {bare.seconds:.1f} s bare"
            f" (more than {slack:g} s longer)"
        )
    found += [f"preloaded: {complaint}" for complaint in preloaded.complaints]
    return found


def wrong_by_itself(bare, expected):
    """A bare run that is not what the case promises would compare nothing of worth."""
    found = [f"bare: {complaint}" for complaint in bare.complaints]
    if bare.ended != expected:
        found.append(f"bare: ended with {bare.ended}, expected {expected}")
    if expected == "exit 0" and bare.stdout.splitlines()[-1:] != [b"ok"]:
        found.append("bare: the last line is not ok")
    if found:
        tail = bare.stdout.splitlines()[-5:] + bare.stderr.splitlines()[-5:]
        found += ["  " + line.decode(errors="backslashreplace") for line in tail]
    return found


def why_not_preloaded(driver, preload, limits):
    """Empty when the driver, asked in a run of its own, finds the object loaded ahead of libc."""
    question = [driver, "--am-i-preloaded", os.path.basename(preload)]
    answers = [run(question, preload, limits), run(question, None, limits)]
    if answers[0].ended == "exit 0" and answers[1].ended != "exit 0":
        return answers[0].complaints + answers[1].complaints
    return [f"{preload} is not preloaded:"] + [
        f"  {answer.ended}: {(answer.stdout + answer.stderr).decode(errors='replace').strip()}"
        for answer in answers
    ]


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preload", required=True, help="the shared object")
    parser.add_argument("--timeout", type=float, default=20, help="seconds for each run")
    parser.add_argument("--slack", type=float, default=10, help="seconds it may take longer")
    parser.add_argument("--stragglers", type=float, default=5,
                        help="seconds that processes may outlive the driver")
    parser.add_argument("--expect", default="exit 0", help="how it ends: 'exit N', 'signal NAME'")
    parser.add_argument("--findings", action="store_true",
                        help="the case does wrong on purpose: the detector may speak of it")
    parser.add_argument("driver")
    parser.add_argument("case")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    preload = os.path.abspath(arguments.preload)
    driver = os.path.abspath(arguments.driver)
    become_reaper()
    usual_signals()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    found = why_not_preloaded(driver, preload, arguments)
    if not found:
        command = [driver, arguments.case]
        bare = run(command, None, arguments)
        found = wrong_by_itself(bare, arguments.expect)
    if not found:
        preloaded = run(command, preload, arguments)
        if arguments.findings:
            preloaded = without_findings(preloaded)
        found = differences(bare, preloaded, arguments.slack)
        print(f"bare {bare.seconds:.2f} s, preloaded {preloaded.seconds:.2f} s, {bare.ended},"
              f" {len(bare.stdout)} bytes of stdout, {len(bare.stderr)} of stderr")
    for line in found:
        print(line)
    print("DIFFERENT" if found else "the same")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
