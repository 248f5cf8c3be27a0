/* keys: [customer, seen]
   mode: incremental
   references: {customer: customer_value.customer} */
SELECT customer, as_of() AS seen, decile_clv_12m AS decile FROM changes('customer_value')
WHERE _change_type IN ('insert', 'update_postimage')
