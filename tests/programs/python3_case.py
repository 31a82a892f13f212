"""python3: threading, asyncio, multiprocessing started in every way, and forks from threads."""

import subprocess

from program_case import WORKLOADS, Run, main

PRINT_OWN_MAPS = "print(open('/proc/self/maps').read())"
PRINT_MAPS_OF_SPAWNED = f"""
import multiprocessing
pool = multiprocessing.get_context("spawn").Pool(1)
pool.apply(exec, ({PRINT_OWN_MAPS!r},))
pool.close()
pool.join()  # else its process is killed, and leaves its ledger
"""
FOUR_WAITING_THREADS = """
import threading
done = threading.Event()
threads = [threading.Thread(target=done.wait) for _ in range(4)]
[thread.start() for thread in threads]
input()
done.set()
[thread.join() for thread in threads]
print(threading.active_count())
"""


def workload(run: Run) -> None:
    threads = ["python3", str(WORKLOADS / "threads.py")]
    run.command(threads, what="threads.py", expect_status=4)
    processes = ["python3", str(WORKLOADS / "processes.py"), "fork", "spawn", "forkserver"]
    run.command(processes, what="processes.py")
    run.command(["python3", "-c", "import os; os.abort()"], expect_status=-6)
    run.command(["python3", "-c", "raise SystemExit('said on the way out')"], expect_status=1)

    waiting = run.start(["python3", "-c", FOUR_WAITING_THREADS], stdin=subprocess.PIPE)
    run.until_threads(waiting.pid, 5)
    run.expect_mapped(waiting.pid, "python3")
    run.finish(waiting, "waiting threads", feed=b"\n")
    maps = run.start(["python3", "-c", PRINT_OWN_MAPS]).communicate()[0]
    run.expect_named_in(maps, "python3")
    maps = run.start(["python3", "-c", PRINT_MAPS_OF_SPAWNED]).communicate()[0]
    run.expect_named_in(maps, "a spawned python3")


main("python3", needs=["python3"], workload=workload)
