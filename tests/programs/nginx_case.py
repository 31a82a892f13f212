"""nginx: several workers with thread pools that read files, reload under load, graceful quit."""

import hashlib
import http.client
import os
import random
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor

import process_view
from loopback import TIMEOUT_SECONDS, accepts, free_port
from program_case import Run, main

WORKERS = 2
POOL_THREADS = 4
CLIENTS = 8
ROUNDS = 6
SIZES = (0, 1, 4095, 65536, 100_001, 1_000_000, 5_000_000)

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
    default_type application/octet-stream;
    aio threads=readers;
    sendfile off;
    output_buffers 2 32k;
    server {{
        listen 127.0.0.1:{port};
        server_tokens off;
        location / {{ root {directory}/files; }}
        location /said/ {{ return 200 "said by nginx\\n"; }}
    }}
}}
"""


def write_files(run: Run) -> None:
    source = random.Random(7)
    (run.directory / "files").mkdir()
    for size in SIZES:
        (run.directory / "files" / f"{size}.bin").write_bytes(source.randbytes(size))


def write_configuration(run: Run, port: int) -> str:
    path = run.directory / "nginx.conf"
    path.write_text(
        CONFIGURATION.format(
            user="user root;" if os.geteuid() == 0 else "",
            workers=WORKERS,
            threads=POOL_THREADS,
            directory=run.directory,
            port=port,
        )
    )
    return str(path)


class Client:
    """One keep-alive connection at a time; a reload may close it between two requests."""

    def __init__(self, port: int, retries: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
        self._retries = retries

    def fetch(self, path: str, headers: dict[str, str] | None = None) -> tuple[str, int, str]:
        while True:
            try:
                self._connection.request("GET", path, headers=headers or {})
                response = self._connection.getresponse()
                break
            except (http.client.RemoteDisconnected, ConnectionError):
                # Not a byte of an answer: what a client may ask again, if it was to be expected.
                self._connection.close()
                if self._retries == 0:
                    raise
                self._retries -= 1
        return path, response.status, hashlib.sha256(response.read()).hexdigest()

    def close(self) -> None:
        self._connection.close()


def client_session(port: int, number: int, retries: int) -> list:
    fetched = []
    for turn in range(ROUNDS):
        # A new connection each round, so that both workers get their share.
        client = Client(port, retries)
        part = {"Range": f"bytes={number * 1000}-{turn * 999 + 9000}"}
        fetched += [client.fetch(f"/{size}.bin") for size in SIZES]
        fetched.append(client.fetch("/1000000.bin", part))
        fetched.append(client.fetch("/said/"))
        fetched.append(client.fetch("/missing", {"Connection": "close"}))
        client.close()
    return fetched


def fetch_with_many(run: Run, port: int, retries: int = 0) -> list:
    with ThreadPoolExecutor(CLIENTS) as pool:
        started = [pool.submit(client_session, port, n, retries) for n in range(CLIENTS)]
        sessions = [session.result() for session in started]
    for session in sessions:
        run.expect(len(session) == ROUNDS * (len(SIZES) + 3), "too little was fetched")
        for path, status, checksum in session:
            file = run.directory / "files" / path[1:]
            if status == 200 and file.is_file():
                whole = hashlib.sha256(file.read_bytes()).hexdigest()
                run.expect(checksum == whole, f"{path} came damaged")
    return sessions


def workers_of(run: Run, master: int) -> list[int]:
    """The workers, once each has its event loop and its pool."""

    def complete() -> list[int]:
        pids = process_view.children(master)
        ready = [pid for pid in pids if len(process_view.thread_ids(pid)) == 1 + POOL_THREADS]
        return pids if len(pids) == WORKERS == len(ready) else []

    pids = run.until(complete, f"nginx has {WORKERS} workers of {1 + POOL_THREADS} threads")
    for pid in pids:
        run.until_threads(pid, 1 + POOL_THREADS)
        run.expect_mapped(pid, "an nginx worker")
    return pids


def reads_by_pools(workers: list[int]) -> int:
    """How often the workers' pool threads have gone to sleep: only ever after a task."""
    return sum(
        process_view.voluntary_switches(pid, tid)
        for pid in workers
        for tid in process_view.thread_ids(pid)
        if tid != pid
    )


def reload_under_load(run: Run, port: int, master: subprocess.Popen[bytes], old: list[int]) -> None:
    """New workers take over while files are being fetched; nobody's file may suffer from it."""
    with ThreadPoolExecutor(1) as background:
        fetching = background.submit(fetch_with_many, run, port, retries=3)
        master.send_signal(signal.SIGHUP)
        run.until(lambda: not any(map(process_view.is_running, old)), "the old workers end")
        new = workers_of(run, master.pid)
        run.observe("fetched during the reload", fetching.result())
    run.expect(not set(new) & set(old), f"workers {old} were not replaced: {new}")


def workload(run: Run) -> None:
    write_files(run)
    port = free_port()
    configuration = write_configuration(run, port)
    argv = ["nginx", "-e", str(run.directory / "error.log"), "-c", configuration]
    run.command([*argv, "-t"], what="nginx -t")
    master = run.start(argv)
    run.until(lambda: accepts(port) or master.poll() is not None, "nginx accepts connections")
    run.expect_mapped(master.pid, "the nginx master")
    workers = workers_of(run, master.pid)

    before = reads_by_pools(workers)
    run.observe("fetched", fetch_with_many(run, port))
    run.expect(reads_by_pools(workers) - before > 100, "the thread pools did not read the files")
    reload_under_load(run, port, master, workers)

    master.send_signal(signal.SIGQUIT)
    run.finish(master, "nginx")
    log = (run.directory / "error.log").read_text()
    bad = [line for line in log.splitlines() if not {"[notice]", "[info]"} & set(line.split())]
    # Only the missing file was ever complained about.
    run.expect(all("/missing" in line for line in bad), "\n".join(bad))
    run.expect(bad, "the missing file was not complained about")
    run.observe("left over", sorted(path.name for path in run.directory.iterdir()))


main("nginx", needs=["nginx"], workload=workload)
