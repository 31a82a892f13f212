#!/usr/bin/env python3
"""names_case.py OBJECT PROGRAM MODE [EXPECTED]: a program with OBJECT preloaded asks for the names of its own addresses;
EXPECTED is full (debug information), separate (debug information in a file of its own, whose symbols are not read),
symbols, or none (stripped)."""
import pathlib
import re
import subprocess
import sys

SOURCE = pathlib.Path(__file__).parent / "asking_program.cc"
LINES = {m.group(1): n for n, text in enumerate(SOURCE.read_text().splitlines(), 1)
         if (m := re.search(r"// LINE (\w+)", text))}
ROUNDS = 4
MOST_LEFT_KIB = 1024
MOST_US = 5_000_000


def judge(output, expected):
    """Everything that is wrong with one round of answers."""
    answers = re.findall(r"^(?:frame|data) .*(?:\n  .*)*", output, re.M)
    if len(answers) != 12:
        return [f"{len(answers)} answers, not 12"]
    wrong = []

    def check(number, *levels):
        got = [line.strip() for line in answers[number].split("\n")[1:]]
        want = [rf"{name} {'.*' + SOURCE.name + ':' + str(LINES[line]) if line else ':0'}" for name, line in levels]
        if len(got) != len(want) or not all(re.fullmatch(w, g) for w, g in zip(want, got)):
            wrong.append(f"answer {number} should be {want}, is {got}")
        if levels and answers[number].startswith("frame +0"):
            wrong.append(f"answer {number} has no offset from its function")

    if expected in ("full", "separate"):
        check(0, (r".*plant<std::string ?>.*", "plant"), (r".*dig.*", "dig"),
              (r"inlined_chain\(std::string const&\)", "chain"))
        check(1, ("plain_function", "plain"))
    elif expected == "symbols":
        check(0, (r"inlined_chain\(std::string const&\)", None))
        check(1, ("plain_function", None))
    else:
        check(0)
        check(1)
    if expected in ("none", "separate"):
        wrong += [f"a name was invented: {a}" for a in answers[2:4] if a != "data ?"]
    elif answers[2:4] != ["data garden::the_bed +48", "data plain_lock +0"]:
        wrong.append(f"names of variables: {answers[2:4]}")
    # Behind a symbol's end; behind one that says it is longer; no code; nowhere.
    for number in (4, 5, 8, 9, 10):
        check(number)
    # From the start of the whole function, though the tables for unwinding know parts of it.
    if expected == "none":
        check(11)
    elif not re.fullmatch(r"frame \+6\n  two_entries .*two_entries\.S:19", answers[11]):
        wrong.append(f"in the last part of a function by hand: {answers[11]}")
    if answers[7] != "data ?":
        wrong.append(f"a variable of a function has a global name: {answers[7]}")
    return wrong


def main(obj, program, mode, expected="full"):
    run = subprocess.run(["env", f"LD_PRELOAD={obj}", program, mode], capture_output=True, text=True, timeout=25)
    wrong = []
    if run.returncode != 0:
        wrong.append(f"exit status {run.returncode}: {'it hung' if run.returncode == 9 else run.stderr}")
    rounds = [r for r in re.split(r"resident_kib.*\n", run.stdout) if "frame" in r]
    if len(rounds) != ROUNDS:
        wrong.append(f"{len(rounds)} rounds of answers, not {ROUNDS}")
    for text in rounds:
        wrong += judge(text, expected)

    def number(name):
        found = re.search(rf"^{name} (-?\d+)", run.stdout, re.M)
        return int(found.group(1)) if found else None

    begin, end = number("resident_begin"), number("resident_end")
    if begin is None or end is None or end - begin > MOST_LEFT_KIB:
        wrong.append(f"memory was not given back: {begin} KiB, then {end} KiB")
    if number("in_use") != 0:
        wrong.append(f"blocks are still in use: {number('in_use')} bytes")
    if number("first_us") is None or number("first_us") > MOST_US:
        wrong.append(f"the first name took {number('first_us')} µs")
    for line in wrong:
        print(line)
    if wrong:
        print(run.stdout)
    return 1 if wrong else 0


sys.exit(main(*sys.argv[1:]))
