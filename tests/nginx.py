"""nginx in front of a server, configured by what docs/how-to/nginx.md tells everybody to write."""

import datetime
import ipaddress
import os
import re
import shutil
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.server import ROOT, Server

PAGE = ROOT / "docs/how-to/nginx.md"
LOOPBACK = ipaddress.ip_address("127.0.0.1")

REST = """
daemon off;
worker_processes 1;
{user}
error_log stderr;
pid {folder}/nginx.pid;
events {{ worker_connections 2048; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {told}
}}
"""
"""What a distribution's own configuration has around it."""


def program() -> str | None:
    """Return where nginx is; it is no package of Python's, and not every machine has it."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def told() -> str:
    """Return the configuration that the page tells."""
    found = re.search(r"```nginx\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found, f"{PAGE.name} shows no configuration"
    return found.group(1)


class Nginx(Server):
    """Passes on what comes to ``behind``. With ``tls`` as the page says, otherwise plain, for those who read bytes."""

    def __init__(self, behind: Server, folder: Path, *, tls: bool = True) -> None:
        super().__init__(os.environ, folder / "nginx.log")
        self.folder = folder
        text = told().replace("127.0.0.1:8000", f"127.0.0.1:{behind.port}")
        text = text.replace("listen 443 ssl", f"listen 127.0.0.1:{self.port}{' ssl' if tls else ''}")
        if tls:
            self.tls = certified(folder)
        text = re.sub(r"/etc/ssl/(boost\.\w+)", rf"{folder}/\1", text) if tls else re.sub(r" *ssl_.*\n", "", text)
        user = "user root;" if os.geteuid() == 0 else ""
        (folder / "nginx.conf").write_text(REST.format(folder=folder, user=user, told=text))

    @property
    def command(self) -> list[str | Path]:
        found = program()
        assert found, "nginx is not installed"
        return [found, "-p", self.folder, "-c", self.folder / "nginx.conf"]


def certified(folder: Path) -> ssl.SSLContext:
    """Write ``boost.pem`` and ``boost.key`` for 127.0.0.1; return a context that believes them, and nobody else."""
    key, today = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(LOOPBACK)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "boost.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "boost.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return ssl.create_default_context(cafile=folder / "boost.pem")
