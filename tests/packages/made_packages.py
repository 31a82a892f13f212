"""Makes the packages of a build, in a folder of the test's own.

CMake hands over the paths in the environment: IMPASSE_TEST_BUILD, IMPASSE_TEST_SOURCE, IMPASSE_TEST_CPACK and
IMPASSE_TEST_CUSTOMER (the program of customer.cc).
"""

import os
import pathlib
import subprocess

BUILD = pathlib.Path(os.environ["IMPASSE_TEST_BUILD"])
SOURCE = pathlib.Path(os.environ["IMPASSE_TEST_SOURCE"])
CPACK = os.environ["IMPASSE_TEST_CPACK"]
CUSTOMER = pathlib.Path(os.environ["IMPASSE_TEST_CUSTOMER"])


def only(paths):
    paths = list(paths)
    assert len(paths) == 1, paths
    return paths[0]


def make_packages(folder):
    """The .deb and the .tar.gz."""
    made = subprocess.run([CPACK, "--config", BUILD / "CPackConfig.cmake", "-B", folder],
                          capture_output=True, text=True)
    if made.returncode != 0:
        raise AssertionError(made.stdout + made.stderr)
    folder = pathlib.Path(folder)
    return only(folder.glob("*.deb")), only(folder.glob("*.tar.gz"))
