"""What pyarrow needs for the same Parquet files: parquet_pyarrow.py CSV_DIR PARQUET_DIR OUT_DIR

Prints seconds of processor time as JSON: `csv` reads the finished CSV files and writes them as Parquet, `memory` writes
the tables of PARQUET_DIR, with their types, once they are in memory. zstd and statistics, as leadpipe writes them.
"""

import json
import os
import sys
import time

import pyarrow
from pyarrow import csv, parquet


def write(table, path):
    parquet.write_table(table, path, compression="zstd")


def main():
    csv_dir, parquet_dir, out = sys.argv[1:]
    names = sorted(name[:-len(".parquet")] for name in os.listdir(parquet_dir))
    began = time.process_time()
    for name in names:
        path = os.path.join(csv_dir, name + ".csv")
        with open(path, encoding="utf-8", newline="") as file:
            columns = file.readline().rstrip("\n").split(",")
        options = csv.ConvertOptions(column_types={column.strip('"'): pyarrow.string() for column in columns}, strings_can_be_null=True)
        write(csv.read_csv(path, parse_options=csv.ParseOptions(newlines_in_values=True), convert_options=options),
              os.path.join(out, name + ".parquet"))
    seconds = {"csv": time.process_time() - began, "memory": 0.0}
    for name in names:
        table = parquet.read_table(os.path.join(parquet_dir, name + ".parquet"))
        began = time.process_time()
        write(table, os.path.join(out, name + ".parquet"))
        seconds["memory"] += time.process_time() - began
    print(json.dumps(seconds))


if __name__ == "__main__":
    main()
