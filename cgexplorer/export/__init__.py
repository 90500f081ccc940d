"""What leaves the store as a file that others can check: the evidence bundle of a digest."""

from cgexplorer.export.archive import TooLarge, write

__all__ = ["TooLarge", "write"]
