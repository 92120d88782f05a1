"""Certificates for tests: an authority in a folder, and what it issues, by openssl."""
import datetime
import hashlib
import subprocess

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization


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

    def issue_expired(self, name, alt_names):
        """The same, but its time was over yesterday."""
        return self.issue_until(name, alt_names, -1)

    def issue_until(self, name, alt_names, days):
        """The same, but it ends in so many days and an hour."""
        files = self.issue(name, alt_names)
        made = self._load(files[0])
        end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days, hours=1 if days > 0 else 0)
        again = x509.CertificateBuilder(made.issuer, made.subject, made.public_key(), made.serial_number,
                                        end - datetime.timedelta(days=30), end, list(made.extensions))
        key = serialization.load_pem_private_key((self.folder / "ca.key").read_bytes(), None)
        (self.folder / f"{name}.pem").write_bytes(
            again.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        return files

    @staticmethod
    def _load(path):
        with open(path, "rb") as file:
            return x509.load_pem_x509_certificate(file.read())

    def self_signed(self, name):
        return self._make(name, f"/CN={name}", "subjectAltName=email:self@client.skein.test", True)


def tlsa(certificate, usage=3):
    """The data of a TLSA record for this certificate's key."""
    key = Authority._load(certificate).public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return f"{usage} 1 1 {hashlib.sha256(key).hexdigest()}"


def row(files):
    """An item of tls.certificates."""
    return {"certificate": files[0], "key": files[1]}
