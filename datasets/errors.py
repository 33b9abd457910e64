"""What goes wrong with data. Imports nothing, so that commands can catch it before anything heavy is loaded."""


class DatasetError(ValueError):
    """Bad input: the message names what was read, what was found, what was expected and what to do."""
