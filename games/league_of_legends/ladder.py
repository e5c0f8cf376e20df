"""The ladder: ranks, divisions, marks. Pure."""

from dataclasses import dataclass

from games.league_of_legends.exceptions import BadPosition

DIVIDED = ("Iron", "Bronze", "Silver", "Gold", "Platinum", "Emerald", "Diamond")
UNDIVIDED = ("Master", "Grandmaster", "Challenger")
RANKS = DIVIDED + UNDIVIDED
DIVISIONS = ("IV", "III", "II", "I")  # 1 to 4
MARKS = 6  # bands of league points in a division: 0 to 5
BANDS = (len(DIVIDED) * len(DIVISIONS) + len(UNDIVIDED)) * MARKS


@dataclass(frozen=True, slots=True)
class Position:
    """A place on the ladder: rank, division 1 (IV) to 4 (I), marks 0 to 5. Master and up have no division.

    >>> Position("Gold", 2, 3).band < Position("Gold", 3).band < Position("Master", None).band
    True
    >>> str(Position("Gold", 2, 3))
    'Gold III, 3 marks'
    """

    rank: str
    division: int | None
    marks: int = 0

    def __post_init__(self) -> None:
        if self.rank not in RANKS:
            raise BadPosition(f"There is no such rank. Choose one of {', '.join(RANKS)}.")
        if self.rank in UNDIVIDED and self.division is not None:
            raise BadPosition(f"{self.rank} has no divisions: leave the division out.")
        if self.rank in DIVIDED and not _whole(self.division, 1, len(DIVISIONS)):
            raise BadPosition(f"{self.rank} has four divisions: give 1 (IV) to 4 (I).")
        if not _whole(self.marks, 0, MARKS - 1):
            raise BadPosition(f"Marks go from 0 to {MARKS - 1}.")

    @property
    def band(self) -> int:
        """How many bands lie below: 0 for Iron IV without marks."""
        return step_of(self.rank, self.division) * MARKS + self.marks

    @property
    def name(self) -> str:
        return f"{self.rank} {DIVISIONS[self.division - 1]}" if self.division else self.rank

    def __str__(self) -> str:
        if not self.marks:
            return self.name
        return f"{self.name}, {self.marks} mark{'s' if self.marks > 1 else ''}"


def step_of(rank: str, division: int | None) -> int:
    """Return how many steps (divisions, or ranks without any) lie below."""
    index = RANKS.index(rank)
    below = min(index, len(DIVIDED)) * len(DIVISIONS) + max(index - len(DIVIDED), 0)
    return below + (division - 1 if division else 0)


def position_at(band: int) -> Position:
    """Return the place with ``band`` bands below it.

    >>> position_at(Position("Diamond", 4, 5).band + 1)
    Position(rank='Master', division=None, marks=0)
    """
    if not _whole(band, 0, BANDS - 1):
        raise BadPosition(f"The ladder has {BANDS} bands, from 0.")
    step, marks = divmod(band, MARKS)
    rank, division = divmod(step, len(DIVISIONS))
    if rank < len(DIVIDED):
        return Position(DIVIDED[rank], division + 1, marks)
    return Position(UNDIVIDED[step - len(DIVIDED) * len(DIVISIONS)], None, marks)


def _whole(value: object, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
