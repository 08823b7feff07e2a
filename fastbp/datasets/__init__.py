"""A door: handwritten digits, and tables in CSV files, as arrays."""

from fastbp.datasets.digits import Dataset, Format, Table, load_csv, load_digits, load_features, load_mnist, read_idx

__all__ = ["Dataset", "Format", "Table", "load_csv", "load_digits", "load_features", "load_mnist", "read_idx"]
