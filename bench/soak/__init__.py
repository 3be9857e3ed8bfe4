"""Whether a server at full load holds on to anything."""
