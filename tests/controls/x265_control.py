"""x265: an encoder with a pool of threads and frames in parallel, again and again."""

import random
import re

from control_case import Control, main

WIDTH, HEIGHT, FRAMES = 320, 180, 40


def moving_picture() -> bytes:
    """Raw frames, 4:2:0: a texture that moves, so that the encoder has something to search for."""
    texture = random.Random(3).randbytes(WIDTH * HEIGHT * 2)
    luma, chroma = WIDTH * HEIGHT, WIDTH * HEIGHT // 4
    frames = []
    for number in range(FRAMES):
        shift = number * (WIDTH + 3)
        frames.append(texture[shift : shift + luma] + texture[number : number + 2 * chroma])
    return b"".join(frames)


def workload(control: Control) -> None:
    (control.run.directory / "in.yuv").write_bytes(moving_picture())
    argv = ["x265", "--input", "in.yuv", "--input-res", f"{WIDTH}x{HEIGHT}", "--fps", "25"]
    argv += ["--preset", "fast", "--pools", "4", "--frame-threads", "3", "--no-info"]
    argv += ["-o", "out.hevc"]
    results = set()
    recorded = not control.run.preloaded
    while not results or not control.is_over():
        process = control.start(argv)
        if not recorded:
            control.run.until_threads(process.pid, 4)
            control.run.expect_mapped(process.pid, "x265")
            control.expect_all_recorded(process.pid, "x265")
            recorded = True
        stderr = process.communicate()[1]
        status = process.returncode
        control.run.expect(status == 0, f"x265 ended with {status}: {stderr[-2000:]!r}")
        # What it decides differs a little from run to run, whoever watches: only the frames count.
        control.run.expect((control.run.directory / "out.hevc").stat().st_size > 0, "it is empty")
        results.add(int(re.search(rb"encoded (\d+) frames", stderr)[1]))
    control.run.observe("encoded", results)


main("x265", ["x265"], workload)
