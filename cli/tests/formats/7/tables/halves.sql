/* kind: view
   keys: [customer] */
SELECT customer, CASE WHEN decile_clv_12m <= 5 THEN 'upper' ELSE 'lower' END AS half FROM customer_value
