"""Runners, metrics, latency, the pytest plugin and the suites that measure artifacts."""
