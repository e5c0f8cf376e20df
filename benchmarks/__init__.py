"""What it costs, measured: each module is a command, ``python -m benchmarks.<name>``. See README.md."""
