import { describe, expect, it } from "vitest";
import { blocksOf } from "./markdown.ts";

const PAGE = `# E1106: An input file is gone

A file is not
there any more.

## Usual causes

- \`path\` was
  narrowed
- see [inputs](inputs.md)

\`\`\`sh
tenfold plan

tenfold refresh
\`\`\`
Then go on.
`;

describe("a page about an error", () => {
  it("has headings, paragraphs, lists and code", () => {
    expect(blocksOf(PAGE)).toEqual([
      { kind: "heading", level: 1, spans: [{ text: "E1106: An input file is gone", code: false }] },
      { kind: "paragraph", spans: [{ text: "A file is not there any more.", code: false }] },
      { kind: "heading", level: 2, spans: [{ text: "Usual causes", code: false }] },
      {
        kind: "list",
        items: [[{ text: "path", code: true }, { text: " was narrowed", code: false }], [{ text: "see inputs", code: false }]],
      },
      { kind: "code", text: "tenfold plan\n\ntenfold refresh" },
      { kind: "paragraph", spans: [{ text: "Then go on.", code: false }] },
    ]);
  });

  it("keeps what is marked as nothing as it is", () => {
    expect(blocksOf("<b>1 < 2</b>")).toEqual([{ kind: "paragraph", spans: [{ text: "<b>1 < 2</b>", code: false }] }]);
    expect(blocksOf("")).toEqual([]);
  });
});
