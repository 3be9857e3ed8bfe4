"""Rollouts: what is counted, what the counts prove, and what follows from it. Pure."""
