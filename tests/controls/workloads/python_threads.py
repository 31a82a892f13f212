"""python_threads.py SECONDS: queues, pools, conditions and locks of Python's own, all healthy.

Prints what must be the same in every run; stays until its standard input ends.
"""

import queue
import sys
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor

WORKERS = 4


def pipeline(end):
    """Producer, workers, consumer: nothing is lost."""
    todo, done = queue.Queue(maxsize=16), queue.Queue(maxsize=16)
    sent = 0

    def worker():
        while (item := todo.get()) is not None:
            done.put(zlib.crc32(b"%d" % item))
        done.put(None)

    def consumer(received):
        ended = 0
        while ended < WORKERS:
            item = done.get()
            ended += item is None
            received[0] += item is not None

    received = [0]
    threads = [threading.Thread(target=worker) for _ in range(WORKERS)]
    threads.append(threading.Thread(target=consumer, args=(received,)))
    for thread in threads:
        thread.start()
    while time.monotonic() < end:
        todo.put(sent)
        sent += 1
    for _ in range(WORKERS):
        todo.put(None)
    for thread in threads:
        thread.join()
    return received[0] == sent > 0


def pools(end):
    right = True
    while time.monotonic() < end:
        with ThreadPoolExecutor(WORKERS) as pool:
            right &= sum(pool.map(lambda n: n * n, range(50))) == 40425
            nested = pool.submit(lambda: zlib.adler32(b"x" * 100_000))
            right &= nested.result() == zlib.adler32(b"x" * 100_000)
    return right


def ordered_locks(end):
    """Many threads, always the account lock before the log lock, and a condition on the account."""
    account, log = threading.RLock(), threading.Lock()
    changed = threading.Condition(account)
    balance, entries = [0], [0]

    def deposit():
        while time.monotonic() < end:
            with account:
                balance[0] += 1
                with log:
                    entries[0] += 1
                changed.notify()

    def watch():
        while time.monotonic() < end:
            with changed:
                changed.wait(0.01)

    threads = [threading.Thread(target=part) for part in (deposit, deposit, deposit, watch)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return balance == entries and balance[0] > 0


def main():
    end = time.monotonic() + float(sys.argv[1])
    with ThreadPoolExecutor(3) as pool:
        parts = [pool.submit(part, end) for part in (pipeline, pools, ordered_locks)]
        print("right", [part.result() for part in parts], flush=True)
    sys.stdin.read()


main()
