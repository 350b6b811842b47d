"""The `hemostat` command: one module per subcommand, wired in `main`."""
