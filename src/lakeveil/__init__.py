"""Lakeveil: photos are released with their faces gone, tables are shared by tag."""

import os

# Before NumPy is imported anywhere. Nothing here multiplies large matrices, and BLAS would start
# a thread for each core in every process: a tenth of a second of CPU each time.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

__version__ = "0.1.0"
