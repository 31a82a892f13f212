"""xz with four threads, there and back, again and again."""

import hashlib
import random
import string

from control_case import Control, main

LINES = 60_000


def text_like_data() -> bytes:
    source = random.Random(5)
    letters = string.ascii_lowercase
    words = ["".join(source.choices(letters, k=source.randrange(2, 11))) for _ in range(2000)]
    return "\n".join(" ".join(source.choices(words, k=10)) for _ in range(LINES)).encode()


def workload(control: Control) -> None:
    data = text_like_data()
    plain = control.run.directory / "data"
    plain.write_bytes(data)
    results = set()
    recorded = not control.run.preloaded
    while not results or not control.is_over():
        argv = ["xz", "-T4", "-2", "--block-size=262144", "--keep", "--force", "data"]
        process = control.start(argv)
        if not recorded:
            control.run.until_threads(process.pid, 3)
            control.run.expect_mapped(process.pid, "xz")
            control.expect_all_recorded(process.pid, "xz")
            recorded = True
        stderr = process.communicate()[1]
        status = process.returncode
        control.run.expect(status == 0, f"xz ended with {status}: {stderr!r}")
        results.add(hashlib.sha256((control.run.directory / "data.xz").read_bytes()).hexdigest())
        unpacked = control.quiet_command(["xz", "-T4", "-dc", "data.xz"])
        control.run.expect(unpacked == data, "what was decompressed is not what was compressed")
    control.run.observe("compressed", results)


main("xz", ["xz"], workload)
