// Cells of tables about customers: the key as a link to the page of the customer, and a figure.

import type { Cell } from "../../api/types.ts";
import { href } from "../../location.ts";
import { Decile, figure } from "../../ui/customer.tsx";
import { customerPath } from "../audiences/paths.ts";

export function CustomerLink({ customer }: { customer: Cell | undefined }) {
  const key = String(customer);
  return <a href={href(customerPath(key))}>{key}</a>;
}

/** The value of a column of a customer; one of a decile with its colour. */
export function CustomerFigure({ column, value }: { column: string; value: Cell | undefined }) {
  return column.startsWith("decile_") ? <Decile value={value} /> : <>{figure(column, value)}</>;
}
