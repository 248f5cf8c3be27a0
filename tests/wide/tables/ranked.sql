/*
description: Windows whose order leaves nothing open.
keys: [customer]
*/
SELECT customer, first_purchase,
       row_number() OVER (PARTITION BY first_purchase ORDER BY revenue_lifetime DESC, customer) AS place,
       rank() OVER (ORDER BY frequency DESC) AS by_frequency,
       sum(revenue_lifetime) OVER (PARTITION BY decile_clv_12m ORDER BY customer) AS so_far,
       lag(customer) OVER (PARTITION BY first_purchase ORDER BY customer) AS before,
       count(*) OVER (PARTITION BY decile_revenue_lifetime) AS beside,
       ntile(4) OVER (ORDER BY clv_12m DESC NULLS LAST, customer) AS quarter
FROM customer_value
