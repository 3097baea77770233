"""The names of metrics and keys on axes, in legends and in tables."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

METRICS = {
    "common_sense_error": "common-sense error (minutes)",
    "median_error": "median error (minutes)",
    "median_error_modulo_turns": "median error modulo turns of the dial (minutes)",
    "validation_gap": "gap between training and validation",
    "generalisation_gap": "generalisation gap (training to test)",
    "frechet_distance": "Fréchet distance",
    "elbo": "ELBO (nats)",
    "kl": "KL divergence (nats)",
    "macro_f1": "macro-F1",
    "auroc": "AUROC",
    "seconds": "training time (seconds)",
}
KEYS = {"lr": "learning rate", "hidden": "hidden units", "num_images": "number of pictures", "max_epochs": "epochs"}
# Words in the names of metrics that are better when large, and when small.
BETTER = {
    "max": ("accuracy", "elbo", "macro_f1", "auroc", "/log_likelihood", "within_", "/precision", "/recall"),
    "min": ("loss", "error", "distance", "perplexity", "bits_per_dimension"),
}
OF_A_GAME = ("discriminator_", "generator_")  # one network's gain is the other's loss
ROUNDING = 1e-6  # of float32, relative: a smaller deviation is none
SPLITS = {"train": "training", "val": "validation", "test": "test"}


@contextmanager
def as_written() -> Iterator[None]:
    """Inside this context, Matplotlib does not read `$` in texts as the start of a formula; also a decorator."""
    from matplotlib import rc_context

    with rc_context({"text.parse_math": False}):
        yield


def metric_words(metric: str) -> str:
    """
    >>> metric_words("val/common_sense_error")
    'validation common-sense error (minutes)'
    >>> metric_words("test/accuracy/ankle_boot"), metric_words("seconds")
    ('test accuracy, ankle boot', 'training time (seconds)')
    """
    split, _, name = metric.partition("/") if "/" in metric else ("", "", metric)
    name = name.replace("/", ", ")
    return f"{SPLITS.get(split, split)} {METRICS.get(name, name.replace('_', ' '))}".strip()


def sentence(words: str) -> str:
    """Words as the beginning of a sentence.

    >>> sentence("ELBO (nats)"), sentence("test accuracy")
    ('ELBO (nats)', 'Test accuracy')
    """
    return words[:1].upper() + words[1:]


def better(metric: str) -> str | None:
    """Whether a metric is better when large, "max", or when small, "min", as its name tells; None if it does not.

    >>> better("test/common_sense_error"), better("val/kl"), better("val/within_class_distance")
    ('min', None, None)
    >>> better("val/bits_per_dimension"), better("val/within_5_minutes"), better("test/discriminator_loss")
    ('min', 'max', None)
    """
    told = [mode for mode, words in BETTER.items() if any(word in metric for word in words)]
    return told[0] if len(told) == 1 and not any(word in metric for word in OF_A_GAME) else None


def better_than(metric: str, objective: str, mode: str) -> str | None:
    """`better`, but for the objective, on any split, whose `mode` is known whatever its name tells.

    >>> better_than("test/errors_found", "val/errors_found", "max"), better_than("test/loss", "val/errors_found", "max")
    ('max', 'min')
    """
    return mode if metric.partition("/")[2] == objective.partition("/")[2] else better(metric)


def key_words(key: str) -> str:
    """
    >>> key_words("optimizer.weight_decay")
    'weight decay'
    """
    name = key.rpartition(".")[2].rpartition("/")[2]
    return KEYS.get(name, name.replace("_", " "))


def key_titles(keys: Iterable[str]) -> dict[str, str]:
    """{key: its words}; keys with equal words keep their own names.

    >>> key_titles(["optimizer.lr", "task.lr", "network.hidden"])
    {'optimizer.lr': 'optimizer.lr', 'task.lr': 'task.lr', 'network.hidden': 'hidden units'}
    """
    words = {key: key_words(key) for key in keys}
    return {key: key if list(words.values()).count(word) > 1 else word for key, word in words.items()}


def describe_values(values: Mapping[str, str | None], among: Iterable[str] = (), named: bool = False) -> str:
    """The values of the swept keys as a label; an option of a group stands without its key, unless it shall be `named`.

    Of keys with equal words, also `among` keys that are not told, each has its own name.

    >>> describe_values({"optimizer": "sgd", "optimizer.lr": "0.01"})
    'sgd, learning rate 0.01'
    >>> describe_values({"encoder.hidden": "16"}, among=["encoder.hidden", "decoder.hidden"])
    'encoder.hidden 16'
    >>> describe_values({"encoder": "conv"}, named=True)
    'encoder conv'
    """
    titles = key_titles(dict.fromkeys([*values, *among]))
    known = [(key, value) for key, value in values.items() if value is not None]
    known = known or [(key, "not set") for key in values]  # only if no key is set
    return ", ".join(
        f"{titles[key]} {value}" if named or "." in key or len(value) < 3 else value for key, value in known
    )


def number(value: float | None, std: float | None = None) -> str:
    """A number with four digits, or all before the point of one below a million; or with its deviation of two digits
    and as many decimals as the deviation has.

    >>> number(14.19512), number(14.19512, 1.234), number(0.98211, 0.00312), number(57060), number(None)
    ('14.2', '14.2 ± 1.2', '0.9821 ± 0.0031', '57,060', '–')
    >>> number(0.985, 5.8e-9)  # the same number, rounded in another way
    '0.985 ± 0'
    >>> number(-0.00004, 0.0096), number(-0.3, 140.0), number(-0.0)  # no zero has a sign
    ('0.0000 ± 0.0096', '0 ± 140', '0')
    >>> number(3e-7, 1e-8), number(1234567.0, 123456.0), number(12345.6), number(2.5e6), number(2.5e6 + 0.1)
    ('3e-07 ± 1e-08', '1,234,567 ± 123,456', '12,346', '2,500,000', '2.5e+06')
    """
    if value is None or not math.isfinite(value):
        return "–" if value is None else str(value)
    if std is not None and not ROUNDING * abs(value) <= std < math.inf:  # of huge values, the squares overflow
        std = 0.0 if std < math.inf else None
    if std is None or std == 0:
        whole = abs(value) >= 1000 and (abs(value) < 1e6 or value == int(value))
        text = f"{value:,.0f}" if whole else f"{value:z.4g}"
        return text if std is None else f"{text} ± 0"
    digits = 1 - int(f"{std:e}".partition("e")[2])  # decimals of the second digit of std
    if 0 <= digits <= 6:
        return f"{value:z.{digits}f} ± {std:.{digits}f}"
    if -4 <= digits < 0:
        return f"{value:z,.0f} ± {std:,.0f}"
    return f"{value:.4g} ± {std:.2g}"


def whole_number(value: float | None, std: float | None = None) -> str:
    """`number` with trailing zeros up to four digits, for columns of numbers.

    >>> whole_number(0.82), whole_number(14.2, 1.234), whole_number(57060), whole_number(1.0)
    ('0.8200', '14.2 ± 1.2', '57,060', '1.000')
    """
    if value is None or std is not None or not math.isfinite(value) or abs(value) >= 1000:
        return number(value, std)
    return f"{value:z#.4g}"


def duration(seconds: float | None) -> str:
    """A time in seconds.

    >>> duration(3.14159), duration(564.2), duration(7380.0), duration(None)
    ('3.1 s', '564 s', '2 h 3 min', '–')
    """
    if seconds is None:
        return "–"
    if seconds < 6000:
        return f"{seconds:.1f} s" if seconds < 100 else f"{seconds:.0f} s"
    return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60)} min"


def sample(counts: Iterable[int]) -> str:
    """The number of runs behind each value, as text.

    >>> sample([3, 3]), sample([3, 0, 2])
    ('n = 3', 'n = 2 to 3')
    """
    known = sorted({count for count in counts if count})
    return f"n = {known[0]}" + (f" to {known[-1]}" if len(known) > 1 else "")


def as_number(text: str | None) -> float | None:
    """The value as a number; None if it is no number."""
    try:
        return float(text) if text is not None else None
    except ValueError:
        return None


def in_order(values: Iterable[str]) -> list[str]:
    """The values without duplicates, sorted if all are numbers."""
    once = list(dict.fromkeys(values))
    places = {value: as_number(value) for value in once}
    if any(place is None for place in places.values()):
        return once
    return sorted(once, key=lambda value: places[value] or 0.0)


def as_markdown(text: str) -> str:
    """A plain text as Markdown that shows it as it is, but for code between backticks, which stays code.

    >>> print(as_markdown("a * b, _c_ of d_e, <f>, g < 3, `*h*`"))
    a \\* b, \\_c\\_ of d_e, &lt;f>, g < 3, `*h*`
    """
    parts = re.split(r"(`[^`]+`)", text)
    for index in range(0, len(parts), 2):
        shown = re.sub(r"\*|(?<![^\W_])_|_(?![^\W_])", r"\\\g<0>", parts[index])
        parts[index] = re.sub(r"<(?=[a-zA-Z/!?])", "&lt;", shown)
    return "".join(parts)


def markdown_row(cells: Iterable[str]) -> str:
    """The line of a row of a Markdown table, of cells in Markdown."""
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
