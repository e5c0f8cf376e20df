"""Print what the sockets speak."""

import json
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from ... import asyncapi
from ...exceptions import DeclarationError
from ...feeds import all_feeds, feed_named


class Command(BaseCommand):
    help = "Print the sockets of the registered feeds as an AsyncAPI 3.0 document (JSON)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--feed", metavar="NAME", nargs="+", help="these feeds only (default: all)")
        parser.add_argument(
            "--examples", metavar="FOLDER", type=Path, help="JSON files named by frames: {what it shows: a frame}"
        )
        parser.add_argument("--document-version", metavar="V", default="1", help="of the document (default 1)")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            feeds = [feed_named(name) for name in options["feed"]] if options["feed"] else all_feeds()
        except DeclarationError as error:
            raise CommandError(str(error)) from error
        made = asyncapi.document(
            feeds,
            version=options["document_version"],
            cookie=settings.SESSION_COOKIE_NAME,
            examples=self.examples(options["examples"]),
        )
        self.stdout.write(json.dumps(made, ensure_ascii=False, indent=2))

    def examples(self, folder: Path | None) -> dict[str, Any]:
        if folder is None:
            return {}
        if not folder.is_dir():
            raise CommandError(f"{folder} is no folder.")
        try:
            return {path.stem: json.loads(path.read_text()) for path in sorted(folder.rglob("*.json"))}
        except ValueError as error:
            raise CommandError(f"a file of {folder} is no JSON: {error}") from error
