/*
description: Semi-joins and anti-joins as people write them, one of them with a NULL in its list.
keys: [kind, customer]
*/
WITH high AS (
    SELECT customer FROM customer_decile WHERE measure = 'revenue_by_region' AND lookback = 'lifetime' AND decile = 1
),
some AS (
    SELECT CASE WHEN customer % 7 = 0 THEN NULL ELSE customer END AS customer FROM high
)
SELECT 'exists' AS kind, v.customer FROM customer_value v
WHERE EXISTS (SELECT 1 FROM high h WHERE h.customer = v.customer)
UNION ALL
SELECT 'not exists', v.customer FROM customer_value v
WHERE NOT EXISTS (SELECT 1 FROM high h WHERE h.customer = v.customer)
UNION ALL
SELECT 'in', v.customer FROM customer_value v WHERE v.customer IN (SELECT customer FROM some)
UNION ALL
SELECT 'not in', v.customer FROM customer_value v WHERE v.customer NOT IN (SELECT customer FROM high)
UNION ALL
SELECT 'not in with NULL', v.customer FROM customer_value v WHERE v.customer NOT IN (SELECT customer FROM some)
