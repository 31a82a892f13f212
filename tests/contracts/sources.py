#!/usr/bin/env python3
"""sources.py format|tidy ROOT BUILD: layout of every source file, lint of the product's."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

PRODUCT = ("options", "detector", "interpose", "system", "symbolize", "report", "witness", "preload", "command", "samples")
FOLDERS = PRODUCT + ("bench", "tests")


def sources(root, folders, *suffixes):
    return sorted(path for folder in folders for path in (root / folder).rglob("*") if path.suffix in suffixes)


def check_format(root, _build):
    return subprocess.run(["clang-format", "--dry-run", "-Werror", *sources(root, FOLDERS, ".cc", ".h")]).returncode


def check_tidy(root, build):
    """Every file of the product that the build compiles, once; the tests' own would take longer than all tests."""
    known = {entry["file"] for entry in json.loads((build / "compile_commands.json").read_text())}
    files = [str(path) for path in sources(root, PRODUCT, ".cc") if str(path) in known]
    if len(files) < 20:
        print(f"only {len(files)} files were found: this test looks in the wrong place")
        return 1

    def tidy(path):
        done = subprocess.run(["clang-tidy", "--quiet", "--extra-arg=-Wno-unknown-warning-option", "-p", str(build), path], capture_output=True, text=True)
        return done.returncode, done.stdout

    failed = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for code, text in pool.map(tidy, files):
            failed += code != 0
            if code != 0:
                print(text)
    print(f"{len(files)} files, {failed} with complaints")
    return 1 if failed else 0


def main():
    kind, root, build = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
    tool = "clang-format" if kind == "format" else "clang-tidy"
    if not shutil.which(tool):
        print(f"skipped: no {tool}")
        return 77
    return {"format": check_format, "tidy": check_tidy}[kind](root, build)


sys.exit(main())
