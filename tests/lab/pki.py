"""Certificates of the lab, made when they are needed, laid out in folders as swanctl has them."""
import datetime
import functools
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

KINDS = {"rsa": lambda: rsa.generate_private_key(65537, 2048),
         "rsa3072": lambda: rsa.generate_private_key(65537, 3072),
         "ecdsa": lambda: ec.generate_private_key(ec.SECP256R1()),
         "ecdsa384": lambda: ec.generate_private_key(ec.SECP384R1()),
         "ecdsa521": lambda: ec.generate_private_key(ec.SECP521R1()),
         "ed25519": ed25519.Ed25519PrivateKey.generate}
HASH = {"ecdsa384": hashes.SHA384(), "ecdsa521": hashes.SHA512(), "ed25519": None}
FOLDERS = ("x509", "x509ca", "x509crl", "private")


def days(n):
    return datetime.datetime.utcnow() + datetime.timedelta(days=n)


def subject(name):
    return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Lab"),
                      x509.NameAttribute(NameOID.COMMON_NAME, name)])


def general(text):
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.RFC822Name(text) if "@" in text else x509.DNSName(text)


class Identity:
    """A certificate and its key."""

    def __init__(self, cert, key, kind):
        self.cert, self.key, self.kind = cert, key, kind

    @functools.cached_property
    def pem(self):
        return self.cert.public_bytes(serialization.Encoding.PEM)

    @functools.cached_property
    def key_pem(self):
        """Slow: OpenSSL checks RSA keys."""
        return self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                      serialization.NoEncryption())


class Authority(Identity):
    def __init__(self, kind="rsa", name=None, by=None):
        self.kind, self.key = kind, KINDS[kind]()
        self.name = subject(name or f"CA {kind}")
        self.by = by or self
        b = self._builder(self.name, self.key.public_key(), -1, 30)
        b = b.add_extension(x509.BasicConstraints(True, None), critical=True)
        b = b.add_extension(x509.KeyUsage(False, False, False, False, False, True, True, False, False), critical=True)
        self.cert = b.sign(self.by.key, HASH.get(self.by.kind, hashes.SHA256()))

    def _builder(self, name, public, start, end):
        me = self.by if name == self.name else self
        return (x509.CertificateBuilder().subject_name(name).issuer_name(me.name).public_key(public)
                .serial_number(x509.random_serial_number()).not_valid_before(days(start)).not_valid_after(days(end))
                .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
                .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(me.key.public_key()), critical=False))

    def issue(self, name, *names, kind=None, start=-1, end=30):
        """names: what the subjectAltName has; by default the name alone."""
        kind = kind or self.kind
        key = KINDS[kind]()
        b = self._builder(subject(name), key.public_key(), start, end)
        b = b.add_extension(x509.SubjectAlternativeName([general(n) for n in names or (name,)]), critical=False)
        return Identity(b.sign(self.key, HASH.get(self.kind, hashes.SHA256())), key, kind)

    def crl(self, *revoked):
        b = x509.CertificateRevocationListBuilder().issuer_name(self.name).last_update(days(-1)).next_update(days(7))
        b = b.add_extension(x509.CRLNumber(1), critical=False)
        b = b.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        for r in revoked:
            b = b.add_revoked_certificate(x509.RevokedCertificateBuilder().serial_number(r.cert.serial_number)
                                          .revocation_date(days(-1)).build())
        return b.sign(self.key, HASH.get(self.kind, hashes.SHA256())).public_bytes(serialization.Encoding.PEM)


def p12(name, identity, password=b"lab"):
    """For NSS, in the old encryption that every version of it reads."""
    how = (serialization.PrivateFormat.PKCS12.encryption_builder().kdf_rounds(2000)
           .key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC).hmac_hash(hashes.SHA1()).build(password))
    return pkcs12.serialize_key_and_certificates(name.encode(), identity.key, identity.cert, None, how)


def install(daemon, own=(), trusted=(), others=(), crls=()):
    """own: identities with keys, as own0.pem ...; trusted: authorities; others: certificates alone."""
    top = daemon.credentials
    for sub in FOLDERS:
        (top / sub).mkdir(parents=True, exist_ok=True)
        for old in (top / sub).iterdir():
            old.unlink()
    for i, o in enumerate(own):
        (top / "x509" / f"own{i}.pem").write_bytes(o.pem)
        (top / "private" / f"own{i}.pem").write_bytes(o.key_pem)
        (top / "private" / f"own{i}.pem").chmod(0o600)
    for i, o in enumerate(others):
        (top / "x509" / f"other{i}.pem").write_bytes(o.pem)
    for i, a in enumerate(trusted):
        (top / "x509ca" / f"ca{i}.pem").write_bytes(a.pem)
    for i, c in enumerate(crls):
        (top / "x509crl" / f"crl{i}.pem").write_bytes(c)
