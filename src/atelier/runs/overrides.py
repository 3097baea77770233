"""What is typed, `+key=value`, taken apart as text; `atelier.sweeps.grid` reads what a value means."""


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
