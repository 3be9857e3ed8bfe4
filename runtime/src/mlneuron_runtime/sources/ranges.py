"""HTTP's way to continue a download: what to ask (RFC 9110, 13.1.5 and 14.2) and what the answer says."""

import re
from collections.abc import Callable

from mlneuron_runtime.sources.remote import Passing, Stamp


def asked(at: int, stamp: Stamp) -> dict[str, str]:
    """The headers that ask for the rest, or for all of it where it changed."""
    if not at or stamp.tag is None:
        return {}
    return {"Range": f"bytes={at}-", "If-Range": stamp.tag}


def told(status: int, header: Callable[[str], str | None]) -> tuple[int, Stamp]:
    """Where the body of a 200 or 206 starts, and whose it is. A weak ETag does not promise equal bytes."""
    tag = header("ETag")
    strong = tag if tag and tag.startswith('"') else None
    if status != 206:
        length = header("Content-Length") or ""
        return 0, Stamp(strong, int(length) if length.isdigit() else None)
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", (header("Content-Range") or "").strip())
    if found is None:
        raise Passing("the server answers a part without saying which")
    return int(found[1]), Stamp(strong, int(found[2]) if found[2] != "*" else None)
