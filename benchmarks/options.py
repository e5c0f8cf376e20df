"""What every benchmark takes on its command line."""

import argparse


def options(description: str, *, sqlite: bool = False, attackers: bool = False) -> argparse.Namespace:
    """Return ``rounds``, ``tiny`` (a try whether it runs at all), ``save`` and ``durable``."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--rounds", type=int, default=7, help="how often each way is measured, in turns")
    parser.add_argument("--tiny", action="store_true", help="a few of everything: shows that it runs, measures nothing")
    parser.add_argument("--save", action="store_true", help="write the result file in benchmarks/results")
    parser.add_argument(
        "--no-fsync", dest="durable", action="store_false", help="PostgreSQL leaves the disk out: processor time alone"
    )
    if sqlite:
        parser.add_argument("--sqlite", action="store_true", help="SQLite in place of PostgreSQL")
    if attackers:
        parser.add_argument("--kind", action="append", help="attackers of this kind alone; may be said again")
        parser.add_argument(
            "--insiders", action="store_true", help="they are managers, and watch one of the ten orders"
        )
        parser.add_argument("--nginx", action="store_true", help="nginx in front, as docs/how-to/nginx.md has it")
    found = parser.parse_args()
    found.rounds = 1 if found.tiny else found.rounds
    return found
