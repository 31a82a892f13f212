#!/usr/bin/env python3
"""includes.py ROOT: no #include goes against the flow of the data."""
import pathlib
import re
import sys

# Each folder may include from itself and from these. tests, samples and bench stand outside of the flow.
ALLOWED = {
    "options": set(),
    "detector": set(),
    "interpose": {"detector", "options"},
    "system": set(),
    "symbolize": {"system"},
    "report": {"detector", "symbolize", "system", "options"},
    "witness": {"detector", "system", "symbolize", "report"},
    "preload": {"detector", "interpose", "system", "symbolize", "report", "witness", "options"},
    "command": {"detector", "system", "symbolize", "report", "options"},
}
# The table of interposed functions is data that the command lists.
EXCEPTIONS = {("command", "interpose/functions.def")}
# What the detector must not know.
FORBIDDEN_IN_DETECTOR = re.compile(
    r"#\s*include\s*<(pthread\.h|threads\.h|fcntl\.h|unistd\.h|cstdio|stdio\.h|iostream|fstream|sys/.*)>")


def main(root):
    wrong = []
    includes = 0
    for folder, allowed in ALLOWED.items():
        for path in sorted((root / folder).rglob("*")):
            if path.suffix not in (".cc", ".h", ".def"):
                continue
            for number, line in enumerate(path.read_text().splitlines(), 1):
                found = re.match(r'\s*#\s*include\s*"([^"]+)"', line)
                where = f"{path.relative_to(root)}:{number}"
                if folder == "detector" and FORBIDDEN_IN_DETECTOR.match(line):
                    wrong.append(f"{where}: the detector knows no pthread type, no descriptor, no printf: {line.strip()}")
                if not found:
                    continue
                includes += 1
                target = found.group(1)
                if "/" not in target or not (root / target).exists():
                    wrong.append(f'{where}: include project files by their path from the root: "{target}"')
                    continue
                other = target.split("/")[0]
                if other != folder and other not in allowed and (folder, target) not in EXCEPTIONS:
                    wrong.append(f"{where}: {folder}/ must not know {other}/")
    for line in wrong:
        print(line)
    if includes < 50:
        print(f"only {includes} includes were seen: this test looks in the wrong place")
        return 1
    return 1 if wrong else 0


sys.exit(main(pathlib.Path(sys.argv[1])))
