"""Every statistic, once. Pure functions of arrays."""
