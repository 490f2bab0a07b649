"""Parquet files as other programs read them: run with a Python that has their modules (recipes.python_with()).

    parquet_readers.py pyarrow|duckdb|polars FILE...     prints a JSON object for each file: columns and rows
    parquet_readers.py statistics FILE...                compares what the footers say with the values

A time is the number of its microseconds since 1970 in UTC; all other values are as JSON has them.
"""

import json
import sys

BYTES_MAX = 64  # of a text in statistics; a larger one is shortened


def pyarrow_column(column):
    import pyarrow

    if isinstance(column.type, pyarrow.BaseExtensionType):
        return "json", [value if value is None else str(value) for value in column.cast(pyarrow.string()).to_pylist()]
    if pyarrow.types.is_timestamp(column.type):
        assert (column.type.unit, column.type.tz) == ("us", "UTC"), column.type
        return "timestamp", column.cast(pyarrow.int64()).to_pylist()
    return str(column.type), column.to_pylist()


def read_pyarrow(path):
    from pyarrow import parquet

    file = parquet.ParquetFile(path)
    assert file.metadata.num_row_groups > 0  # which pyarrow 18 cannot read
    table = file.read()
    table.validate(full=True)
    found = [pyarrow_column(table.column(i)) for i in range(table.num_columns)]
    return [[name, kind] for name, (kind, _) in zip(table.column_names, found)], [values for _, values in found]


def read_duckdb(path):
    import duckdb

    words = {"VARCHAR": "string", "BIGINT": "int64", "DOUBLE": "double", "BOOLEAN": "bool", "JSON": "json",
             "TIMESTAMP WITH TIME ZONE": "timestamp"}
    source = "read_parquet('%s')" % path
    columns = [[name, words[kind]] for name, kind, *_ in duckdb.sql("describe select * from " + source).fetchall()]
    wanted = ", ".join(("epoch_us(%s)" if kind == "timestamp" else "%s") % ('"%s"' % name) for name, kind in columns)
    rows = duckdb.sql("select %s from %s" % (wanted, source)).fetchall()
    return columns, [list(values) for values in zip(*rows)] if rows else [[] for _ in columns]


def read_polars(path):
    import polars

    words = {"String": "string", "Int64": "int64", "Float64": "double", "Boolean": "bool",
             "Datetime(time_unit='us', time_zone='UTC')": "timestamp"}
    frame = polars.read_parquet(path, hive_partitioning=False)
    columns = [[name, words[str(kind)]] for name, kind in frame.schema.items()]
    return columns, [frame[name].cast(polars.Int64).to_list() if kind == "timestamp" else frame[name].to_list()
                     for name, kind in columns]


def ordered(value):
    return value.encode() if isinstance(value, str) else value


def check_bound(value, found, is_max, where):
    """A bound must be a value's, or where that is long a bound that is short."""
    if isinstance(value, bytes) and len(value) > BYTES_MAX:
        assert len(found) <= BYTES_MAX + 4 and (found > value if is_max else value.startswith(found)), (where, value, found)
    else:
        assert found == value, (where, value, found)


def check_statistics(path):
    """How many chunks had values, and how many had none."""
    import pyarrow
    from pyarrow import parquet

    file = parquet.ParquetFile(path)
    counts = [0, 0]
    for group in range(file.metadata.num_row_groups):
        table = file.read_row_group(group)
        for i in range(file.metadata.num_columns):
            chunk = file.metadata.row_group(group).column(i)
            where = (path, group, chunk.path_in_schema)
            column = table.column(i)
            if isinstance(column.type, pyarrow.BaseExtensionType):
                column = column.cast(pyarrow.string())
            values = [ordered(value) for value in column.to_pylist() if value is not None]
            found = chunk.statistics
            assert found.null_count == len(column) - len(values), where
            assert chunk.num_values == len(column), where
            counts[not values] += 1
            if not values:
                assert not found.has_min_max, where
                continue
            lowest, highest = min(values), max(values)
            if not found.has_min_max:  # of characters that have none after them there is no bound
                assert highest.startswith("\U0010ffff".encode() * (BYTES_MAX // 4)), where
                continue
            check_bound(lowest, ordered(found.min), False, where)
            check_bound(highest, ordered(found.max), True, where)
    return counts


def main():
    what, *paths = sys.argv[1:]
    read = {"pyarrow": read_pyarrow, "duckdb": read_duckdb, "polars": read_polars}.get(what)
    for path in paths:
        if what == "statistics":
            print(json.dumps(check_statistics(path)))
            continue
        columns, values = read(path)
        print(json.dumps({"columns": columns, "rows": [list(row) for row in zip(*values)]}))


if __name__ == "__main__":
    main()
