"""The styles of clocks drawn at random: named lists for training, others for the test, and a draw of one clock."""

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True)
class Styles:
    """Names of what clocks differ in; what is written on a dial (`NUMERALS`) is common to all."""

    fonts: tuple[str, ...]  # file names without .ttf
    hands: tuple[str, ...]  # see `clock_hands`
    ticks: tuple[str, ...]  # see `clock_drawing`
    rims: tuple[str, ...]  # see `clock_drawing`
    backgrounds: tuple[str, ...]  # see `clock_backgrounds`


TRAINING = Styles(
    fonts=(
        *("DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSerif", "DejaVuSerif-BoldItalic"),
        *("DejaVuSansMono", "STIXGeneral", "STIXGeneralBol", "cmr10"),
    ),
    hands=("baton", "pencil", "tapered", "dauphine", "kite", "lollipop", "ring", "skeleton"),
    ticks=("lines", "dots", "wedges", "hours", "quarters", "none"),
    rims=("plain", "line", "double", "none"),
    backgrounds=("plain", "wood", "noise", "gradient", "blocks"),
)
HELD_OUT = Styles(
    fonts=("DejaVuSansMono-Bold", "DejaVuSerif-Bold", "STIXGeneralItalic", "cmss10", "cmb10"),
    hands=("leaf", "spade", "sword", "arrow"),
    ticks=("railway", "triangles", "hour_dots"),
    rims=("square", "octagon", "steps"),
    backgrounds=("stripes", "checks"),
)
NUMERALS = ("arabic", "radial", "roman", "quarters", "roman_quarters", "twelve", "none")
NUMERAL_WEIGHTS = (30, 12, 18, 14, 6, 6, 14)
MARKS = ("triangle", "double", "disc")  # of the twelve, on some dials


@dataclass(frozen=True)
class Hand:
    """A hand. Lengths are in dial radii."""

    shape: str
    length: float  # centre to tip
    width: float  # where widest
    tail: float  # centre to the other end
    shoulder: float  # where it is widest, as a share of the length; some shapes only
    tone: float


@dataclass(frozen=True)
class Look:
    """All that is drawn of one clock but its time. Lengths are in dial radii, tones from 0 (black) to 1 (white)."""

    font: str
    numerals: str  # one of NUMERALS
    numeral_height: float
    numeral_radius: float
    ticks: str
    tick_radius: float  # of the ticks' outer ends
    tick_length: float
    tick_width: float
    mark: str  # one of MARKS or none
    maker: str  # the maker's name, or nothing
    maker_place: float  # below the centre; negative above it
    date: str  # the number in the date window, or nothing
    date_turn: float  # direction of the window, 0 to 1 clockwise from the twelve
    disc: float  # radius of a disc or circle inside the dial, 0 for none
    disc_tone: float
    rim: str
    rim_width: float
    paper: float
    ink: float
    rim_tone: float
    hour: Hand
    minute: Hand
    second: Hand | None
    second_turn: float
    hub: float  # radius of the disc on the axis
    shadow: float  # share of the light that is missing in the hands' shadows
    shadow_offset: tuple[float, float]
    background: str

    @property
    def shows_up(self) -> bool:
        """Whether the dial tells which way is up: by numerals, or by a marked twelve."""
        return self.numerals != "none" or self.mark != "none"


