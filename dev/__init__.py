"""The local cluster: tool builds, a bare Kubernetes node or kind, images and the quickstart.

Standard library only, so that `make up` needs no more than python3 on a fresh machine.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - an older python3 has to be told so in words
    sys.exit("Python 3.11 or newer is needed as python3: apt-get install python3 (Debian 12), or https://python.org")
