---
about: Customers of the best tile by revenue who have probably left, the most valuable first
parameters:
  below: {type: number, default: 0.5, about: probability of being a customer still}
  deciles: {type: integer, default: 1, about: tiles of lifetime revenue that count as the best}
  limit: {type: integer, default: 100, about: customers}
---
SELECT customer, revenue_lifetime, p_alive, days_since_last_purchase, clv_12m
FROM (
  SELECT customer, revenue_lifetime, p_alive, days_since_last_purchase, clv_12m,
         NTILE(10) OVER (ORDER BY revenue_lifetime DESC, customer) AS tile
  FROM customer_value
  WHERE revenue_lifetime IS NOT NULL
)
WHERE tile <= $deciles AND p_alive < $below
ORDER BY revenue_lifetime DESC, customer
LIMIT $limit
