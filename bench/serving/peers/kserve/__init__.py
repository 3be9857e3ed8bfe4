"""KServe's Python server, serving V1."""
