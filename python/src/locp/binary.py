"""The `locp` program: where it is, how it is called, and what its errors become."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import Any, Iterable

from .errors import BinaryNotFound, CommandError, Refused

BUILD = (
    "build it in LOCP's repository with `cargo install --locked --path locp-cli`, "
    "or give its path by `binary=` or the environment variable LOCP_BIN"
)


def find_binary(binary: str | os.PathLike | None = None) -> str:
    """The path of the program: `binary`, else the environment variable LOCP_BIN, else `locp` on the PATH."""
    for asked, origin in ((binary, "binary="), (os.environ.get("LOCP_BIN"), "LOCP_BIN")):
        if asked:
            found = shutil.which(os.path.expanduser(os.fspath(asked)))
            if found is None:
                raise BinaryNotFound(f"`{os.fspath(asked)}` (given by {origin}) is no program that can be run; {BUILD}")
            return found
    found = shutil.which("locp")
    if found is None:
        raise BinaryNotFound(f"the program `locp` is not on the PATH, and neither binary= nor LOCP_BIN is set; {BUILD}")
    return found


def flags(options: dict[str, Any]) -> list[str]:
    """Keyword arguments as flags: `min_share=0.5` is `--min-share=0.5`, True a bare flag, a list one flag for each.

    None and False leave a flag out.
    """
    words = []
    for name, value in options.items():
        flag = "--" + name.replace("_", "-")
        for one in value if isinstance(value, (list, tuple)) else [value]:
            if one is True:
                words.append(flag)
            elif one is not None and one is not False:
                words.append(f"{flag}={one}")
    return words


def run(
    command: str,
    *arguments: Any,
    binary: str | os.PathLike | None = None,
    extra: Iterable[str] = (),
    verbose: bool = False,
    **options: Any,
) -> dict[str, Any]:
    """Calls `locp COMMAND ARGUMENTS` and returns its JSON result.

    options  flags, as `flags` writes them
    extra    further words of the command line, as they are
    verbose  lets the program show its progress on stderr

    Raises `Refused` where the answer is no, `CommandError` where something was wrong.
    """
    words = [find_binary(binary), command, *map(str, arguments), *flags(options), *map(str, extra), "--format=json"]
    if not verbose:
        words.append("--progress=never")
    try:
        done = subprocess.run(words, stdout=subprocess.PIPE, stderr=None if verbose else subprocess.PIPE)
    except OSError as error:
        raise BinaryNotFound(f"`{words[0]}` cannot be run ({error}); {BUILD}") from error
    said = (done.stderr or b"").decode(errors="replace").strip()
    try:
        result = json.loads(done.stdout)
    except ValueError:
        raise _silent(words[0], done.returncode, said) from None
    if not isinstance(result, dict):
        raise _silent(words[0], done.returncode, said)
    if str(result.get("schema", "")).startswith("locp.error/"):
        kind = Refused if done.returncode == 1 else CommandError
        raise kind(
            kind=str(result.get("kind", "unknown")),
            message=str(result.get("message", said)),
            remedy=str(result.get("remedy", "")),
            exit_code=done.returncode,
            simulated=bool(result.get("simulated")),
        )
    return result


def _silent(path: str, code: int, said: str) -> CommandError:
    """The error for a program that said nothing that can be read."""
    last = said.splitlines()[-1] if said else "it said nothing"
    if code < 0:
        message = f"`{path}` was ended by signal {-code} ({last}); call it again"
        return CommandError(kind="killed", message=message, exit_code=code)
    message = f"`{path}` ended with {code} and wrote no JSON result ({last}); is it the `locp` of this release?"
    return CommandError(kind="no-result", message=message, exit_code=code)
