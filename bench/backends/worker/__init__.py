"""A process that holds one model: where every file runs, for accuracy as for latency.

`frames` is the protocol's wire format, `server` the process, `process` what starts it and talks to it.
"""
