"""Parquet files as other programs read them: run with a Python that has their modules (recipes.python_with()).

    parquet_readers.py pyarrow|duckdb|polars|chdb|pyspark FILE...     prints a JSON object for each file: columns and rows
    parquet_readers.py statistics FILE...     compares what the footers say with the values
    parquet_readers.py filters FILE...        asks for the rows with a value, below it and above it, where readers leave
                                              out row groups by the footers, and compares with the values
    parquet_readers.py late FILE...           says how many values each column has, and in which rows

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


def read_chdb(path):
    import chdb

    words = {"String": "string", "Int64": "int64", "Float64": "double", "Bool": "bool", "DateTime64(6, 'UTC')": "timestamp"}
    source = "file('%s', Parquet)" % path

    def ask(query):
        # its own type JSON holds objects alone, so that other values could not be read
        settings = (" settings input_format_parquet_enable_json_parsing=0, input_format_parquet_preserve_order=1, max_threads=1, "
                    "output_format_json_quote_64bit_integers=0, output_format_json_quote_denormals=1")
        return json.loads(bytes(chdb.query(query + settings, "JSONCompact").bytes()))["data"]

    found = [(row[0], row[1]) for row in ask("describe " + source)]
    assert all(kind.startswith("Nullable(") for _, kind in found), found
    columns = [[name, words[kind[len("Nullable("):-1]]] for name, kind in found]
    wanted = ", ".join(("toUnixTimestamp64Micro(%s)" if kind == "timestamp" else "%s") % ("`%s`" % name) for name, kind in columns)
    rows = ask("select %s from %s" % (wanted, source))
    return columns, [list(values) for values in zip(*rows)] if rows else [[] for _ in columns]


_spark = []


def read_pyspark(path):
    from pyspark.sql import SparkSession, functions

    words = {"string": "string", "bigint": "int64", "double": "double", "boolean": "bool", "timestamp": "timestamp"}
    if not _spark:
        _spark.append(SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
                      .config("spark.driver.memory", "512m").config("spark.driver.bindAddress", "127.0.0.1")
                      .config("spark.driver.host", "127.0.0.1").config("spark.sql.session.timeZone", "UTC").getOrCreate())
    frame = _spark[0].read.parquet(path)
    columns = [[name, words[kind]] for name, kind in frame.dtypes]
    rows = frame.select(*[functions.unix_micros(frame["`%s`" % name]) if kind == "timestamp" else frame["`%s`" % name]
                          for name, kind in columns]).collect()
    return columns, [list(values) for values in zip(*rows)] if rows else [[] for _ in columns]


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


def asked_for(values):
    """Some of the values of a column, the extremes among them."""
    found = sorted(set(value for value in values if value is not None), key=ordered)
    return found[:4] + found[4:-4:max(1, len(found) // 8)] + found[-4:]


OPERATORS = {"==": lambda a, b: a == b, "<": lambda a, b: a < b, ">=": lambda a, b: a >= b}


def duckdb_count(duckdb, path, name, kind, operator, value):
    column = ("epoch_us(\"%s\")" if kind == "timestamp" else "\"%s\"") % name
    if kind == "timestamp":  # the type itself, so that its statistics are used
        column, value = '"%s"' % name, "make_timestamptz(%d)" % value
    elif kind == "double":
        value = "cast(%r as double)" % repr(value)
    elif isinstance(value, str):
        value = "'%s'" % value.replace("'", "''")
    return duckdb.sql("select count(*) from read_parquet('%s') where %s %s %s" % (
        path, column, "=" if operator == "==" else operator, value)).fetchone()[0]


def check_filters(path):
    """How many times was asked."""
    import duckdb
    import pyarrow
    from pyarrow import parquet

    duckdb.sql("set TimeZone = 'UTC'")
    columns, values_of = read_pyarrow(path)
    schema = parquet.read_schema(path)
    count = 0
    for (name, kind), values in zip(columns, values_of):
        for value in asked_for(values):
            for operator, is_so in OPERATORS.items():
                where = (path, name, operator, value)
                wanted = sum(one is not None and is_so(ordered(one), ordered(value)) for one in values)
                if kind != "json":
                    scalar = pyarrow.scalar(value, pyarrow.int64()).cast(schema.field(name).type) if kind == "timestamp" else value
                    assert parquet.read_table(path, columns=[name], filters=[(name, operator, scalar)]).num_rows == wanted, where
                    if not (isinstance(value, str) and "\0" in value):
                        assert duckdb_count(duckdb, path, name, kind, operator, value) == wanted, where
                    count += 1
    return count


def late(path):
    """Of each column how many values there are, by pyarrow and by DuckDB, and the first row and the last that have one."""
    import duckdb
    from pyarrow import parquet

    file = parquet.ParquetFile(path)
    found = {}
    start = 0
    for batch in file.iter_batches(batch_size=10000):
        for name, column in zip(batch.schema.names, batch.columns):
            entry = found.setdefault(name, [0, None, None])
            if column.null_count < len(column):
                rows = [start + n for n, is_there in enumerate(column.is_valid().to_pylist()) if is_there]
                found[name] = [entry[0] + len(rows), rows[0] if entry[1] is None else entry[1], rows[-1]]
        start += len(batch)
    names = list(found)
    counts = duckdb.sql("select count(*), %s from read_parquet('%s')" % (", ".join('count("%s")' % name for name in names), path)).fetchone()
    assert counts == (start, *[found[name][0] for name in names]), (path, counts)
    return {"rows": start, "groups": file.metadata.num_row_groups, "columns": found}


def main():
    what, *paths = sys.argv[1:]
    read = {"pyarrow": read_pyarrow, "duckdb": read_duckdb, "polars": read_polars, "chdb": read_chdb, "pyspark": read_pyspark}.get(what)
    other = {"statistics": check_statistics, "filters": check_filters, "late": late}.get(what)
    for path in paths:
        if other:
            print(json.dumps(other(path)))
            continue
        columns, values = read(path)
        print(json.dumps({"columns": columns, "rows": [list(row) for row in zip(*values)]}))


if __name__ == "__main__":
    main()
