"""The machinery of level-triggered reconciliation: what is known (store), what is due (queue), who acts (election)."""
