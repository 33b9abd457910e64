"""Load the plugin: it owns the options, the parametrization and the files of a run."""

pytest_plugins = ["sealbench.bench.session.plugin"]
