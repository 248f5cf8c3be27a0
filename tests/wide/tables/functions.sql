/*
description: Functions of Tenfold, and types that tables have.
keys: [customer]
*/
SELECT customer, as_of() AS day, hash63('wide:' || CAST(customer AS VARCHAR)) AS draw,
       months_between(as_of(), first_purchase) AS months, add_months(last_purchase, 1) AS next,
       CAST(revenue_lifetime / 3 AS DECIMAL(18, 4)) AS third, clv_12m * 2 AS double, p_alive > 0.5 AS alive,
       CAST(first_purchase AS TIMESTAMP) AS at, upper(CAST(decile_clv_12m AS VARCHAR)) AS text
FROM customer_value
WHERE last_purchase >= as_of() - INTERVAL '200 days'
