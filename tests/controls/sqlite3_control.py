"""sqlite3: connections of many threads to one shared cache, and to one file in WAL mode."""

from control_case import Control, main
from script_control import run_script


def workload(control: Control) -> None:
    run_script(control, "sqlite_threads.py", 9)


main("sqlite3", ["python3"], workload)
