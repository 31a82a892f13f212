"""redis with I/O threads, under redis-benchmark, with snapshots and log rewrites meanwhile."""

from control_case import Control, main

from loopback import accepts, free_port
from redis_client import RedisClient

IO_THREADS = 4  # each of which spins while there is work
REQUESTS = 500


def server_argv(control: Control, port: int) -> list[str]:
    options = {
        "bind": "127.0.0.1",
        "port": port,
        "dir": control.run.directory,
        "logfile": control.run.directory / "redis.log",
        "io-threads": IO_THREADS,
        "io-threads-do-reads": "yes",
        "save": "",
        "appendonly": "yes",
        "lazyfree-lazy-user-del": "yes",
    }
    pairs = ((f"--{name}", str(value)) for name, value in options.items())
    return ["redis-server", *(word for pair in pairs for word in pair)]


def workload(control: Control) -> None:
    port = free_port()
    server = control.start(server_argv(control, port))
    control.run.until(lambda: accepts(port) or server.poll() is not None, "redis accepts")
    control.run.until_threads(server.pid, IO_THREADS + 3)
    control.run.expect_mapped(server.pid, "redis-server")
    benchmark = ["redis-benchmark", "-p", str(port), "-q", "--threads", "2", "-c", "40"]
    benchmark += ["-n", str(REQUESTS), "-d", "100", "-t", "set,get,incr,lpush,spop,zadd"]
    rounds = 0
    with RedisClient(port) as client:
        while rounds == 0 or not control.is_over():
            control.quiet_command(benchmark)
            rounds += 1
            client.call("BGSAVE" if rounds % 2 else "BGREWRITEAOF")
            for running in ("rdb_bgsave_in_progress", "aof_rewrite_in_progress"):
                control.run.until(lambda: client.info("persistence")[running] == "0", "it ends")
            client.call("UNLINK", "mylist")
        counter = int(client.call("GET", "counter:__rand_int__"))
        control.run.expect(counter == rounds * REQUESTS, f"{counter} after {rounds} rounds")
        stats = client.info("stats")
        for name in ("io_threaded_reads_processed", "io_threaded_writes_processed"):
            control.run.expect(int(stats[name]) > 0, f"{name} is {stats[name]}")
    control.expect_all_recorded(server.pid, "redis-server")
    control.quiet_command(["redis-cli", "-p", str(port), "SHUTDOWN", "NOSAVE"])
    control.run.finish(server, "redis-server")


if __name__ == "__main__":
    main("redis", ["redis-server", "redis-benchmark", "redis-cli"], workload)
