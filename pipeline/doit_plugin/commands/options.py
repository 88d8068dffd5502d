"""Options that several commands have, in the form that doit wants."""

from __future__ import annotations

JSON_OPTION = {
    "name": "as_json",
    "short": "",
    "long": "json",
    "type": bool,
    "default": False,
    "help": "print one JSON object, for programs",
}
