"""Ports and conversations on 127.0.0.1."""

import random
import socket

TIMEOUT_SECONDS = 30
# Below the range from which the kernel takes ports for outgoing connections.
PORTS = range(10000, 32000)


def free_port() -> int:
    chooser = random.SystemRandom()
    while True:
        port = chooser.choice(PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), TIMEOUT_SECONDS).close()
        return True
    except ConnectionRefusedError:
        return False


class Conversation:
    """A connection to a server that is talked to in lines and counted bytes."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), TIMEOUT_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._stream = self._socket.makefile("rb")

    def send(self, message: bytes) -> None:
        self._socket.sendall(message)

    def line(self) -> bytes:
        line = self._stream.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError(f"the server hung up after {line!r}")
        return line[:-2]

    def exactly(self, count: int) -> bytes:
        block = self._stream.read(count)
        if len(block) != count:
            raise ConnectionError(f"the server hung up after {len(block)} of {count} bytes")
        return block

    def close(self) -> None:
        self._stream.close()
        self._socket.close()

    def __enter__(self) -> "Conversation":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
