"""memcached: four workers, clients that set, get, count, delete, and a cache that is too small."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor

from control_case import Control, main

from loopback import Conversation, accepts, free_port

WORKERS = 4
CLIENTS = 8
MEGABYTES = 16  # less than what is stored, so that entries are evicted all the time
LARGE = b"x" * 40_000


def ask(client: Conversation, request: bytes) -> bytes:
    client.send(request + b"\r\n")
    return client.line()


def client_session(control: Control, port: int, number: int) -> int:
    """How often it counted."""
    turns = 0
    with Conversation(port) as client:
        while not control.is_over():
            key = b"client%d:%d" % (number, turns % 200)
            large = LARGE[: turns * 997 % len(LARGE)]
            stored = ask(client, b"set %s 0 0 %d\r\n%s" % (key, len(large), large))
            if stored != b"STORED":
                raise ConnectionError(f"set was answered {stored!r}")
            header = ask(client, b"get " + key)
            if header.startswith(b"VALUE"):
                client.exactly(int(header.split()[3]) + 2)
                client.line()
            if turns % 7 == 0:
                ask(client, b"delete " + key)
            # What counts must not be evicted, and is not: it is touched all the time.
            if not ask(client, b"incr counter 1").isdigit():
                raise ConnectionError("the counter is gone")
            turns += 1
    return turns


def workload(control: Control) -> None:
    port = free_port()
    argv = ["memcached", "-l", "127.0.0.1", "-p", str(port), "-U", "0", "-t", str(WORKERS)]
    argv += ["-m", str(MEGABYTES), "-o", "slab_reassign,slab_automove,lru_crawler,lru_maintainer"]
    if os.geteuid() == 0:
        argv += ["-u", "root"]
    server = control.start(argv)
    control.run.until(lambda: accepts(port) or server.poll() is not None, "memcached accepts")
    control.run.until_threads(server.pid, 1 + WORKERS)
    control.run.expect_mapped(server.pid, "memcached")
    with Conversation(port) as client:
        ask(client, b"set counter 0 0 1\r\n0")
        with ThreadPoolExecutor(CLIENTS) as pool:
            sessions = [pool.submit(client_session, control, port, n) for n in range(CLIENTS)]
            turns = sum(session.result() for session in sessions)
        counter = int(ask(client, b"incr counter 0"))
    control.run.expect(counter == turns > 0, f"{counter} instead of {turns}")
    control.expect_all_recorded(server.pid, "memcached")
    server.send_signal(signal.SIGTERM)
    control.run.finish(server, "memcached")


if __name__ == "__main__":
    main("memcached", ["memcached"], workload)
