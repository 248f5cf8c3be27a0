---
about: Customers with a single purchase day, by the year of it
parameters: {}
---
SELECT d.year, COUNT(*) AS customers
FROM customer_value v JOIN dim_date d ON d.date = v.first_purchase
WHERE v.purchase_days = 1
GROUP BY d.year
ORDER BY d.year
