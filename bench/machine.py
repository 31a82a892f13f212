"""What a reader must know about the machine to make sense of the figures."""

import os
from typing import Dict, Union


def cpu_model() -> str:
    with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return "unknown"


def facts(compiler: str) -> Dict[str, Union[str, int]]:
    system = os.uname()
    return {
        "cpu": cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": f"{system.sysname} {system.release}",
        "architecture": system.machine,
        "libc": os.confstr("CS_GNU_LIBC_VERSION") or "unknown",
        "compiler": compiler,
    }


def load() -> float:
    return os.getloadavg()[0]
