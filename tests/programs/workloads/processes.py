"""Python's multiprocessing: pools, queues, locks, shared memory; each way to start a process."""

import concurrent.futures
import multiprocessing
import multiprocessing.shared_memory
import sys
import threading


def square(number):
    return number * number


def add_under_lock(lock, total, times):
    for _ in range(times):
        with lock:
            total.value += 1


def serve(requests, answers):
    while (request := requests.get()) is not None:
        answers.put(request * 2)


def square_in_threads(numbers):
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        return sum(pool.map(square, numbers))


def fill(name, value):
    block = multiprocessing.shared_memory.SharedMemory(name=name)
    block.buf[0] = value
    block.close()


def exercise(method):
    context = multiprocessing.get_context(method)
    with context.Pool(2) as pool:
        print(method, "pool:", sum(pool.map(square, range(200), chunksize=20)))
        print(method, "threads in a pool:", pool.apply(square_in_threads, (range(50),)))
        pool.close()
        pool.join()

    lock, total = context.Lock(), context.Value("i", 0, lock=False)
    adders = [context.Process(target=add_under_lock, args=(lock, total, 300)) for _ in range(3)]
    requests, answers = context.Queue(), context.SimpleQueue()
    server = context.Process(target=serve, args=(requests, answers))
    for process in (*adders, server):
        process.start()
    for number in range(50):
        requests.put(number)
    requests.put(None)
    print(method, "queue:", sum(answers.get() for _ in range(50)))
    for process in (*adders, server):
        process.join()
    print(method, "lock:", total.value, [process.exitcode for process in (*adders, server)])

    block = multiprocessing.shared_memory.SharedMemory(create=True, size=4096)
    filler = context.Process(target=fill, args=(block.name, 42))
    filler.start()
    filler.join()
    print(method, "shared memory:", block.buf[0])
    block.close()
    block.unlink()

    with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
        print(method, "executor:", sum(pool.map(square, range(100), chunksize=10)))


def main():
    for method in sys.argv[1:]:
        exercise(method)
        sys.stdout.flush()
    # fork while other threads run and hold locks of their own
    lock, stop = threading.Lock(), threading.Event()

    def churn():
        while not stop.is_set():
            with lock:
                pass

    churning = [threading.Thread(target=churn) for _ in range(2)]
    for thread in churning:
        thread.start()
    context = multiprocessing.get_context("fork")
    children = [context.Process(target=square, args=(n,)) for n in range(6)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    stop.set()
    for thread in churning:
        thread.join()
    print("fork under load:", [child.exitcode for child in children])


if __name__ == "__main__":
    main()
