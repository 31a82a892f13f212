"""xz: two-threaded compression and decompression, bit for bit what it is without the preload."""

import random
import string
import subprocess

from program_case import Outcome, Run, main

MEGABYTES = 6
BLOCK_BYTES = 256 * 1024


def text_like_data() -> bytes:
    """Compressible, but not all alike; the same in every run."""
    source = random.Random(2026)
    letters = string.ascii_lowercase.encode()
    words = [bytes(source.choices(letters, k=source.randrange(2, 11))) for _ in range(3000)]
    line_count = MEGABYTES * 1024 * 1024 // 70
    return b"".join(b" ".join(source.choices(words, k=10)) + b"\n" for _ in range(line_count))


def filter_with_threads(run: Run, argv: list[str], data: bytes, threads: int) -> Outcome:
    """Counts the threads while the filter cannot be done yet: the end of its input is missing."""
    with open(run.directory / "filtered", "wb") as output:
        process = run.start(argv, stdin=subprocess.PIPE, stdout=output.fileno())
        process.stdin.write(data[:-1])
        process.stdin.flush()
        run.until_threads(process.pid, 1 + threads)
        run.expect_mapped(process.pid, " ".join(argv))
        outcome = run.finish(process, " ".join(argv), feed=data[-1:])
    return Outcome(outcome.status, (run.directory / "filtered").read_bytes(), outcome.stderr)


def workload(run: Run) -> None:
    data = text_like_data()
    block_size = f"--block-size={BLOCK_BYTES}"
    packed = filter_with_threads(run, ["xz", "-T2", "-1", block_size, "-c"], data, 2).stdout
    run.expect(len(packed) < len(data), "nothing was compressed")
    run.observe("compressed", packed)
    unpacked = filter_with_threads(run, ["xz", "-d", "-T2", "-c"], packed, 2).stdout
    run.expect(unpacked == data, "what was decompressed is not what was compressed")

    (run.directory / "data").write_bytes(data)
    run.command(["xz", "-T2", "-0", block_size, "--keep", "data"])
    run.observe("data.xz", (run.directory / "data.xz").read_bytes())
    run.command(["xz", "--robot", "-lvv", "data.xz"])
    run.command(["xz", "-t", "-T2", "data.xz"])
    damaged = bytearray(packed)
    damaged[len(damaged) // 2] ^= 0xFF
    (run.directory / "damaged.xz").write_bytes(damaged)
    run.command(["xz", "-t", "-T2", "damaged.xz"], expect_status=1)


main("xz", needs=["xz"], workload=workload)
