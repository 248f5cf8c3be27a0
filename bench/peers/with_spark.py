"""Spark SQL on two threads of one machine: FOLDER AS_OF OUT MEMORY_MB"""

import pathlib
import shutil
import sys

from pyspark.sql import SparkSession
from sql import query

folder, as_of, out, _ = sys.argv[1:5]
builder = SparkSession.builder.master("local[2]").appName("purchases")
settings = {
    "spark.driver.memory": "8g",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": "8",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}
for name, value in settings.items():
    builder = builder.config(name, value)
engine = builder.getOrCreate()
engine.sparkContext.setLogLevel("ERROR")
engine.read.parquet(folder).createOrReplaceTempView("purchases")
# Tiles over everybody are made by one task, so there is one part.
parts = pathlib.Path(f"{out}.parts")
engine.sql(query("purchases", as_of)).coalesce(1).write.mode("overwrite").parquet(str(parts))
next(parts.glob("part-*.parquet")).rename(out)
shutil.rmtree(parts)
gateway = engine.sparkContext._gateway
engine.stop()
# The engine is a process of its own, which counts only once it was waited for.
gateway.shutdown()
gateway.proc.stdin.close()
gateway.proc.wait()
