#!/usr/bin/python3
"""What very many locks, orders and threads cost whoever watches them: order_scale under the preload, measured while it
runs and after it has let go of everything. Prints one line a mode; --json FILE for the figures themselves."""

import argparse
import glob
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time

MODES = ("live_locks", "edges", "threads", "churn", "thread_per_request")
MIB = 1 << 20


def own_thread_ns(pid):
    """Processor time of our watchdog so far; 0 when there is none."""
    total = 0
    for task in glob.glob(f"/proc/{pid}/task/*"):
        try:
            with open(f"{task}/comm", encoding="utf-8") as comm:
                if comm.read().strip() != "impasse":
                    continue
            with open(f"{task}/schedstat", encoding="utf-8") as stat:
                total += int(stat.read().split()[0])
        except OSError:
            continue
    return total


def resident(pid):
    """Bytes: all that is private, the watchdog's arena among it, and the ledger."""
    found = {"private": 0, "ledger": 0, "arena": 0}
    ranges = []
    with open(f"/proc/{pid}/smaps", encoding="utf-8", errors="replace") as lines:
        for line in lines:
            heading = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+\s*(.*)", line)
            if heading:
                first, last = (int(heading[i], 16) for i in (1, 2))
                ranges.append([first, last, heading[3], heading[4], 0])
            elif line.startswith("Rss:"):
                ranges[-1][4] = int(line.split()[1]) * 1024
    for number, (first, last, access, path, rss) in enumerate(ranges):
        if "/impasse." in path:
            found["ledger"] += rss
            continue
        if path and not path.startswith("["):
            continue
        found["private"] += rss
        # An arena is a gibibyte, its part that is in use first.
        follows = ranges[number + 1] if number + 1 < len(ranges) else None
        whole = follows is not None and follows[0] == last and follows[2].startswith("---")
        if access.startswith("rw") and whole and (follows[1] - first) >> 20 == 1024:
            found["arena"] += rss
    return found


class Sampler(threading.Thread):
    """The watchdog's share of a processor, second by second, and the most memory there was."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid = pid
        self.over = threading.Event()
        self.shares = []
        self.most = {"private": 0, "ledger": 0, "arena": 0}

    def run(self):
        before, then = own_thread_ns(self.pid), time.monotonic()
        while not self.over.wait(1.0):
            now_ns, now = own_thread_ns(self.pid), time.monotonic()
            self.shares.append((now_ns - before) / 1e9 / (now - then))
            before, then = now_ns, now
            try:
                for what, size in resident(self.pid).items():
                    self.most[what] = max(self.most[what], size)
            except OSError:
                return


def dropped(command, pid):
    try:
        facts = subprocess.run([command, "dump", "--facts", "--json", str(pid)], capture_output=True, check=True,
                               timeout=120)
    except subprocess.SubprocessError as problem:
        return {"no facts": str(problem)}
    facts = json.loads(facts.stdout)
    counts = {name: count for name, count in facts["dropped"].items() if count}
    return {"locks_known": facts["locks_known"], **counts}


def one_mode(arguments, mode):
    with tempfile.TemporaryDirectory() as directory:
        environment = dict(os.environ)
        if not arguments.bare:
            environment["LD_PRELOAD"] = arguments.preload
            environment["IMPASSE_OPTIONS"] = f"dir={directory} {arguments.options}"
        program = subprocess.Popen([arguments.program, mode, str(arguments.seconds)], text=True, env=environment,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)

        def phase(name):
            line = program.stdout.readline()
            if not line.startswith(name):
                raise SystemExit(f"{mode}: {line!r} where {name} was to come")
            return json.loads(line.split(maxsplit=1)[1])

        def go_on():
            program.stdin.write("\n")
            program.stdin.flush()

        phase("ready")
        result = {"mode": mode, "ready": resident(program.pid)}
        sampler = Sampler(program.pid)
        begun, begun_ns = time.monotonic(), own_thread_ns(program.pid)
        go_on()
        sampler.start()
        result.update(phase("done"))
        took = time.monotonic() - begun
        sampler.over.set()
        sampler.join()
        result["seconds"] = took
        result["share"] = (own_thread_ns(program.pid) - begun_ns) / 1e9 / took
        # The first seconds may use up what was saved.
        steady = sampler.shares[5:] or sampler.shares or [0.0]
        result["steady_share"] = sum(steady) / len(steady)
        result["worst_second"] = max(sampler.shares or [0.0])
        result["done"] = resident(program.pid)
        result["most"] = sampler.most
        if not arguments.bare:
            result["dropped"] = dropped(arguments.impasse, program.pid)
        go_on()
        phase("gone")
        begun, begun_ns = time.monotonic(), own_thread_ns(program.pid)
        time.sleep(arguments.rest)
        result["rest_share"] = (own_thread_ns(program.pid) - begun_ns) / 1e9 / (time.monotonic() - begun)
        result["gone"] = resident(program.pid)
        if not arguments.bare:
            result["dropped_gone"] = dropped(arguments.impasse, program.pid)
        go_on()
        program.wait(timeout=60)
        reports = []
        for path in glob.glob(f"{directory}/*.json"):
            with open(path, encoding="utf-8") as report:
                reports.append(json.load(report).get("finding", {}).get("kind", "?"))
        result["reports"] = reports
        return result


def as_line(result):
    def sizes(phase):
        size = result[phase]
        return f"{size['private'] / MIB:.0f} (arena {size['arena'] / MIB:.0f}) + ledger {size['ledger'] / MIB:.0f}"

    extra = {name: value for name, value in result.items() if name in ("rounds", "threads", "locks", "requests")}
    return (
        f"{result['mode']}: {extra} in {result['seconds']:.1f} s; watchdog {100 * result['share']:.1f} %, "
        f"steady {100 * result['steady_share']:.1f} %, worst second {100 * result['worst_second']:.1f} %, "
        f"after {100 * result['rest_share']:.1f} %\n  MiB: ready {sizes('ready')}; most {sizes('most')}; "
        f"done {sizes('done')}; gone {sizes('gone')}\n  {result.get('dropped')} {result.get('dropped_gone')}\n"
        f"  reports: {result['reports']}"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", required=True)
    parser.add_argument("--preload")
    parser.add_argument("--impasse", help="the command")
    parser.add_argument("--bare", action="store_true", help="without the preload")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--rest", type=float, default=8, help="seconds to wait after all is gone")
    parser.add_argument("--options", default="order=on")
    parser.add_argument("--only", default=".", help="modes whose name this expression matches")
    parser.add_argument("--json")
    arguments = parser.parse_args()
    results = []
    for mode in MODES:
        if not re.search(arguments.only, mode):
            continue
        results.append(one_mode(arguments, mode))
        print(as_line(results[-1]), flush=True)
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(results, file, indent=1)


if __name__ == "__main__":
    sys.exit(main())
