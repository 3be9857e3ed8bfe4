"""Benchmarks: each is one command (``make bench-NAME``), prints its figures and keeps them under ``.bench/``."""
