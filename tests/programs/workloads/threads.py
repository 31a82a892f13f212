"""Python's threading: locks, conditions, semaphores, barriers, queues, and forks from threads."""

import asyncio
import concurrent.futures
import os
import queue
import signal
import subprocess
import sys
import threading


def count_under_lock():
    lock, relock, total = threading.Lock(), threading.RLock(), [0]

    def add():
        for _ in range(3000):
            with lock:
                total[0] += 1
            with relock, relock:
                pass

    together([add] * 6)
    print("lock:", total[0])


def ping_pong():
    turn, condition, said = ["ping"], threading.Condition(), []

    def player(mine, other):
        for _ in range(500):
            with condition:
                condition.wait_for(lambda: turn[0] == mine)
                said.append(mine)
                turn[0] = other
                condition.notify_all()

    together([lambda: player("ping", "pong"), lambda: player("pong", "ping")])
    print("condition:", len(said), said[:4], said == ["ping", "pong"] * 500)


def semaphores_and_barriers():
    semaphore, inside, most, lock = threading.Semaphore(3), [0], [0], threading.Lock()
    barrier, event, phases = threading.Barrier(5), threading.Event(), []

    def work():
        event.wait()
        for phase in range(20):
            with semaphore:
                with lock:
                    inside[0] += 1
                    most[0] = max(most[0], inside[0])
                with lock:
                    inside[0] -= 1
            if barrier.wait() == 0:
                phases.append(phase)
            barrier.wait()

    together([work] * 5, after_start=event.set)
    print("semaphore within its bound:", 1 <= most[0] <= 3, "phases:", phases)
    timed = threading.Lock()
    with timed:
        print("timed lock:", timed.acquire(timeout=0.01), "try:", timed.acquire(blocking=False))
    print("timed event:", threading.Event().wait(0.01))


def queue_pool():
    todo, done = queue.Queue(maxsize=8), queue.Queue()

    def worker():
        while (item := todo.get()) is not None:
            done.put(item * item)
            todo.task_done()
        todo.task_done()

    workers = [threading.Thread(target=worker, name=f"worker-{n}") for n in range(4)]
    for thread in workers:
        thread.start()
    for item in range(2000):
        todo.put(item)
    for _ in workers:
        todo.put(None)
    todo.join()
    for thread in workers:
        thread.join()
    print("queue:", sum(done.get() for _ in range(2000)), done.empty())


def thread_pool():
    with concurrent.futures.ThreadPoolExecutor(max_workers=4) as pool:
        print("pool:", sum(pool.map(lambda n: n % 97, range(3000))))
        failing = pool.submit(int, "not a number")
        print("exception:", type(failing.exception()).__name__)
        first = concurrent.futures.wait([pool.submit(pow, 2, 10)], timeout=20)
        print("wait:", [future.result() for future in first.done])


def coroutines():
    async def main():
        squares = await asyncio.gather(*(asyncio.to_thread(pow, n, 2) for n in range(50)))
        process = await asyncio.create_subprocess_exec("cat", stdin=-1, stdout=-1)
        out, _ = await process.communicate(b"through asyncio")
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        async with server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(b"over a socket\n")
            answer = await reader.readline()
            writer.close()
            await writer.wait_closed()
        return sum(squares), out, answer

    async def echo(reader, writer):
        writer.write(await reader.readline())
        await writer.drain()
        writer.close()

    print("asyncio:", asyncio.run(main()))


def signals():
    handled, lock = [], threading.Lock()

    def handler(number, _frame):
        with lock:
            handled.append(signal.Signals(number).name)

    signal.signal(signal.SIGUSR1, handler)
    busy = threading.Thread(target=lambda: sum(range(200000)))
    busy.start()
    for expected in range(1, 11):
        os.kill(os.getpid(), signal.SIGUSR1)
        while len(handled) < expected:
            pass
    busy.join()
    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.02)
    blocked = threading.Lock()
    blocked.acquire()
    print("interrupted wait:", blocked.acquire(timeout=0.2), "handled:", handled)


def forks_from_threads():
    statuses, lock = {}, threading.Lock()

    def fork_one(number):
        pid = os.fork()
        if pid == 0:
            try:
                # Threads of the child itself, with locks of its own.
                together([lambda: None] * 3)
                with threading.Lock():
                    os._exit(number)
            finally:
                os._exit(99)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        with lock:
            statuses[number] = status

    together([lambda number=number: fork_one(number) for number in range(8)])
    print("forks from threads:", sorted(statuses.items()))
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        print("a child that ends as Python programs do")
        sys.exit(5)
    print("its status:", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


def subprocesses():
    def run(number):
        argv = ["sh", "-c", f"cat; exit {number}"]
        return subprocess.run(argv, input=b"x" * number, capture_output=True)

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        results = list(pool.map(run, range(12)))
    print("subprocesses:", [(result.returncode, len(result.stdout)) for result in results])
    print("preexec:", subprocess.run(["true"], preexec_fn=os.getpid).returncode)
    try:
        subprocess.run(["sleep", "1000"], timeout=0.05)
    except subprocess.TimeoutExpired:
        print("timeout expired")


def together(functions, after_start=lambda: None):
    threads = [threading.Thread(target=function) for function in functions]
    for thread in threads:
        thread.start()
    after_start()
    for thread in threads:
        thread.join()


def descriptors_and_threads():
    held = threading.Event()
    idle = [threading.Thread(target=held.wait) for _ in range(4)]
    for thread in idle:
        thread.start()
    print("python threads:", threading.active_count())
    print("descriptors:", sorted(int(name) for name in os.listdir("/proc/self/fd")))
    held.set()
    for thread in idle:
        thread.join()


for part in (
    count_under_lock,
    ping_pong,
    semaphores_and_barriers,
    queue_pool,
    thread_pool,
    coroutines,
    signals,
    forks_from_threads,
    subprocesses,
    descriptors_and_threads,
):
    part()
    sys.stdout.flush()

leftover = threading.Thread(target=threading.Event().wait, daemon=True)
leftover.start()
print("ends with a daemon thread still waiting", file=sys.stderr)
sys.exit(4)
