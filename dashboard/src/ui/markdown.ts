// The little Markdown that pages about errors are written in: headings, paragraphs, lists, code. Pure; what it gives is
// drawn as elements, never as HTML.

export type Span = { text: string; code: boolean };

export type Block =
  | { kind: "heading"; level: number; spans: Span[] }
  | { kind: "paragraph"; spans: Span[] }
  | { kind: "list"; items: Span[][] }
  | { kind: "code"; text: string };

export function blocksOf(markdown: string): Block[] {
  const blocks: Block[] = [];
  const lines = markdown.split("\n");
  for (let place = 0; place < lines.length; ) {
    const line = lines[place] as string;
    if (line.startsWith("```")) {
      const rest = lines.slice(place + 1);
      const length = rest.findIndex((one) => one.startsWith("```"));
      const code = length < 0 ? rest : rest.slice(0, length);
      blocks.push({ kind: "code", text: code.join("\n") });
      place += code.length + 2;
      continue;
    }
    const heading = /^(#+) (.*)$/.exec(line);
    if (line.trim() === "" || heading) {
      if (heading) blocks.push({ kind: "heading", level: (heading[1] as string).length, spans: spansOf(heading[2] as string) });
      place += 1;
      continue;
    }
    // A paragraph or a list goes on until the next empty line.
    const rest = lines.slice(place);
    const length = rest.findIndex((one) => one.trim() === "" || one.startsWith("```") || /^#+ /.test(one));
    const part = length < 0 ? rest : rest.slice(0, length);
    blocks.push(textOf(part));
    place += part.length;
  }
  return blocks;
}

function textOf(lines: string[]): Block {
  if (!lines[0]?.startsWith("- ")) return { kind: "paragraph", spans: spansOf(lines.map((line) => line.trim()).join(" ")) };
  const items: string[] = [];
  for (const line of lines) {
    if (line.startsWith("- ")) items.push(line.slice(2).trim());
    else items.push(`${items.pop() ?? ""} ${line.trim()}`);
  }
  return { kind: "list", items: items.map(spansOf) };
}

/** Text with what stands between backquotes as code, and links as their words. */
export function spansOf(text: string): Span[] {
  const plain = text.replace(/\[([^\]]+)\]\([^)]+\)/g, "$1");
  return plain
    .split("`")
    .map((part, index) => ({ text: part, code: index % 2 === 1 }))
    .filter((span) => span.text !== "");
}
