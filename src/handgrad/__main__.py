"""`python -m handgrad` is `handgrad`."""

from handgrad._cli import main

if __name__ == "__main__":  # tools that only import every module are not asking for a command
    main(prog_name="handgrad")
