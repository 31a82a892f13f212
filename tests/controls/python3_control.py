"""python3: queues, pools of threads, conditions and locks of its own."""

from control_case import Control, main
from script_control import run_script


def workload(control: Control) -> None:
    run_script(control, "python_threads.py", 8)


main("python3", ["python3"], workload)
