---
about: How many customers there are, how many ever purchased, and how many came again
parameters: {}
---
SELECT COUNT(*) AS customers,
       COUNT(first_purchase) AS buyers,
       COUNT(*) FILTER (WHERE purchase_days > 1) AS repeat_buyers
FROM customer_value