def draw_look(random: Random, styles: Styles, marked: bool = True) -> Look:
    """Draw a clock.

    Args:
        random: the only source of random numbers.
        styles: the names to choose from.
        marked: whether the dial shows which way is up; if not, it has no numerals, marks, name and date either.
    """
    uniform, choice, random_share = random.uniform, random.choice, random.random
    numerals = random.choices(NUMERALS, NUMERAL_WEIGHTS)[0] if marked else "none"
    mark = choice(MARKS) if marked and (numerals == "none" or random_share() < 0.3) else "none"
    paper, ink = _dial_tones(random)
    ticks = choice(styles.ticks)
    tick_radius, tick_length = uniform(0.9, 0.99), uniform(0.05, 0.12)
    height = uniform(0.13, 0.24)
    # The numerals stand inside the ticks, on some dials outside.
    numeral_radius = tick_radius - tick_length - height / 2 - uniform(0.02, 0.1)
    if ticks == "none":
        numeral_radius = uniform(0.68, 0.84)
    elif numerals != "none" and random_share() < 0.12:
        numeral_radius = 0.96 - height / 2
        tick_radius = numeral_radius - height / 2 - 0.04
    rim = choice(styles.rims)
    named = marked and random_share() < 0.55
    dated = marked and random_share() < 0.2
    disc = uniform(0.25, 0.7) if random_share() < 0.15 else 0.0
    hour, minute, second = _draw_hands(random, styles, paper, ink)
    shadow_offset = uniform(-0.05, 0.05), uniform(-0.05, 0.05)
    return Look(
        font=choice(styles.fonts),
        numerals=numerals,
        numeral_height=height,
        numeral_radius=numeral_radius,
        ticks=ticks,
        tick_radius=tick_radius,
        tick_length=tick_length,
        tick_width=uniform(0.015, 0.05),
        mark=mark,
        maker="".join(random.choices("ABCDEFGHIKLMNOPRSTUVWZ", k=random.randint(4, 8))) if named else "",
        maker_place=choice((-1, -1, 1)) * uniform(0.28, 0.42),
        date=str(random.randint(1, 31)) if dated else "",
        date_turn=choice((0.25, 0.25, 0.5, 0.375)),
        disc=disc,
        disc_tone=min(max(paper + uniform(-0.2, 0.2), 0), 1),
        rim=rim,
        rim_width=uniform(0.012, 0.035) if rim == "line" else uniform(0.03, 0.17),
        paper=paper,
        ink=ink,
        rim_tone=ink if rim == "line" else uniform(0, 1),
        hour=hour,
        minute=minute,
        second=second,
        second_turn=random_share(),
        hub=uniform(0.0, 0.09),
        shadow=uniform(0.1, 0.5) if random_share() < 0.5 else 0.0,
        shadow_offset=shadow_offset,
        background=choice(styles.backgrounds),
    )


def _dial_tones(random: Random) -> tuple[float, float]:
    """Tones of the dial and of its ink: a light dial, a dark one, or one between."""
    kind = random.random()
    if kind < 0.65:
        return random.uniform(0.75, 1), random.uniform(0, 0.3)
    if kind < 0.88:
        return random.uniform(0, 0.25), random.uniform(0.65, 1)
    paper = random.uniform(0.3, 0.7)
    return paper, random.uniform(0, paper - 0.3) if paper > 0.5 else random.uniform(paper + 0.35, 1)


def _draw_hands(random: Random, styles: Styles, paper: float, ink: float) -> tuple[Hand, Hand, Hand | None]:
    """The hour hand, the minute hand, and on some clocks a second hand."""
    uniform = random.uniform

    def tone() -> float:
        """As the ink, or another tone that differs from the dial's."""
        if random.random() < 0.6:
            return ink
        away = uniform(0.3, 1)
        options = [one for one in (paper - away, paper + away) if 0 <= one <= 1]
        return random.choice(options) if options else ink

    shape, shoulder, hand_tone = random.choice(styles.hands), uniform(0.15, 0.8), tone()
    reach = uniform(0.66, 0.98)
    hour_reach = reach * uniform(0.48, 0.78)
    tail = uniform(0.05, 0.25) if random.random() < 0.6 else 0.0
    hour_width = uniform(0.035, 0.13)
    minute_width = hour_width * uniform(0.5, 1)
    hour = Hand(shape, hour_reach, hour_width, tail, shoulder, hand_tone)
    other = tone() if random.random() < 0.15 else hand_tone
    minute = Hand(shape, reach, max(minute_width, 0.025), tail, shoulder, other)
    if random.random() < 0.6:
        return hour, minute, None
    thin = uniform(0.012, 0.025)
    return hour, minute, Hand("needle", uniform(0.6, 0.97), thin, uniform(0.1, 0.3), shoulder, tone())
