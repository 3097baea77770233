"""The one exception that means 'the user can fix this': shown as its message, without a traceback."""


class InputError(ValueError):
    """Wrong input; the message names the key, the value and the choices in one or two lines."""
