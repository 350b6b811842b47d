"""From what the log tells of a case afterwards to what is learned from it."""
