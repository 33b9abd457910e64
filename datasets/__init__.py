"""Images, messages and attacks. A leaf: it knows no model and imports nothing else of this project."""
