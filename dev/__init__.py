"""The local cluster: tool builds, a bare Kubernetes node or kind, images and the quickstart.

Standard library only, so that `make up` needs no more than python3 on a fresh machine.
"""
