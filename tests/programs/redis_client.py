"""As much of the Redis protocol as the redis case needs."""

from typing import Any

from loopback import Conversation


class RedisError(Exception):
    pass


class RedisClient(Conversation):
    def call(self, *words: str | bytes | int) -> Any:
        self.send(encode(*words))
        return self.reply()

    def pipeline(self, commands: list[tuple[str | bytes | int, ...]]) -> list[Any]:
        self.send(b"".join(encode(*command) for command in commands))
        return [self.reply() for _ in commands]

    def reply(self) -> Any:
        line = self.line()
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return rest
        if kind == b"-":
            raise RedisError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return self.exactly(int(rest) + 2)[:-2] if int(rest) >= 0 else None
        if kind == b"*":
            return [self.reply() for _ in range(int(rest))]
        raise RedisError(f"not understood: {line!r}")

    def info(self, section: str) -> dict[str, str]:
        lines = self.call("INFO", section).decode().splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def contents(self) -> dict[bytes, Any]:
        """Every key with its value, in an order that does not depend on hashing."""
        readers = {
            b"string": lambda key: self.call("GET", key),
            b"list": lambda key: self.call("LRANGE", key, 0, -1),
            b"set": lambda key: sorted(self.call("SMEMBERS", key)),
            b"hash": lambda key: sorted(pairs(self.call("HGETALL", key))),
            b"zset": lambda key: self.call("ZRANGE", key, 0, -1, "WITHSCORES"),
            b"stream": lambda key: self.call("XRANGE", key, "-", "+"),
        }
        found, cursor = set(), b"0"
        while True:
            cursor, keys = self.call("SCAN", cursor, "COUNT", 1000)
            found.update(keys)
            if cursor == b"0":
                break
        return {key: readers[self.call("TYPE", key)](key) for key in sorted(found)}


def encode(*words: str | bytes | int) -> bytes:
    parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    body = b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)
    return b"*%d\r\n" % len(parts) + body


def pairs(flat: list[bytes]) -> list[tuple[bytes, bytes]]:
    return list(zip(flat[::2], flat[1::2]))
