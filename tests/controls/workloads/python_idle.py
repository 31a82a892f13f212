"""python_idle.py: queues and pools of Python's own that have worked and have nothing to do now.

Prints "idle" when they are; stays until its standard input ends, then prints what must be the same in every run.
"""

import queue
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

WORKERS = 4
ITEMS = 400


def main():
    todo, done = queue.Queue(maxsize=16), queue.Queue()

    def worker():
        while (item := todo.get()) is not None:
            done.put(item * item)

    threads = [threading.Thread(target=worker) for _ in range(WORKERS)]
    for thread in threads:
        thread.start()
    for item in range(ITEMS):
        todo.put(item)
    total = sum(done.get() for _ in range(ITEMS))

    condition = threading.Condition()
    ended = threading.Event()

    def never_woken_yet():
        with condition:
            condition.wait()

    waiting = [threading.Thread(target=never_woken_yet), threading.Thread(target=ended.wait)]
    for thread in waiting:
        thread.start()
    with ThreadPoolExecutor(WORKERS) as pool:
        total += sum(pool.map(lambda n: n + 1, range(ITEMS)))
        print("idle", flush=True)
        sys.stdin.read()
        total += pool.submit(lambda: 1).result()
    for _ in threads:
        todo.put(None)
    ended.set()
    with condition:
        condition.notify_all()
    for thread in threads + waiting:
        thread.join()
    print(total)


main()
