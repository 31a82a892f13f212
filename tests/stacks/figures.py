#!/usr/bin/python3
"""figures.py PRELOAD IMPASSE SAMPLES: what a report costs. Not a test: run it by hand.

Tells how long a report of 1,000 blocked threads takes and how much memory of the program, how long
names take for a program with some 50 MB of debug information, and how long after it formed a
deadlock is reported.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time

from inside_run import Run

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.join(HERE, "figures.cc")
COPIES = 8
PENDING = "names are being looked up"


def memory(pid):
    with open(f"/proc/{pid}/status") as status:
        words = dict(line.split(":", 1) for line in status)
    return {key: int(words[key].split()[0]) // 1024 for key in ("VmRSS", "VmHWM")}


def compile_small(directory):
    program = os.path.join(directory, "small")
    subprocess.run(["g++", "-std=c++20", "-O1", "-g", "-pthread", SOURCE, "-o", program], check=True)
    return program


def compile_large(directory):
    """One large object, linked several times: its functions are local to each."""
    main = os.path.join(directory, "main.o")
    first = os.path.join(directory, "part_1.o")
    flags = ["g++", "-std=c++20", "-g", "-c", SOURCE]
    subprocess.run([*flags, "-O1", "-o", main], check=True)
    subprocess.run([*flags, "-O0", "-DPART=1", "-o", first], check=True)
    objects = [main, first]
    for i in range(2, COPIES + 1):
        copy = os.path.join(directory, f"part_{i}.o")
        rename = f"--redefine-sym=_Z6part_1v=_Z6part_{i}v"
        subprocess.run(["objcopy", rename, first, copy], check=True)
        objects.append(copy)
    program = os.path.join(directory, "large")
    subprocess.run(["g++", "-pthread", *objects, "-o", program], check=True)
    return program


def wait_for_text(run):
    """Seconds until the first text report is there, and until it has names."""
    begin = time.monotonic()
    raw = None
    while time.monotonic() < begin + 30:
        texts = [name for name in os.listdir(run.directory) if name.endswith(".1.txt")]
        if texts:
            raw = raw or time.monotonic() - begin
            with open(os.path.join(run.directory, texts[0])) as text:
                if PENDING not in text.read():
                    return raw, time.monotonic() - begin
        time.sleep(0.005)
    return raw, None


def tell_of_threads(preload, impasse, program, threads):
    with Run(preload, [program, str(threads)], "wait=1000s") as run:
        run.wait_for_line("blocked")
        pid = run.process.pid
        before = memory(pid)
        for which in ("first", "second"):
            begin = time.monotonic()
            spent = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
            report = run.dump(impasse)
            took = time.monotonic() - begin
            spent = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - spent
            after = memory(pid)
            whole = sum(thread["stack"]["whole"] for thread in report["threads"])
            print(
                f"{threads} threads, {which} dump: {1000 * took:.0f} ms, {1000 * spent:.0f} of them"
                f" spent by the command on names, {whole} stacks whole;"
                f" VmHWM {after['VmHWM'] - before['VmHWM']:+} MB, VmRSS afterwards"
                f" {after['VmRSS'] - before['VmRSS']:+} MB (before: {before['VmRSS']} MB)"
            )


def tell_of_names(preload, program, threads):
    size = os.path.getsize(program) / 1e6
    with Run(preload, [program, str(threads)], "wait=3s") as run:
        run.wait_for_line("blocked")
        before = memory(run.process.pid)
        raw, named = wait_for_text(run)
        after = memory(run.process.pid)
        if named is None:
            print(f"{size:.0f} MB program: no names within 30 s (raw after {raw} s)")
            return
        print(
            f"{size:.0f} MB program, {threads} threads: names {1000 * (named - raw):.0f} ms after"
            f" the raw report; VmHWM {after['VmHWM'] - before['VmHWM']:+} MB, VmRSS afterwards"
            f" {after['VmRSS'] - before['VmRSS']:+} MB"
        )


def main():
    preload, impasse, samples = map(os.path.abspath, sys.argv[1:])
    with tempfile.TemporaryDirectory() as directory:
        small = compile_small(directory)
        tell_of_threads(preload, impasse, small, 1000)
        tell_of_names(preload, small, 1000)
        large = compile_large(directory)
        tell_of_names(preload, large, 10)
    latency = os.path.join(HERE, "..", "findings", "latency.py")
    subprocess.run(
        [sys.executable, "-B", latency, "--samples", samples, "--preload", preload, "--runs", "20"],
        check=True,
    )


if __name__ == "__main__":
    main()
