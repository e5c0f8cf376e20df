"""Who may see and do what, written by hand from the contract (PROTOCOL §7, DESIGN §5): the tests hold all to it.

The declarations, the page that is made of them, and what the doors give must be what stands here. Nothing here is
computed from them: who widens a right changes this file by hand, and a reader of that change sees which right.
"""

from orders.models import Status

FIELDS = """
                   client  booster  prospect  manager  admin
status             shown   shown    shown     shown    shown
progress           shown   shown    shown     shown    shown
booster_price      opened  shown    shown     shown    shown
actual_price       shown   opened   null      shown    shown
booster_id         shown   shown    shown     shown    shown
booster_username   shown   shown    shown     shown    shown
reached_rank       shown   shown    shown     shown    shown
reached_division   shown   shown    shown     shown    shown
reached_marks      shown   shown    shown     shown    shown
message            shown   shown    shown     shown    shown
game               shown   shown    shown     shown    shown
title              shown   shown    shown     shown    shown
note               shown   shown    null      shown    shown
created_at         shown   shown    shown     shown    shown
client_username    shown   shown    null      shown    shown
last_payment       shown   null     null      shown    shown
last_payout        null    shown    null      shown    shown
disputed           shown   shown    shown     shown    shown
"""
"""``opened``: null, but shown with ``REALTIME["VISIBILITY"] = "open"``."""

VERBS = """
             its client  its booster  a booster, nobody has it  another booster  another client  manager  admin
claim        -           N            N                         -                -               -        -
assign       -           -            -                         -                -               N        N
report       -           CE           -                         -                -               -        -
pause        C           C            -                         -                -               C        C
resume       P           P            -                         -                -               P        P
extend       CP          -            -                         -                -               CP       CP
release      -           CPE          -                         -                -               CPE      CPE
finish       -           CE           -                         -                -               CE       CE
drop         N           -            -                         -                -               NCPE     NCPE
reprice      -           -            -                         -                -               NCPE     NCPE
dispute      CPE         -            -                         -                -               CPE      CPE
resolve      -           -            -                         -                -               NCPEDX   NCPEDX
write_note   NCPE        -            -                         -                -               -        -
"""
STATUSES = {
    "N": Status.NEW,
    "C": Status.CONTINUE,
    "P": Status.PAUSED,
    "E": Status.EXTEND,
    "D": Status.DONE,
    "X": Status.DROPPED,
}
LEADS_TO = {
    "claim": Status.CONTINUE,
    "assign": Status.CONTINUE,
    "report": Status.CONTINUE,
    "pause": Status.PAUSED,
    "resume": Status.CONTINUE,
    "extend": Status.EXTEND,
    "release": Status.NEW,
    "finish": Status.DONE,
    "drop": Status.DROPPED,
}
"""The status after a verb; the others leave it as it is."""

BOARDS = """
             nobody  client               booster       manager  admin
mine         -       own,finished         own,finished  -        -
available    -       -                    unassigned    -        -
all          -       -                    -             every    every
"""
"""Which orders of ``tests/stories/test_permission_matrix.py`` each has on a board; ``every`` one; ``-``: refused."""

LISTS = """
             nobody  client               booster       manager  admin
mine         -       own,finished         own,finished  every    every
available    -       none                 unassigned    none     none
"""
"""The same for ``GET /api/orders?board=``, where staff is shown every order, and an empty list is no refusal."""

COMES = """
                          placed  claimed  released  dropped
mine client               in      in       in        in
mine booster              out     in       out       out
available booster         in      out      in        out
available other_booster   in      out      in        out
all manager               in      in       in        in
all admin                 in      in       in        in
mine other_client         out     out      out       out
mine other_booster        out     out      out       out
"""
"""On whose open boards an order is after each step: the client places it, the booster claims and gives it up again."""

BOARDS_ON_THE_PAGE = """
orders:mine       client   `client_id` is the viewer
orders:mine       booster  `booster_id` is the viewer
orders:available  booster  `booster_id` is empty and `status` is `New`
orders:all        manager  all
orders:all        admin    all
"""

Table = dict[str, dict[str, str]]


def read(text: str) -> Table:
    """Return cells by row and column."""
    head, *rows = [cells(line) for line in text.strip().splitlines()]
    return {name: dict(zip(head, row, strict=True)) for name, *row in rows}


def cells(line: str) -> list[str]:
    """Return the cells of a line, which two spaces or more tell apart."""
    return [part.strip() for part in line.split("  ") if part.strip()]


def boards_on_the_page() -> list[list[str]]:
    return [cells(line) for line in BOARDS_ON_THE_PAGE.strip().splitlines()]


def fields() -> Table:
    return read(FIELDS)


def verbs() -> dict[str, dict[str, frozenset[Status]]]:
    """Return in which statuses each may do each verb."""
    return {
        verb: {who: frozenset(STATUSES[letter] for letter in cell if letter != "-") for who, cell in row.items()}
        for verb, row in read(VERBS).items()
    }


def boards(text: str, every: frozenset[str]) -> dict[str, dict[str, frozenset[str] | None]]:
    """Return which orders each has on each board of ``text``; ``None``: he has no such board."""
    words = {"-": None, "none": frozenset[str](), "every": every}
    return {
        board: {who: words.get(cell, frozenset(cell.split(","))) for who, cell in row.items()}
        for board, row in read(text).items()
    }


def masked() -> dict[str, frozenset[str]]:
    """Return what each audience does not see."""
    rows = fields()
    return {
        audience: frozenset(name for name, row in rows.items() if row[audience] != "shown")
        for audience in next(iter(rows.values()))
    }
