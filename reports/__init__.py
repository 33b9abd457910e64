"""Record schema, gates, tables and plots. A leaf: it never measures and imports no torch and no LiteRT."""
