"""Run a command in this process."""

from click.testing import CliRunner, Result

from handgrad._cli import main


def run(*args: object, exit_code: int = 0) -> Result:
    """`handgrad ARGS`; what it printed. The test fails if it ends otherwise, or with a traceback."""
    result = CliRunner().invoke(main, [str(arg) for arg in args])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == exit_code, result.output
    return result
