"""Certificates for tests: an authority in a folder, and what it issues, by openssl."""
import subprocess


class Authority:
    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.certificate, key = self._make("ca", "/CN=Test Authority", "basicConstraints=critical,CA:TRUE", ec=True)
        self._sign_with = ["-CA", self.certificate, "-CAkey", key]

    def _make(self, name, subject, extension, ec, signed_by=()):
        certificate, key = str(self.folder / f"{name}.pem"), str(self.folder / f"{name}.key")
        kind = ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"] if ec else ["rsa:2048"]
        command = ["openssl", "req", "-x509", "-newkey", *kind, "-nodes", "-days", "30", "-subj", subject, "-addext",
                   extension, "-keyout", key, "-out", certificate, *signed_by]
        subprocess.run(command, check=True, capture_output=True)
        (self.folder / f"{name}.key").chmod(0o600)
        return certificate, key

    def issue(self, name, alt_names, ec=True):
        """(certificate, key), files; made anew under the same name, they are other ones."""
        return self._make(name, f"/CN={name}", f"subjectAltName={alt_names}", ec, self._sign_with)

    def self_signed(self, name):
        return self._make(name, f"/CN={name}", "subjectAltName=email:self@client.skein.test", True)


def row(files):
    """An item of tls.certificates."""
    return {"certificate": files[0], "key": files[1]}
