"""`python -m innkeeper` is the `innkeeper` command."""

from innkeeper.cli.main import main

if __name__ == "__main__":
    main()
