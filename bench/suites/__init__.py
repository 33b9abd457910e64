"""The suites: each measures one thing of one artifact and records it."""
