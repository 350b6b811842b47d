"""Learning from the event log: labels, heads, the model bundle; and a world to learn in."""
