"""A minimal Debian with its own systemd as process 1, in name spaces of its own: what a package is installed on.

The root is an overlay in memory over a folder that is made once (debootstrap) and kept in the build folder. Its network
is loopback alone.
"""
import fcntl
import hashlib
import os
import pathlib
import platform
import shutil
import signal
import subprocess

from lab.wait import until

PROGRAMS = ("debootstrap", "unshare", "nsenter", "dpkg-deb")
# systemd as process 1 of an init-less root; dbus is how systemctl speaks with it.
PACKAGES = "systemd,systemd-sysv,dbus"
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
NETWORK_SECONDS = 600

BOOT = r"""
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs "$2"
mkdir "$2/up" "$2/work" "$2/root"
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/up,workdir=$2/work" "$2/root"
cd "$2/root"
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
mount -t tmpfs -o mode=755 tmpfs dev
for device in null zero full random urandom tty; do touch dev/$device; mount --bind /dev/$device dev/$device; done
mkdir dev/pts dev/shm .old
mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
mount -t tmpfs tmpfs dev/shm
mount -t cgroup2 cgroup2 sys/fs/cgroup
ip link set lo up
pivot_root . .old
exec chroot . sh -c 'umount -l /.old; rmdir /.old
    exec env -i container=skein-test PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --log-target=null'
"""


class Unavailable(Exception):
    """Why there can be no container here."""


def os_codename():
    return platform.freedesktop_os_release().get("VERSION_CODENAME", "")


def mirror():
    """Where this machine's apt has its main component from."""
    words = subprocess.run(["apt-get", "indextargets", "--format", "$(CODENAME) $(COMPONENT) $(REPO_URI)", "Created-By: Packages"],
                           capture_output=True, text=True, check=True).stdout
    for codename, component, address in (line.split() for line in words.splitlines() if line.count(" ") == 2):
        if codename == os_codename() and component == "main":
            return address
    raise Unavailable(f"apt of this machine knows no mirror of {os_codename()}")


def require():
    if os.getuid() != 0:
        raise Unavailable("only root can make a root of its own")
    missing = [name for name in PROGRAMS if not shutil.which(name)]
    if missing:
        raise Unavailable("not installed: " + ", ".join(missing))
    if os_codename() != "bookworm":
        raise Unavailable(f"packages are made for Debian 12, and this is {os_codename() or 'something else'}")


def fetch(command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=NETWORK_SECONDS, check=False,
                              env=dict(os.environ, **ENVIRONMENT))
    except subprocess.TimeoutExpired as late:
        raise Unavailable(f"the mirror took longer than {NETWORK_SECONDS} s") from late
    if done.returncode:
        raise Unavailable(f"{command[0]} failed: " + " ".join((done.stdout + done.stderr).split())[-300:])


def make_once(folder, make):
    """Half a folder is never taken for a whole one."""
    if not folder.exists():
        part = folder.with_name(folder.name + ".part")
        shutil.rmtree(part, ignore_errors=True)
        make(part)
        part.rename(folder)
    return folder


def base_root(cache, depends, purpose="package"):
    """The folder of a clean system that has the packages of `depends` (as in a package's Depends) and nothing more. There
    is one for each `purpose`."""
    cache.mkdir(exist_ok=True)
    with open(cache / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _base_root(cache, depends, purpose)


def _base_root(cache, depends, purpose):
    plain = make_once(cache / "plain", lambda part: fetch(
        ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", os_codename(), str(part), mirror()]))

    def satisfy(part):
        subprocess.run(["cp", "-a", "--reflink=auto", str(plain), str(part)], check=True)
        shutil.copy("/etc/resolv.conf", part / "etc" / "resolv.conf")
        fetch(["chroot", str(part), "apt-get", "-q", "update"])
        fetch(["chroot", str(part), "apt-get", "-qy", "--no-install-recommends", "satisfy", depends])

    name = hashlib.sha256(depends.encode()).hexdigest()[:16]
    for old in cache.glob(f"{purpose}-*"):
        if old.name != f"{purpose}-{name}":
            shutil.rmtree(old)
    return make_once(cache / f"{purpose}-{name}", satisfy)


class Container:
    def __init__(self, root, folder):
        self.holder = subprocess.Popen(
            ["unshare", "--pid", "--mount", "--uts", "--ipc", "--net", "--cgroup", "--fork", "--kill-child", "sh", "-c", BOOT,
             "boot", str(root), str(folder)],
            stdin=subprocess.DEVNULL, stdout=(folder.parent / "boot.log").open("wb"), stderr=subprocess.STDOUT)
        self.pid = None
        try:
            self.pid = until(self.first_process, 30, "systemd is started")
            until(lambda: self.run("systemctl is-system-running", check=False).stdout.strip() in ("running", "degraded"), 60,
                  "systemd is up")
        except AssertionError as error:
            self.end()
            raise Unavailable("systemd does not start in a container here: "
                              + (folder.parent / "boot.log").read_text(errors="replace")[-300:]) from error

    def first_process(self):
        if self.holder.poll() is not None:
            raise AssertionError("it ended")
        children = pathlib.Path(f"/proc/{self.holder.pid}/task/{self.holder.pid}/children").read_text().split()
        if children and "systemd" in os.readlink(f"/proc/{children[0]}/exe"):
            return int(children[0])
        return None

    def run(self, command, check=True):
        """A line of shell inside."""
        done = subprocess.run(["nsenter", f"--target={self.pid}", "--all", "--root", "--wd", "sh", "-c", command],
                              env=ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False)
        if check and done.returncode:
            raise AssertionError(f"{command}: {done.stdout}{done.stderr}\n{self.journal()}")
        return done

    def ask(self, command):
        return self.run(command).stdout.strip()

    def journal(self, lines=40):
        return self.run(f"journalctl --no-pager -n {lines}", check=False).stdout

    def start_in_network(self, command):
        """A program of this machine that shares the container's network."""
        return subprocess.Popen(["nsenter", f"--net=/proc/{self.pid}/ns/net", *map(str, command)], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def put(self, file, path):
        """Copies a file of this machine in."""
        with open(file, "rb") as content:
            subprocess.run(["nsenter", f"--target={self.pid}", "--all", "--root", "--wd", "sh", "-c", f"cat >'{path}'"],
                           env=ENVIRONMENT, stdin=content, check=True)

    def end(self):
        if self.holder.poll() is None:
            if self.pid:
                os.kill(self.pid, signal.SIGKILL)
            else:
                self.holder.kill()
        self.holder.wait()
