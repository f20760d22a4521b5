"""``python -m anello.cli``."""

from anello.cli import main

main()
