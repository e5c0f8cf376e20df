"""A writer of the soak: ``python -m tests.soak.writer <name> <seed> <acts a second>``.

Says ``ready``; ends with a line on its standard input, and prints what it did as JSON. Never works more than half of
the time, so that a slow machine is given fewer writes instead of a queue.
"""

import json
import sys
import threading
import time
from collections import Counter

LEAST_OPEN, MOST_OPEN = 70, 110


def write(name: str, seed: int, a_second: float, told_to_end: threading.Event) -> Counter[str]:
    """Act until told to end; count what was done, refused by a rule, and failed with the database."""
    from django.core.exceptions import ObjectDoesNotExist
    from django.db import Error as DatabaseError
    from django.db import connection

    from orders.exceptions import OrderError
    from realtime.actor import acting
    from tests.soak.acts import Hand, one, refill, sparse
    from wallet.exceptions import WalletError

    done: Counter[str] = Counter()
    hand: Hand | None = None
    while not told_to_end.is_set():
        began = time.monotonic()
        try:
            hand = hand or Hand(name, seed)
            with acting(f"command:{name}", source="command"):
                done[one(hand) or "nothing to do"] += 1
                if sum(done.values()) % 10 == 0:
                    refill(hand, LEAST_OPEN)
                    sparse(hand, MOST_OPEN)
        except (OrderError, WalletError):
            done["refused by a rule"] += 1
        except ObjectDoesNotExist:
            done["somebody was faster"] += 1
        except DatabaseError as error:
            done[f"failed: {type(error).__name__}"] += 1
            connection.close()
            told_to_end.wait(0.1)
        took = time.monotonic() - began
        told_to_end.wait(max(1 / a_second - took, took))
    return done


def main() -> None:
    import django

    django.setup()
    from realtime import relay

    name, seed, a_second = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    told_to_end = threading.Event()
    print("ready", flush=True)
    listening = threading.Thread(target=lambda: (sys.stdin.readline(), told_to_end.set()), daemon=True)
    listening.start()
    done = write(name, seed, a_second, told_to_end)
    relay.end()
    print(json.dumps(done), flush=True)


if __name__ == "__main__":
    main()
