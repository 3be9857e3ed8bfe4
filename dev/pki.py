"""A cluster's certificates and kubeconfigs, made with openssl."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dev.process import run

_CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3650")
_CONFIG = "[req]\ndistinguished_name = dn\n[dn]\n"


@dataclass(frozen=True)
class Pki:
    """One folder with `ca`, the service account key and a `.crt`/`.key` pair for each name asked for."""

    folder: Path

    @classmethod
    def create(cls, folder: Path) -> "Pki":
        """Make the authority and the key that signs service account tokens."""
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        (folder / "openssl.cnf").write_text(_CONFIG)
        pki = cls(folder)
        pki._request("ca", "/CN=mlneuron-dev", "basicConstraints=critical,CA:TRUE", ())
        key = folder / "service-account.key"
        run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key])
        run(["openssl", "pkey", "-in", key, "-pubout", "-out", folder / "service-account.pub"])
        return pki

    def issue(self, name: str, common_name: str, *, group: str = "", names: Sequence[str] = ()) -> None:
        """Sign `name`.crt for a user (and group) or, with `names` (`IP:…`, `DNS:…`), for a server."""
        subject = (f"/O={group}" if group else "") + f"/CN={common_name}"
        extra = ("-addext", f"subjectAltName={','.join(names)}") if names else ()
        authority = ("-CA", str(self.folder / "ca.crt"), "-CAkey", str(self.folder / "ca.key"))
        self._request(name, subject, "basicConstraints=critical,CA:FALSE", (*authority, *extra))

    def _request(self, name: str, subject: str, constraint: str, extra: Sequence[str]) -> None:
        where = ("-keyout", self.folder / f"{name}.key", "-out", self.folder / f"{name}.crt")
        config = ("-config", self.folder / "openssl.cnf")
        run(["openssl", "req", "-x509", *config, *_CURVE, "-subj", subject, "-addext", constraint, *extra, *where])

    def kubeconfig(self, name: str, server: str, target: Path) -> Path:
        """A self-contained kubeconfig (JSON is YAML) for the client certificate `name`."""
        user = {"client-certificate-data": self._data(f"{name}.crt"), "client-key-data": self._data(f"{name}.key")}
        cluster = {"server": server, "certificate-authority-data": self._data("ca.crt")}
        context = {"cluster": "mlneuron", "user": name, "namespace": "default"}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "mlneuron", "cluster": cluster}],
            "users": [{"name": name, "user": user}],
            "contexts": [{"name": "mlneuron", "context": context}],
            "current-context": "mlneuron",
        }
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch(mode=0o600)
        target.write_text(json.dumps(config, indent=1))
        return target

    def _data(self, file: str) -> str:
        return base64.b64encode((self.folder / file).read_bytes()).decode()
