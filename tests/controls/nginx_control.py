"""nginx: workers with thread pools that read files for many clients, and reloads meanwhile."""

import hashlib
import http.client
import os
import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor

from control_case import Control, main

import process_view
from loopback import TIMEOUT_SECONDS, accepts, free_port

WORKERS = 2
POOL_THREADS = 4
CLIENTS = 6
SIZES = (1, 4095, 100_001, 1_000_000)
RELOAD_SECONDS = 2

CONFIGURATION = """
{user}
daemon off;
worker_processes {workers};
pid {directory}/nginx.pid;
error_log {directory}/error.log notice;
lock_file {directory}/nginx.lock;
thread_pool readers threads={threads} max_queue=4096;
events {{ worker_connections 256; }}
http {{
    access_log {directory}/access.log;
    client_body_temp_path {directory}/client_body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    aio threads=readers;
    sendfile off;
    output_buffers 2 32k;
    server {{
        listen 127.0.0.1:{port};
        location / {{ root {directory}/files; }}
    }}
}}
"""


def write_site(control: Control, port: int) -> dict[str, str]:
    """The checksums of its files."""
    directory = control.run.directory
    (directory / "files").mkdir()
    source = random.Random(11)
    sums = {}
    for size in SIZES:
        content = source.randbytes(size)
        (directory / "files" / f"{size}.bin").write_bytes(content)
        sums[f"/{size}.bin"] = hashlib.sha256(content).hexdigest()
    user = "user root;" if os.geteuid() == 0 else ""
    numbers = {"workers": WORKERS, "threads": POOL_THREADS, "port": port}
    text = CONFIGURATION.format(user=user, directory=directory, **numbers)
    (directory / "nginx.conf").write_text(text)
    return sums


def fetch(port: int, path: str) -> str:
    """A worker that is being replaced may hang up before it has answered anything."""
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
        try:
            connection.request("GET", path)
            return hashlib.sha256(connection.getresponse().read()).hexdigest()
        except (http.client.RemoteDisconnected, ConnectionResetError):
            continue
        finally:
            connection.close()


def client_session(control: Control, port: int, sums: dict[str, str]) -> int:
    fetched = 0
    while not control.is_over():
        for path, checksum in sums.items():
            if fetch(port, path) != checksum:
                raise ValueError(f"{path} came damaged")
            fetched += 1
    return fetched


def complete_workers(master: int) -> list[int]:
    pids = process_view.children(master)
    ready = [pid for pid in pids if len(process_view.thread_ids(pid)) == 1 + POOL_THREADS]
    return ready if len(pids) == WORKERS == len(ready) else []


def workload(control: Control) -> None:
    port = free_port()
    sums = write_site(control, port)
    directory = control.run.directory
    argv = ["nginx", "-e", str(directory / "error.log"), "-c", str(directory / "nginx.conf")]
    master = control.start(argv)
    control.run.until(lambda: accepts(port) or master.poll() is not None, "nginx accepts")
    control.run.expect_mapped(master.pid, "the nginx master")
    with ThreadPoolExecutor(CLIENTS) as pool:
        clients = [pool.submit(client_session, control, port, sums) for _ in range(CLIENTS)]
        while not all(client.done() for client in clients):
            old = control.run.until(lambda: complete_workers(master.pid), "all workers are there")
            for pid in old:
                control.expect_all_recorded(pid, "an nginx worker")
            master.send_signal(signal.SIGHUP)
            control.run.until(
                lambda: not any(map(process_view.is_running, old)), "the old workers end"
            )
            time.sleep(min(RELOAD_SECONDS, control.seconds / 3))
        control.run.expect(sum(client.result() for client in clients) > 0, "nothing was fetched")
    master.send_signal(signal.SIGQUIT)
    control.run.finish(master, "nginx")
    log = (directory / "error.log").read_text()
    bad = [line for line in log.splitlines() if not {"[notice]", "[info]"} & set(line.split())]
    control.run.expect(not bad, "\n".join(bad))


if __name__ == "__main__":
    main("nginx", ["nginx"], workload)
