#!/usr/bin/python3 -IS
"""What on_finding starts in the tests: writes down how it was started; with HOOK_STAYS it then
stays until there is a file named "release". Everything lies in the folder HOOK_OUTPUT."""

import json
import os
import sys
import time

output = os.environ["HOOK_OUTPUT"]


def descriptors():
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            found[name] = os.readlink(f"/proc/self/fd/{name}")
        except FileNotFoundError:
            pass  # the one that lists them
    return found


def status(key):
    with open("/proc/self/status", encoding="utf-8") as file:
        return next(line.split()[1] for line in file if line.startswith(key + ":"))


def tell(name, facts):
    with open(f"{output}/{name}.draft", "w", encoding="utf-8") as file:
        json.dump(facts, file)
    os.rename(f"{output}/{name}.draft", f"{output}/{name}")


tell(
    f"hook.{os.getpid()}",
    {
        "arguments": sys.argv[1:],
        "descriptors": descriptors(),
        "variables": sorted(os.environ),
        "blocked": int(status("SigBlk"), 16),
        "parent": os.getppid(),
    },
)
while "HOOK_STAYS" in os.environ and not os.path.exists(f"{output}/release"):
    time.sleep(0.01)
tell(f"ended.{os.getpid()}", {})
