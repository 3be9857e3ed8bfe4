"""How soon a rollout sees harm, and how often it sees some where there is none."""
