"""The query that the SQL engines run: recency, frequency and value, six sums, six times NTILE(10)."""

LOOKBACKS = (1, 3, 6, 9, 12)


def query(table, as_of):
    """The query over a table of purchases, as of a date."""
    start = {months: f"DATE '{as_of}' - INTERVAL '{months}' MONTH" for months in LOOKBACKS}
    sums = ", ".join(
        f"coalesce(sum(amount) FILTER (WHERE ts >= {start[months]}), 0) AS revenue_{months}m"
        for months in LOOKBACKS
    )
    names = [f"revenue_{months}m" for months in LOOKBACKS] + ["revenue_lifetime"]
    tiles = ", ".join(
        f"ntile(10) OVER (ORDER BY {name} DESC, customer_id) AS decile_{name}" for name in names
    )
    return f"""
        WITH totals AS (
            SELECT customer_id, min(ts) AS first_purchase, max(ts) AS last_purchase,
                   count(*) AS purchases, {sums}, sum(amount) AS revenue_lifetime
            FROM {table} WHERE ts < DATE '{as_of}' GROUP BY customer_id)
        SELECT *, {tiles} FROM totals"""
