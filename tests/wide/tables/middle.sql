/*
kind: view
keys: [customer]
*/
SELECT customer, draw % 10 AS tenth, months, third FROM functions WHERE alive
