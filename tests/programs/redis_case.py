"""redis: I/O threads under concurrent clients, snapshots and log rewrites that fork."""

import re
from concurrent.futures import ThreadPoolExecutor

from loopback import accepts, free_port
from program_case import Run, main
from redis_client import RedisClient

IO_THREADS = 4
CLIENTS = 8
BENCHMARK_REQUESTS = 300
EXPECTED_LOG = (
    "Background saving terminated with success",
    "Background AOF rewrite finished successfully",
    "User requested shutdown",
    "Redis is now ready to exit, bye bye",
)


def server_argv(run: Run, port: int) -> list[str]:
    options = {
        "bind": "127.0.0.1",
        "port": port,
        "dir": run.directory,
        "logfile": run.directory / "redis.log",
        "io-threads": IO_THREADS,
        "io-threads-do-reads": "yes",
        "save": "",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "lazyfree-lazy-user-del": "yes",
        "activerehashing": "yes",
        "daemonize": "no",
    }
    argv = ["redis-server"]
    for name, value in options.items():
        argv += [f"--{name}", str(value)]
    return argv


def start_server(run: Run, port: int):
    server = run.start(server_argv(run, port))
    run.until(lambda: accepts(port) or server.poll() is not None, "redis accepts connections")
    with RedisClient(port) as client:
        run.until(lambda: client.info("persistence")["loading"] == "0", "redis has loaded its data")
    # The main thread, three I/O threads besides it, and three for closing, syncing and freeing.
    run.until_threads(server.pid, IO_THREADS + 3)
    run.expect_mapped(server.pid, "redis-server")
    return server


def writes(mine: str, turn: int) -> list[tuple[str | int, ...]]:
    return [
        ("SET", f"{mine}string{turn}", f"value {turn * 31}"),
        ("RPUSH", f"{mine}list", turn),
        ("SADD", f"{mine}set", turn % 17),
        ("HSET", f"{mine}hash", f"field{turn % 23}", turn),
        ("ZADD", f"{mine}ranks", turn * 3 % 41, f"member{turn}"),
        ("XADD", f"{mine}stream", f"{turn + 1}-1", "n", turn),
    ]


def client_session(port: int, number: int) -> list:
    """What one client does; its keys are its own, so that its answers are the same in every run."""
    mine = f"client{number}:"
    answers = []
    with RedisClient(port) as client:
        for batch in range(0, 60, 10):
            commands = [one for turn in range(batch, batch + 10) for one in writes(mine, turn)]
            answers += client.pipeline(commands)
            client.call("INCRBY", "counter", number)
        answers.append(client.call("SET", f"{mine}large", b"x" * 300_000))
        answers.append(len(client.call("GET", f"{mine}large")))
        client.call("MULTI")
        client.call("INCR", "transactions")
        client.call("LPOP", f"{mine}list")
        answers.append(client.call("EXEC")[1])
        script = "return redis.call('LLEN', KEYS[1]) * 2"
        answers.append(client.call("EVAL", script, 1, f"{mine}list"))
        answers.append(client.call("UNLINK", f"{mine}string0", f"{mine}nothing"))
    return answers


def blocked_and_published(run: Run, port: int) -> None:
    with RedisClient(port) as waiter, RedisClient(port) as speaker:
        waiter.send(b"BLPOP queue 30\r\n")
        run.until(lambda: speaker.info("clients")["blocked_clients"] == "1", "a client is blocked")
        speaker.call("RPUSH", "queue", "woken")
        run.observe("BLPOP", waiter.reply())
        run.observe("SUBSCRIBE", waiter.call("SUBSCRIBE", "news"))
        speaker.call("PUBLISH", "news", "something happened")
        run.observe("message", waiter.reply())


def load_with_benchmark(run: Run, port: int) -> None:
    """Enough clients wait at a time for the server to give reading and writing to its threads."""
    argv = ["redis-benchmark", "-p", str(port), "-q", "--threads", "2", "-c", "40"]
    argv += ["-n", str(BENCHMARK_REQUESTS), "-t", "incr,lpush"]
    run.command(argv, what="redis-benchmark", normalise=names_of_tests)
    with RedisClient(port) as client:
        stats = client.info("stats")
        run.observe("benchmark's counter", client.call("GET", "counter:__rand_int__"))
        run.observe("benchmark's list", client.call("LLEN", "mylist"))
        for name in ("io_threaded_reads_processed", "io_threaded_writes_processed"):
            run.expect(int(stats[name]) > 0, f"{name} is {stats[name]}")


def names_of_tests(output: bytes) -> bytes:
    """Progress is overwritten in place; of each test's last line only the figures vary."""
    lines = [line.rpartition(b"\r")[2] for line in output.split(b"\n")]
    figures = rb"[0-9.]+ requests per second.*"
    return b"\n".join(re.sub(figures, b"N", line) for line in lines if line.strip())


def snapshot_and_rewrite(run: Run, port: int) -> None:
    with RedisClient(port) as client:
        for command, running, status in (
            ("BGSAVE", "rdb_bgsave_in_progress", "rdb_last_bgsave_status"),
            ("BGREWRITEAOF", "aof_rewrite_in_progress", "aof_last_bgrewrite_status"),
        ):
            client.call(command)
            run.until(lambda: client.info("persistence")[running] == "0", f"{command} ends")
            run.observe(command, client.info("persistence")[status])
    run.command(["redis-check-rdb", "dump.rdb"], normalise=lambda output: b"")


def shut_down(run: Run, port: int, server, what: str) -> None:
    run.command(["redis-cli", "-p", str(port), "SHUTDOWN", "NOSAVE"], what="redis-cli SHUTDOWN")
    run.finish(server, what)
    log = (run.directory / "redis.log").read_text()
    (run.directory / "redis.log").unlink()
    run.observe(f"{what}: events", [text for text in EXPECTED_LOG if text in log])
    run.expect("BUG REPORT" not in log, f"redis crashed:\n{log}")


def workload(run: Run) -> None:
    port = free_port()
    server = start_server(run, port)
    with ThreadPoolExecutor(CLIENTS) as pool:
        sessions = list(pool.map(lambda number: client_session(port, number), range(CLIENTS)))
    run.observe("what the clients were answered", sessions)
    blocked_and_published(run, port)
    load_with_benchmark(run, port)
    # Before and while the children write, the server goes on serving.
    snapshot_and_rewrite(run, port)
    with RedisClient(port) as client:
        before = client.contents()
    run.observe("data", before)
    argv = ["redis-cli", "-p", str(port), "LRANGE", "client1:list", "0", "5"]
    run.command(argv, what="redis-cli LRANGE")
    shut_down(run, port, server, "first server")

    port = free_port()
    server = start_server(run, port)
    with RedisClient(port) as client:
        run.expect(client.contents() == before, "the log does not bring back the data")
    shut_down(run, port, server, "second server")


NEEDS = ["redis-server", "redis-cli", "redis-benchmark", "redis-check-rdb"]
main("redis", needs=NEEDS, workload=workload)
