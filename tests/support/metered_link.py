"""A link to a real server that counts what it delivers, and breaks off where a test says."""

from .breakable import BreakableLink


class MeteredLink(BreakableLink):
    """`delivered` are the bytes that came from the server; past `budget` the link is cut."""

    def __init__(self, target: int, budget: int | None = None) -> None:
        super().__init__(target)
        self.delivered = 0
        self.budget = budget

    def _delivered(self, size: int) -> None:
        self.delivered += size
        if self.budget is not None and self.delivered > self.budget:
            self.budget = None
            self.cut()
