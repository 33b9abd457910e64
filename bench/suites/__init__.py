"""The suites: each measures one thing of one artifact and records it.

A module `test_*.py` here is a suite. Its marker `suite` says when it runs and on which models, see
`sealbench.bench.session.suite_modules.Suite`; the marker `measures` of a test says what the test will record.
"""
