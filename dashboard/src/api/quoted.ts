/** A column or a table as it is named in SQL. */
export function quoted(name: string): string {
  // A NUL ends texts in some parsers; no table or column has one.
  return `"${name.replaceAll("\0", "").replaceAll('"', '""')}"`;
}
