"""The peers: a pinned environment each, and where a peer serves code rather than files, the code."""
