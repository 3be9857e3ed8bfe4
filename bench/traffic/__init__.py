"""What a split of the traffic costs."""
