"""The laboratory: measurements beside the main job. Loaded only when a command asks for it."""
