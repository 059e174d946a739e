"""Lists that people keep in Excel."""

import zipfile
from pathlib import Path

import pyarrow as pa

from pipeline.errors import ManifestError

EXTENSIONS = (".xlsx", ".xlsm")

MOST_BYTES = 2**29
"""Of the unpacked file: a small zip file may be unpacked to any size."""


def read_spreadsheet(file: Path) -> pa.Table:
    """The first sheet of a workbook, whose first row names the columns; all cells as text, empty ones as null.

    Raises ManifestError if it cannot be read, or if the package that reads it is not installed.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            size = sum(part.file_size for part in archive.infolist())
    except (OSError, zipfile.BadZipFile) as error:
        raise ManifestError(f"list: {file} cannot be read as a workbook of Excel: {error}") from error
    if size > MOST_BYTES:
        raise ManifestError(f"list: {file} unpacks to {size / 2**20:,.0f} MB: save it as CSV")
    import pandas as pd

    try:
        cells = pd.read_excel(file, engine="openpyxl", header=None, dtype=str, keep_default_na=False, na_values=[""])
    except ImportError as error:
        raise ManifestError(
            f"list: reading {file} needs openpyxl: pip install 'action-pipeline[excel]', or save it as CSV"
        ) from error
    except Exception as error:
        raise ManifestError(f"list: {file} cannot be read as a workbook of Excel: {error}") from error
    if cells.empty:
        raise ManifestError(f"list: {file}, its first sheet is empty")
    names = ["" if pd.isna(name) else str(name).strip() for name in cells.iloc[0]]
    columns = [pa.array(cells[column].iloc[1:], pa.string(), from_pandas=True) for column in cells.columns]
    return pa.Table.from_arrays(columns, names)
