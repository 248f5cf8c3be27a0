// Where the parameters of a query are. The server refuses values that a query does not ask for, so the pages have
// to find `$name` in SQL, and not in its texts, quoted names and comments.

export interface Token {
  kind: "parameter" | "other" | "blank";
  text: string;
  /** Name of the parameter, without `$`. */
  name?: string;
}

const PARTS: [RegExp, Token["kind"]][] = [
  [/--[^\n]*/y, "blank"],
  [/\s+/y, "blank"],
  [/\$([A-Za-z_][A-Za-z0-9_]*)?\$[\s\S]*?\$\1\$/y, "other"],
  [/\$[A-Za-z0-9_]+/y, "parameter"],
  [/[eE]'(?:[^'\\]|\\[\s\S]|'')*'?/y, "other"],
  [/'(?:[^']|'')*'?/y, "other"],
  [/"(?:[^"]|"")*"?/y, "other"],
  [/[A-Za-z_][A-Za-z0-9_$]*/y, "other"],
  [/[\s\S]/y, "other"],
];

/** The parts of a query; joined together they are the query again. */
export function scan(sql: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < sql.length) {
    if (sql.startsWith("/*", at)) {
      const end = endOfComment(sql, at);
      tokens.push({ kind: "blank", text: sql.slice(at, end) });
      at = end;
      continue;
    }
    for (const [pattern, kind] of PARTS) {
      pattern.lastIndex = at;
      const found = pattern.exec(sql);
      if (!found) continue;
      const text = found[0];
      tokens.push(kind === "parameter" ? { kind, text, name: text.slice(1) } : { kind, text });
      at += text.length;
      break;
    }
  }
  return tokens;
}

/** Where a comment ends that begins here: such comments may lie in one another. */
function endOfComment(sql: string, from: number): number {
  let depth = 0;
  let at = from;
  while (at < sql.length) {
    if (sql.startsWith("/*", at)) {
      depth += 1;
      at += 2;
    } else if (sql.startsWith("*/", at)) {
      depth -= 1;
      at += 2;
      if (depth === 0) return at;
    } else {
      at += 1;
    }
  }
  return sql.length;
}

/** The names of the parameters of a query, each once, in the order in which they come. */
export function parametersOf(sql: string): string[] {
  const names = scan(sql).flatMap((token) => (token.name === undefined ? [] : [token.name]));
  return [...new Set(names)];
}

/** The name of the filter in `"$name"`, which stands for a column that is chosen; undefined for other parts. */
export function columnFilterOf(text: string): string | undefined {
  return /^"\$([A-Za-z_][A-Za-z0-9_]*)"$/.exec(text)?.[1];
}

/** The filters whose choice is a column of the query, each once. */
export function columnFiltersOf(sql: string): string[] {
  const names = scan(sql).flatMap((token) => columnFilterOf(token.text) ?? []);
  return [...new Set(names)];
}
