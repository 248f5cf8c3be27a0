"""DataFusion: FOLDER AS_OF OUT MEMORY_MB"""

import sys

from datafusion import SessionConfig, SessionContext
from sql import query

folder, as_of, out, _ = sys.argv[1:5]
engine = SessionContext(SessionConfig().with_target_partitions(2))
engine.register_parquet("purchases", folder)
engine.sql(query("purchases", as_of)).write_parquet(out)
