"""A real Active Directory for tests: the lab that lies beside the project, where it does."""
import os
import pathlib
import shlex
import subprocess
import tempfile

LAB = pathlib.Path(__file__).resolve().parents[3] / "shared" / "lab" / "ad" / "adlab.sh"
PASSWORD = "User-Passw0rd-1"
_addresses = iter(range(40, 200))


class DirectoryLab:
    """A domain controller and a joined member on an address of their own."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="adlab-", dir="/tmp")
        self.environment = dict(os.environ, ADLAB_STATE=self.folder, ADLAB_ADDR=f"127.0.{os.getpid() % 200 + 1}.{next(_addresses)}")
        self._run("install")
        self._run("up")
        self.facts = dict(word.split("=", 1) for word in shlex.split(self._run("env")))

    def _run(self, *words, check=True):
        done = subprocess.run([str(LAB), *words], env=self.environment, capture_output=True, text=True, timeout=300, check=False)
        if check and done.returncode:
            raise AssertionError(f"adlab.sh {words}: {done.stdout}{done.stderr}")
        return done.stdout

    def tool(self, *words):
        return self._run("tool", *words)

    def dc(self, verb):
        return self._run(f"dc-{verb}")

    @property
    def wrapper(self):
        return ["env", f"ADLAB_STATE={self.folder}", f"ADLAB_ADDR={self.environment['ADLAB_ADDR']}", str(LAB), "exec"]

    def inside(self, command, **options):
        """Runs a command where the domain's names resolve and its winbindd answers."""
        return subprocess.run([*self.wrapper, *command], capture_output=True, text=True, timeout=60, check=False, **options)

    def settings(self, folder):
        """Section `auth` of a node that knows this domain."""
        password = pathlib.Path(folder) / "svc-password"
        password.write_text(self.facts["ADLAB_BIND_PW"] + "\n", encoding="utf-8")
        password.chmod(0o600)
        return {"backends": ["ldap", "winbind", "kerberos"],
                "ldap": {"servers": [self.facts["ADLAB_URI"]], "ca": self.facts["ADLAB_CA"],
                         "bind_dn": self.facts["ADLAB_BIND_DN"], "password_file": str(password),
                         "base": self.facts["ADLAB_BASE"], "domain": "ADLAB", "realm": "adlab.test"},
                "kerberos": {"keytab": self.facts["ADLAB_KEYTAB"]},
                "cache": {"wrong": "0s"}}

    def end(self):
        self._run("clean", check=False)
