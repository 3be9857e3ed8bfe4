"""Fixtures for every test; each starts what it stands for only when a test asks for it."""

pytest_plugins = ["tests.support.cluster"]
