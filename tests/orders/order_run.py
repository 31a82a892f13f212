"""A case of samples/order_cases that stays, with its locks, until it is told to end."""

import os
import subprocess
import tempfile
import time

from sample_run import SampleRun
from stage import environment


class OrderRun(SampleRun):
    """Starts the case at once. `discard` leaves neither process nor file behind."""

    def __init__(self, tools, name, *, options):  # pylint: disable=super-init-not-called
        self.command = f"order_cases {name} --linger"
        self.directory = tempfile.mkdtemp(prefix="impasse-orders.")
        self.reports = os.path.join(self.directory, "reports")
        os.mkdir(self.reports)
        self.started_wall = time.time()
        variables = environment(f"dir={self.reports} {options}")
        variables["LD_PRELOAD"] = tools.preload
        program, *words = self.command.split()
        with self._made("out") as out, self._made("err") as err:
            self.process = subprocess.Popen(
                [os.path.join(tools.samples, program), *words],
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=err,
                env=variables,
                cwd=self.directory,
                start_new_session=True,
            )
        self.pid = self.process.pid
        self._pids = {self.pid}

    def curtain(self, seconds):
        """Its exit status, after it was told to end."""
        self.process.stdin.close()
        return self.end(seconds)

    def discard(self):
        self.process.stdin.close()
        super().discard()
