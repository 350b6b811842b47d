"""The open benchmark of quality: worlds, real tasks, every contender on the same cases."""
