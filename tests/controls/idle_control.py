"""Servers and pools that have worked and have nothing to do now: nobody of them is stuck."""

import os
import signal
import subprocess
import time

from control_case import WORKLOADS, Control, main

from loopback import Conversation, accepts, free_port
from memcached_control import ask
from nginx_control import complete_workers, fetch, write_site
from redis_control import IO_THREADS, server_argv

PROGRAMS = ["python3", "redis-server", "redis-benchmark", "redis-cli", "memcached", "nginx"]
LOOK_SECONDS = 10


def start_pools(control: Control, argv: list[str]) -> "subprocess.Popen[bytes]":
    process = control.start(argv, stdin=subprocess.PIPE)
    said = process.stdout.readline()
    control.run.expect(said == b"idle\n", f"{argv}: {said!r}")
    return process


def start_redis(control: Control, port: int) -> "subprocess.Popen[bytes]":
    server = control.start(server_argv(control, port))
    control.run.until(lambda: accepts(port) or server.poll() is not None, "redis accepts")
    control.run.until_threads(server.pid, IO_THREADS + 3)
    control.quiet_command(["redis-benchmark", "-p", str(port), "-q", "-n", "500", "-t", "set,get"])
    return server


def start_memcached(control: Control, port: int) -> "subprocess.Popen[bytes]":
    argv = ["memcached", "-l", "127.0.0.1", "-p", str(port), "-U", "0"]
    if os.geteuid() == 0:
        argv += ["-u", "root"]
    server = control.start(argv)
    control.run.until(lambda: accepts(port) or server.poll() is not None, "memcached accepts")
    with Conversation(port) as client:
        control.run.observe("memcached", ask(client, b"set counter 0 0 1\r\n0"))
    return server


def start_nginx(control: Control, port: int) -> "subprocess.Popen[bytes]":
    sums = write_site(control, port)
    directory = control.run.directory
    argv = ["nginx", "-e", str(directory / "error.log"), "-c", str(directory / "nginx.conf")]
    master = control.start(argv)
    control.run.until(lambda: accepts(port) or master.poll() is not None, "nginx accepts")
    for path, checksum in sums.items():
        control.run.expect(fetch(port, path) == checksum, f"{path} came damaged")
    return master


def workload(control: Control) -> None:
    redis_port, memcached_port, nginx_port = free_port(), free_port(), free_port()
    pools = start_pools(control, [control.programs[0]])
    python = start_pools(control, ["python3", str(WORKLOADS / "python_idle.py")])
    redis = start_redis(control, redis_port)
    memcached = start_memcached(control, memcached_port)
    nginx = start_nginx(control, nginx_port)
    workers = control.run.until(lambda: complete_workers(nginx.pid), "all workers are there")
    idle = [pools.pid, python.pid, redis.pid, memcached.pid, *workers]
    begin = time.monotonic()
    while time.monotonic() < begin + control.seconds:
        time.sleep(min(LOOK_SECONDS, control.seconds))
        for pid in idle:
            control.expect_all_recorded(pid, f"process {idle.index(pid)}")
    control.run.finish(pools, "the pools", feed=b"")
    control.run.finish(python, "python3", feed=b"")
    control.quiet_command(["redis-cli", "-p", str(redis_port), "SHUTDOWN", "NOSAVE"])
    control.run.finish(redis, "redis-server")
    memcached.send_signal(signal.SIGTERM)
    control.run.finish(memcached, "memcached")
    nginx.send_signal(signal.SIGQUIT)
    control.run.finish(nginx, "nginx")


if __name__ == "__main__":
    main("idle", PROGRAMS, workload)
