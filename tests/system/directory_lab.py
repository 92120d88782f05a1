"""A real Active Directory for tests, which tests/lib/adlab makes, and clients that are at home in it."""
import base64
import contextlib
import os
import pathlib
import shlex
import smtplib
import ssl
import subprocess
import tempfile

import pytest

ADLAB = pathlib.Path(__file__).resolve().parents[1] / "lib" / "adlab"
PASSWORD = "User-Passw0rd-1"
# For policies of tests that are not about guessing: nobody has to wait, and nobody is banned.
UNGUARDED = "abuse: {delay: 0s, failures: {address: 0, network: 0, account: 0}}\n"
RELAY_GROUP = "smtp-relay-users"
# Without it the time of an attribute's change cannot be set back, and only in the database itself.
BYPASS = "--controls=local_oid:1.3.6.1.4.1.7165.4.3.12:0"
SKIPPED = 77
SECONDS = 60


class DirectoryLab:
    """A domain controller and a joined member: those that ADLAB_STATE names, or some of its own."""

    def __init__(self):
        self.folder = None
        state = os.environ.get("ADLAB_STATE")
        if not state:
            self.folder = pathlib.Path(tempfile.mkdtemp(prefix="adlab-", dir="/tmp"))
            state = str(self.folder / "lab")
        self.environment = {"ADLAB_STATE": state}
        done = self._run("up")
        if done.returncode == SKIPPED:
            self.end()
            pytest.skip(done.stdout.strip())
        assert done.returncode == 0, done.stdout + done.stderr
        self.facts = dict(word.split("=", 1) for word in shlex.split(self._run("env").stdout))

    def _run(self, *words):
        return subprocess.run([str(ADLAB), *words], env=dict(os.environ, **self.environment), capture_output=True, text=True,
                              timeout=400, check=False)

    def do(self, *words):
        """A command of tests/lib/adlab: "hang", "tool", "user", "disable", "bob" ..."""
        done = self._run(*words)
        assert done.returncode == 0, f"adlab {words}: {done.stdout}{done.stderr}"
        return done.stdout

    def end(self):
        if self.folder and any(self.folder.iterdir()):
            self.do("clean")
        if self.folder:
            self.folder.rmdir()

    @property
    def wrapper(self):
        return ["env", *(f"{name}={value}" for name, value in self.environment.items()), str(ADLAB), "exec"]

    def inside(self, command, **options):
        """Runs a command where the domain's names resolve and its winbindd answers."""
        return subprocess.run([*self.wrapper, *map(str, command)], capture_output=True, text=True, timeout=SECONDS, check=False,
                              **options)

    def settings(self, folder, backends=("ldap", "winbind", "kerberos"), **more):
        """Section `auth` of a node that knows this domain."""
        password = pathlib.Path(folder) / "svc-password"
        password.write_text(self.facts["ADLAB_BIND_PW"] + "\n", encoding="utf-8")
        password.chmod(0o600)
        return {"backends": list(backends),
                "ldap": {"servers": [self.facts["ADLAB_URI"]], "ca": self.facts["ADLAB_CA"],
                         "bind_dn": self.facts["ADLAB_BIND_DN"], "password_file": str(password),
                         "base": self.facts["ADLAB_BASE"], "domain": "ADLAB", "realm": "adlab.test"},
                **({"kerberos": {"keytab": self.facts["ADLAB_KEYTAB"]}} if "kerberos" in backends else {}),
                **more}

    # --- changes

    def _ldap(self, program, name, password, *words, **options):
        command = [program, "-x", "-H", self.facts["ADLAB_URI"], "-D", name, "-w", password, *words]
        return subprocess.run(command, env=dict(os.environ, LDAPTLS_CACERT=self.facts["ADLAB_CA"]), capture_output=True,
                              text=True, timeout=SECONDS, check=False, **options)

    def _name(self, entry):
        base = self.facts["ADLAB_BASE"]
        return f"CN={entry},CN=Users,{base}" if entry else base

    def read(self, entry, attribute):
        """The value of a user's attribute; None: it has none."""
        done = self._ldap("ldapsearch", self.facts["ADLAB_BIND_DN"], self.facts["ADLAB_BIND_PW"], "-LLL", "-s", "base", "-b",
                          self._name(entry), attribute)
        assert done.returncode == 0, done.stderr
        return next((line.partition(": ")[2] for line in done.stdout.splitlines() if line.startswith(f"{attribute}:")), None)

    def change(self, entry, *lines):
        """As the administrator: the lines of LDIF below "changetype: modify", for a user or a group; "": the domain."""
        ldif = "\n".join([f"dn: {self._name(entry)}", "changetype: modify", *lines, ""])
        done = self._ldap("ldapmodify", "Administrator@adlab.test", "Adm1n-Passw0rd", input=ldif)
        assert done.returncode == 0, done.stderr

    def age_password(self, user):
        """As if it had been set years ago."""
        ldif = f"dn: {self._name(user)}\nchangetype: modify\nreplace: pwdLastSet\npwdLastSet: 130000000000000000\n"
        done = subprocess.run(["ldbmodify", "-H", f"{self.environment['ADLAB_STATE']}/dc/private/sam.ldb", BYPASS], input=ldif,
                              capture_output=True, text=True, timeout=SECONDS, check=False)
        assert done.returncode == 0, done.stderr

    def member(self, verb, user, group=RELAY_GROUP):
        """verb: add or delete."""
        self.change(group, f"{verb}: member", f"member: {self._name(user)}")

    def set_password(self, user, password):
        quoted = base64.b64encode(f'"{password}"'.encode("utf-16-le")).decode()
        self.change(user, "replace: unicodePwd", f"unicodePwd:: {quoted}")

    def try_password(self, user, password):
        """True when a bind at the domain controller itself takes it."""
        return self._ldap("ldapsearch", f"{user}@adlab.test", password, "-s", "base", "-b", "").returncode == 0

    @contextlib.contextmanager
    def lockout(self, threshold):
        """So many wrong passwords lock an account, from here to the end of the block; then none is locked."""
        self.change("", "replace: lockoutThreshold", f"lockoutThreshold: {threshold}")
        try:
            yield
        finally:
            self.change("", "replace: lockoutThreshold", "lockoutThreshold: 0")
            for user in ("alice", "bob", "carol", "dave", "many"):
                self.change(user, "replace: lockoutTime", "lockoutTime: 0")

    # --- clients

    def kinit(self, user, cache, password=PASSWORD):
        """Gets a ticket for the relay into the file `cache`; False: there is none for this user."""
        script = 'printf "%s\\n" "$1" | kinit -C -E "$2" && kvno -q smtp/relay1.adlab.test'
        name = user if "@" in user else f"{user}@ADLAB.TEST"
        done = self.inside(["env", f"KRB5CCNAME=FILE:{cache}", "sh", "-c", script, "kinit", password, name])
        return done.returncode == 0

    def curl(self, address, mechanism, user, password, content, sender="a@client.skein.test", cache=None):
        """Sends the file `content` with implicit TLS. (exit code, what was said)"""
        port = address.split(":")[1]
        command = ["env", f"KRB5CCNAME=FILE:{cache}", "curl", "--silent", "--verbose", "--insecure",
                   f"smtps://relay1.adlab.test:{port}", "--connect-to", f"relay1.adlab.test:{port}:127.0.0.1:{port}",
                   "--mail-from", sender, "--mail-rcpt", "b@sink.skein.test", "--upload-file", str(content),
                   "--login-options", f"AUTH={mechanism}", "--user", f"{user}:{password}"]
        done = self.inside(command)
        return done.returncode, done.stderr

    def samba_ntlm(self, client, user, password, tamper=False):
        """AUTH NTLM as Windows does it, with target information, key exchange and a MIC, by Samba's own code. `client` is an
        smtplib.SMTP with TLS. tamper: NEGOTIATE is altered on its way. Returns the last reply."""
        helper = subprocess.Popen(["ntlm_auth", "--helper-protocol=ntlmssp-client-1", "--configfile=/dev/null", "--domain=ADLAB",
                                   f"--username={user}", f"--password={password}"], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE)

        def ask(line):
            helper.stdin.write(line + b"\n")
            helper.stdin.flush()
            return helper.stdout.readline().strip().split(b" ")[-1].decode()

        try:
            ask(b"SF NTLMSSP_FEATURE_SESSION_KEY")
            negotiate = ask(b"YR")
            if tamper:
                token = bytearray(base64.b64decode(negotiate))
                token[13] ^= 0x10  # A bit of no meaning: only the MIC can mind it.
                negotiate = base64.b64encode(token).decode()
            client.ehlo()
            code, challenge = client.docmd("AUTH", f"NTLM {negotiate}")
            return client.docmd(ask(b"TT " + challenge)) if code == 334 else (code, challenge)
        finally:
            helper.communicate(timeout=SECONDS)


def unverified():
    """For certificates that name another host."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def connect(address):
    host, port = address.split(":")
    return smtplib.SMTP_SSL(host, int(port), timeout=SECONDS, context=unverified())


def log_in(client, user, password, mechanism="PLAIN"):
    """Whether it was let in, with the reply: (code, text)."""
    client.ehlo()
    client.user, client.password = user, password
    try:
        return client.auth(mechanism, getattr(client, f"auth_{mechanism.lower()}"))
    except smtplib.SMTPAuthenticationError as error:
        return error.smtp_code, error.smtp_error


def node_of_domain(clusters, domain, folder, policy):
    """A cluster of one node on the joined member, where each wrong password is asked about."""
    (folder / "policy.yaml").write_text(policy, encoding="utf-8")
    return clusters(nodes=1, redis=False, balancer=False, wrapper=domain.wrapper, settings={
        "relay": None, "policy": {"file": str(folder / "policy.yaml")},
        "auth": domain.settings(folder, cache={"wrong": "0s"})})
