"""What the bare node's processes are told: their flags and configuration files."""

import json
from pathlib import Path

from dev import controlplane
from dev.buildah import PAUSE
from dev.controlplane import Address, Layout
from dev.pki import Pki
from dev.supervisor import Component

NODE_NAME = "mlneuron"
STATE = Path("/run/mlneuron/state")
BIN = Path("/run/mlneuron/bin")
CONTAINERD = Path("/run/mlneuron/containerd")
"""Its programs."""
CONTAINERD_SOCKET = "/run/containerd/containerd.sock"

_CONTAINERD = """\
version = 3
root = "{state}/containerd"
state = "/run/containerd"

[grpc]
  address = "{socket}"

[plugins."io.containerd.internal.v1.opt"]
  path = "{state}/containerd/opt"

[plugins."io.containerd.nri.v1.nri"]
  disable = true

[plugins."io.containerd.cri.v1.images"]
  snapshotter = "overlayfs"
  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = "{pause}"

[plugins."io.containerd.cri.v1.runtime"]
  disable_apparmor = true
  restrict_oom_score_adj = true
  tolerate_missing_hugetlb_controller = true
  [plugins."io.containerd.cri.v1.runtime".containerd]
    default_runtime_name = "runc"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      runtime_path = "{programs}/containerd-shim-runc-v2"
      [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
        SystemdCgroup = false
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["/usr/lib/cni"]
    conf_dir = "{state}/cni"
"""

_COREFILE = """\
cluster.local in-addr.arpa {{
    bind {host}
    errors
    cache 5
    kubernetes {{
        kubeconfig {state}/kubeconfig mlneuron
        ttl 5
    }}
}}
. {{
    bind {host}
    template ANY ANY {{
        rcode NXDOMAIN
    }}
}}
"""


def write(layout: Layout, address: Address, cgroup: str) -> list[Component]:
    """Write every file under the node's folder and return the processes that read them."""
    pki = controlplane.issue_certificates(layout, address)
    _issue(pki, layout, address)
    root = layout.root
    (root / "cni").mkdir()
    _json(root / "cni" / "10-pods.conflist", _cni(address))
    _json(root / "kubelet.json", _kubelet(address, cgroup))
    _json(root / "kube-proxy.json", _kube_proxy(address))
    text = _CONTAINERD.format(state=STATE, programs=CONTAINERD, socket=CONTAINERD_SOCKET, pause=PAUSE)
    (root / "containerd.toml").write_text(text)
    (root / "Corefile").write_text(_COREFILE.format(host=address.host, state=STATE))
    (root / "resolv.conf").write_text(f"nameserver {address.host}\n")
    return [*controlplane.components(layout, address, node=True), *_node_components(address)]


def _issue(pki: Pki, layout: Layout, address: Address) -> None:
    user = f"system:node:{NODE_NAME}"
    names = (f"DNS:{NODE_NAME}", f"IP:{address.host}")
    pki.issue("kubelet", user, group="system:nodes", names=names)
    pki.issue("scheduler", "system:kube-scheduler")
    pki.issue("kube-proxy", "system:kube-proxy")
    for name in ("kubelet", "scheduler", "kube-proxy"):
        pki.kubeconfig(name, address.server, layout.root / f"{name}.kubeconfig")


def _node_components(address: Address) -> list[Component]:
    scheduler = STATE / "scheduler.kubeconfig"
    kubelet = [f"--config={STATE}/kubelet.json", f"--kubeconfig={STATE}/kubelet.kubeconfig"]
    identity = [f"--root-dir={STATE}/kubelet", f"--hostname-override={NODE_NAME}", f"--node-ip={address.host}"]
    delegation = [f"--{kind}-kubeconfig={scheduler}" for kind in ("authentication", "authorization")]
    return [
        Component("containerd", [f"{CONTAINERD}/containerd", "--config", f"{STATE}/containerd.toml"]),
        Component("kubelet", [f"{BIN}/kubelet", *kubelet, *identity]),
        Component(
            "kube-scheduler",
            [f"{BIN}/kube-scheduler", f"--kubeconfig={scheduler}", *delegation, "--leader-elect=false"],
        ),
        Component("kube-proxy", [f"{BIN}/kube-proxy", f"--config={STATE}/kube-proxy.json"]),
        Component("coredns", ["/run/mlneuron/coredns/coredns", "-conf", f"{STATE}/Corefile"]),
    ]


def _cni(address: Address) -> dict[str, object]:
    """Routed pods (`ptp`, no bridge): replies through a Service pass the node's NAT without br_netfilter."""
    pods = address.pods.replace(".0.0/16", ".0.0/24")
    storage = f"{STATE}/cni-addresses"
    ipam = {"type": "host-local", "ranges": [[{"subnet": pods}]], "routes": [{"dst": "0.0.0.0/0"}], "dataDir": storage}
    plugin = {"type": "ptp", "ipMasq": False, "ipam": ipam}
    return {"cniVersion": "0.4.0", "name": "pods", "plugins": [plugin]}


def _kubelet(address: Address, cgroup: str) -> dict[str, object]:
    """Fast to notice changes, and never short of the one image source it has: no image is collected."""
    pki = f"{STATE}/pki"
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{pki}/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": f"{pki}/kubelet.crt",
        "tlsPrivateKeyFile": f"{pki}/kubelet.key",
        "address": address.host,
        "healthzBindAddress": "127.0.0.1",
        "clusterDNS": [address.host],
        "clusterDomain": "cluster.local",
        "resolvConf": f"{STATE}/resolv.conf",
        "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
        "cgroupDriver": "cgroupfs",
        "featureGates": {"ImageVolume": True},
        "cgroupsPerQOS": True,
        "cgroupRoot": cgroup,
        "enforceNodeAllocatable": [],
        "failSwapOn": False,
        "failCgroupV1": False,
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "podLogsDir": f"{STATE}/logs/pods",
        "volumePluginDir": f"{STATE}/kubelet/plugins",
        "syncFrequency": "10s",
        "nodeStatusUpdateFrequency": "5s",
        "serializeImagePulls": False,
    }


def _kube_proxy(address: Address) -> dict[str, object]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clientConnection": {"kubeconfig": f"{STATE}/kube-proxy.kubeconfig"},
        "clusterCIDR": address.pods,
        "hostnameOverride": NODE_NAME,
        "bindAddress": address.host,
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
        "conntrack": {"maxPerCore": 0},
        "nftables": {"minSyncPeriod": "100ms", "syncPeriod": "30s"},
    }


def _json(path: Path, content: dict[str, object]) -> None:
    path.write_text(json.dumps(content, indent=1))
