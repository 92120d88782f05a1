"""A real Postfix as next hop, as root only, with all it has in a folder of its own."""
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

from lab import ports
from lab.cluster import accepts
from lab.process import Process
from lab.wait import until

MASTER = """\
pickup    unix  n - n 60 1 pickup
cleanup   unix  n - n - 0 cleanup
qmgr      unix  n - n 300 1 qmgr
rewrite   unix  - - n - - trivial-rewrite
bounce    unix  - - n - 0 bounce
defer     unix  - - n - 0 bounce
trace     unix  - - n - 0 bounce
verify    unix  - - n - 1 verify
flush     unix  n - n 1000? 0 flush
proxymap  unix  - - n - - proxymap
smtp      unix  - - n - - smtp
error     unix  - - n - - error
retry     unix  - - n - - error
anvil     unix  - - n - 1 anvil
tlsmgr    unix  - - n 1000? 1 tlsmgr
scache    unix  - - n - 1 scache
postlog   unix-dgram n - n - 1 postlogd
"""


def why_not():
    """Why there can be none here, or None."""
    if os.geteuid() != 0 or not shutil.which("postfix"):
        return "Postfix is not installed, or this is not root"
    return None


class Postfix:
    """Passes mail on to the sink that start() names."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="skein-postfix-"))
        self.folder.chmod(0o755)
        self.process = None
        self.port, = ports.reserve(1, self.folder)
        self.etc = self.folder / "etc"
        for name in ["etc", "spool", "data"]:
            (self.folder / name).mkdir(mode=0o755)
        shutil.chown(self.folder / "data", "postfix")

    def configure(self, sink, processes="-", **settings):
        """`processes`: of smtpd at a time. `settings` of main.cf go behind ours."""
        (self.etc / "main.cf").write_text(f"""\
compatibility_level = 3.6
queue_directory = {self.folder}/spool
data_directory = {self.folder}/data
myhostname = edge.skein.test
mydestination =
local_recipient_maps =
alias_maps =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
relayhost = [127.0.0.1]:{sink.rpartition(":")[2]}
disable_dns_lookups = yes
smtp_host_lookup = native
smtpd_peername_lookup = no
minimal_backoff_time = 1s
maximal_backoff_time = 2s
queue_run_delay = 1s
transport_retry_time = 1s
maillog_file = {self.folder}/maillog
maillog_file_prefixes = {self.folder}
""" + "".join(f"{name} = {value}\n" for name, value in settings.items()), encoding="ascii")
        first = f"127.0.0.1:{self.port} inet n - n - {processes} smtpd\n"
        (self.etc / "master.cf").write_text(first + MASTER, encoding="ascii")
        (self.etc / "dynamicmaps.cf").touch()

    def start(self, sink, **settings):
        self.configure(sink, **settings)
        self.command("check")
        daemons = subprocess.run(["postconf", "-h", "-d", "daemon_directory"], check=True, capture_output=True, text=True,
                                 timeout=60).stdout.strip()
        self.process = Process.start([f"{daemons}/master", "-c", str(self.etc), "-d"], self.folder / "master.log",
                                     env={**os.environ, "MAIL_CONFIG": str(self.etc)})
        until(lambda: accepts(f"127.0.0.1:{self.port}"), 20, "Postfix answers")

    def command(self, word):
        """Such as reload or flush."""
        subprocess.run(["postfix", "-c", str(self.etc), word], check=False, capture_output=True, timeout=60)

    def kill(self):
        """All of it at once, as when the machine loses its power. It has a session of its own."""
        if self.process.is_alive():
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)

    def stop(self):
        if self.process:
            self.process.stop(20)

    def end(self):
        self.stop()
        shutil.rmtree(self.folder)
