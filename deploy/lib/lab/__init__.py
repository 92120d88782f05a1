"""A Skein cluster on this machine, for the demo, the tests and benchmarks. Standard library only."""
