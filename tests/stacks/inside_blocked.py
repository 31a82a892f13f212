#!/usr/bin/python3
"""inside_blocked.py PRELOAD IMPASSE PROGRAM TWIN: PROGRAM is blocked_threads, built in some way; it
runs under the preload and is asked. Each of its 22 threads must be walked whole, with all six
frames of the chain in their order, and its wait or its system call must be told. TWIN is the same
program with its symbols."""

import sys

from inside_run import CHAIN, Functions, Run, thread_of

PIPE = "pipe:"
# What each thread does: its wait, or its system call and some of that call's words.
WAITS = {
    "mutex": "mutex",
    "shared": "read",
    "condition": "condition",
    "condition_for": "condition",
    "join": "join",
    "signal": "mutex",
    "signal_aside": "mutex",
    "semaphore": "semaphore",
}
CALLS = {
    "read": ("read", PIPE),
    "receive": ("recvfrom", "unix"),
    "array": ("read", PIPE),
    "large": ("read", PIPE),
    "below_array": ("read", PIPE),
    "below_large": ("read", PIPE),
    "nanosleep": ("clock_nanosleep", "asked for"),
    "poll": ("poll", PIPE),
    "epoll": ("epoll_wait", "epoll"),
    "futex": ("futex", "address 0x"),
    "stdio": ("futex", "address 0x"),
    "waitpid": ("wait4", "any child"),
    "usleep": ("clock_nanosleep", "asked for"),
    "pause": ("pause", ""),
}
# A reader leaves no registers: it is walked from what /proc says, and the others from their own.
BY_REGISTERS = set(WAITS) - {"shared"}


def stack_troubles(report, functions, thread):
    stack = thread["stack"]
    if not stack["whole"]:
        yield f"not whole: {stack['trouble']}"
    names = [functions.of_frame(report, frame) for frame in stack["frames"]]
    places = [i for i, name in enumerate(names) if name in CHAIN]
    if [names[i] for i in places] != CHAIN:
        yield f"the chain is {[names[i] for i in places]}"
    elif places[0] == 0 or not any(part in names[places[0] - 1] for part in ("in_", "below_")):
        yield "the function that blocks is missing"
    signals = [frame for frame in stack["frames"] if frame["signal"]]
    if bool(signals) != thread["name"].startswith("signal"):
        yield f"{len(signals)} signals"
    grades = {frame["grade"] for frame in stack["frames"]}
    if thread["name"] in BY_REGISTERS and grades != {"exact"}:
        yield f"graded {sorted(grades)}"


def activity_troubles(report, thread):
    name, wait, activity = thread["name"], thread["wait"], thread["activity"]
    if name in WAITS:
        if wait is None or wait["kind"] != WAITS[name]:
            yield f"its wait is {wait}"
        elif thread["state"] != "in_wait":
            yield f"it is {thread['state']}"
        elif wait["timed"] != (name == "condition_for"):
            yield f"timed: {wait['timed']}"
        elif name == "join" and report["threads"][wait["thread"]]["tid"] != report["process"]["pid"]:
            yield f"it joins thread {wait['thread']}"
        return
    call, words = CALLS[name]
    if wait is not None or thread["state"] != "in_system_call":
        yield f"it is {thread['state']} with the wait {wait}"
    elif activity["call"] != call or words not in activity["detail"]:
        yield f"it is in {activity['call']} ({activity['detail']})"


def main():
    preload, impasse, program, twin = sys.argv[1:]
    functions = Functions(program, twin)
    with Run(preload, [program]) as run:
        run.wait_until_asleep(len(WAITS) + len(CALLS))
        report = run.dump(impasse)
    bad = 0
    for name in [*WAITS, *CALLS]:
        thread = thread_of(report, name)
        troubles = [
            *stack_troubles(report, functions, thread),
            *activity_troubles(report, thread),
        ]
        bad += bool(troubles)
        print(f"{name}: {'; '.join(troubles) or 'right'}")
    print(f"{len(WAITS) + len(CALLS) - bad} of {len(WAITS) + len(CALLS)}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
