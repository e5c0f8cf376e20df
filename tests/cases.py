"""Play the Autobahn cases to the server at ``argv[1]``, and write what came of each: ``{"1.1.1": ""}``.

A program of its own: the cases bring modules that are called like those of the real Autobahn.
"""

import asyncio
import json
import sys

import kosoku

GROUPS = ["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "10.*"]
"""9 measures speed; 12 and 13 are compression, which Daphne does not offer."""


async def play(url: str) -> dict[str, str]:
    try:
        results = await kosoku.run_fuzzingclient(url, GROUPS, concurrency=8)
    except kosoku.FailureError as failed:
        results = failed.results
    return {each.case_id: "" if each.passed else f"{each.result} {each.result_close}" for each in results}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(play(sys.argv[1]))))
