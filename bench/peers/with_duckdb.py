"""DuckDB: FOLDER AS_OF OUT MEMORY_MB"""

import sys

import duckdb
from sql import query

folder, as_of, out, memory = sys.argv[1:5]
engine = duckdb.connect()
engine.execute("SET TimeZone = 'UTC'; SET threads = 2; SET preserve_insertion_order = false")
if memory != "0":
    engine.execute(f"SET memory_limit = '{memory}MB'; SET temp_directory = '{out}.spill'")
engine.execute(f"COPY ({query(f'''read_parquet('{folder}/*.parquet')''', as_of)}) TO '{out}' (FORMAT parquet)")
