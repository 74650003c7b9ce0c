"""Running commands in this process."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from pupicker.commands.main import main


@dataclass(frozen=True)
class Result:
    """Exit code, stdout and stderr of a command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Stdout as JSON; fails if there is anything else in it."""
        return json.loads(self.out)

    def error(self, code: int) -> str:
        """The only error line, which must be the last one on stderr, of a command that failed with `code`."""
        assert self.code == code, self
        assert self.out == "", self
        lines = self.err.splitlines()
        assert [line for line in lines if "error:" in line] == lines[-1:], self
        assert "Traceback" not in self.err
        return lines[-1]


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> Result:
    """``pupicker ARGUMENTS``."""
    capsys.readouterr()
    try:
        code = main([str(argument) for argument in arguments])
    except SystemExit as end:  # argparse
        assert isinstance(end.code, int)
        code = end.code
    out, err = capsys.readouterr()
    return Result(code, out, err)
