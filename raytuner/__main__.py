"""`python -m raytuner` is `raytuner`."""

from raytuner.cli import main

if __name__ == "__main__":
    main()
