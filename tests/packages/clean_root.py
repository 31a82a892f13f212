"""Roots that hold nothing but named Debian packages and what these depend on, and a way to run programs in them as
nobody. The packages' files are copied from this machine, where they are installed, into memory.

enter() has to come first: it starts the script again in namespaces of its own, so that mounts and processes end with
it. Without the right to do that, by root or by user namespaces, the script is skipped.
"""

import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77
NOBODY = 65534
MARK = "IMPASSE_TEST_INSIDE"

nobody_space = None  # without root: a process in the user namespace in which programs run


def hold_nobody_space():
    """Root of our namespace is an ordinary user outside; in one further in, that user's name is nobody. It is one for
    all programs, as they may look at each other only within one."""
    global nobody_space
    names = [f"--map-user={NOBODY}", f"--map-group={NOBODY}"]
    nobody_space = subprocess.Popen(["unshare", "--user", *names, "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    nobody_space.stdin.write(b"there?\n")
    nobody_space.stdin.flush()
    assert nobody_space.stdout.readline() == b"there?\n"


def enter():
    """The folder, empty and in memory, in which roots may be made."""
    inside = os.environ.get(MARK)
    if inside is not None:
        folder = pathlib.Path(inside)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", folder], check=True)
        if not os.environ["IMPASSE_TEST_AS_ROOT"]:
            hold_nobody_space()
        return folder
    namespaces = ["unshare", "--mount", "--mount-proc", "--pid", "--fork", "--kill-child=KILL"]
    if os.geteuid() != 0:
        namespaces += ["--user", "--map-root-user"]
    allowed = subprocess.run([*namespaces, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, text=True)
    if allowed.returncode != 0:
        print("skipped: no namespaces to make a root in: " + allowed.stderr.strip())
        sys.exit(SKIPPED)
    folder = tempfile.mkdtemp(prefix="impasse-packages-")
    try:
        environment = {**os.environ, MARK: folder, "IMPASSE_TEST_AS_ROOT": "1" if os.geteuid() == 0 else ""}
        status = subprocess.run([*namespaces, sys.executable, *sys.orig_argv[1:]], env=environment).returncode
    finally:
        os.rmdir(folder)
    sys.exit(status)


def _query(field, package):
    asked = subprocess.run(["dpkg-query", "-W", "-f", "${" + field + "}", package], capture_output=True, text=True)
    return asked.stdout if asked.returncode == 0 else None


def names_of(depends):
    """'a (>= 1), b | c' as [['a'], ['b', 'c']]."""
    groups = [[re.split(r"[ :(]", one.strip())[0] for one in group.split("|")] for group in depends.split(",")]
    return [group for group in groups if group != [""]]


def with_dependencies(names):
    """These packages and all that they need, as installed here."""
    wanted, found = list(names), []
    while wanted:
        package = wanted.pop()
        if package in found:
            continue
        needs = _query("Pre-Depends", package)
        if needs is None:
            raise AssertionError(f"the package {package} is not installed on this machine")
        found.append(package)
        for group in names_of(needs) + names_of(_query("Depends", package)):
            wanted.append(next((one for one in group if _query("Version", one)), group[0]))
    return found


class Root:
    """A system in a folder. Programs run in it as nobody, who may write to /tmp, /reports, /spool and /dev/shm only."""

    def __init__(self, path):
        self.path = path
        for folder in ("proc", "dev", "tmp", "opt", "srv", "home", "reports", "spool"):
            (path / folder).mkdir(exist_ok=True)

    def open(self):
        """Call it when all that it is to have is in."""
        (self.path / "dev/null").touch()
        (self.path / "dev/shm").mkdir(exist_ok=True)
        for mount in (["--bind", "/dev/null", self.path / "dev/null"], ["-t", "proc", "proc", self.path / "proc"],
                      ["-t", "tmpfs", "-o", "mode=1777", "tmpfs", self.path / "dev/shm"]):
            subprocess.run(["mount", *mount], check=True)
        for folder in ("tmp", "reports", "spool"):
            (self.path / folder).chmod(0o1777)
        for folder in (".", "srv", "home", "opt"):
            (self.path / folder).chmod(0o555)

    def command(self, folder, *arguments, **variables):
        """The words that run this as nobody, in that folder, with these variables of environment. The process keeps its
        number."""
        exports = "".join(f"export {name}={shlex.quote(value)}; " for name, value in variables.items())
        words = ["/bin/sh", "-c", exports + 'cd "$0" && exec "$@"', folder, *arguments]
        if os.environ["IMPASSE_TEST_AS_ROOT"]:
            return ["/usr/sbin/chroot", f"--userspec={NOBODY}:{NOBODY}", "--groups=", self.path, *words]
        space = f"--user=/proc/{nobody_space.pid}/ns/user"
        place = [f"--root={self.path}", f"--wd={self.path}"]
        return ["/usr/bin/nsenter", space, "--preserve-credentials", *place, *words]

    def names(self, folder):
        """What lies in that folder."""
        return sorted(os.listdir(self.path / folder.strip("/")))


class CleanRoot(Root):
    """Nothing but these packages and what they depend on."""

    def __init__(self, path, packages):
        for folder in ("usr/bin", "usr/sbin", "usr/lib", "usr/lib64", "etc", "var/lib/dpkg"):
            (path / folder).mkdir(parents=True)
        for link in ("bin", "sbin", "lib", "lib64"):
            (path / link).symlink_to("usr/" + link)
        super().__init__(path)
        status = "".join(self._take(package) for package in with_dependencies(packages))
        (path / "var/lib/dpkg/status").write_text(status)

    def _take(self, package):
        """Copies the files of a package that is installed here; the words that dpkg keeps about it."""
        listed = subprocess.run(["dpkg", "-L", package], check=True, capture_output=True, text=True).stdout
        for name in listed.splitlines():
            if not name.startswith("/") or name.startswith("/usr/share/") or not os.path.lexists(name):
                continue
            to = self.path / name[1:]
            if os.path.isdir(name):
                to.mkdir(parents=True, exist_ok=True)
            elif not os.path.lexists(to):
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(name, to, follow_symlinks=False)
        return subprocess.run(["dpkg-query", "-s", package], check=True, capture_output=True, text=True).stdout + "\n"
