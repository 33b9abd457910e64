"""From a saved record to tables, pictures and pages."""
