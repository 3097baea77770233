"""Splits overrides such as `+key=value` into key and value, as text; `atelier.sweeps.grid` parses the values."""


def key_of(override: str) -> str:
    """
    >>> key_of("+callbacks=filters"), key_of("optimizer.lr=0.1")
    ('callbacks', 'optimizer.lr')
    """
    return bare(override.partition("=")[0])


def bare(key: str) -> str:
    return key.lstrip("+~")


def value_of(override: str) -> str:
    return override.partition("=")[2]
