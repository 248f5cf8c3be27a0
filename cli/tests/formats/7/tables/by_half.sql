/* keys: [half] */
SELECT half, count(*) AS customers, sum(events) AS events FROM halves JOIN customer_value USING (customer) GROUP BY half
