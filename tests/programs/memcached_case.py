"""memcached: four worker threads, many clients that set, get, count and compare-and-swap."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor

import process_view
from loopback import Conversation, accepts, free_port
from program_case import Run, main

WORKERS = 4
CLIENTS = 16
TURNS = 150
SWAPS = 25
VARYING_SETTINGS = {b"tcpport", b"umask"}
COMPARED_STATS = {
    *(b"curr_items", b"bytes", b"evictions", b"threads"),
    *(b"incr_hits", b"cas_hits", b"delete_hits", b"cmd_flush"),
}


class MemcachedClient(Conversation):
    def ask(self, request: bytes) -> bytes:
        self.send(request + b"\r\n")
        return self.line()

    def store(self, command: bytes, key: bytes, value: bytes, *rest: bytes) -> bytes:
        header = b" ".join([command, key, b"0", b"0", b"%d" % len(value), *rest])
        return self.ask(header + b"\r\n" + value)

    def gets(self, key: bytes) -> tuple[bytes, bytes] | None:
        """The value and the number that a compare-and-swap of it needs."""
        header = self.ask(b"gets " + key).split()
        if header == [b"END"]:
            return None
        value = self.exactly(int(header[3]) + 2)[:-2]
        if self.line() != b"END":
            raise ConnectionError("no END after a value")
        return value, header[4]

    def table(self, request: bytes) -> dict[bytes, bytes]:
        self.send(request + b"\r\n")
        rows = {}
        while (line := self.line()) != b"END":
            _, name, value = line.split(b" ", 2)
            rows[name] = value
        return rows


def client_session(port: int, number: int) -> list:
    """What one client does to keys of its own, and to the counters shared by all of them."""
    answers = []
    with MemcachedClient(port) as client:
        for turn in range(TURNS):
            key = b"client%d:%d" % (number, turn)
            answers.append(client.store(b"set", key, b"v" * (turn * 37 % 3000)))
            answers.append(len(client.gets(key)[0]))
            client.ask(b"incr counter 3")
        answers.append(client.store(b"add", b"client%d:0" % number, b"refused"))
        answers.append(client.store(b"append", b"client%d:1" % number, b"-more"))
        answers.append(client.gets(b"client%d:1" % number)[0][-8:])
        answers.append(client.ask(b"delete client%d:2" % number))
        answers.append(client.gets(b"client%d:2" % number))
        answers.append(client.store(b"set", b"client%d:large" % number, b"L" * 500_000))
        swapped = 0
        while swapped < SWAPS:
            value, unique = client.gets(b"swapped")
            answer = client.store(b"cas", b"swapped", b"%d" % (int(value) + 1), unique)
            swapped += answer == b"STORED"
    return answers


def thread_names(server: int) -> list[str]:
    """Empty until every thread but the first has taken a name of its own."""
    tids = process_view.thread_ids(server)
    names = sorted(process_view.thread_name(server, tid) for tid in tids)
    return names if names.count("memcached") == 1 else []


def workload(run: Run) -> None:
    port = free_port()
    argv = ["memcached", "-l", "127.0.0.1", "-p", str(port), "-U", "0"]
    argv += ["-t", str(WORKERS), "-m", "128"]
    if os.geteuid() == 0:
        argv += ["-u", "root"]
    server = run.start(argv)
    run.until(lambda: accepts(port) or server.poll() is not None, "memcached accepts connections")
    run.until_threads(server.pid, 1 + WORKERS)
    run.expect_mapped(server.pid, "memcached")

    with MemcachedClient(port) as client:
        client.store(b"set", b"counter", b"0")
        client.store(b"set", b"swapped", b"0")
    with ThreadPoolExecutor(CLIENTS) as pool:
        sessions = list(pool.map(lambda number: client_session(port, number), range(CLIENTS)))
    run.observe("what the clients were answered", sessions)
    run.observe("threads", run.until(lambda: thread_names(server.pid), "all threads have names"))

    with MemcachedClient(port) as client:
        counter, swapped = (int(client.gets(key)[0]) for key in (b"counter", b"swapped"))
        run.expect(counter == CLIENTS * TURNS * 3, f"increments were lost: {counter}")
        run.expect(swapped == CLIENTS * SWAPS, f"swaps were lost: {swapped}")
        settings = client.table(b"stats settings")
        run.expect(settings[b"num_threads"] == b"%d" % WORKERS, f"other settings: {settings}")
        run.observe("settings", [row for row in settings.items() if row[0] not in VARYING_SETTINGS])
        stats = client.table(b"stats")
        run.observe("stats", sorted(row for row in stats.items() if row[0] in COMPARED_STATS))
        run.observe("flush", client.ask(b"flush_all"))
        run.observe("after flush", client.gets(b"counter"))
    server.send_signal(signal.SIGTERM)
    run.finish(server, "memcached")


main("memcached", needs=["memcached"], workload=workload)
