"""What a script for python3 does for a while, with its own last line as the result."""

import subprocess

from control_case import WORKLOADS, Control


def run_script(control: Control, script: str, at_least_threads: int) -> None:
    argv = ["python3", str(WORKLOADS / script), str(control.seconds)]
    process = control.start(argv, stdin=subprocess.PIPE)
    control.run.until_threads(process.pid, at_least_threads)
    control.run.expect_mapped(process.pid, script)
    result = process.stdout.readline()
    control.run.observe("result", result)
    # It has done its work and is still there.
    if process.poll() is None:
        control.expect_all_recorded(process.pid, script)
    control.run.finish(process, script, feed=b"")
